"""Evaluations that are killed, interrupted or out of disk: nothing is lost, and the same command goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Content = Callable[[Path], dict[str, list[tuple[object, ...]]]]
DB = Path("results.duckdb")


@pytest.mark.parametrize("moment", range(3))
def test_a_killed_evaluation_goes_on_to_the_same_content(
    world: Path, forked: ModuleType, content: Content, moment: int
) -> None:
    assert forked.finish(forked.start("--db", "whole.duckdb")) == 0
    child = forked.start()
    forked.wait_for(1 + 4 * moment, child, DB)
    os.kill(child, signal.SIGKILL)
    assert forked.finish(child) == -signal.SIGKILL
    left = forked.stored(DB)
    assert 0 < left < 14
    assert forked.finish(forked.start()) == 0
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


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_say_so_and_keep_what_was_stored(
    world: Path, forked: ModuleType, how: signal.Signals
) -> None:
    child = forked.start()
    forked.wait_for(1, child, DB)
    os.kill(child, how)
    assert forked.finish(child) == 130
    shown = Path("shown.txt").read_text()
    assert "Interrupted. What was committed stays" in shown
    assert "Traceback" not in shown
    kept = forked.stored(DB)
    assert kept > 0
    assert forked.finish(forked.start()) == 0
    assert forked.stored(DB) == 14


def test_a_full_disk_in_the_middle_of_a_commit(world: Path, forked: ModuleType, content: Content) -> None:
    assert forked.finish(forked.start("--db", "whole.duckdb")) == 0
    assert forked.finish(forked.start("--task", "train-log")) == 0
    assert forked.finish(forked.start(room=16_384)) == 3
    shown = Path("shown.txt").read_text()
    assert shown.count("embryo-eval: ") == 1
    assert "Traceback" not in shown
    kept = forked.stored(DB)
    assert 2 <= kept < 14
    assert forked.finish(forked.start()) == 0
    assert content(DB) == content(Path("whole.duckdb"))
