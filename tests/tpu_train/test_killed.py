"""``kill -9`` at any moment, and the same command: the same weights and log, nothing half-written."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tpu_train import store

#: How often a process is killed somewhere between its start and its first state: a fifth of the kills.
_EARLY = 0.2


def killed_at_random(command: list[str], run: Path, step: float, draw: random.Random) -> bool:
    """Starts ``command`` and kills it: some time while it starts, or soon after a state of ``step`` or later.

    Returns whether it was killed (or had ended before).
    """
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    if draw.random() < _EARLY:
        waited(process, draw.random() * 6.0)
    else:
        while process.poll() is None and newest(run) < step:
            waited(process, 0.01)
        waited(process, draw.random() * 0.1)
    process.kill()
    return process.wait() != 0


def newest(run: Path) -> int:
    """The step of the last state that was saved; -1 for none."""
    return max((int(path.stem.partition("-")[2]) for path in run.glob("state/state-*.json")), default=-1)


def waited(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def check(run: Path, whole: Path, command: list[str], kills: int) -> int:
    """Kills ``command``, which trains ``run``, so often; then holds the run against ``whole``.

    Returns how often it was killed: less where the run ended before.
    """
    draw, killed, steps = random.Random(), 0, store.saved(whole)[-1]
    for number in range(kills):
        # How far it gets between two kills does not hang on the machine's speed.
        step = steps * (number + draw.random()) / (kills + 2)
        killed += killed_at_random(command, run, step, draw)
    subprocess.run(command, check=True)
    assert store.saved(run) == store.saved(whole)
    for step in store.saved(whole):
        digests = {
            hashlib.sha256((store.step_folder(folder, step) / "model.safetensors").read_bytes()).hexdigest()
            for folder in (run, whole)
        }
        assert len(digests) == 1, f"step {step}"
    assert not list(run.rglob("*.partial"))
    lines = [(folder / "train_log.jsonl").read_text("utf-8").splitlines() for folder in (run, whole)]
    losses = [[line.partition('"seconds"')[0] for line in part] for part in lines]
    assert losses[0] == losses[1]
    return killed


def test_killed_three_times(world: Any, finished: Path) -> None:
    command = [sys.executable, "-m", "tpu_train", *world.command("run", "--state-every", "0.1")]
    assert check(world.root / "run", finished, command, kills=3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("replicas", "steps"), [(1, 3000), (4, 1000)])
def test_killed_twenty_times(world: Any, replicas: int, steps: int) -> None:
    more = ("--replicas", str(replicas), "--steps", str(steps))
    more += ("--save", f"0 1 2 4 8, every {steps // 10} to {steps}", "--state-every", "0.2")
    command = {
        out: [sys.executable, "-m", "tpu_train", *world.command(out, *more)] for out in ("whole", "run")
    }
    subprocess.run(command["whole"], check=True)
    assert check(world.root / "run", world.root / "whole", command["run"], kills=20) == 20
