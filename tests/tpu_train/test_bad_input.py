"""Wrong input and bad luck: one clear message, the right exit code, no traceback, nothing half-written."""

import contextlib
import fcntl
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpu_train import state, store
from tpu_train.cli import main


def refused(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command, expects ``code``, returns its message."""
    assert main(arguments) == code
    message = capsys.readouterr().err
    assert message.startswith("embryo-train: ")
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--recipe", "albert-huge"], "No recipe 'albert-huge': expected a TOML file or one of albert-base"),
        (["--corpus", "nowhere"], "No corpus at nowhere: expected a folder of text files"),
        (["--set", "optimizer.learning_rat=1"], "unknown key 'learning_rat'; did you mean 'learning_rate'?"),
        (["--set", "optimizer.name=sgd"], "optimizer: name: expected one of 'lamb', 'adamw', found 'sgd'"),
        (["--set", "training.batch=many"], "training: batch: expected a whole number, found 'many'"),
        (["--set", "data.length=64"], "data.length must not exceed model.positions"),
        (["--set", "model.heads=3"], "model.hidden must be a multiple of model.heads"),
        (["--set", "training.steps"], "expected TABLE.KEY=VALUE"),
        (["--vocabulary", "nowhere"], "No vocabulary in nowhere"),
        (["--set", "vocabulary.size=9000"], "pieces for vocabulary.size = 9,000"),
        (["--threads", "0"], "--threads 0: expected 1 or more"),
        (["--state-every", "nan"], "--state-every nan: expected 0 or more seconds"),
        (["--set", "training.steps.more=1"], "steps is a value, no table"),
        (["--set", f"training.seed={1 << 63}"], "training.seed must not be negative, and below 2^63"),
        (["--set", "optimizer.beta2=1.5"], "optimizer.beta2 must lie in [0, 1)"),
        (["--save", "0, every 0 to 5"], "Cannot read 'every 0 to 5'"),
        (["--save", "every ² to 5"], "Cannot read 'every ² to 5'"),
        (["--out", ""], "'' names no folder"),
        (["--out", "gs://"], "'gs://' names no folder"),
    ],
)
def test_wrong_input_is_named(
    world: Any, change: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused(world.command("run", *change), 2, capsys)
    assert not (world.root / "run" / "run.json").exists()


def test_a_recipe_that_is_no_toml_or_says_too_little(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    world.recipe.write_text("name = ", "utf-8")
    assert "is not valid TOML" in refused(world.command(), 2, capsys)
    world.recipe.write_text('name = "x"\nfamily = "albert"\n', "utf-8")
    assert "'objective' is missing" in refused(world.command(), 2, capsys)


def test_nothing_to_begin_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Say --out" in refused(["--recipe", "albert-tiny"], 2, capsys)
    assert "say --recipe and --corpus to begin one" in refused(["--out", str(tmp_path / "new")], 2, capsys)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text", ["", "\n\n \n", '<doc id="1" title="Only a title">\nOnly a title\n\n</doc>\n']
)
def test_an_empty_text(world: Any, text: str, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (world.text / "a.txt").write_text(text, "utf-8")
    command = world.command("run", "--vocabulary", str(finished / "step-00000000"))
    assert "The corpus is empty" in refused(command, 2, capsys)


def test_a_folder_without_text(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (world.text / "a.txt").rename(world.text / "a.pdf")
    assert "expected files named *.txt or wiki_NN" in refused(world.command(), 2, capsys)


def test_a_line_of_another_encoding(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (world.text / "b.txt").write_bytes(b"One line.\nA caf\xe9.\n")
    message = refused(world.command(), 2, capsys)
    assert "b.txt, line 2: not UTF-8" in message
    assert not list((world.root / "run").rglob("*.partial"))


def test_settings_of_the_folder(
    world: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world.root)
    (world.root / "embryo.toml").write_text(
        '[train]\nrecipe = "little.toml"\ncorpus = "text"\nout = "run"\n', "utf-8"
    )
    assert "unknown key 'stepz'" in refused(["--set", "training.stepz=1"], 2, capsys)
    assert "must be above 0" in refused(["--steps", "0"], 2, capsys)
    (world.root / "embryo.toml").write_text('[train]\nrecipy = "x"\n', "utf-8")
    assert "unknown key 'recipy'; did you mean 'recipe'?" in refused([], 2, capsys)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'[trian]\nrecipe = "x"\n', "embryo.toml: unknown key 'trian'; did you mean 'train'?"),
        (b"train = 5\n", "expected a table [train]"),
        (b'[train]\nthreads = "4"\n', "threads is '4'; expected a whole number"),
        (b"[train]\nthreads = true\n", "threads is True; expected a whole number"),
        (b"[train]\ncorpus = [1]\n", "corpus is [1]; expected text in quotes or a list of such"),
        (b"[train]\nquiet = 1\n", "quiet is 1; expected true or false"),
        (b'[train]\ndevice = "abacus"\n', "--device abacus: expected one of cpu, gpu, tpu"),
        (b"\xff\xfe", "is not valid TOML"),
    ],
)
def test_settings_of_another_type(
    world: Any, content: bytes, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world.root)
    (world.root / "embryo.toml").write_bytes(content)
    command = [
        "--recipe",
        "little.toml",
        "--out",
        "run",
        *([] if b"corpus" in content else ["--corpus", "text"]),
    ]
    assert told in refused(command, 2, capsys)
    assert not (world.root / "run").exists()


def test_a_recipe_that_is_no_text(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    world.recipe.write_bytes(b"\xf7\x00")
    assert "is not valid TOML" in refused(world.command(), 2, capsys)


def test_a_folder_with_other_things(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of runs instead of a run's, or a home folder."""
    (world.root / "run" / "albert").mkdir(parents=True)
    assert "holds albert, and no run. Choose a folder of the run's own" in refused(world.command(), 2, capsys)
    assert [path.name for path in (world.root / "run").iterdir()] == ["albert"]


def test_a_vocabulary_of_another_size(world: Any, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = world.command(
        "run", "--vocabulary", str(finished / "step-00000000"), "--set", "vocabulary.size=300"
    )
    assert "holds 200 pieces, the recipe says vocabulary.size = 300" in refused(command, 2, capsys)


def test_a_run_that_another_process_trains(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = world.root / "run" / "state"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "Another embryo-train is training" in refused(world.command(), 3, capsys)


def test_a_folder_that_is_a_file(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (world.root / "run").write_text("", "utf-8")
    assert "Cannot write to" in refused(world.command(), 2, capsys)


def test_a_run_description_of_a_newer_version(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (world.root / "run").mkdir()
    (world.root / "run" / "run.json").write_text('{"schema_version": 99}', "utf-8")
    assert "has schema version 99" in refused(world.command(), 2, capsys)
    (world.root / "run" / "run.json").write_text("{", "utf-8")
    assert "is not a run's description" in refused(world.command(), 2, capsys)


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(
    world: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    exploding = [
        "--set",
        "optimizer.name=adamw",
        "--set",
        "optimizer.learning_rate=1e30",
        "--state-every",
        "0",
    ]
    message = refused(world.command("run", *exploding), 3, capsys)
    assert "The loss is not finite at step" in message
    assert "lower learning rate" in message
    kept = state.load(world.root / "run" / "state")
    assert kept is not None
    assert 0 < kept[0].step < 120
    assert all(np.isfinite(array).all() for array in kept[1].values())
    assert max(store.saved(world.root / "run")) <= kept[0].step + 1


@contextlib.contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """The operating system refuses files of more than ``size`` bytes, as it refuses any on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [2_000, 40_000, 120_000])
def test_a_full_disk(world: Any, finished: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    with no_file_above(size):
        message = refused(world.command("run", "--state-every", "0"), 3, capsys)
    run = world.root / "run"
    assert "No space left while writing" in message
    assert "Nothing half-written was kept" in message
    assert not list(run.rglob("*.partial"))
    for step in store.saved(run):
        name = "model.safetensors"
        written = store.step_folder(run, step) / name
        assert written.read_bytes() == (store.step_folder(finished, step) / name).read_bytes()
    assert main(world.command()) == 0
    last = store.step_folder(run, 120) / "model.safetensors"
    assert last.read_bytes() == (store.step_folder(finished, 120) / "model.safetensors").read_bytes()
