"""What is done with saved steps: thinned, halved, shown in TensorBoard; schedules in words."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import torch
from transformers import AutoModelForPreTraining

from tpu_train import hardware, store
from tpu_train.cli import main
from tpu_train.errors import InputError
from tpu_train.recipe import Piece, Save
from tpu_train.schedule import save_of, saved_steps


@pytest.mark.parametrize(
    ("words", "steps", "pieces"),
    [
        ("every 1k to 1M", (), (Piece(1_000_000, 1000),)),
        ("0 1 512, every 1k to 20k, every 5k to 1m", (0, 1, 512), (Piece(20_000, 1000), Piece(10**6, 5000))),
        ("7", (7,), ()),
    ],
)  # fmt: skip
def test_a_schedule_is_said_in_words(words: str, steps: tuple[int, ...], pieces: tuple[Piece, ...]) -> None:
    assert save_of(words) == Save(steps, pieces)


def test_the_papers_thousand_checkpoints_are_five_words() -> None:
    steps = saved_steps(save_of("0, every 1k to 1M"), 1_000_000)
    assert len(steps) == 1001
    assert np.diff(steps).tolist() == [1000] * 1000


@pytest.mark.parametrize("words", ["", "every 1k", "every x to 5", "1k to 5", "0 -1", "every 1k to 5k, 7"])
def test_a_schedule_that_cannot_be_read_is_named(words: str) -> None:
    with pytest.raises(InputError, match="as part of a schedule"):
        save_of(words)


def test_a_store_is_thinned_and_stays_whole(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    command = ["prune", "--out", str(run), "--keep", "0, every 40 to 80"]
    assert main([*command, "--dry-run"]) == 0
    assert "4 steps would go" in capsys.readouterr().out
    assert store.saved(run) == store.saved(finished)
    assert main(command) == 0
    assert "4 steps removed" in capsys.readouterr().out
    assert store.saved(run) == [0, 40, 80, 120]
    assert sorted(path.name for path in run.glob("step-*")) == [f"step-{n:08d}" for n in (0, 40, 80, 120)]
    for step in store.saved(run):
        for path in store.step_folder(finished, step).iterdir():
            assert (store.step_folder(run, step) / path.name).read_bytes() == path.read_bytes()
    assert main(["--out", str(run), "--quiet"]) == 0
    assert main(["prune", "--out", str(tmp_path), "--keep", "0"]) == 2
    assert "holds no run" in capsys.readouterr().err


def test_halved_checkpoints_and_events_tell_the_same(
    world: Any, finished: Path, log_of: Callable[[Path], list[dict[str, Any]]]
) -> None:
    more = ("--set", "save.dtype=bf16", "--save", "0, every 60 to 120", "--tensorboard")
    assert main(world.command("run", *more)) == 0
    run = world.root / "run"
    assert store.saved(run) == [0, 60, 120]
    models = [
        AutoModelForPreTraining.from_pretrained(store.step_folder(folder, 120)) for folder in (run, finished)
    ]
    assert models[0].dtype == torch.bfloat16
    halved, whole = (model.state_dict() for model in models)
    for name, value in whole.items():
        assert torch.equal(halved[name], value.to(torch.bfloat16)), name

    (path,) = (run / "events").iterdir()
    scalars: dict[int, dict[str, float]] = {}
    for record in tf.data.TFRecordDataset(str(path)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        if event.file_version:
            assert event.file_version == "brain.Event:2"
        else:
            scalars[event.step] = {value.tag: value.simple_value for value in event.summary.value}
    lines = {line.pop("step"): line for line in log_of(run)}
    assert scalars.keys() == lines.keys()
    for step, line in lines.items():
        assert scalars[step] == pytest.approx(line, rel=1e-6)
        assert 0 < line["mfu"] < 2  # a busy machine may be slower while its peak is measured
        assert line["flops_per_second"] > 0


def test_products_are_timed_and_the_number_format_follows_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1e8 < hardware.gemm_peak("fp32", 1) < 1e14
    for flags, narrow, wide in (
        ("amx_bf16", "bf16", "bf16"),
        ("avx512_bf16", "fp32", "bf16"),
        ("", "fp32", "fp32"),
    ):
        monkeypatch.setattr(hardware, "_has", lambda flag, flags=flags: flag == flags)
        assert [hardware.compute_dtype("auto", hidden) for hidden in (128, 256)] == [narrow, wide]
        assert hardware.compute_dtype("fp32", 768) == "fp32"
        assert hardware.compute_dtype("bf16", 64) == "bf16"


def test_a_pruned_step_is_gone_before_its_files(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tpu_train import atomic, prune

    run = tmp_path / "run"
    shutil.copytree(finished, run)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        prune.prune(run, save_of("0"), dry=False)
    assert store.saved(run) == [0, 2, 4, 8, 40, 80, 120]
    assert json.loads((run / "run.json").read_text("utf-8"))["schema_version"] == 1
    monkeypatch.undo()
    assert prune.prune(run, save_of("0"), dry=False).kept == (0, 120)
    assert not list(run.glob("*.partial"))
