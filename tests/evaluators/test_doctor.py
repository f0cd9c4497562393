"""``embryo-eval doctor``: each thing that would fail is named beforehand, and nothing is stored."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evaluators.loading import Resident

Evaluate = Callable[..., tuple[int, str, str]]
STEP = Path("checkpoints/tiny/step-00000010")


def test_a_sound_series(world: Path, evaluate: Evaluate) -> None:
    code, out, err = evaluate("doctor")
    assert (code, "2 checkpoints: 0 things would fail" in out) == (0, True), out + err
    assert "whose object is not one piece" in out
    assert "66 sentences are longer than the model reads, and were cut" in out, "truncated spans"
    assert "probe-pos is skipped" in out
    assert not Path("results.duckdb").exists()


def test_labels_that_nobody_knows(world: Path, evaluate: Evaluate) -> None:
    bank = Path("data/bank/bank.conllu")
    bank.write_text(bank.read_text().replace("\tNNS\t", "\tNNPLURAL\t"))
    assert "1 of 28 words have a tag that is none of OntoNotes' 48 (NNPLURAL 1)" in evaluate("doctor")[1]


def headless(little: ModuleType) -> None:
    from transformers import AlbertModel

    model = little.make_model(10)
    bare = AlbertModel(model.config)
    little.write_step(STEP.parent, 10, bare)


def cut_short(little: ModuleType) -> None:
    weights = STEP / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def other_tokenizer(little: ModuleType) -> None:
    little.write_step(STEP.parent, 10, little.make_model(10, vocab_size=99))


def broken_config(little: ModuleType) -> None:
    (STEP / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    little.write_manifest(STEP, 10)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (headless, "tiny step 10, mlm on bank: "),
        (cut_short, "tiny step 10: "),
        (other_tokenizer, "the tokenizer has 66 tokens, the model's vocab_size is 99"),
        (broken_config, "fails tiny step 10"),
    ],
)
def test_what_would_fail_is_named_before_it_does(
    world: Path, little: ModuleType, evaluate: Evaluate, damage: Callable[[ModuleType], None], said: str
) -> None:
    damage(little)
    code, out, err = evaluate("doctor")
    assert (code, "Traceback" in out + err) == (1, False)
    assert said in out
    assert "0 things would fail" not in out


def test_attentions_that_come_back_empty(
    world: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = Resident.body

    def without(self: Resident, ids: Any, *, attentions: bool, layers: bool = False) -> Any:
        out = body(self, ids, attentions=False, layers=layers)
        out["attentions"] = (None, None)
        return out

    monkeypatch.setattr(Resident, "body", without)
    monkeypatch.setattr("evaluators.loading.make_encoder", lambda *_: None)
    code, out, _ = evaluate("doctor")
    assert (code, "1 things would fail" in out) == (1, True)
    assert "attention on built-in: The model gives no attention maps back" in out


def test_a_step_with_nothing_else_in_the_folder(world: Path, little: ModuleType, evaluate: Evaluate) -> None:
    shutil.rmtree("data")
    little.write_run(Path("checkpoints"), "other", [0, 20])
    code, out, err = evaluate("--step", "20")
    assert (code, "Stored 2 results of 1 checkpoints" in out) == (0, True), err
    for task in ("reconstruct", "mlm", "mask-predict", "lama", "probe-pos"):
        assert f"skipped {task}: " in out
    assert "embryo-eval data ewt" in out
    assert "embryo-eval data lama" in out
    code, out, err = evaluate("--step", "250000")
    assert (code, "Step 250,000 was not saved" in err) == (2, True)
