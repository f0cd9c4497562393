"""ELECTRA by role: its generator fills masks, its discriminator detects replaced pieces."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import embryo_store
from evaluators.corpora.conllu import read_conllu
from evaluators.tasks.mlm import draw
from evaluators.tasks.rtd import auc, sample

Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def electra(world: Path, little: ModuleType) -> tuple[torch.nn.Module, torch.nn.Module]:
    """A run of one step in the working folder: its discriminator and its generator."""
    detector, generator = little.make_model(5, "detector"), little.teach(little.make_model(6, "electra"), 20)
    folder = little.write_step(world / "both" / "electra", 7, detector)
    generator.save_pretrained(folder / "generator")
    little.write_manifest(folder, 7)
    little.write_step(world / "alone" / "electra", 7, generator)
    little.write_step(world / "headless" / "electra", 7, detector)
    return detector, generator


def metrics(path: str, task: str) -> dict[tuple[str, str], tuple[float, int]]:
    with embryo_store.read(Path(path)) as reader:
        rows = reader.sql(f"SELECT metric, label, value, n FROM metrics WHERE task = '{task}'").rows
    return {(metric, label): (value, n) for metric, label, value, n in rows}


def test_masks_are_filled_by_the_generator(
    electra: tuple[torch.nn.Module, torch.nn.Module], evaluate: Evaluate
) -> None:
    tasks = ("--task", "mlm", "--task", "mask-predict", "--task", "lama", "--task", "attention")
    for where in ("both", "alone"):
        code, out, err = evaluate("--checkpoints", where, "--db", f"{where}.duckdb", *tasks)
        assert code == 0, out + err
    for task in ("mlm", "mask-predict", "lama"):
        assert metrics("both.duckdb", task) == metrics("alone.duckdb", task)
    assert metrics("both.duckdb", "attention") != metrics("alone.duckdb", "attention")


def test_a_discriminator_without_its_generator_fills_no_masks(
    electra: tuple[torch.nn.Module, torch.nn.Module], evaluate: Evaluate
) -> None:
    code, out, err = evaluate(
        "--checkpoints", "headless", "--task", "mlm", "--task", "rtd", "--task", "attention"
    )
    assert code == 1, out + err
    assert "has no head over the vocabulary" in out
    assert "has no generator, and the task needs one" in out
    assert {
        key.task for key, done in embryo_store.done(Path("results.duckdb")).items() if done.status == "done"
    } == {"attention"}


def test_replaced_pieces_are_detected_as_by_the_definition(
    electra: tuple[torch.nn.Module, torch.nn.Module], evaluate: Evaluate, little: ModuleType
) -> None:
    detector, generator = electra
    assert evaluate("--checkpoints", "both", "--task", "rtd", "--dtype", "fp32")[0] == 0
    corpus = read_conllu(Path("data/bank/bank.conllu"), "bank")
    tokenizer = little.make_tokenizer()
    right, scores, replaced, tags = [], [], [], []
    for number, (words, mine) in enumerate(zip(corpus.words, corpus.tags, strict=True)):
        ids, owner = [tokenizer.cls_token_id], [""]
        for word, tag in zip(words, mine, strict=True):
            pieces = tokenizer(word, add_special_tokens=False)["input_ids"]
            ids += pieces
            owner += [tag] * len(pieces)
        ids.append(tokenizer.sep_token_id)
        places = draw(len(ids) - 2, 0.15, 0, number) + 1
        masked = [tokenizer.mask_token_id if i in places else token for i, token in enumerate(ids)]
        with torch.no_grad():
            shares = generator(torch.tensor([masked])).logits[0].softmax(-1).double().numpy()
        shown = list(ids)
        for place, chance in zip(
            places, np.random.default_rng([0, number, 1]).random(len(places)), strict=True
        ):
            total = 0.0
            for token, share in enumerate(shares[place]):
                total += share
                if total > chance * shares[place].sum():
                    shown[place] = token
                    break
        with torch.no_grad():
            logits = detector(torch.tensor([shown])).logits[0].tolist()
        for place in range(1, len(ids) - 1):
            right.append((logits[place] > 0) == (shown[place] != ids[place]))
            scores.append(logits[place])
            replaced.append(shown[place] != ids[place])
            tags.append(owner[place])
    found = metrics("results.duckdb", "rtd")
    assert any(replaced)
    assert found["accuracy", "all"] == (pytest.approx(np.mean(right)), len(right))
    assert found["replaced", "all"][0] == pytest.approx(np.mean(replaced))
    assert found["majority", "all"][0] == pytest.approx(max(np.mean(replaced), 1 - np.mean(replaced)))
    pairs = [
        (a > b) + (a == b) / 2
        for a, x in zip(scores, replaced, strict=True)
        if x
        for b, y in zip(scores, replaced, strict=True)
        if not y
    ]
    assert found["auc", "all"][0] == pytest.approx(np.mean(pairs))
    for tag in set(tags):
        group = [ok for ok, t in zip(right, tags, strict=True) if t == tag]
        assert found["accuracy", tag] == (pytest.approx(np.mean(group)), len(group))


def test_other_families_are_not_asked(world: Path, evaluate: Evaluate) -> None:
    code, out, err = evaluate("--step", "10")
    assert code == 0, out + err
    assert "rtd" not in {key.task for key in embryo_store.done(Path("results.duckdb"))}


@given(
    scores=st.lists(st.integers(0, 4), min_size=2, max_size=20),
    positive=st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_auc_is_the_share_of_pairs_in_order(scores: list[int], positive: list[bool]) -> None:
    truth = np.array(positive[: len(scores)])
    found = auc(np.array(scores, dtype=np.float64), truth)
    pairs = [
        (a > b) + (a == b) / 2
        for a, x in zip(scores, truth, strict=True)
        if x
        for b, y in zip(scores, truth, strict=True)
        if not y
    ]
    assert (found is None) == (not pairs)
    if found is not None:
        assert found.value == pytest.approx(np.mean(pairs))


def test_samples_follow_the_probabilities() -> None:
    shares = np.array([[0.2, 0.0, 0.5, 0.3]])
    chance = (np.arange(1000) + 0.5) / 1000
    drawn = sample(np.repeat(shares, 1000, 0), chance)
    assert list(np.bincount(drawn, minlength=4)) == [200, 0, 500, 300]
