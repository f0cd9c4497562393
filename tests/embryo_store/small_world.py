"""A small world of results with known answers: one run, three steps, every kind of record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from embryo_store.records import (
    AttentionMaps,
    Checkpoint,
    ClozeAnswers,
    Commit,
    Dataset,
    Evaluation,
    Facts,
    Key,
    LamaAnswers,
    Metric,
    Outcomes,
    Payload,
    Relation,
    Run,
    Sentence,
    TrainLog,
    Vocabulary,
    Words,
)

TOKENS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "paris", "rome", "oslo", "bern")
STEPS = (0, 100, 200)
RUN = Run(
    "small",
    "albert",
    "checkpoints/small",
    objective="mlm+sop",
    total_steps=200,
    layers=1,
    heads=2,
    hidden=8,
    parameters=1000,
    recipe={"name": "albert-tiny", "lr": 0.001},
    corpus="demo",
)
WORDS = Words(
    sentence_id=np.array([0, 0, 0, 1]),
    position=np.array([0, 1, 2, 0]),
    form=("The", "cat", "sat", "Cats"),
    tag=("DT", "NN", "VBD", "NNS"),
    rank=np.array([1, 2, 3, 4]),
)
FACTS = Facts(
    relation=("P36", "P36", "P36", "P103"),
    subject=("France", "Italy", "Norway", "Ann"),
    object=("paris", "rome", "oslo", "bern"),
    uuid=("a", "b", None, None),
)
#: Rank of the gold object: a row a step, a column a fact. France is learned, Italy forgotten, Norway static.
RANKS = np.array([[5, 1, 1, 9], [1, 1, 1, 8], [1, 4, 1, 7]])


def checkpoint(step: int, run: str = "small") -> Checkpoint:
    return Checkpoint(
        run, step, f"checkpoints/{run}/step-{step:08d}", f"weights-{run}-{step}", "vocab-1", 1234
    )


def evaluation(
    key: Key, *metrics: Metric, inputs: str = "inputs-1", payloads: tuple[Payload, ...] = ()
) -> Evaluation:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return Evaluation(
        key,
        inputs,
        {"weights": "w", "version": 1},
        moment,
        moment,
        "host",
        "cpu",
        "float32",
        {"torch": "2.13"},
        data_hash="data-1",
        metrics=metrics,
        payloads=payloads,
    )


def words_commit(
    step: int, accuracies: dict[str, float], *, run: str = "small", inputs: str = "inputs-1"
) -> Commit:
    """Mask prediction over ``WORDS``: accuracy by tag, one word a tag, as labels with n = 1."""
    key = Key(run, step, "mask-predict", "sentences")
    metrics = [Metric("accuracy", value, label=tag, n=1, stderr=0.1) for tag, value in accuracies.items()]
    right = np.array([accuracies.get(tag, 0.0) > 0.5 for tag in WORDS.tag])
    return Commit(
        Run(run, "albert", "checkpoints") if run != "small" else RUN,
        checkpoint(step, run),
        [
            evaluation(
                key,
                Metric("accuracy", float(np.mean(list(accuracies.values()))), n=4),
                *metrics,
                inputs=inputs,
                payloads=(Outcomes(right),),
            )
        ],
        Dataset("sentences", "data-1", "words", "data/sentences", 4, 2, {"left out": 0}, words=WORDS),
        Vocabulary("vocab-1", TOKENS),
    )


def lama_commit(step: int, ranks: np.ndarray, run: Run = RUN) -> Commit:
    n = len(ranks)
    gold = np.array([TOKENS.index(name) for name in FACTS.object])
    tokens = np.tile(np.arange(10), (n, 1))
    tokens[:, 0] = np.where(ranks == 1, gold, 4)
    answers = LamaAnswers(
        FACTS,
        ranks,
        -np.log(ranks).astype(np.float32),
        ranks,
        -np.log(ranks).astype(np.float32),
        tokens,
        np.tile(-np.arange(10, dtype=np.float32) - 0.1234567, (n, 1)),
        echo={0: [4, 7]},
    )
    by_relation = [Metric("p_at_1", float(np.mean(ranks[:3] == 1)), label="P36", n=3)]
    dataset = Dataset(
        "trex",
        "data-1",
        "facts",
        "data/trex",
        4,
        relations=(
            Relation("P36", "The capital of [X] is [Y] .", "1-1", "capital"),
            Relation("P103", "The native language of [X] is [Y] .", "N-1", "language"),
        ),
    )
    return Commit(
        run,
        checkpoint(step, run.run),
        [
            evaluation(Key(run.run, step, "lama", "trex", "paper"), *by_relation, payloads=(answers,)),
            evaluation(Key(run.run, step, "lama", "trex", "lama"), *by_relation),
        ],
        dataset,
        Vocabulary("vocab-1", TOKENS),
    )


def attention_maps(step: int) -> np.ndarray:
    """Two heads of one layer over two pieces: head 1 turns from uniform to diagonal."""
    focus = 0.5 + step / 400
    return np.array([[[[focus, 1 - focus], [1 - focus, focus]], [[1, 0], [1, 0]]]], dtype=np.float32)


def attention_commit(step: int) -> Commit:
    key = Key("small", step, "attention", "built-in")
    maps = attention_maps(step)
    metrics = [
        Metric("diagonal", float(np.trace(maps[0, head]) / 2), layer=1, head=head + 1) for head in range(2)
    ]
    sentences = tuple(
        Sentence("vocab-1", i, text, ("[CLS]", "[SEP]")) for i, text in enumerate(("mean", "one"))
    )
    return Commit(
        RUN,
        checkpoint(step),
        [
            evaluation(key, *metrics, payloads=(AttentionMaps(0, maps), AttentionMaps(1, maps[:, ::-1]))),
        ],
        Dataset("built-in", "data-1", "sentences", "built-in", 1, 1, attention_sentences=sentences),
    )


def log_commit(step: int, before: int) -> Commit:
    steps = np.arange(before + 50, step + 1, 50)
    log = TrainLog(
        np.repeat(steps, 2),
        ["loss", "mlm_accuracy"] * len(steps),
        np.ravel([[10 - s / 50, s / 1000] for s in steps]).astype(np.float64),
    )
    return Commit(RUN, checkpoint(step), [evaluation(Key("small", step, "train-log"), payloads=(log,))])


def small_world() -> list[Commit]:
    """Every kind of record, in the order in which an evaluation would commit them."""
    commits = []
    for place, step in enumerate(STEPS):
        share = place / 2
        commits += [
            words_commit(
                step, {"DT": min(1.0, 2 * share), "NN": 0.6 * share, "VBD": 0.4 * share, "NNS": 0.2 * share}
            ),
            lama_commit(step, RANKS[place]),
            attention_commit(step),
            log_commit(step, STEPS[place - 1] if place else 0),
        ]
    return commits


TEXT = "the cat sat [MASK] [MASK]"
LONG = Run("long", "bert", "checkpoints/long", layers=2, heads=2)
#: The step of the run `long` at which another model's file lies.
WRONG_STEP = 500


def cloze_commit(step: int, words: tuple[str, ...] = ("paris", "rome")) -> Commit:
    """Two masks, for which `words` come first."""
    tokens = np.tile(np.arange(10), (2, 1))
    tokens[:, 0] = [TOKENS.index(word) for word in words]
    logps = np.tile(-np.arange(10, dtype=np.float32) - 0.25, (2, 1))
    made = evaluation(Key("small", step, "cloze", TEXT), payloads=(ClozeAnswers(tokens, logps),))
    return Commit(RUN, checkpoint(step), [made], vocabulary=Vocabulary("vocab-1", TOKENS))


def probes_commit(step: int, level: float, run: Run = RUN) -> Commit:
    """POS probed on three layers: F1 rises by a tenth a layer from `level`."""
    metrics = [Metric("f1", level + layer / 10, layer=layer, n=100, stderr=0.01) for layer in range(3)]
    mistakes = [Metric("mistakes", 7.0, label="NN → JJ", layer=1, n=50)]
    key = Key(run.run, step, "probe-pos", "ontonotes")
    made = evaluation(key, Metric("majority", 0.1, n=100), *metrics, *mistakes)
    return Commit(run, checkpoint(step, run.run), [made])


def glue_commit(step: int, level: float) -> Commit:
    """Every task of GLUE at `level` in the paper's metric, and at 0 in the others; MNLI 0.1 apart."""
    ours = {"mrpc": "f1", "qqp": "f1", "stsb": "spearman"}
    made = []
    for task in ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"):
        metrics = [
            Metric(name, 0.0) for name in ("accuracy", "f1", "spearman") if name != ours.get(task, "accuracy")
        ]
        value = Metric(ours.get(task, "accuracy"), level)
        if task == "mnli":
            metrics += [
                replace(value, label="matched"),
                replace(value, label="mismatched", value=level + 0.1),
            ]
        metrics.append(value)
        made.append(evaluation(Key("small", step, f"glue-{task}", task), *metrics))
    squad = evaluation(Key("small", step, "squad2", "squad2"), Metric("em", level), Metric("f1", level + 0.2))
    return Commit(RUN, checkpoint(step), [*made, squad])


def long_world() -> list[Commit]:
    """A run of 41 steps whose curves rise slowly, save at the step with the wrong file."""
    commits = []
    for place in range(41):
        step = place * 50
        share = 0.9 if step == WRONG_STEP else place / 40
        commits += [
            words_commit(step, {"DT": share, "NN": share / 2}, run="long"),
            probes_commit(step, 0.1 + 0.5 * share, LONG),
        ]
    return commits


def bands_commit(step: int) -> Commit:
    """Mask prediction by frequency band."""
    metrics = [
        Metric("accuracy", 0.1 + step / 1000, label=f"rank {band}", n=50) for band in ("1-49", "50-99")
    ]
    return Commit(RUN, checkpoint(step), [evaluation(Key("small", step, "mask-predict", "bands"), *metrics)])


def rich_world() -> list[Commit]:
    """The small world with sentences asked, probes and GLUE, and a long run beside it."""
    more = [
        made
        for step in STEPS
        for made in (
            cloze_commit(step),
            probes_commit(step, 0.2 + step / 1000),
            glue_commit(step, 0.5 + step / 1000),
            bands_commit(step),
        )
    ]
    return [*map(_as_evaluators_name_it, small_world()), *more, *long_world()]


def _as_evaluators_name_it(commit: Commit) -> Commit:
    """P@1 is ``p1``; the small world keeps the name that it had when its older stores were made."""
    return replace(
        commit,
        evaluations=[
            replace(
                made,
                metrics=[replace(m, metric="p1") if m.metric == "p_at_1" else m for m in made.metrics],
            )
            for made in commit.evaluations
        ],
    )


def attention_heavy(step: int) -> Commit:
    """Twelve megabytes of maps that do not compress."""
    maps = np.random.default_rng(0).random((12, 12, 64, 64), dtype=np.float32)
    payloads = tuple(AttentionMaps(sentence, maps) for sentence in range(20))
    made = evaluation(Key("small", step, "attention", "big"), payloads=payloads)
    return Commit(RUN, checkpoint(step), [made])
