"""A run's folder, as others read it, and what the same command does a second time."""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from tpu_train import run, state, store
from tpu_train.cli import main

DOCS = Path(__file__).parents[2] / "docs" / "checkpoint-store.md"
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
Log = Callable[[Path], list[dict[str, Any]]]


def schema(title: str) -> dict[str, Any]:
    """A JSON schema out of the documentation."""
    blocks = [
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    ]
    return next(block for block in blocks if block.get("title") == title)


def conforms(value: Any, described: dict[str, Any], where: str = "") -> None:
    """Checks the parts of JSON Schema that the documentation uses."""
    kinds = described.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert not kinds or any(isinstance(value, KINDS[kind]) for kind in kinds), where
    assert "const" not in described or value == described["const"], where
    assert "enum" not in described or value in described["enum"], where
    if isinstance(value, dict) and "required" in described:
        assert set(described["properties"]) >= set(value) >= set(described["required"]), where
    for key, inner in described.get("properties", {}).items():
        if key in value:
            conforms(value[key], inner, f"{where}.{key}")
    if "additionalProperties" in described:
        for key, item in value.items():
            conforms(item, described["additionalProperties"], f"{where}.{key}")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_of(folder: Path, step: int = 120) -> str:
    return sha256(store.step_folder(folder, step) / "model.safetensors")


def test_the_store_is_as_documented(finished: Path, log_of: Log) -> None:
    about = run.read(finished)
    assert about is not None
    conforms(about, schema("run.json"))
    for line in log_of(finished):
        conforms(line, schema("A line of train_log.jsonl"))
    assert store.saved(finished) == [0, 1, 2, 4, 8, 40, 80, 120]
    for step in store.saved(finished):
        folder = store.step_folder(finished, step)
        complete = json.loads((folder / "COMPLETE.json").read_text("utf-8"))
        conforms(complete, schema("COMPLETE.json"))
        assert complete["step"] == step
        assert {path.name for path in folder.iterdir()} == {*complete["files"], "COMPLETE.json"}
        for name, mark in complete["files"].items():
            assert (folder / name).stat().st_size == mark["bytes"]
            assert sha256(folder / name) == mark["sha256"]
    assert not list(finished.rglob("*.partial"))


def test_other_families_are_described_as_documented(other_family: tuple[str, Path], log_of: Log) -> None:
    about = run.read(other_family[1])
    assert about is not None
    conforms(about, schema("run.json"))
    assert about["family"] == other_family[0]
    for line in log_of(other_family[1]):
        conforms(line, schema("A line of train_log.jsonl"))


def test_the_log_tells_a_run_that_learns(finished: Path, log_of: Log) -> None:
    lines = log_of(finished)
    assert [line["step"] for line in lines] == [20, 40, 60, 80, 100, 120]
    for line in lines:
        assert line["loss"] == pytest.approx(line["mlm_loss"] + line["sop_loss"])
        assert 0 <= line["mlm_accuracy"] <= 1
        assert line["tokens_per_second"] > 0
    assert [line["learning_rate"] for line in lines] == pytest.approx(
        [5e-3 * (1 - (line["step"] - 1) / 120) for line in lines]
    )
    tokens = [line["tokens"] for line in lines]
    assert tokens == sorted(tokens)
    assert tokens[-1] <= 120 * 8 * 32
    assert lines[-1]["mlm_loss"] < lines[0]["mlm_loss"] - 0.2


def test_a_first_update_at_rate_zero_leaves_the_weights(finished: Path) -> None:
    assert weights_of(finished, 0) == weights_of(finished, 1) != weights_of(finished, 2)


def test_the_same_command_again_changes_nothing(template: Any, tmp_path: Path) -> None:
    shutil.copytree(template.root, tmp_path / "copy")
    root = tmp_path / "copy"

    def snapshot() -> dict[str, str]:
        return {
            str(p.relative_to(root)): sha256(p) for p in sorted((root / "run").rglob("*.*")) if p.is_file()
        }

    before = snapshot()
    assert main(type(template)(root).command()) == 0
    assert main(["--out", str(root / "run"), "--quiet"]) == 0
    assert snapshot() == before


def test_a_run_goes_on_without_its_text_and_ends_the_same(
    template: Any, tmp_path: Path, log_of: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half"
    shutil.copytree(template.root / "run", half)
    keep_until(half, 80)
    assert main(["--out", str(half), "--quiet", "--threads", "1"]) == 0
    assert weights_of(half) == weights_of(template.root / "run")
    steps = [line["step"] for line in log_of(half)]
    assert steps == [20, 40, 60, 80, 100, 120]
    losses = [[line["loss"] for line in log_of(folder)] for folder in (half, template.root / "run")]
    assert losses[0] == losses[1]


def keep_until(folder: Path, step: int) -> None:
    """Makes ``folder`` what it would be if it had been killed just after ``step``'s state, further steps
    and lines already on disk but the last step only half-written.
    """
    shutil.rmtree(store.step_folder(folder, 120))
    half_written = folder / "step-00000120.partial"
    half_written.mkdir()
    (half_written / "config.json").write_text("{", "utf-8")
    with (folder / "train_log.jsonl").open("a") as log:
        log.write('{"step": 1')
    newest = state.load(folder / "state")
    assert newest is not None
    assert newest[0].step == 120
    for path in (folder / "state").glob("state-*"):
        path.unlink()
    from tpu_train import families, initial, prepare, recipe
    from tpu_train.batches import Staged
    from tpu_train.step import Trainer

    about = run.read(folder)
    assert about is not None
    loaded = recipe.from_json(about["recipe"], "run.json")
    prepared = prepare.resume(folder / "state", loaded)
    network = families.network(loaded)
    trainer = Trainer(loaded, network, "fp32", 1)
    trainer.start(initial.weights(network.weights, loaded.model, loaded.training.seed))
    made = Staged(loaded, prepared.vocabulary, prepared.tokens, folder / "state" / "tokens")
    tokens = 0
    for at, batch in enumerate(made.from_step(0, step)):
        trainer.run(at, batch)
        tokens += int(batch.attention_mask.sum())
    state.save(folder / "state", state.Progress(step, tokens, 1.0, {}), trainer.state())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--seed", "1"], "training.seed: 0 → 1"),
        (["--set", "optimizer.learning_rate=1e-3"], "optimizer.learning_rate: 0.005 → 0.001"),
        (["--steps", "500"], "training.steps: 120 → 500"),
    ],
)
def test_another_recipe_is_refused_and_the_difference_named(
    template: Any, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(template.command("run", *more)) == 2
    message = capsys.readouterr().err
    assert told in message
    assert "another --out" in message


def test_another_text_is_refused(template: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = type(template)(tmp_path)
    shutil.copytree(template.root, tmp_path, dirs_exist_ok=True)
    with (copy.text / "a.txt").open("a") as text:
        text.write("\n\nOne more document.\n")
    assert main(copy.command()) == 2
    assert "corpus: digest" in capsys.readouterr().err


def test_ctrl_c_and_sigterm_leave_a_state_and_the_same_command_ends_the_same(
    world: Any, finished: Path
) -> None:
    command = [sys.executable, "-m", "tpu_train", *world.command()]
    for number, wanted in ((signal.SIGINT, 20), (signal.SIGTERM, 60)):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        log = world.root / "run" / "train_log.jsonl"
        while process.poll() is None and not reached(log, wanted):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.02)
        process.send_signal(number)
        message = process.communicate()[1]
        assert process.returncode == 130, message
        assert "The same command goes on from there." in message
        assert "Traceback" not in message
        newest = state.load(world.root / "run" / "state")
        assert newest is not None
        assert wanted <= newest[0].step < 120
    assert main(world.command()) == 0
    assert weights_of(world.root / "run") == weights_of(finished)


def reached(log: Path, step: int) -> bool:
    """Whether the log has a line of ``step``."""
    return log.is_file() and f'"step": {step},' in log.read_text("utf-8")


def test_a_batch_is_shown_as_it_was_trained_on(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "--out", str(finished), "--step", "3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 8
    for line in lines:
        assert line["pieces"][0] == "[CLS]"
        assert len(line["ids"]) == len(line["pieces"]) == len(line["token_types"])
        assert len(line["positions"]) == len(line["labels"]) == len(line["masked"])
    assert main(["batch", "--out", str(finished), "--step", "120"]) == 2
    assert "has updates 0 to 119" in capsys.readouterr().err


def test_step_zero_is_the_seeds_initialisation(finished: Path) -> None:
    weights = load_file(store.step_folder(finished, 0) / "model.safetensors")
    assert weights["albert.embeddings.word_embeddings.weight"].shape == (200, 16)
    assert not weights["albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.bias"].any()
