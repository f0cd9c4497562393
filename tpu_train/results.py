"""What a training step tells those who log it. Knows no TensorFlow."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class StepResult:
    """What one update saw before it changed the weights, as counts, not shares, so that intervals add up.

    ``weight_sum`` is of the absolute weights after the update: not finite where one of them is not.
    """

    mlm_loss: float
    sop_loss: float
    mlm_right: float
    mlm_count: float
    sop_right: float
    sop_count: float
    gradient_norm: float
    weight_sum: float


def finite(result: StepResult) -> bool:
    """Whether losses, gradient and new weights of a step are numbers."""
    return all(math.isfinite(value) for value in astuple(result))
