"""Drawing at random, the same on every machine for the same seed. Knows nothing of language.

``random.Random`` seeded by a string (hashed with SHA-512) depends neither on PYTHONHASHSEED nor on the
platform; only ``random()`` is drawn from it, whose sequence Python promises to keep.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


@cache
def zipf_sums(n: int, exponent: float, shift: float) -> tuple[float, ...]:
    """Running sums of the weights 1 / (rank + shift) ** exponent for the ranks 1..n, over their total."""
    sums = list(accumulate(1.0 / (rank + shift) ** exponent for rank in range(1, n + 1)))
    return tuple(value / sums[-1] for value in sums)


class Dice:
    """A stream of draws named by a seed and a purpose: streams of different purposes are independent."""

    def __init__(self, seed: int, purpose: str) -> None:
        """Starts the stream ``purpose`` of ``seed``."""
        self._random = Random(f"embryo-demo/{seed}/{purpose}").random

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def below(self, n: int) -> int:
        """An integer from 0 to n - 1, all equally likely."""
        return min(int(self._random() * n), n - 1)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[self.below(len(items))]

    def zipf(self, items: Sequence[T], exponent: float = 1.0, shift: float = 1.0) -> T:
        """One of the items, the earlier the likelier (Zipf-Mandelbrot)."""
        sums = zipf_sums(len(items), exponent, shift)
        return items[min(bisect(sums, self._random()), len(items) - 1)]

    def weighted(self, choices: Sequence[tuple[float, T]]) -> T:
        """One of the choices, each ``(weight, item)``."""
        at = self._random() * sum(weight for weight, _ in choices)
        for weight, item in choices:
            at -= weight
            if at < 0:
                return item
        return choices[-1][1]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order (Fisher-Yates)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed
