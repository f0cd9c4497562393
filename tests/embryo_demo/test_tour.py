"""The command as a user meets it: from nothing to the summary, again, interrupted, wrongly used."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

RECIPE = """
name = "albert-demo"
family = "albert"
objective = "mlm+sop"
[model]
hidden = 16
layers = 1
heads = 2
ffn = 32
embedding = 16
positions = 64
[vocabulary]
size = 700
[data]
length = 32
max_predictions = 5
duplicates = 1
lone_sentence = "split"
split_sentences = false
[optimizer]
name = "lamb"
learning_rate = 1e-3
warmup_steps = 1
[training]
steps = 2
batch = 2
log_every = 1
[save]
steps = [0, 1, 2]
"""


def demo(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embryo_demo", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)


@pytest.fixture
def tiny(tmp_path: Path) -> list[str | Path]:
    (tmp_path / "tiny.toml").write_text(RECIPE, "utf-8")
    return ["run", "--sentences", "1500", "--heldout", "10", "--recipe", tmp_path / "tiny.toml"]


def test_from_nothing_to_a_summary_and_the_second_time_nothing_is_done_again(
    tmp_path: Path, tiny: list[str | Path]
) -> None:
    first = demo(*tiny, cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    steps = sorted(p.name for p in (tmp_path / "demo/checkpoints/albert-demo").glob("step-*"))
    assert [int(name.removeprefix("step-")) for name in steps] == [0, 1, 2]
    for path in ("demo/results.duckdb", "demo/checkpoints/albert-demo", "demo/world.json"):
        assert path in first.stdout
        assert (tmp_path / path).exists()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "demo").rglob("*") if p.is_file()}

    second = demo(*tiny, cwd=tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "[1/3]" in first.stdout
    assert "[1/3]" not in second.stdout
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_an_interrupted_tour_says_so_and_goes_on(tmp_path: Path, tiny: list[str | Path]) -> None:
    command = [sys.executable, "-u", "-m", "embryo_demo", *map(str, tiny)]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # Whoever starts the tests in the background may have them ignore Ctrl-C, and so this child too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        while "[2/3]" not in (line := process.stdout.readline()):
            assert line, process.wait()
        assert process.stdout.readline()  # the trainer's own first words
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=120) == 130
    assert "the same command goes on from here" in rest
    assert "Traceback" not in rest
    assert list(json.loads((tmp_path / "demo/stages.json").read_text("utf-8"))["seconds"]) == ["world"]


def test_another_world_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    assert demo("write", "--sentences", "50", "--heldout", "5", cwd=tmp_path).returncode == 0
    before = (tmp_path / "demo" / "text" / "world.txt").read_bytes()
    found = demo("run", "--seed", "1", cwd=tmp_path)
    assert found.returncode == 2
    assert "holds another world" in found.stderr
    assert "--out" in found.stderr
    assert (tmp_path / "demo" / "text" / "world.txt").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--seed", "-1"], "whole number from 0"),
        (["write", "--sentences", "none"], "whole number above 0"),
        (["run", "--recipe", "nowhere.toml"], "nowhere.toml"),
        ([], "COMMAND"),
    ],
)
def test_wrong_usage_is_told_in_a_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    found = demo(*arguments, cwd=tmp_path)
    assert found.returncode == 2
    assert expected in found.stderr
    assert "Traceback" not in found.stderr


def test_a_folder_that_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("a file where a folder is wanted", "utf-8")
    found = demo("write", "--sentences", "50", cwd=tmp_path)
    assert found.returncode == 3
    assert "cannot write demo" in found.stderr
    assert "Traceback" not in found.stderr
