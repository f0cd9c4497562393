"""``kill -9`` at any moment, and the same command: the same last weights, nothing half-written."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tpu_train import store


def killed_at_random(command: list[str], run: Path, draw: random.Random) -> bool:
    """Starts ``command``, and kills it a random while after it has reached a random stage of its work.

    Returns whether it was killed (or had ended before).
    """
    begun = draw.choice(["state/lock", "run.json", "train_log.jsonl", "train_log.jsonl", "train_log.jsonl"])
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (run / begun).exists():
        waited(process, 0.01)
    waited(process, draw.random() * (3.0 if begun == "state/lock" else 1.0))
    process.kill()
    return process.wait() != 0


def waited(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def check(world: Any, finished: Path, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    run = world.root / "run"
    command = [sys.executable, "-m", "tpu_train", *world.command("run", "--state-every", "0.1")]
    killed = sum(killed_at_random(command, run, draw) for _ in range(kills))
    assert killed
    subprocess.run(command, check=True)
    for step in (0, 8, 120):
        digests = {
            hashlib.sha256((store.step_folder(folder, step) / "model.safetensors").read_bytes()).hexdigest()
            for folder in (run, finished)
        }
        assert len(digests) == 1, f"step {step}"
    assert store.saved(run) == store.saved(finished)
    assert not list(run.rglob("*.partial"))
    lines = [(folder / "train_log.jsonl").read_text("utf-8").splitlines() for folder in (run, finished)]
    losses = [[line.partition('"seconds"')[0] for line in part] for part in lines]
    assert losses[0] == losses[1]


def test_killed_three_times(world: Any, finished: Path) -> None:
    check(world, finished, kills=3, seed=random.randrange(10**6))


@pytest.mark.slow
def test_killed_ten_times(world: Any, finished: Path) -> None:
    check(world, finished, kills=10, seed=random.randrange(10**6))
