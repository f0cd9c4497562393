"""When: which steps are saved, and the learning rate of a step. Plain numbers; knows no TensorFlow."""

from __future__ import annotations

from tpu_train.recipe import Optimizer, Save


def saved_steps(save: Save, last: int) -> tuple[int, ...]:
    """The steps that a run of ``last`` steps saves, in order. Step 0 is the initialisation.

    Pieces follow one another: the second begins where the first ends.
    """
    steps = set(save.steps) | {last}
    start = 0
    for piece in save.pieces:
        steps.update(range(start + piece.every, piece.until + 1, piece.every))
        start = piece.until
    return tuple(sorted(step for step in steps if step <= last))


def learning_rate(step: int, steps: int, optimizer: Optimizer) -> float:
    """The learning rate of the update that leads from ``step`` to ``step + 1``, as released.

    Linear decay from step 0 to ``end_learning_rate`` at ``steps``; during warm-up the rate is
    ``step / warmup_steps`` of the peak *instead of* the decayed value, so it jumps down where they meet
    (google-research/albert and bert, ``optimization.py``), or of the decayed value (google-research/electra).
    """
    warm = step / optimizer.warmup_steps if step < optimizer.warmup_steps else 1.0
    if warm < 1.0 and optimizer.warmup == "replaces":
        return optimizer.learning_rate * step / optimizer.warmup_steps
    left = 1.0 - min(step, steps) / steps
    decayed = (optimizer.learning_rate - optimizer.end_learning_rate) * left + optimizer.end_learning_rate
    return decayed * warm
