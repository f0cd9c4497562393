"""Batches: made of the corpus's own text, in a keyed order, the same whenever they are asked for."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tpu_train import examples, masking, prepare, recipe, run
from tpu_train.batches import Batch, Batches
from tpu_train.examples import Packings
from tpu_train.recipe import Recipe
from tpu_train.tokens import Tokens


@dataclasses.dataclass(frozen=True)
class Little:
    """What the finished run was made of."""

    recipe: Recipe
    prepared: prepare.Prepared
    folder: Path

    def batches(self, **data: object) -> Batches:
        changed = dataclasses.replace(self.recipe, data=dataclasses.replace(self.recipe.data, **data))
        packings = Packings(self.folder, self.prepared.tokens, changed)
        return Batches(changed, self.prepared.vocabulary, self.prepared.tokens, packings)

    def original(self, batch: Batch) -> np.ndarray:
        """The ids before masking."""
        ids = batch.ids.copy()
        used = batch.weights.astype(bool)
        rows = np.broadcast_to(np.arange(len(ids))[:, None], used.shape)[used]
        ids[rows, batch.positions[used]] = batch.labels[used]
        return ids


@pytest.fixture
def little(finished: Path, tmp_path: Path) -> Little:
    about = run.read(finished)
    assert about is not None
    loaded = recipe.from_json(about["recipe"], "run.json")
    return Little(loaded, prepare.resume(finished / "state", loaded), tmp_path)


def equal(a: Batch, b: Batch) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Batch.__dataclass_fields__)


def test_any_batch_is_replayed_from_its_step(little: Little) -> None:
    streamed = list(little.batches().from_step(0, 130))
    again = little.batches()
    for step in (0, 1, 63, 64, 100, 129):
        assert equal(again.batch(step), streamed[step])
    assert not equal(streamed[0], streamed[1])
    assert equal(next(again.from_step(77, 78)), streamed[77])


def test_another_seed_draws_other_batches(little: Little) -> None:
    training = dataclasses.replace(little.recipe.training, seed=1)
    other = dataclasses.replace(little, recipe=dataclasses.replace(little.recipe, training=training))
    assert not equal(other.batches().batch(5), little.batches().batch(5))


def test_sequences_are_two_segments_of_running_text_in_the_labelled_order(little: Little) -> None:
    text = np.asarray(little.prepared.tokens.ids).tolist()
    where = {tuple(text[i : i + 4]): i for i in range(len(text) - 4)}
    made = little.batches(lone_sentence="split", short_sequence_probability=0.3)
    ordered = 0
    for step in range(30):
        batch = made.batch(step)
        for row, ids in enumerate(little.original(batch)):
            length = int(batch.attention_mask[row].sum())
            first, second = np.flatnonzero(ids[:length] == 3)
            assert ids[0] == 2
            assert second == length - 1
            assert (ids[length:] == 0).all()
            np.testing.assert_array_equal(
                batch.token_types[row], (np.arange(32) > first) & (np.arange(32) <= second)
            )
            a, b = ids[1:first].tolist(), ids[first + 1 : second].tolist()
            if len(a) < 4 or len(b) < 4:
                continue
            at_a, at_b = where[tuple(a[:4])], where[tuple(b[:4])]
            if text[at_a : at_a + len(a)] == a and text[at_b : at_b + len(b)] == b:
                assert (at_a > at_b) == bool(batch.order_labels[row])
                ordered += 1
    assert ordered > 60


def test_half_of_the_pairs_are_swapped(little: Little) -> None:
    made = little.batches(lone_sentence="split")
    swapped = np.concatenate([batch.order_labels for batch in made.from_step(0, 200)])
    assert swapped.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(swapped)))


def test_an_epoch_sees_every_example_once(little: Little) -> None:
    made = little.batches()
    count = len(made._packings[0])
    seen = Counter(tuple(row) for row in made._chunks(np.arange(count)).tolist())
    assert seen == Counter(tuple(row) for row in made._packings[0].tolist())
    assert set(seen.values()) == {1}
    second = made._chunks(np.arange(count, count + len(made._packings[1])))
    assert Counter(map(tuple, second.tolist())) == Counter(map(tuple, made._packings[1].tolist()))


def test_packings_hold_every_sentence_once_and_respect_documents(little: Little) -> None:
    tokens = little.prepared.tokens
    for packing in (0, 1):
        chunks = examples.pack(little.recipe, tokens, packing)
        assert chunks[0, 0] == 0
        np.testing.assert_array_equal(chunks[1:, 0], chunks[:-1, 1])
        assert chunks[-1, 1] == len(tokens.sentence_ends)
        assert set(tokens.document_ends.tolist()) <= set(chunks[:, 1].tolist())


def test_a_lone_sentence_meets_another_document_as_released_or_is_split() -> None:
    ids = np.arange(5, 5 + 60, dtype="<u2")
    tokens = Tokens(ids, np.array([20, 40, 60]), np.array([1, 2, 3]), 0.0)
    little = recipe.load("albert-tiny", {"data.length": 32, "data.max_predictions": 2})
    assert len(examples.pack(little, tokens, 0)) == 3


def test_masks_cover_whole_words(little: Little) -> None:
    starts = little.prepared.vocabulary.word_starts(punctuation=True)
    for batch in little.batches().from_step(0, 40):
        original = little.original(batch)
        chosen = np.zeros(batch.ids.shape, dtype=bool)
        used = batch.weights.astype(bool)
        rows = np.broadcast_to(np.arange(len(chosen))[:, None], used.shape)[used]
        chosen[rows, batch.positions[used]] = True
        for row in range(len(chosen)):
            for at in range(2, int(batch.attention_mask[row].sum())):
                if original[row, at] > 4 and original[row, at - 1] > 4 and not starts[original[row, at]]:
                    assert chosen[row, at] == chosen[row, at - 1]


def test_the_share_of_masked_tokens_is_the_recipes(little: Little) -> None:
    masked = tokens = 0
    for batch in little.batches(max_predictions=20).from_step(0, 60):
        lengths = batch.attention_mask.sum(axis=1).astype(np.int64)
        wanted = masking.predictions_wanted(lengths, little.recipe.data)
        assert (batch.weights.sum(axis=1) <= np.maximum(wanted, 1) + 0).all()
        masked, tokens = masked + int(batch.weights.sum()), tokens + int(lengths.sum())
    assert masked / tokens == pytest.approx(0.15, abs=0.02)
