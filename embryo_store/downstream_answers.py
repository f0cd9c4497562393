"""What fine-tuned checkpoints score on GLUE and SQuAD (figures 5, 12, 13), beside published baselines.

A fine-tuning evaluation writes rows of ``metrics`` under the tasks ``glue-cola`` … ``glue-rte``,
``squad2``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embryo_store.answers import Curve
from embryo_store.dense import floats, ints
from embryo_store.query import Reader

_SCORES = """
SELECT run, task, protocol, seed, list(step) AS steps, list(value) AS "values"
FROM glue_task WHERE value IS NOT NULL GROUP BY run, task, protocol, seed
UNION ALL
SELECT run, 'glue', protocol, seed, list(step), list(score)
FROM glue_score WHERE score IS NOT NULL GROUP BY run, protocol, seed
ORDER BY run, task, protocol, seed
"""

_BASELINES = """
SELECT name, task, metric, label, step, value, source FROM baselines
WHERE (starts_with(task, 'glue') OR task = 'squad2')
  AND metric IN ('score', 'accuracy', 'f1', 'spearman', 'em')
ORDER BY task, name, metric, step
"""


@dataclass(frozen=True)
class Baseline:
    """A published number; ``step`` is None where it belongs to no step of a run."""

    name: str
    task: str
    metric: str
    label: str
    step: int | None
    value: float
    source: str


def scores(reader: Reader) -> tuple[Curve, ...]:
    """Every task's number over the steps, in percent; task ``glue`` is the mean where all eight are there."""
    found = []
    for run, task, protocol, seed, steps, values in reader.sql(_SCORES).rows:
        order = np.argsort(steps, kind="stable")
        step, value = ints(steps)[order], floats(values)[order]
        unknown = np.full(len(step), np.nan)
        found.append(
            Curve(run, task, "", protocol, seed, "score", "all", None, None, step, value, unknown, None)
        )
    return tuple(found)


def baselines(reader: Reader) -> tuple[Baseline, ...]:
    """Published numbers of these tasks, where the store holds any."""
    return tuple(Baseline(*row) for row in reader.sql(_BASELINES).rows)
