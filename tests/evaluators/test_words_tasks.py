"""Reconstruction, mask prediction and MLM against slow references written straight from their definitions."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoTokenizer

from embryo_store.records import Outcomes
from evaluators.batches import by_length
from evaluators.checkpoints import CheckpointStore
from evaluators.compute import look
from evaluators.corpora.base import WordCorpus
from evaluators.corpora.conllu import read_conllu
from evaluators.errors import InputError
from evaluators.loading import Resident
from evaluators.tasks.base import Finding, ModelTask
from evaluators.tasks.mask_predict import MaskPredict
from evaluators.tasks.mlm import Mlm, draw
from evaluators.tasks.reconstruct import Reconstruct
from evaluators.vocabulary import load_vocabulary

FAMILIES = ("albert", "bert", "electra", "roberta", "distilbert", "modernbert")


def find(folder: Path, task: ModelTask, corpus: WordCorpus, limit: int = 64) -> Finding:
    """What ``task`` finds at step 0 of the only run under ``folder``."""
    source = CheckpointStore(folder)
    saved = source.open(source.runs()[0], 0)
    resident = Resident("cpu", "fp32")
    resident.hold(saved)
    prepared = task.prepare(corpus, load_vocabulary(saved), limit)
    collector = prepared.start()
    for index, (batch, seen) in enumerate(look(resident, prepared.stream)):
        collector.see(index, batch, seen)
    return collector.findings()["paper"]


def outcomes(finding: Finding) -> list[bool]:
    (payload,) = finding.payloads
    assert isinstance(payload, Outcomes)
    return [bool(right) for right in payload.correct]


class Reference:
    """The authors' way: one sentence at a time, the whole model, one word at a time."""

    def __init__(self, folder: Path) -> None:
        named = AutoConfig.from_pretrained(folder).architectures[0]
        self.model = getattr(transformers, named).from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def ids(self, words: tuple[str, ...]) -> tuple[list[int], list[list[int]]]:
        ids, places = [self.tokenizer.cls_token_id], []
        for word in words:
            pieces = self.tokenizer(word, add_special_tokens=False)["input_ids"]
            places.append(list(range(len(ids), len(ids) + len(pieces))))
            ids += pieces
        return [*ids, self.tokenizer.sep_token_id], places

    def logits(self, ids: list[int]) -> torch.Tensor:
        with torch.no_grad():
            out = self.model(input_ids=torch.tensor([ids]))
        return out.prediction_logits[0] if "prediction_logits" in out else out.logits[0]

    def reconstruct(self, corpus: WordCorpus) -> list[bool]:
        right = []
        for words in corpus.words:
            ids, places = self.ids(words)
            best = self.logits(ids).argmax(-1).tolist()
            right += [all(best[place] == ids[place] for place in mine) for mine in places]
        return right

    def mask_predict(self, corpus: WordCorpus) -> list[bool]:
        right = []
        for words in corpus.words:
            ids, places = self.ids(words)
            for mine in places:
                masked = [self.tokenizer.mask_token_id if i in mine else token for i, token in enumerate(ids)]
                best = self.logits(masked).argmax(-1).tolist()
                right.append(all(best[place] == ids[place] for place in mine))
        return right


@pytest.fixture(scope="module", params=[f"{family}{how}" for family in FAMILIES for how in ("", " taught")])
def checkpoint(
    request: pytest.FixtureRequest, little: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with one run that has one step, random or taught a little."""
    family, _, taught = request.param.partition(" ")
    root = tmp_path_factory.mktemp(f"{taught}{family}") / "checkpoints"
    model = little.make_model(3, family)
    little.write_step(root / "one", 0, little.teach(model, 45) if taught else model)
    return root


@pytest.fixture(scope="module")
def bank(little: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> WordCorpus:
    """The little treebank, and random sentences, so that a random model is right now and then."""
    draw_word = np.random.default_rng(0)
    more = [
        [(str(word), "X") for word in draw_word.choice(little.WORDS, size)]
        for size in draw_word.integers(1, 9, 30)
    ]
    return read_conllu(
        little.write_treebank(tmp_path_factory.mktemp("bank") / "bank.conllu", little.TREEBANK + more), "bank"
    )


def test_every_word_is_judged_as_by_the_definition(checkpoint: Path, bank: WordCorpus) -> None:
    reference = Reference(checkpoint / "one" / "step-00000000")
    for task, expected in (
        (Reconstruct(), reference.reconstruct(bank)),
        (MaskPredict(), reference.mask_predict(bank)),
    ):
        found = find(checkpoint, task, bank)
        assert outcomes(found) == expected
        assert {m.label: (m.value, m.n) for m in found.metrics if m.metric == "accuracy"} == by_tag(
            expected, bank.flat_tags
        )
        if checkpoint.parent.name.startswith("taught"):
            assert len(set(expected)) == 2, "a reference that is always wrong shows nothing"


def by_tag(right: list[bool], tags: tuple[str, ...]) -> dict[str, tuple[float, int]]:
    groups: dict[str, list[bool]] = {"all": right}
    for mine, tag in zip(right, tags, strict=True):
        groups.setdefault(tag, []).append(mine)
    return {tag: (sum(mine) / len(mine), len(mine)) for tag, mine in groups.items()}


def test_majority_is_the_share_of_the_commonest_word(
    checkpoint: Path, little: ModuleType, tmp_path: Path
) -> None:
    sentences = [[("The", "DT"), ("dog", "NN"), ("the", "DT")], [("cat", "NN"), ("the", "DT"), ("dog", "NN")]]
    corpus = read_conllu(little.write_treebank(tmp_path / "b.conllu", sentences), "b")
    for task in (MaskPredict(), Reconstruct()):
        (majority,) = (m for m in find(checkpoint, task, corpus).metrics if m.metric == "majority")
        assert (majority.value, majority.n) == (3 / 6, 6)


def test_bands_of_frequency_are_accuracies_over_their_words(checkpoint: Path, bank: WordCorpus) -> None:
    counts = Counter(word.lower() for word in bank.forms)
    order = sorted(counts, key=lambda word: (-counts[word], word))
    found = find(checkpoint, MaskPredict(bands=("1-3", "4-12", "900-999")), bank)
    right = outcomes(found)
    for label, words in (("rank 1-3", order[:3]), ("rank 4-12", order[3:12])):
        (band,) = (m for m in found.metrics if m.label == label)
        mine = [one for one, word in zip(right, bank.forms, strict=True) if word.lower() in words]
        assert (band.metric, band.value, band.n) == ("accuracy", sum(mine) / len(mine), len(mine))
    assert not [m for m in found.metrics if m.label == "rank 900-999"], "no word has that rank"


def test_words_ranked_by_another_corpus_fall_into_its_bands(checkpoint: Path, bank: WordCorpus) -> None:
    ranked = replace(bank, ranks=tuple(range(1, len(bank.forms) + 1)), ranked_by="other")
    found = find(checkpoint, Reconstruct(bands=("2-5",)), ranked)
    (band,) = (m for m in found.metrics if m.label == "rank 2-5")
    assert (band.value, band.n) == (sum(outcomes(found)[1:5]) / 4, 4)


@pytest.mark.parametrize("band", ["5", "9-3", "0-4", "a-b"])
def test_a_band_that_is_none_is_refused(band: str) -> None:
    with pytest.raises(InputError, match="bands holds"):
        Reconstruct(bands=("50-99", band))


def test_words_beyond_the_models_length_are_not_judged_and_counted(
    checkpoint: Path, bank: WordCorpus
) -> None:
    whole = find(checkpoint, Reconstruct(), bank)
    short = find(checkpoint, Reconstruct(), bank, limit=6)
    metrics = {m.metric: m for m in short.metrics if m.label == "all"}
    reference = Reference(checkpoint / "one" / "step-00000000")
    fitting = 0
    for words in bank.words:
        room = 4
        for mine in reference.ids(words)[1]:
            room -= len(mine)
            fitting += room >= 0
            if room < 0:
                break
    assert metrics["accuracy"].n == fitting
    assert metrics["words_cut"].value == len(bank.flat_tags) - fitting > 0
    assert len(outcomes(short)) == len(outcomes(whole)) == len(bank.flat_tags)


def test_mlm_is_the_mean_over_the_drawn_pieces(checkpoint: Path, bank: WordCorpus) -> None:
    reference = Reference(checkpoint / "one" / "step-00000000")
    losses, right = [], []
    for number, words in enumerate(bank.words):
        ids, _ = reference.ids(words)
        places = draw(len(ids) - 2, 0.15, 0, number) + 1
        masked = [reference.tokenizer.mask_token_id if i in places else token for i, token in enumerate(ids)]
        logps = reference.logits(masked).log_softmax(-1)
        losses += [-float(logps[place, ids[place]]) for place in places]
        right += [int(logps[place].argmax()) == ids[place] for place in places]
    metrics = {m.metric: m for m in find(checkpoint, Mlm(), bank).metrics}
    assert metrics["loss"].value == pytest.approx(np.mean(losses), abs=1e-5)
    assert metrics["loss"].stderr == pytest.approx(np.std(losses, ddof=1) / np.sqrt(len(losses)), abs=1e-5)
    assert (metrics["accuracy"].value, metrics["accuracy"].n) == (pytest.approx(np.mean(right)), len(right))


def test_a_sentence_of_which_no_word_fits_has_nothing_masked(
    checkpoint: Path, little: ModuleType, tmp_path: Path
) -> None:
    sentences = [[("The", "DT"), ("dog", "NN")], [("dogdogdog", "NN"), ("The", "DT")]]
    corpus = read_conllu(little.write_treebank(tmp_path / "two.conllu", sentences), "two")
    metrics = {m.metric: m for m in find(checkpoint, Mlm(), corpus, limit=3).metrics}
    assert metrics["accuracy"].n == 1


@given(pieces=st.integers(1, 500), seed=st.integers(0, 9), sentence=st.integers(0, 10**6))
def test_a_sentence_draws_its_share_of_distinct_pieces_by_itself(
    pieces: int, seed: int, sentence: int
) -> None:
    drawn = draw(pieces, 0.15, seed, sentence)
    assert list(drawn) == sorted(set(drawn))
    assert len(drawn) == max(1, round(0.15 * pieces))
    assert drawn[0] >= 0
    assert drawn[-1] < pieces
    assert (drawn == draw(pieces, 0.15, seed, sentence)).all()


def test_masks_are_spread_evenly() -> None:
    hits = np.zeros(20)
    for sentence in range(2000):
        hits[draw(20, 0.15, 0, sentence)] += 1
    assert np.abs(hits / 2000 - 0.15).max() < 0.04


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=60), budget=st.integers(1, 100))
def test_batches_hold_every_row_once_of_one_length_within_the_budget(lengths: list[int], budget: int) -> None:
    rows = [np.full(length, number) for number, length in enumerate(lengths)]
    batches = by_length(rows, budget)
    seen = [int(item) for batch in batches for item in batch.item]
    assert sorted(seen) == list(range(len(rows)))
    for batch in batches:
        assert batch.ids.size <= max(budget, batch.ids.shape[1])
        assert all((ids == rows[item]).all() for ids, item in zip(batch.ids, batch.item, strict=True))
