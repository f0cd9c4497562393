"""When: which steps are saved, and the learning rate of a step. Plain numbers; knows no TensorFlow."""

from __future__ import annotations

from tpu_train.errors import InputError
from tpu_train.recipe import Optimizer, Piece, Save


def saved_steps(save: Save, last: int) -> tuple[int, ...]:
    """The steps that a run of ``last`` steps saves, in order. Step 0 is the initialisation.

    Pieces follow one another: the second begins where the first ends.
    """
    steps = set(save.steps) | {last}
    start = 0
    for piece in save.pieces:
        steps.update(range(start + piece.every, min(piece.until, last) + 1, piece.every))
        start = piece.until
    return tuple(sorted(step for step in steps if step <= last))


def save_of(text: str) -> Save:
    """A schedule in words: ``"0 1 2 4, every 1k to 20k, every 5k to 1M"``.

    Raises:
        InputError: it cannot be read; the message names the part.
    """
    steps: list[int] = []
    pieces: list[Piece] = []
    for part in text.split(","):
        words = part.split()
        if words[:1] == ["every"] and words[2:3] == ["to"] and len(words) == 4:
            pieces.append(Piece(until=_number(words[3], part), every=_number(words[1], part)))
            if pieces[-1].every == 0:
                raise _unreadable(part)
        elif words and not pieces and "every" not in words:
            steps += [_number(word, part) for word in words]
        else:
            raise _unreadable(part)
    return Save(tuple(steps), tuple(pieces))


def _number(word: str, part: str) -> int:
    factor = {"k": 1_000, "m": 1_000_000}.get(word[-1].lower(), 1)
    digits = word[:-1] if factor > 1 else word
    if not digits.isdecimal():
        raise _unreadable(part)
    return int(digits) * factor


def _unreadable(part: str) -> InputError:
    return InputError(
        f"Cannot read {part.strip()!r} as part of a schedule: expected steps and then pieces, as in "
        '"0 1 2 4, every 1k to 20k, every 5k to 1M".'
    )


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
