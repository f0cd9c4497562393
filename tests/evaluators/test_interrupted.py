"""Evaluations that are killed, interrupted or out of disk: nothing is lost, and the same command goes on."""

import io
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import embryo_store
from evaluators.cli import main

Content = Callable[[Path], dict[str, list[tuple[object, ...]]]]
DB = Path("results.duckdb")


def start(*arguments: str, room: int | None = None) -> int:
    """The command in a forked process, where the libraries are loaded already. Returns the process's id."""
    child = os.fork()
    if child:
        return child
    try:
        sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO("shown.txt", "w"))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if room is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        code = main(arguments)
        sys.stdout.flush()
    except BaseException:
        code = 99
        raise
    finally:
        os._exit(code)


def finish(child: int) -> int:
    """Waits for a process; its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stored() -> int:
    return len(embryo_store.done(DB)) if DB.exists() else 0


def wait_for(results: int, child: int) -> None:
    """Returns once ``child`` has stored so many results, or has ended."""
    while stored() < results and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.01)


@pytest.mark.parametrize("moment", range(3))
def test_a_killed_evaluation_goes_on_to_the_same_content(world: Path, content: Content, moment: int) -> None:
    assert finish(start("--db", "whole.duckdb")) == 0
    child = start()
    wait_for(1 + 4 * moment, child)
    os.kill(child, signal.SIGKILL)
    assert finish(child) == -signal.SIGKILL
    left = stored()
    assert 0 < left < 14
    assert finish(start()) == 0
    assert content(DB) == content(Path("whole.duckdb"))


@pytest.mark.slow
def test_ten_kills_at_random_moments_leave_the_content_of_an_undisturbed_run(
    world: Path, content: Content
) -> None:
    command = [sys.executable, "-m", "evaluators"]
    began = time.monotonic()
    subprocess.run([*command, "--db", "whole.duckdb"], check=True)
    whole = time.monotonic() - began
    chance = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen(command)
        try:
            process.wait(chance.uniform(0.3, 1) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
        if process.wait() == 0:
            DB.unlink()
    subprocess.run(command, check=True)
    assert content(DB) == content(Path("whole.duckdb"))


def test_ctrl_c_says_so_and_keeps_what_was_stored(world: Path) -> None:
    child = start()
    wait_for(1, child)
    os.kill(child, signal.SIGINT)
    assert finish(child) == 130
    shown = Path("shown.txt").read_text()
    assert "Interrupted. What was committed stays" in shown
    assert "Traceback" not in shown
    kept = stored()
    assert kept > 0
    assert finish(start()) == 0
    assert stored() == 14


def test_a_full_disk_in_the_middle_of_a_commit(world: Path, content: Content) -> None:
    assert finish(start("--db", "whole.duckdb")) == 0
    assert finish(start("--task", "train-log")) == 0
    assert finish(start(room=16_384)) == 3
    shown = Path("shown.txt").read_text()
    assert shown.count("embryo-eval: ") == 1
    assert "Traceback" not in shown
    kept = stored()
    assert 2 <= kept < 14
    assert finish(start()) == 0
    assert content(DB) == content(Path("whole.duckdb"))
