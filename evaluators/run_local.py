"""Computes units in this process, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluators.compute import Computer
from evaluators.units import Answer, Doing, Unit


@dataclass(frozen=True)
class Here:
    """The one worker that needs no other process."""

    computer: Computer

    def answers(self, units: Iterator[Unit]) -> Iterator[Doing | Answer]:
        """Answers ``units`` one by one, each when the one before is done with."""
        for unit in units:
            yield from self.computer.answer(unit)
