"""What fine-tuned checkpoints score on GLUE and SQuAD (figures 5, 12, 13), beside published baselines.

A fine-tuning evaluation writes rows of ``metrics`` under the tasks ``glue-cola`` … ``glue-rte``,
``squad2``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embryo_store.answers import Curve, Floats
from embryo_store.query import Reader

#: Which number stands for a task: figure 5's caption; SQuAD 2.0 is the mean of F1 and exact match.
_SCORES = """
WITH shown AS (
    FROM (VALUES ('glue-cola', 'accuracy'), ('glue-sst2', 'accuracy'), ('glue-mrpc', 'f1'),
                 ('glue-stsb', 'spearman'), ('glue-qqp', 'f1'), ('glue-mnli', 'accuracy'),
                 ('glue-qnli', 'accuracy'), ('glue-rte', 'accuracy'), ('squad2', 'f1'), ('squad2', 'exact'))
         AS shown(task, metric)),
scores AS (
    SELECT run, step, task, seed, avg(value) AS value
    FROM metrics JOIN shown USING (task, metric)
    WHERE layer IS NULL AND label IN ('all', 'matched', 'mismatched') AND value IS NOT NULL
    GROUP BY run, step, task, seed),
glue AS (
    SELECT run, step, seed, avg(value) AS value, count(*) AS tasks
    FROM scores WHERE starts_with(task, 'glue-') GROUP BY run, step, seed)
SELECT run, task, seed, list(step) AS steps, list(value) AS "values", 1 AS tasks
FROM scores GROUP BY run, task, seed
UNION ALL
SELECT run, 'glue', seed, list(step), list(value), any_value(tasks)
FROM glue JOIN (SELECT run, max(tasks) AS tasks FROM glue GROUP BY run) USING (run, tasks)
GROUP BY run, seed
ORDER BY run, task, seed
"""

_HAS_BASELINES = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'baselines'"
_BASELINES = """
SELECT name, task, metric, label, value, source FROM baselines
WHERE value IS NOT NULL ORDER BY task, name, metric
"""


@dataclass(frozen=True)
class Score:
    """A task's curve, or that of the GLUE score (task ``glue``): the mean over ``tasks`` tasks."""

    curve: Curve
    tasks: int


@dataclass(frozen=True)
class Baseline:
    """A published number."""

    name: str
    task: str
    metric: str
    label: str
    value: float
    source: str


def scores(reader: Reader) -> tuple[Score, ...]:
    """Every task's number over the steps, and their mean where all tasks of a run are there."""
    found = []
    for run, task, seed, steps, values, tasks in reader.sql(_SCORES).rows:
        order = np.argsort(steps, kind="stable")
        step = np.asarray(steps, dtype=np.int64)[order]
        value: Floats = np.asarray(values, dtype=np.float64)[order]
        curve = Curve(
            run,
            task,
            "",
            "paper",
            seed,
            "score",
            "all",
            None,
            None,
            step,
            value,
            np.full(len(step), np.nan),
            None,
        )
        found.append(Score(curve, tasks))
    return tuple(found)


def baselines(reader: Reader) -> tuple[Baseline, ...]:
    """Published numbers, where the store holds any."""
    if not reader.sql(_HAS_BASELINES).rows[0][0]:
        return ()
    return tuple(Baseline(*row) for row in reader.sql(_BASELINES).rows)
