"""Multinomial logistic regression on span vectors, fitted whole-batch: no seed, no learning rate.

The classifier is the paper's, one linear layer and a softmax (appendix D.1). It is fitted in coordinates
in which the training vectors have unit covariance, where L-BFGS needs some tens of passes; the weights
are then those of a linear layer over the vectors as they were. Instead of stopping a slow optimiser
early, a penalty on the whitened weights is lowered step by step, each step starting from the one before
and going roughly as far as it leads, for as long as the development loss falls; the best of them is taken
to its end. Knows neither tasks nor models.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

#: The penalties that are tried, as the strength of a Gaussian prior: λ = STRENGTHS / number of targets.
STRENGTHS = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
#: A path ends where the development loss has risen by more than this share of the best.
RISE = 1e-3
#: A penalty's fit ends where a step lowers the objective by less than this share; the next starts from there.
ROUGH = 5e-4
#: The same for the fit of the penalty that is chosen.
TOLERANCE = 2e-4
#: Directions whose variance is below this share of a mean direction's are not amplified further by whitening.
FLOOR = 1e-4
#: Vectors from which the covariance is estimated: so many per dimension, and no fewer than the second.
PER_DIMENSION, LEAST = 16, 4096
_HISTORY = 10
_MOST_STEPS = 200
#: Sufficient decrease (Armijo), and the shortest share of a step that is tried.
_SUFFICIENT, _SHORTEST = 1e-4, 1e-3
#: Least curvature of a label's weights and of its bias: labels that are certain, or absent, have none.
_LEAST_WEIGHTS, _LEAST_BIAS = 1e-6, 1e-4


@dataclass(frozen=True)
class Examples:
    """Targets of one split at one layer.

    ``vectors``: for each of a target's one or two spans the distinct vectors, (m, width). ``index``: for
    each, which vector a target has, (n,), or None where target ``i`` has vector ``i``. ``label``: (n,),
    int64.
    """

    vectors: tuple[torch.Tensor, ...]
    index: tuple[torch.Tensor | None, ...]
    label: torch.Tensor

    def __len__(self) -> int:
        """The number of targets."""
        return len(self.label)

    def relabelled(self, label: torch.Tensor) -> Examples:
        """The same spans with other labels."""
        return Examples(self.vectors, self.index, label)


@dataclass(frozen=True)
class Linear:
    """A linear layer over concatenated spans: ``weight`` (spans, width, labels), ``bias`` (labels,)."""

    weight: torch.Tensor
    bias: torch.Tensor

    def logits(self, examples: Examples) -> torch.Tensor:
        """(n, labels)."""
        total: torch.Tensor | None = None
        for vectors, index, weight in zip(examples.vectors, examples.index, self.weight, strict=True):
            scores = vectors @ weight
            if index is not None:
                scores = scores[index]
            total = scores if total is None else total.add_(scores)
        assert total is not None
        return total.add_(self.bias)

    def loss(self, examples: Examples) -> float:
        """Mean cross-entropy in nats."""
        return float(torch.nn.functional.cross_entropy(self.logits(examples), examples.label))


@dataclass(frozen=True)
class Fit:
    """The classifier that did best on the development split; the strength of its penalty; its mean
    losses; and how many passes over the training targets the search took.
    """

    linear: Linear
    strength: float
    train_loss: float
    dev_loss: float
    passes: int


class Whitening:
    """Coordinates in which vectors have zero mean and unit covariance: z = (x - mean) @ out, one map a
    span.
    """

    def __init__(self, vectors: Sequence[torch.Tensor]) -> None:
        """Estimates the maps from training vectors."""
        self.means: list[torch.Tensor] = []
        self.maps: list[torch.Tensor] = []
        for every in vectors:
            some = every[:: max(len(every) // max(PER_DIMENSION * every.shape[1], LEAST), 1)]
            mean = some.mean(0)
            centred = some - mean
            scale = centred.pow(2).mean(0).sqrt()
            # What rounding alone could have moved is no dimension: an infinite scale takes it out.
            scale[scale <= 1e-5 * mean.abs()] = torch.inf
            centred /= scale
            covariance = (centred.T @ centred / len(some)).double()
            covariance.diagonal().add_(FLOOR)
            lower = torch.linalg.cholesky(covariance)
            eye = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)
            out = torch.linalg.solve_triangular(lower, eye, upper=False).T
            self.means.append(mean)
            self.maps.append((out / scale[:, None]).float())

    def linear(self, weight: torch.Tensor, bias: torch.Tensor) -> Linear:
        """The layer over plain vectors that equals ``weight`` and ``bias`` over whitened ones."""
        plain = torch.stack([out @ w for out, w in zip(self.maps, weight, strict=True)])
        shift = sum((mean @ w for mean, w in zip(self.means, plain, strict=True)), torch.zeros_like(bias))
        return Linear(plain, bias - shift)


class Place(NamedTuple):
    """What the objective is at a point: its value, its gradient, and the mean over targets of
    diag(p) - p pᵀ, p being their probabilities: (labels, labels).
    """

    value: float
    gradient: torch.Tensor
    spread: torch.Tensor


class Objective:
    """Mean cross-entropy of the training targets plus λ/2 times the squared whitened weights.

    The point is one flat vector: the weights over whitened vectors (spans, width, labels), then the bias.
    """

    def __init__(self, train: Examples, labels: int) -> None:
        """Whitens ``train``'s vectors; no copy of them is made."""
        self.train = train
        self.whitening = Whitening(train.vectors)
        self._owned = [
            None if index is None else _by_vector(index, len(vectors))
            for vectors, index in zip(train.vectors, train.index, strict=True)
        ]
        self.shape = (len(train.vectors), train.vectors[0].shape[1], labels)
        self.evaluations = 0

    def start(self) -> torch.Tensor:
        """No weights, and the labels' smoothed log frequencies as the bias."""
        spans, width, labels = self.shape
        counts = torch.bincount(self.train.label, minlength=labels).float()
        point = counts.new_zeros(spans * width * labels + labels)
        point[-labels:] = ((counts + 0.5) / (counts.sum() + 0.5 * labels)).log()
        return point

    def linear(self, point: torch.Tensor) -> Linear:
        """The layer that a point stands for."""
        return self.whitening.linear(*self.parts(point))

    def __call__(self, point: torch.Tensor, penalty: float) -> Place:
        """The place that ``point`` is under ``penalty``, λ."""
        self.evaluations += 1
        weight, bias = self.parts(point)
        train = self.train
        logits = self.whitening.linear(weight, bias).logits(train)
        chosen = logits.gather(1, train.label[:, None])
        normaliser = logits.logsumexp(1, keepdim=True)
        loss = float((normaliser - chosen).double().mean())
        residual = logits.sub_(normaliser).exp_()
        spread = residual.mean(0).diag() - residual.T @ residual / len(train)
        residual.scatter_add_(1, train.label[:, None], residual.new_full((len(train), 1), -1.0))
        residual /= len(train)
        gradients = [self._to_whitened(number, residual).flatten() for number in range(len(train.vectors))]
        value = loss + 0.5 * penalty * float(weight.double().pow(2).sum())
        gradient = torch.cat([*gradients, residual.sum(0)])
        gradient[: weight.numel()] += penalty * weight.flatten()
        return Place(value, gradient, spread)

    def _to_whitened(self, number: int, residual: torch.Tensor) -> torch.Tensor:
        """The gradient with respect to the whitened weights of span ``number``: (width, labels)."""
        vectors, owned = self.train.vectors[number], self._owned[number]
        if owned is not None:
            # A vector's targets are added in their own order: index_add_ on a GPU would not.
            residual = torch.nn.functional.embedding_bag(owned[0], residual, owned[1], mode="sum")
        plain = vectors.T @ residual - torch.outer(self.whitening.means[number], residual.sum(0))
        return self.whitening.maps[number].T @ plain

    def weights(self, point: torch.Tensor) -> torch.Tensor:
        """The part of a point, or of a difference of points, that the penalty is on; it shares the memory."""
        return point[: -self.shape[-1]]

    def parts(self, point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A point's weights (spans, width, labels) and bias (labels,); they share its memory."""
        return self.weights(point).view(self.shape), point[-self.shape[-1] :]


def _by_vector(index: torch.Tensor, vectors: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The targets of every vector, one vector after another, and where each vector's begin."""
    count = torch.bincount(index, minlength=vectors)
    return torch.argsort(index, stable=True), torch.cumsum(count, 0) - count


def fit(train: Examples, dev: Examples, labels: int) -> Fit:
    """Fits a linear layer to ``train``, as far as ``dev`` has use for it."""
    objective = Objective(train, labels)
    descent = Descent(objective, STRENGTHS[0] / len(train))
    best, lowest, chosen = descent, math.inf, STRENGTHS[0]
    for strength in STRENGTHS:
        descent.lower(strength / len(train))
        descent.run(ROUGH)
        dev_loss = objective.linear(descent.point).loss(dev)
        if dev_loss < lowest:
            best, lowest, chosen = descent.branch(), dev_loss, strength
        elif dev_loss > lowest * (1 + RISE):
            break
    rough = objective.linear(best.point)
    best.run(TOLERANCE)
    whole = objective.linear(best.point)
    dev_loss = whole.loss(dev)
    linear = whole if dev_loss <= lowest else rough
    return Fit(linear, chosen, linear.loss(train), min(dev_loss, lowest), objective.evaluations)


class Descent:
    """L-BFGS (Nocedal 1980) with backtracking, on one objective under a penalty that may be lowered on
    the way.

    Where nothing is learned yet about the curvature it stands for, the Hessian is taken to be the unit matrix
    over whitened dimensions times the labels' spread, as it would be if vectors and probabilities were
    independent (Martens and Grosse 2015): rare labels get the long steps that they need. The objective is
    convex, so every pair of differences has positive curvature; and a lower penalty changes value, gradient
    and differences by terms that are known, so that nothing learned is lost.
    """

    def __init__(self, objective: Objective, penalty: float) -> None:
        """Starts from the objective's own start."""
        self.objective = objective
        self.penalty = penalty
        self.point = objective.start()
        self.value, self.gradient, self._spread = objective(self.point, penalty)
        self._steps: list[torch.Tensor] = []
        self._changes: list[torch.Tensor] = []

    def branch(self) -> Descent:
        """Another descent that stands where this one does."""
        other = copy.copy(self)
        other.gradient = self.gradient.clone()
        other._changes = [change.clone() for change in self._changes]
        return other

    def lower(self, penalty: float) -> None:
        """Goes on under another penalty, from the same point."""
        by = penalty - self.penalty
        self.penalty = penalty
        weights = self.objective.weights(self.point)
        self.value += 0.5 * by * float(weights.double().pow(2).sum())
        for vector, along in zip((self.gradient, *self._changes), (self.point, *self._steps), strict=True):
            self.objective.weights(vector).add_(self.objective.weights(along), alpha=by)

    def run(self, tolerance: float) -> None:
        """Descends until a step gains less than ``tolerance`` of the value."""
        for _ in range(_MOST_STEPS):
            before = self.value
            if not self._step() or before - self.value < tolerance * before:
                return

    def _step(self) -> bool:
        """One step; False where the floating point numbers allow no lower value."""
        direction = -self._times_inverse_hessian(self.gradient)
        slope = float(self.gradient @ direction)
        length = 1.0
        place = self.objective(self.point + direction, self.penalty)
        while not place.value <= self.value + _SUFFICIENT * length * slope:
            if length < _SHORTEST:
                return False
            vertex = -0.5 * slope * length / (place.value - self.value - slope * length)
            length *= min(max(vertex, 0.1), 0.5) if math.isfinite(vertex) else 0.1
            place = self.objective(self.point + length * direction, self.penalty)
        step, change = length * direction, place.gradient - self.gradient
        if float(step @ change) > 1e-10 * float(step.norm() * change.norm()):
            self._steps = [*self._steps, step][-_HISTORY:]
            self._changes = [*self._changes, change][-_HISTORY:]
        lower = place.value < self.value
        self.point = self.point + step
        self.value, self.gradient, self._spread = place
        return lower

    def _times_inverse_hessian(self, gradient: torch.Tensor) -> torch.Tensor:
        """The two-loop recursion, around the Hessian that the labels' spread makes."""
        spread = self._spread.double()
        unit = torch.eye(len(spread), dtype=spread.dtype, device=spread.device)
        both = torch.stack([spread + least * unit for least in (self.penalty + _LEAST_WEIGHTS, _LEAST_BIAS)])
        of_weights, of_bias = torch.linalg.inv_ex(both).inverse.float()

        def scaled(vector: torch.Tensor) -> torch.Tensor:
            weights, bias = self.objective.parts(vector)
            return torch.cat([(weights @ of_weights).flatten(), bias @ of_bias])

        result = gradient.clone()
        if not self._steps:
            return scaled(result)
        kept = []
        for step, change in zip(reversed(self._steps), reversed(self._changes), strict=True):
            weight = (step @ result) / (step @ change)
            kept.append(weight)
            result -= weight * change
        step, change = self._steps[-1], self._changes[-1]
        result = scaled(result) * ((step @ change) / (change @ scaled(change)))
        for step, change, weight in zip(self._steps, self._changes, reversed(kept), strict=True):
            result += step * (weight - (change @ result) / (step @ change))
        return result
