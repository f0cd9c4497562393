"""BERT and ELECTRA: pairs and targets by their definitions, and runs that hold what ALBERT's hold."""

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from transformers import AutoTokenizer

from tpu_train import families, initial, objectives, prepare, recipe, results, run, store, vocabulary
from tpu_train.batches import Batch, Staged
from tpu_train.cli import main
from tpu_train.encoder import NO_DROPOUT, Dropout
from tpu_train.recipe import Recipe
from tpu_train.step import Trainer

Other = tuple[str, Path]


@dataclasses.dataclass(frozen=True)
class Made:
    """What a finished run was made of."""

    recipe: Recipe
    prepared: prepare.Prepared
    folder: Path

    def staged(self, **data: object) -> Staged:
        changed = dataclasses.replace(self.recipe, data=dataclasses.replace(self.recipe.data, **data))
        return Staged(changed, self.prepared.vocabulary, self.prepared.tokens, self.folder)

    @property
    def text(self) -> list[int]:
        return np.asarray(self.prepared.tokens.ids).tolist()


@pytest.fixture
def made(other_family: Other, tmp_path: Path) -> Made:
    about = run.read(other_family[1])
    assert about is not None
    loaded = recipe.from_json(about["recipe"], "run.json")
    return Made(loaded, prepare.resume(other_family[1] / "state", loaded), tmp_path)


def original(batch: Batch) -> np.ndarray:
    ids = batch.ids.copy()
    used = batch.weights.astype(bool)
    rows = np.broadcast_to(np.arange(len(ids))[:, None], used.shape)[used]
    ids[rows, batch.positions[used]] = batch.labels[used]
    return ids


def segments_of(ids: np.ndarray, mask: np.ndarray) -> list[list[int]]:
    """The segments between the special pieces of a WordPiece sequence."""
    length = int(mask.sum())
    assert ids[0] == 2
    assert ids[length - 1] == 3
    ends = np.flatnonzero(ids[:length] == 3).tolist()
    return [ids[start + 1 : end].tolist() for start, end in zip([0, *ends], ends, strict=False)]


def test_pairs_are_what_their_labels_say(made: Made, other_family: Other) -> None:
    text = made.text
    where: dict[tuple[int, ...], int] = {tuple(text[i : i + 4]): i for i in range(len(text) - 4)}
    documents = np.concatenate(
        ([0], np.asarray(made.prepared.tokens.sentence_ends)[made.prepared.tokens.document_ends - 1])
    )
    seen = {0: 0, 1: 0}
    singles = total = 0
    for batch in made.staged(length=32, phases=()).from_step(0, 60):
        for ids, mask, label in zip(original(batch), batch.attention_mask, batch.order_labels, strict=True):
            parts = segments_of(ids, mask)
            total += 1
            singles += len(parts) == 1
            if len(parts) == 1 or min(map(len, parts)) < 4:
                continue
            a, b = (where[tuple(part[:4])] for part in parts)
            if text[a : a + len(parts[0])] != parts[0] or text[b : b + len(parts[1])] != parts[1]:
                continue  # the four tokens stand elsewhere, too
            same = np.searchsorted(documents, a, "right") == np.searchsorted(documents, b, "right")
            assert bool(label) != bool(same)
            assert label or b >= a + len(parts[0])
            seen[int(label)] += 1
    if other_family[0] == "bert":
        assert singles == 0
        assert min(seen.values()) > 30
    else:
        # Documents of one sentence cannot be cut; all others are single with probability 0.1.
        assert seen[0] > 60
        assert 0.05 < singles / total < 0.6


def test_next_sentences_of_a_stranger_put_the_rest_back(other_family: Other, made: Made) -> None:
    if other_family[0] != "bert":
        pytest.skip("ELECTRA has no next sentences")
    from tpu_train.examples import pack

    rows = pack(
        dataclasses.replace(made.recipe, data=dataclasses.replace(made.recipe.data)), made.prepared.tokens, 0
    )
    first, cut, end, target = rows.T
    assert ((first < cut) & (cut <= end)).all()
    assert (first[1:] >= end[:-1]).all()
    assert (first[1:] == end[:-1]).mean() > 0.9  # chunks of a single token are dropped
    assert 0.4 < (cut == end).mean() < 0.9
    assert target.max() == made.recipe.data.length - 3


def test_a_batch_follows_from_its_step_across_phases(made: Made) -> None:
    streamed = list(made.staged().from_step(0, 24))
    again = made.staged()
    for step in (0, 5, 11, 12, 13, 23):
        for name in Batch.__dataclass_fields__:
            np.testing.assert_array_equal(
                getattr(again.batch(step), name), getattr(streamed[step], name), err_msg=f"{step} {name}"
            )
    shapes = {batch.ids.shape for batch in streamed}
    assert shapes == ({(8, 16), (4, 32)} if made.recipe.family == "bert" else {(8, 32)})
    assert [batch.ids.shape for batch in streamed] == sorted((b.ids.shape for b in streamed), reverse=True)


def test_the_guess_replaces_every_predicted_token_and_labels_say_which_are_fake() -> None:
    loaded = recipe.load("electra-tiny", {"vocabulary.size": 60, "model.hidden": 32, "model.layers": 1})
    network = families.network(loaded)
    values = initial.weights(network.weights, loaded.model, 3)
    draw = np.random.default_rng(0)
    ids = draw.integers(5, 60, (6, 20)).astype(np.int32)
    positions = np.sort(draw.permuted(np.tile(np.arange(1, 19), (6, 1)), axis=1)[:, :4], axis=1).astype(
        np.int32
    )
    labels = np.take_along_axis(ids, positions, axis=1)
    masked = ids.copy()
    np.put_along_axis(masked, positions, 4, axis=1)
    weights = np.ones((6, 4), np.float32)
    weights[0, 3] = 0
    batch = Batch(
        masked, np.zeros_like(ids), np.ones_like(ids), positions, labels, weights, np.zeros(6, np.int32)
    )
    text = objectives._put(batch, tf.reshape(labels, [-1])).numpy()
    expected = ids.copy()
    expected[0, positions[0, 3]] = 4
    np.testing.assert_array_equal(text, expected)

    # The generator's distribution, and how often each piece is guessed over many steps.
    counts = np.zeros(60)
    logits = tf.constant(draw.normal(0, 1.5, (24, 60)), tf.float32)
    for step in range(400):
        key = Dropout(0, 0, 0, tf.constant(step, tf.int64))
        counts += np.bincount(objectives._sampled(logits, batch, key).numpy(), minlength=60)
    wanted = tf.nn.softmax(logits).numpy().sum(axis=0) * 400
    assert np.abs(counts - wanted).max() < 5 * np.sqrt(wanted.max())
    numbers = objectives.objective(loaded, network)(
        values, batch, tf.float32, dataclasses.replace(NO_DROPOUT, step=tf.constant(1, tf.int64))
    )
    assert float(numbers[2]) == 23
    assert float(numbers[5]) == 120


def test_the_area_is_that_of_the_ranks() -> None:
    draw = np.random.default_rng(1)
    logits, fake = draw.normal(size=80).astype(np.float32), draw.random(80) < 0.2
    real = (draw.random(80) < 0.8).astype(np.float32)
    wins = [float(a > b) for a in logits[(real > 0) & fake] for b in logits[(real > 0) & ~fake]]
    found = objectives._area(tf.constant(logits), tf.constant(fake), tf.constant(real))
    assert float(found) == pytest.approx(np.mean(wins), abs=1e-6)


def test_a_run_is_logged_and_stored_as_documented(
    other_family: Other, log_of: Callable[[Path], list[dict[str, Any]]]
) -> None:
    family, folder = other_family
    lines = log_of(folder)
    assert [line["step"] for line in lines] == [4, 8, 12, 16, 20, 24]
    second = {"bert": "nsp", "electra": "rtd"}[family]
    weight = {loss.name: loss.weight for loss in results.losses(recipe.load(f"{family}-base"))}
    for line in lines:
        parts = weight["mlm"] * line["mlm_loss"] + weight[second] * line[f"{second}_loss"]
        assert line["loss"] == pytest.approx(parts, rel=1e-5)
        assert 0 <= line[f"{second}_accuracy"] <= 1
    assert lines[-1]["mlm_loss"] < lines[0]["mlm_loss"]
    assert store.saved(folder) == [0, 1, 2, 4, 8, 12, 24]
    step = store.step_folder(folder, 24)
    complete = json.loads((step / "COMPLETE.json").read_text("utf-8"))["files"]
    inside = {path.relative_to(step).as_posix() for path in step.rglob("*") if path.is_file()}
    assert inside == {*complete, "COMPLETE.json"}
    assert ("generator/model.safetensors" in complete) == (family == "electra")
    if family == "electra":
        own, generator = (load_file(step / part / "model.safetensors") for part in ("", "generator"))
        shared = [name for name in own if name.startswith("electra.embeddings.")]
        assert len(shared) == 5
        for name in shared:
            np.testing.assert_array_equal(own[name], generator[name])
        assert lines[-1]["rtd_auc"] > 0


def test_transformers_gives_the_trainers_ids(other_family: Other) -> None:
    folder = other_family[1] / "step-00000024"
    loaded = AutoTokenizer.from_pretrained(folder)
    mine = vocabulary.from_folder(folder, recipe.Vocabulary(size=200, kind="wordpiece"), 32)
    strange = [
        "Hello ralagama, it's a ``test''.",
        "Ünïcödé 東京 ﬁ½\ttabs\u200b",
        "x" * 300,
        "[MASK] [SEP]?",
        "",
    ]
    sentences = [
        *strange[:3],
        strange[4],
        *(other_family[1].parent / "text" / "a.txt").read_text("utf-8").splitlines()[:50],
    ]
    assert mine.encoder()(sentences) == loaded(sentences, add_special_tokens=False)["input_ids"]
    assert loaded.convert_ids_to_tokens(range(200)) == list(mine.pieces)
    pair = loaded("Ralagama.", "Second one.")
    assert pair["token_type_ids"].count(1) == len(pair["input_ids"]) - pair["input_ids"].index(3) - 1
    assert (loaded.pad_token_id, loaded.unk_token_id, loaded.mask_token_id) == (0, 1, 4)


def test_stopped_runs_end_with_the_same_bytes(other_family: Other, world: Any) -> None:
    family, finished = other_family
    command = [sys.executable, "-m", "tpu_train", *world.command("run", "--state-every", "0", family=family)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    log = world.root / "run" / "train_log.jsonl"
    while process.poll() is None and not (log.is_file() and b'"step": 8,' in log.read_bytes()):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() != 0
    assert main(world.command("run", family=family)) == 0
    for step in (0, 12, 24):
        for name in store.step_folder(finished, step).rglob("*.safetensors"):
            mine = world.root / "run" / name.relative_to(finished)
            assert mine.read_bytes() == name.read_bytes(), name


def test_every_weight_gets_a_gradient(other_family: Other, made: Made) -> None:
    changes = {"hidden_dropout": 0.0, "attention_dropout": 0.0}
    loaded = dataclasses.replace(made.recipe, model=dataclasses.replace(made.recipe.model, **changes))
    network = families.network(loaded)
    before = initial.weights(network.weights, loaded.model, 0)
    trainer = Trainer(loaded, network, "fp32")
    trainer.start(before)
    for step, batch in enumerate(made.staged().from_step(0, 3)):
        trainer.run(step, batch)
    after = trainer.read()
    for name, value in before.items():
        if not name.endswith("key/bias"):  # adds the same to all scores of a row: no gradient
            assert np.abs(after[name] - value).max() > 0, name


def test_a_vocabulary_of_another_family_is_named(
    world: Any, finished: Path, other_family: Other, capsys: pytest.CaptureFixture[str]
) -> None:
    family, folder = other_family
    given = str(finished / "step-00000000")
    assert main([*world.command("run", "--vocabulary", given, family=family)]) == 2
    assert "expected a WordPiece vocabulary" in capsys.readouterr().err.replace(
        "does not hold a", "expected a"
    )
    given = str(folder / "step-00000000")
    assert main([*world.command("run", "--vocabulary", given)]) == 2
    assert "Unigram vocabulary" in capsys.readouterr().err
    shutil.rmtree(world.root / "run", ignore_errors=True)


@pytest.mark.parametrize(
    ("family", "change", "told"),
    [
        ("bert", "objective=mlm+sop", "objective of the family bert is 'mlm+nsp'"),
        ("bert", "vocabulary.kind=unigram", "vocabulary.kind of the family bert is 'wordpiece'"),
        ("bert", "model.embedding=16", "model.embedding must be model.hidden"),
        ("electra", "model.activation=gelu_tanh", 'must be "gelu_erf"'),
        ("electra", "model.groups=2", "model.groups is of the family albert alone"),
        ("bert", "data.phases=[{from_step=30,length=32,max_predictions=6,batch=4}]", "from_step must rise"),
        ("bert", "data.phases=[{from_step=3,length=64,max_predictions=6,batch=4}]", "8 … model.positions"),
    ],
)
def test_settings_that_contradict_the_family_are_named(
    world: Any, family: str, change: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(world.command("run", "--set", change, family=family)) == 2
    assert told in capsys.readouterr().err
