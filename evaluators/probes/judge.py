"""One task's probes at one checkpoint: a linear classifier a layer, and what its answers on the test
split are worth.

Turns features and targets into metrics. Knows neither corpora nor tokenizers nor the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from embryo_store.records import Metric
from evaluators.errors import CheckpointError
from evaluators.probes import metrics
from evaluators.probes.features import FeatureBank
from evaluators.probes.labels import parameters
from evaluators.probes.solver import Examples, Fit, fit
from evaluators.probes.spans import SplitTargets

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Mistakes that are stored of every layer.
MISTAKES = 50


@dataclass(frozen=True)
class Questions:
    """What is asked of a task's spans.

    ``targets``: by split. ``sentence``: for every test target, which sentence it is in. ``control``: by
    split, the targets' control labels, where the task has them. ``among``: protocol → which labels its F1
    is over.
    """

    labels: tuple[str, ...]
    targets: Mapping[str, SplitTargets]
    sentence: Ints
    control: Mapping[str, Ints] | None
    among: Mapping[str, Bools]


@dataclass(frozen=True)
class Answers:
    """A probe's fit at one layer, its mean loss on the test split and the labels that it gives there."""

    fit: Fit
    loss: float
    predicted: Ints


def examples(vectors: torch.Tensor, targets: SplitTargets, device: torch.device) -> Examples:
    """A split's targets over one layer's span vectors (spans, width)."""
    chosen: list[torch.Tensor] = []
    indices: list[torch.Tensor | None] = []
    for column in targets.span.T:
        rows, inverse = np.unique(column, return_inverse=True)
        one_run = len(rows) and rows[-1] - rows[0] + 1 == len(rows)
        mine = (
            vectors[rows[0] : rows[-1] + 1] if one_run else vectors[torch.from_numpy(rows).to(vectors.device)]
        )
        plain = len(rows) == len(column) and bool((column[1:] > column[:-1]).all())
        chosen.append(mine.to(device))
        indices.append(None if plain else torch.from_numpy(inverse).to(device))
    return Examples(tuple(chosen), tuple(indices), torch.from_numpy(targets.label).to(device))


def answer(split: Mapping[str, Examples], labels: int) -> Answers:
    """Fits a probe and asks it about the test split."""
    found = fit(split["train"], split["dev"], labels)
    logits = found.linear.logits(split["test"])
    loss = float(torch.nn.functional.cross_entropy(logits, split["test"].label))
    return Answers(found, loss, logits.argmax(1).cpu().numpy())


def judge(bank: FeatureBank, questions: Questions, device: torch.device) -> Mapping[str, list[Metric]]:
    """Probes every layer; what came of it, by protocol.

    Raises:
        CheckpointError: a layer's states are not finite.
    """
    real: list[Answers] = []
    control: list[Answers] = []
    labels = len(questions.labels)
    for number in range(bank.layers):
        vectors = bank.layer(number)
        if not torch.isfinite(vectors.sum(dtype=torch.float64)):
            raise CheckpointError(
                f"The states of layer {number} hold NaN or infinity: nothing to learn from."
            )
        split = {name: examples(vectors, told, device) for name, told in questions.targets.items()}
        real.append(answer(split, labels))
        if questions.control is not None:
            other = {
                name: mine.relabelled(torch.from_numpy(questions.control[name]).to(device))
                for name, mine in split.items()
            }
            control.append(answer(other, labels))
    found = {
        protocol: _f1(questions, real, among) + _baseline(questions, among)
        for protocol, among in questions.among.items()
    }
    spans = questions.targets["test"].span.shape[1]
    found["paper"] += _fits(questions, real, parameters(bank.layer(0).shape[1], spans, labels))
    found["paper"] += _by_label(questions, real)
    if questions.control is not None:
        found["paper"] += _selectivity(questions, real, control)
    return found


def _f1(questions: Questions, answers: Sequence[Answers], among: Bools) -> list[Metric]:
    gold = questions.targets["test"].label
    scores = metrics.micro_f1(gold, [a.predicted for a in answers], questions.sentence, among)
    return [
        Metric("f1", s.value, layer=layer, n=s.n, stderr=s.stderr, low=s.low, high=s.high)
        for layer, s in enumerate(scores)
    ]


def _baseline(questions: Questions, among: Bools) -> list[Metric]:
    """F1 of always giving the commonest label of the training targets."""
    gold = questions.targets["test"].label
    guess = np.full(len(gold), metrics.majority_label(questions.targets["train"].label))
    score = metrics.micro_f1(gold, [guess], questions.sentence, among)[0]
    return [Metric("majority", score.value, n=score.n, stderr=score.stderr, low=score.low, high=score.high)]


def _fits(questions: Questions, answers: Sequence[Answers], size: int) -> list[Metric]:
    """Losses in nats, the prior strength that the development split chose, and the sizes of it all."""
    found = [Metric("parameters", float(size))]
    for name, targets in questions.targets.items():
        found.append(Metric(f"{name}_targets", float(len(targets.label)), n=len(targets.label) + targets.cut))
    for layer, a in enumerate(answers):
        found.append(Metric("loss", a.loss, layer=layer, n=len(a.predicted)))
        found.append(Metric("dev_loss", a.fit.dev_loss, layer=layer))
        found.append(Metric("train_loss", a.fit.train_loss, layer=layer))
        found.append(Metric("prior_strength", a.fit.strength, layer=layer))
    return found


def _by_label(questions: Questions, answers: Sequence[Answers]) -> list[Metric]:
    """F1 of every label, and the commonest mistakes as pairs ``gold → predicted``."""
    names = questions.labels
    found = []
    for layer, a in enumerate(answers):
        table = metrics.confusion(questions.targets["test"].label, a.predicted, len(names))
        for label, (value, n) in metrics.f1_by_label(table).items():
            found.append(Metric("f1", value, label=names[label], layer=layer, n=n))
        gold = table.sum(1)
        for truth, guess, count in metrics.commonest_mistakes(table, MISTAKES):
            pair = f"{names[truth]} → {names[guess]}"
            found.append(Metric("mistakes", float(count), label=pair, layer=layer, n=int(gold[truth])))
    return found


def _selectivity(questions: Questions, real: Sequence[Answers], control: Sequence[Answers]) -> list[Metric]:
    """Accuracy on the control task, its own majority baseline, and accuracy minus control accuracy."""
    assert questions.control is not None
    gold, test = questions.targets["test"].label, questions.control["test"]
    every = np.ones(len(questions.labels), dtype=np.bool_)
    guess = np.full(len(test), metrics.majority_label(questions.control["train"]))
    *scores, floor = metrics.micro_f1(
        test, [*(a.predicted for a in control), guess], questions.sentence, every
    )
    found = [Metric("control_majority", floor.value, n=floor.n, low=floor.low, high=floor.high)]
    for layer, (a, score) in enumerate(zip(real, scores, strict=True)):
        found.append(
            Metric(
                "control",
                score.value,
                layer=layer,
                n=score.n,
                stderr=score.stderr,
                low=score.low,
                high=score.high,
            )
        )
        accuracy = float((a.predicted == gold).mean())
        found.append(Metric("selectivity", accuracy - score.value, layer=layer, n=score.n))
    return found
