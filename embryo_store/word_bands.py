"""Words by how often they occur (figure 8): curves and births of the labels ``rank 50-99`` and the like."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from embryo_store.answers import Birth, Curve
from embryo_store.query import Reader

_LABELS = """
SELECT DISTINCT label FROM metrics
WHERE task = $1 AND metric = 'accuracy' AND layer IS NULL AND starts_with(label, 'rank ')
"""

_BIRTHS = """
SELECT run, label, step, after, final, n FROM birth_step
WHERE task = $1 AND metric = 'accuracy' AND layer IS NULL AND starts_with(label, 'rank ') AND percent = 50
  AND ($2 IS NULL OR dataset = $2)
ORDER BY run, step NULLS LAST, label
"""


def band_curves(
    reader: Reader, task: str, *, dataset: str | None = None, rescaled: bool = False
) -> tuple[Curve, ...]:
    """Accuracy per band, the most frequent words first; ``rescaled``: over the last value of each curve."""
    labels = [row[0] for row in reader.sql(_LABELS, [task]).rows]
    curves = reader.curves(task, "accuracy", dataset=dataset, labels=labels)
    ordered = sorted((curve for curve in curves if curve.layer is None), key=_order)
    return tuple(_rescaled(curve) if rescaled else curve for curve in ordered)


def band_births(reader: Reader, task: str, *, dataset: str | None = None) -> tuple[Birth, ...]:
    """When each band first reached half of its last value."""
    rows = reader.sql(_BIRTHS, [task, dataset]).rows
    return tuple(
        Birth(run, label, step, after, float("nan") if final is None else final, 0.5, n)
        for run, label, step, after, final, n in rows
    )


def _order(curve: Curve) -> tuple[Any, ...]:
    first = re.search(r"\d{1,10}", curve.label)
    return curve.run, int(first.group()) if first else 0, curve.label


def _rescaled(curve: Curve) -> Curve:
    known = curve.value[np.isfinite(curve.value)]
    last = float(known[-1]) if len(known) and known[-1] != 0 else float("nan")
    return replace(curve, value=curve.value / last, stderr=curve.stderr / abs(last))
