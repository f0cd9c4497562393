"""What was read off a model's layers: probes by layer, one probe at one step (docs/probing.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embryo_store.answers import Curve, Floats, Ints
from embryo_store.dense import floats, ints
from embryo_store.query import Reader

_CURVES = """
SELECT run, task, dataset, protocol, seed, metric, label, layer, head,
       list(step) AS steps, list(coalesce(value, 'nan')) AS "values",
       list(coalesce(low, 'nan')) AS lows, list(coalesce(high, 'nan')) AS highs,
       list(coalesce(stderr, 'nan')) AS stderrs, arg_max(n, step) AS n
FROM curve
WHERE starts_with(task, 'probe-') AND label = 'all' AND metric = $metric AND protocol = $protocol
  AND ($task IS NULL OR task = $task) AND ($layer IS NULL OR layer = $layer OR layer IS NULL)
GROUP BY run, task, dataset, protocol, seed, metric, label, layer, head
ORDER BY run, task, dataset, seed, layer
"""

_METRICS = """
SELECT DISTINCT metric FROM metrics
WHERE starts_with(task, 'probe-') AND label = 'all' AND layer IS NOT NULL ORDER BY metric
"""

_SHOWN = """
SELECT dataset, seed, max(step) AS step FROM evaluations
WHERE status = 'done' AND run = $1 AND task = $2 AND protocol = $3 AND step <= $4
  AND ($5 IS NULL OR dataset = $5)
GROUP BY dataset, seed ORDER BY dataset, seed LIMIT 1
"""

#: The numbers of one probe at some steps ($4: those between $8 and $9) and one layer.
LABELS = """
SELECT step, metric, label, value, n, low, high FROM metrics
WHERE run = $1 AND task = $2 AND protocol = $3 AND step BETWEEN $8 AND $9
  AND list_contains($4::INTEGER[], step) AND dataset = $5 AND seed = $6
  AND (layer = $7 OR layer IS NULL) AND metric IN ('f1', 'mistakes', 'majority', 'control', 'selectivity')
ORDER BY step, metric, coalesce(n, 0) DESC, label
"""


@dataclass(frozen=True)
class ProbeCurve:
    """A probe's number over the steps at one layer; ``low`` and ``high``: its interval, where known."""

    curve: Curve
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Confusion:
    """How often one label was taken for another: ``share`` of the ``n`` targets of that label."""

    label: str
    share: float
    n: int | None


@dataclass(frozen=True)
class ProbeAt:
    """What one probe found at one step and layer: F1 by label (the most frequent first), and mistakes.

    ``overall``: the numbers of the whole test split by metric; ``interval`` of its F1 where it is known.
    """

    run: str
    task: str
    step: int
    layer: int
    label: tuple[str, ...]
    f1: Floats
    n: Ints
    mistakes: tuple[Confusion, ...]
    overall: dict[str, float]
    interval: tuple[float, float] | None


def probe_metrics(reader: Reader) -> tuple[str, ...]:
    """The numbers that probes have by layer, by name."""
    return tuple(row[0] for row in reader.sql(_METRICS).rows)


def probe_curves(
    reader: Reader, metric: str, protocol: str, *, task: str | None = None, layer: int | None = None
) -> tuple[ProbeCurve, ...]:
    """One number of every probe over the steps of every run: of one task or all, at one layer or all."""
    values = {"metric": metric, "protocol": protocol, "task": task, "layer": layer}
    columns = reader.arrays(_CURVES, values)
    rows = (column.tolist() for column in columns.values())
    return tuple(_curve(*row) for row in zip(*rows, strict=True))


def probe_at(
    reader: Reader,
    run: str,
    step: int,
    task: str,
    layer: int,
    *,
    protocol: str = "paper",
    dataset: str | None = None,
) -> ProbeAt | None:
    """A probe at a step or, where it was not evaluated, the nearest earlier one; None without any."""
    shown = reader.sql(_SHOWN, [run, task, protocol, step, dataset]).rows
    if not shown:
        return None
    found, seed, at = shown[0]
    values = [run, task, protocol, [at], found, seed, layer, at, at]
    return made(run, task, at, layer, [row[1:] for row in reader.sql(LABELS, values).rows])


def made(run: str, task: str, at: int, layer: int, rows: Sequence[tuple[Any, ...]]) -> ProbeAt:
    """From rows of metric, label, value, n, low, high."""
    labels = [row for row in rows if row[0] == "f1" and row[1] != "all"]
    whole = {row[0]: row for row in rows if row[1] == "all"}
    f1 = whole.get("f1")
    return ProbeAt(
        run,
        task,
        at,
        layer,
        tuple(row[1] for row in labels),
        np.array([np.nan if row[2] is None else row[2] for row in labels], dtype=np.float64),
        np.array([row[3] or 0 for row in labels], dtype=np.int64),
        tuple(
            Confusion(label, value / n if n else float("nan"), n)
            for metric, label, value, n, _, _ in sorted(rows, key=lambda row: -(row[2] or 0.0))
            if metric == "mistakes" and value is not None
        ),
        {name: row[2] for name, row in whole.items() if row[2] is not None},
        (f1[4], f1[5]) if f1 and f1[4] is not None and f1[5] is not None else None,
    )


def _curve(*row: Any) -> ProbeCurve:
    run, task, dataset, protocol, seed, metric, label, layer, head, steps, values, lows, highs, stderrs, n = (
        row
    )
    order = np.argsort(steps, kind="stable")
    step, value, low, high, stderr = (
        ints(steps)[order],
        *(floats(part)[order] for part in (values, lows, highs, stderrs)),
    )
    return ProbeCurve(
        Curve(run, task, dataset, protocol, seed, metric, label, layer, head, step, value, stderr, n),
        low,
        high,
    )
