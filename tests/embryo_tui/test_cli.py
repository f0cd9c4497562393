"""The command: wrong input in one clear message, text without a terminal, the app in a real one."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

import embryo_store
from embryo_tui.cli import main
from embryo_tui.curtain import drawn
from embryo_tui.sample import sample

LOCK = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def in_terminal(
    arguments: list[str], until: str, seconds: float = 20, **environment: str
) -> tuple[str, int | None]:
    """Runs the command in a real pseudo-terminal until it says something: output, exit code if any."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment)
        try:
            os.execv(sys.executable, [sys.executable, "-m", "embryo_tui", *arguments])
        finally:
            os._exit(127)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    said, deadline = b"", time.monotonic() + seconds
    try:
        while until not in said.decode(errors="replace") and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    chunk = os.read(terminal, 65536)
                except OSError:
                    break
                if not chunk:
                    break
                said += chunk
        done, status = os.waitpid(pid, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if done else None
        if not done and until in said.decode(errors="replace"):
            with contextlib.suppress(OSError):
                os.write(terminal, b"q")
            while time.monotonic() < deadline and code is None:
                if select.select([terminal], [], [], 0.05)[0]:
                    with contextlib.suppress(OSError):
                        said += os.read(terminal, 65536)
                done, status = os.waitpid(pid, os.WNOHANG)
                code = os.waitstatus_to_exitcode(status) if done else None
        return said.decode(errors="replace"), code
    finally:
        if not done:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.startswith("embryo-tui: ")
    return code, err


def test_a_missing_store_says_what_makes_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = complaint(capsys, str(tmp_path / "results.duckdb"))
    assert code == 2
    assert "embryo-eval" in said
    assert "--demo" in said


def test_a_path_that_cannot_be_looked_at_is_told(capsys: pytest.CaptureFixture[str], store: Path) -> None:
    for path in (store / "inside", store.parent / ("x" * 300)):
        assert main([str(path), "--print", "summary"]) == 2
        assert "can't be read" in capsys.readouterr().err


def test_a_folder_with_a_store_in_it_is_pointed_out(capsys: pytest.CaptureFixture[str], store: Path) -> None:
    code, said = complaint(capsys, str(store.parent))
    assert code == 2
    assert str(store) in said


def test_a_file_that_is_no_store_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "notes.duckdb"
    path.write_bytes(b"something else" * 400)
    code, said = complaint(capsys, str(path), "--print", "summary")
    assert code == 2
    assert "notes.duckdb" in said


def test_an_unknown_run_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    code, said = complaint(capsys, str(store), "--print", "words", "--run", "gpt")
    assert code == 2
    assert "albert-demo, bert-demo" in said


def test_a_locked_store_is_told_of_with_exit_code_3(
    capsys: pytest.CaptureFixture[str], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embryo_tui.text.show.PATIENCE", 0.2)
    other = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "held\n"
        code, said = complaint(capsys, str(store), "--print", "summary")
    finally:
        other.kill()
        other.communicate()
    assert code == 3
    assert str(store) in said


def test_without_a_terminal_the_app_says_what_prints_instead(
    capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    code, said = complaint(capsys, str(store))
    assert code == 2
    assert "--print summary" in said


def test_demo_and_a_file_exclude_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(capsys, "--demo", "x.duckdb")[0] == 2


def test_the_summary_has_the_headline_numbers_from_first_to_last(
    world: Any, capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    assert main([str(store), "--print", "summary", "--run", "albert-demo", "--width", "100"]) == 0
    text = capsys.readouterr().out
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        lines.setdefault(line.strip().split("  ")[0], line.split())
    last = world.pooled("mask-predict", 1000, list(world.TAGS))
    assert f"{last:.3f}".lstrip("0") in lines["mask prediction, all words"]
    assert ".000" in lines["mask prediction, all words"]
    function = [tag for tag in world.TAGS if tag in ("DT", "IN", "CC", "PRP")]
    reached = next(step for step in world.STEPS if world.pooled("mask-predict", step, function) >= 0.3)
    assert str(reached) == lines["function words"][-1]
    right = sum(world.known("P36", country, 1000) for country in world.CAPITALS) / len(world.CAPITALS)
    assert f"{right:.3f}".lstrip("0") in lines["capital"]
    assert "layer 2 head 3, diagonal" in text
    assert "a function words" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("panel", ["summary", "overview", "words", "knowledge", "attention"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_panel_fits_its_width_and_any_encoding(
    panel: str, width: int, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", printed)
    assert main([str(store), "--print", panel, "--width", str(width), "--step", "300"]) == 0
    printed.seek(0)
    text = printed.read()
    assert "albert-demo" in text
    assert max(map(len, text.splitlines())) <= max(width, 60), "60 columns is as narrow as it gets"


def test_the_knowledge_panel_stands_at_the_wanted_step(
    capsys: pytest.CaptureFixture[str], store: Path
) -> None:
    assert main([str(store), "--print", "knowledge", "--run", "albert-demo", "--step", "400"]) == 0
    text = capsys.readouterr().out
    assert "at 400" in text
    assert "the → oslo" in text


def test_a_reader_that_has_seen_enough_is_no_error(store: Path) -> None:
    command = (
        f"'{sys.executable}' -m embryo_tui '{store}' --print overview | head -1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_the_app_shows_its_first_frame_in_a_terminal_and_leaves_with_0(store: Path) -> None:
    said, code = in_terminal([str(store), "--screen", "words"], "Born: half of final accuracy")
    assert "Born: half of final accuracy" in said
    assert code == 0


def test_a_picture_comes_first_and_a_bad_look_takes_it_away_again(store: Path, tmp_path: Path) -> None:
    look = tmp_path / "look.toml"
    look.write_text("colour = 1")
    said, code = in_terminal([str(store), "--look", str(look)], "no setting 'colour'")
    assert code == 2
    picture, _, message = said.partition("\x1b[?1049l")
    assert "2 Words" in picture
    assert "reading results.duckdb" in picture
    assert "no setting 'colour'" in message


@pytest.mark.parametrize("columns", [1, 8, 40, 300])
def test_the_first_picture_fits_any_terminal(columns: int) -> None:
    said = drawn("a\x1b[31m.duckdb", ("Overview", "Words"), columns, 24)
    lines = [re.sub(r"\x1b\[[0-9;]*[mH]", "", line) for line in said.split("\x1b[24;1H")]
    assert all(len(line) <= columns for line in lines)
    assert "[31m" not in said.replace("?[31m", "")


def test_the_app_leaves_a_file_that_is_no_store_with_one_message(tmp_path: Path) -> None:
    path = tmp_path / "notes.duckdb"
    path.write_bytes(b"something else" * 400)
    said, code = in_terminal([str(path)], "embryo-tui: ")
    assert "embryo-tui: " in said
    assert "Traceback" not in said
    assert code == 2


def test_no_color_is_obeyed_to_the_letter(store: Path) -> None:
    said, code = in_terminal([str(store), "--screen", "attention"], "Layer 1, head 1", NO_COLOR="1")
    assert code == 0
    assert "38;2" not in said
    assert "48;2" not in said
    assert "38;5" not in said


def test_the_sample_is_a_copy_that_vanishes(
    monkeypatch: pytest.MonkeyPatch, store: Path, tmp_path: Path
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    shutil.copy(store, package / "sample.duckdb")
    monkeypatch.setattr("embryo_tui.sample.resources.files", lambda _package: package)
    with sample() as path:
        assert path is not None
        assert path.parent != package
        with embryo_store.read(path) as reader:
            assert reader.runs()
    assert not path.exists()
    (package / "sample.duckdb").unlink()
    with sample() as path:
        assert path is None
