"""Checkpoints at which many curves leave their course for one step: most often wrong files (docs/sql.md)."""

from __future__ import annotations

from dataclasses import dataclass

from embryo_store.query import Reader

_SUSPECTS = "SELECT run, step, curves_far, curves FROM suspect_checkpoints WHERE run = $1 ORDER BY step"


@dataclass(frozen=True)
class Suspect:
    """A step at which ``far`` of ``curves`` curves lie far beyond both neighbours."""

    run: str
    step: int
    far: int
    curves: int


def suspects(reader: Reader, run: str) -> tuple[Suspect, ...]:
    """Every suspect checkpoint of a run."""
    return tuple(Suspect(*row) for row in reader.sql(_SUSPECTS, [run]).rows)
