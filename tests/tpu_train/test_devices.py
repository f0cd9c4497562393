"""A batch shared out: over stretches, and over logical devices."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpu_train import families, initial, recipe
from tpu_train.batches import Batch
from tpu_train.cli import main
from tpu_train.step import Trainer

CHANGES: dict[str, Any] = {
    **{f"model.{name}": 32 for name in ("hidden", "embedding", "ffn", "positions")},
    "model.layers": 1,
    "model.heads": 2,
    "model.hidden_dropout": 0.1,
    "model.attention_dropout": 0.1,
    "data.length": 16,
    "data.max_predictions": 4,
    "vocabulary.size": 100,
    "training.batch": 16,
    "optimizer.warmup_steps": 0,
    "data.phases": [],
}

#: Trains 20 steps on N logical devices and prints the weights' file.
DISTRIBUTED = """
import sys
from tpu_train import hardware
replicas, family, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
hardware.prepare(2, "cpu", replicas)
import numpy as np
from tpu_train import devices
sys.path.insert(0, sys.argv[4])
from test_devices import trained
np.save(file, trained(family, 20, devices.strategy("cpu", replicas)))
"""


def batches(count: int) -> list[Batch]:
    draw, made = np.random.default_rng(2), []
    for _ in range(count):
        ids = draw.integers(5, 100, (16, 16)).astype(np.int32)
        places = draw.permuted(np.tile(np.arange(1, 15), (16, 1)), axis=1)[:, :4]
        positions = np.sort(places, axis=1).astype(np.int32)
        mask = (np.arange(16)[None] < draw.integers(15, 17, 16)[:, None]).astype(np.int32)
        labels = np.take_along_axis(ids, positions, axis=1)
        weights = (draw.random((16, 4)) < 0.8).astype(np.float32)
        types = draw.integers(0, 2, (16, 16)).astype(np.int32)
        made.append(Batch(ids, types, mask, positions, labels, weights, types[:, 0]))
    return made


def trained(family: str, steps: int, strategy: Any = None, accumulate: int = 1) -> Any:
    loaded = recipe.load(f"{family}-tiny", CHANGES | {"training.accumulate": accumulate})
    network = families.network(loaded)
    trainer = Trainer(loaded, network, "fp32", 1, strategy)
    trainer.start(initial.weights(network.weights, loaded.model, 0))
    for step, batch in enumerate(batches(steps)):
        trainer.run(step, batch)
    return trainer.state()["weights"]


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_stretches_add_up_to_the_whole_dropout_included(family: str) -> None:
    whole, parts = trained(family, 8), trained(family, 8, accumulate=4)
    assert np.abs(whole - parts).max() < 1e-5
    assert np.abs(whole - trained(family, 0)).max() > 1e-3


def test_a_batch_that_does_not_split_is_named(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(world.command("run", "--set", "training.accumulate=3")) == 2
    assert "does not split into 1 replicas × 3 stretches" in capsys.readouterr().err
    assert main(world.command("other", "--device", "gpu")) == 2
    assert "TensorFlow sees 0 GPUs" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("family", ["albert", "bert", "electra"])
def test_eight_devices_train_what_one_does(family: str, tmp_path: Path) -> None:
    ends = []
    for replicas in (1, 8):
        file = tmp_path / f"{replicas}.npy"
        here = str(Path(__file__).parent)
        command = [sys.executable, "-c", DISTRIBUTED, str(replicas), family, str(file), here]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        ends.append(np.load(file))
    assert np.abs(ends[0] - ends[1]).max() < 1e-5
