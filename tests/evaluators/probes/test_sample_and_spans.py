"""What a probe reads: the sample, and where its spans lie among word pieces."""

import resource
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from evaluators.corpora.edges import SPLITS, EdgeBuilder, EdgeCorpus, Target
from evaluators.errors import CheckpointError
from evaluators.probes.features import FeatureBank, Pooling, poolings
from evaluators.probes.judge import Questions, judge
from evaluators.probes.labels import PAPER_LABELS, parameters
from evaluators.probes.sample import beyond_labels, draw
from evaluators.probes.spans import rows_of, spans_of


@dataclass
class Letters:
    """Every word is cut into its letters; a word of dots alone has no piece."""

    cls: int = 1
    sep: int = 2
    digest: str = "letters"

    def many(self, words: tuple[str, ...]) -> list[tuple[int, ...]]:
        return [tuple(ord(letter) for letter in word if letter != ".") for word in words]


def corpus_of(sentences: list[tuple[str, dict[str, list[Target]]]]) -> EdgeCorpus:
    """The same sentences in every split."""
    builder = EdgeBuilder()
    for split in SPLITS:
        for text, targets in sentences:
            number = builder.sentence(split, text.split())
            for task, found in targets.items():
                builder.targets(split, task, number, found)
    return builder.build("c", "c", "0" * 64, {})


def noun(start: int, end: int) -> Target:
    return Target((start, end), None, "NN")


def test_the_lists_have_the_papers_sizes_and_so_have_the_classifiers() -> None:
    assert {task: len(labels) for task, labels in PAPER_LABELS.items()} == {
        "pos": 48,
        "const": 30,
        "srl": 66,
        "coref": 2,
    }
    assert all(len(set(labels)) == len(labels) for labels in PAPER_LABELS.values())
    assert parameters(768, 1, 48) == 36_912
    assert parameters(768, 1, 30) == 23_070
    assert parameters(768, 2, 66) == 101_442


def test_labels_beyond_the_list_are_left_out_and_counted() -> None:
    corpus = corpus_of(
        [("a b c", {"pos": [noun(0, 1), Target((1, 2), None, "GW"), Target((2, 3), None, "XX")]})]
    )
    assert beyond_labels(corpus, "pos", "paper").counts == {"GW": 3, "XX": 3}
    assert beyond_labels(corpus, "pos", "paper").total == 9
    sample = draw(corpus, 0, 0).tasks["train"]["pos"]
    assert sample.spans.tolist() == [[[0, 1]]]
    assert [PAPER_LABELS["pos"][label] for label in sample.label] == ["NN"]
    assert beyond_labels(corpus, "pos", "corpus").counts == {}
    own = draw(corpus, 0, 0, "corpus").tasks["train"]["pos"]
    assert [corpus.labels["pos"][label] for label in own.label] == ["NN", "GW", "XX"]


@given(
    tags=st.lists(
        st.lists(st.sampled_from(["NN", "VB", "IN", "XX"]), min_size=1, max_size=6), min_size=1, max_size=30
    ),
    most=st.integers(0, 40),
    seed=st.integers(0, 3),
)
@example(tags=[["NN", "VB", "IN", "IN", "IN", "IN"]], most=3, seed=0)
def test_a_sample_is_fixed_bounded_and_keeps_the_labels_shares(
    tags: list[list[str]], most: int, seed: int
) -> None:
    sentences = [
        (" ".join("w" * len(row)), {"pos": [Target((i, i + 1), None, tag) for i, tag in enumerate(row)]})
        for row in tags
    ]
    corpus = corpus_of(sentences)
    sample, again = draw(corpus, most, seed), draw(corpus, most, seed)
    known = sum(tag != "XX" for row in tags for tag in row)
    for split in SPLITS:
        mine = sample.tasks[split]["pos"]
        assert np.array_equal(mine.label, again.tasks[split]["pos"].label)
        assert np.array_equal(sample.sentences[split], again.sentences[split])
        wanted = min(most, known) if most else known
        assert wanted <= len(mine.label) <= max(wanted, 3), "a label that is there keeps one target at least"
        places = list(zip(mine.sentence, mine.spans[:, 0, 0], strict=True))
        assert len(set(places)) == len(places), "no target twice"
        assert places == sorted(places), "reading order"
        assert all(
            tags[s][w] == PAPER_LABELS["pos"][label] for (s, w), label in zip(places, mine.label, strict=True)
        )
        assert set(sample.sentences[split]) == {s for s, _ in places}, "no sentence is read for nothing"


def test_each_label_has_its_share_of_a_sample() -> None:
    tags = ["NN"] * 60 + ["VB"] * 30 + ["IN"] * 9 + ["UH"]
    sentence = (" ".join("w" * 100), {"pos": [Target((i, i + 1), None, tag) for i, tag in enumerate(tags)]})
    sample = draw(corpus_of([sentence]), 20, 0).tasks["test"]["pos"]
    names, counts = np.unique([PAPER_LABELS["pos"][label] for label in sample.label], return_counts=True)
    found = dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert found == {"NN": 12, "VB": 6, "IN": 1, "UH": 1}, (
        "12, 6, 1.8 and 0.2 of 20, the rarest at least once"
    )


def spans_in(corpus: EdgeCorpus, task: str, limit: int) -> tuple[object, object]:
    sample = draw(corpus, 0, 0)
    rows = rows_of(corpus, sample, Letters(), limit)
    return rows, spans_of(sample, task, rows)


def test_a_span_is_the_pieces_of_its_words_up_to_the_sentences_end() -> None:
    corpus = corpus_of(
        [("ab c def", {"const": [Target(span, None, "NP") for span in ((0, 1), (1, 3), (0, 3), (2, 3))]})]
    )
    rows, spans = spans_in(corpus, "const", 64)
    assert rows.batches[0].ids.tolist() == [[1, *map(ord, "abcdef"), 2]]
    train = spans.targets["train"]
    found = [(int(spans.start[i]), int(spans.end[i])) for i in train.span[:, 0]]
    assert found == [(1, 3), (3, 7), (1, 7), (4, 7)], "piece 0 is [CLS]"
    assert train.cut == 0


@pytest.mark.parametrize(("limit", "seen", "cut"), [(8, 6, 0), (7, 3, 2), (5, 3, 2), (4, 2, 3), (3, 0, 4)])
def test_what_the_model_cannot_read_is_cut_by_whole_words_and_counted(
    limit: int, seen: int, cut: int
) -> None:
    corpus = corpus_of(
        [("ab c def", {"const": [Target(span, None, "NP") for span in ((0, 1), (1, 2), (0, 3), (2, 3))]})]
    )
    rows, spans = spans_in(corpus, "const", limit)
    assert rows.batches[0].ids.tolist() == [[1, *map(ord, "abcdef"[:seen]), 2]]
    assert {split: targets.cut for split, targets in spans.targets.items()} == dict.fromkeys(SPLITS, cut)
    assert all(len(targets.label) == 4 - cut for targets in spans.targets.values())


def test_a_word_without_pieces_cannot_be_judged_and_moves_no_other() -> None:
    corpus = corpus_of([("a ... b", {"pos": [noun(0, 1), noun(1, 2), noun(2, 3)]})])
    _, spans = spans_in(corpus, "pos", 64)
    train = spans.targets["train"]
    assert [(int(spans.start[i]), int(spans.end[i])) for i in train.span[:, 0]] == [(1, 2), (2, 3)]
    assert (train.cut, train.source.tolist()) == (1, [0, 2])


def test_vectors_are_means_over_pieces_at_every_layer_in_memory_and_on_disk() -> None:
    texts = ["ab c def", "a", "abc de", "abcdef ghij k lm", "x y z"]
    corpus = corpus_of(
        [
            (
                text,
                {"srl": [Target((0, 1), (i, len(text.split())), "ARG1") for i in range(len(text.split()))]},
            )
            for text in texts
        ]
    )
    rows, spans = spans_in(corpus, "srl", 64)
    random = np.random.default_rng(0)
    states = [
        [torch.from_numpy(random.normal(size=(*batch.ids.shape, 5)).astype(np.float32)) for _ in range(3)]
        for batch in rows.batches
    ]
    banks = [FeatureBank(3, len(spans), 5, budget) for budget in (1e9, 0)]
    assert [bank.on_disk for bank in banks] == [False, True]
    for bank in banks:
        for pooling, state in zip(poolings(spans, rows.batches), states, strict=True):
            bank.fill(pooling, state)
        for layer in range(3):
            for number in range(len(spans)):
                place = next(
                    (b, int(spans.row[number] - batch.item[0]))
                    for b, batch in enumerate(rows.batches)
                    if batch.item[0] <= spans.row[number] <= batch.item[-1]
                )
                pieces = states[place[0]][layer][place[1], spans.start[number] : spans.end[number]]
                np.testing.assert_allclose(bank.layer(layer)[number], pieces.mean(0), rtol=1e-5, atol=1e-6)


def test_features_on_disk_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bank = FeatureBank(2, 1000, 8, 0)
    assert bank.on_disk
    assert list(tmp_path.iterdir()) == [], "the file has no name even while it is used"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells what a process holds")
def test_features_on_disk_take_no_more_memory_than_they_may() -> None:
    def held() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile", "RssShmem"))) * 1024

    spans, width = 4_000, 1_000
    before, most = held(), 0
    bank = FeatureBank(4, spans, width, 2e6)
    for first in range(0, spans, 100):
        states = [torch.full((1, 100, width), float(first + layer)) for layer in range(4)]
        bank.fill(Pooling(first, torch.arange(100), torch.arange(100)), states)
        most = max(most, held() - before)
    assert most < 8e6, "64 MB were written; what goes back to the file is written there"
    for layer in range(4):
        expected = torch.arange(0, spans, 100).repeat_interleave(100) + layer
        assert torch.equal(bank.layer(layer)[:, -1], expected.float())


def test_a_disk_too_small_for_the_features_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found out while the file is made: a write to a page that the disk has no room for kills a process."""
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"features need 0\.1 GB in .*Set TMPDIR to a larger disk"):
            FeatureBank(2, 2_000_000, 8, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_states_that_are_not_finite_are_named_by_their_layer() -> None:
    corpus = corpus_of([("a b", {"pos": [noun(0, 1), noun(1, 2)]})])
    rows, spans = spans_in(corpus, "pos", 64)
    bank = FeatureBank(2, len(spans), 4, 1e9)
    for pooling, batch in zip(poolings(spans, rows.batches), rows.batches, strict=True):
        good = torch.ones(*batch.ids.shape, 4)
        bank.fill(pooling, [good, good / 0])
    every = {"paper": np.ones(48, np.bool_)}
    asked = Questions(PAPER_LABELS["pos"], spans.targets, np.zeros(2, np.int64), None, every)
    with pytest.raises(CheckpointError, match="layer 1 hold NaN or infinity"):
        judge(bank, asked, torch.device("cpu"))
