"""What a training step tells those who log it. Knows no TensorFlow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tpu_train.recipe import Recipe


@dataclass(frozen=True)
class Loss:
    """One loss of an objective. ``epsilon`` is added to what its sum is divided by, as released."""

    name: str
    weight: float = 1.0
    epsilon: float = 0.0


@dataclass(frozen=True)
class Part:
    """What one loss saw in one update: its mean in nats, right answers, and how many answers there were."""

    loss: float
    right: float
    count: float


@dataclass(frozen=True)
class StepResult:
    """What one update saw before it changed the weights.

    Attributes:
        loss: the sum of all losses by their weights.
        parts: each loss by its name.
        extras: means over the batch by name, such as the discriminator's area under the ROC curve.
        gradient_norm: before clipping.
        weight_sum: of the absolute weights after the update: not finite where one of them is not.
        stopping: processes that were asked to stop after this update.
    """

    loss: float
    parts: dict[str, Part]
    extras: dict[str, float]
    gradient_norm: float
    weight_sum: float
    stopping: float


def losses(recipe: Recipe) -> tuple[Loss, ...]:
    """The losses that the objective of ``recipe`` adds up, with the released weights and epsilons."""
    if recipe.objective == "mlm+rtd":
        settings = recipe.electra
        return (
            Loss("mlm", settings.generator_loss, 1e-6),
            Loss("rtd", settings.discriminator_loss, 1e-6),
        )
    return (Loss("mlm", 1.0, 1e-5), Loss(recipe.objective.removeprefix("mlm+")))


def extras(recipe: Recipe) -> tuple[str, ...]:
    """Names of the further numbers of the objective."""
    return ("rtd_auc",) if recipe.objective == "mlm+rtd" else ()


def finite(result: StepResult) -> bool:
    """Whether losses, gradient and new weights of a step are numbers."""
    values = [result.loss, result.gradient_norm, result.weight_sum]
    return all(math.isfinite(value) for value in (*values, *result.extras.values()))
