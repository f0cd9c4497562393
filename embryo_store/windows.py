"""Several steps at once: what a cursor may come to next, read in one pass over the rows of all of them.

One step costs a scan of the rows around it; ten neighbouring steps cost little more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embryo_store.answers import FactsAtStep
from embryo_store.attention_answers import AttentionBytes
from embryo_store.dense import floats, ints
from embryo_store.probe_answers import LABELS, ProbeAt, made
from embryo_store.query import Reader, predictions, side_by_side

#: Steps whose maps are read in one pass: an answer is held three times over while it is taken apart.
MAPS = 4

_EVALUATED = """
SELECT dataset, seed, step FROM evaluations
WHERE task = $1 AND status = 'done' AND run = $2 AND ($4 IS NULL OR protocol = $4)
  AND ($3 IS NULL OR dataset IN (
    SELECT dataset FROM relations WHERE relation = $3))
ORDER BY dataset, seed, step
"""

_MAPS = """
SELECT step, layer, head, size, map FROM attention
WHERE run = $1 AND step BETWEEN $2 AND $3 AND list_contains($4::INTEGER[], step)
  AND dataset = $5 AND seed = $6 AND sentence_id = $7
"""

_FACTS = """
SELECT l.step, l.fact_id, l.gold_rank, l.gold_logp{predictions}
FROM lama AS l SEMI JOIN (SELECT fact_id FROM facts WHERE relation = $7) AS f USING (fact_id)
WHERE l.run = $1 AND l.step BETWEEN $2 AND $3 AND list_contains($4::INTEGER[], l.step)
  AND l.dataset = $5 AND l.seed = $6
ORDER BY l.step, l.fact_id
"""
#: Asked once for all steps: strings cost more than numbers.
_NAMES = "SELECT fact_id, subject, object FROM facts WHERE relation = $1"


def attention_window(
    reader: Reader, run: str, steps: Sequence[int], sentence_id: int
) -> tuple[AttentionBytes | None, ...]:
    """``attention_bytes`` at every one of some steps."""
    shown = _shown(reader, "attention", run, steps, None, None)
    if shown is None:
        return (None,) * len(steps)
    dataset, seed, at = shown
    found = {}
    wanted = sorted(step for step in set(at) if step is not None)
    for start in range(0, len(wanted), MAPS):
        part = wanted[start : start + MAPS]
        rows = reader.arrays(_MAPS, [run, part[0], part[-1], part, dataset, seed, sentence_id])
        for step in part:
            mine = rows["step"] == step
            columns = (rows[name][mine] for name in ("layer", "head", "size", "map"))
            found[step] = AttentionBytes.made(run, step, sentence_id, *columns)
    return tuple(None if step is None else found.get(step) for step in at)


def facts_window(
    reader: Reader, run: str, steps: Sequence[int], relation: str, *, top: int = 5
) -> tuple[FactsAtStep | None, ...]:
    """``Reader.facts_at`` at every one of some steps."""
    shown = _shown(reader, "lama", run, steps, relation, None)
    if shown is None:
        return (None,) * len(steps)
    dataset, seed, at = shown
    found: dict[int, FactsAtStep] = {}
    if wanted := sorted(step for step in set(at) if step is not None):
        values = [run, wanted[0], wanted[-1], wanted, dataset, seed, relation]
        rows = reader.arrays(_FACTS.format(predictions=predictions(top)), values)
        tokens, logps = side_by_side(rows, "token"), side_by_side(rows, "logp")
        words = reader.words_of(run, tokens)
        named = {fact: (subject, answer) for fact, subject, answer in reader.sql(_NAMES, [relation]).rows}
        ids: list[int] = []
        pairs: tuple[tuple[str, ...], ...] = ((), ())
        for step in wanted:
            first, last = np.searchsorted(rows["step"], [step, step + 1])
            mine = slice(int(first), int(last))
            here = rows["fact_id"][mine].tolist()
            if here != ids:
                ids, pairs = here, tuple(zip(*(named[fact] for fact in here), strict=True)) or ((), ())
            found[step] = FactsAtStep(
                run,
                step,
                relation,
                ints(rows["fact_id"][mine]),
                pairs[0],
                pairs[1],
                ints(rows["gold_rank"][mine]),
                floats(rows["gold_logp"][mine]),
                words[mine],
                logps[mine].astype(np.float64),
            )
    return tuple(None if step is None else found.get(step) for step in at)


def probe_window(
    reader: Reader, run: str, steps: Sequence[int], task: str, layer: int, *, protocol: str = "paper"
) -> tuple[ProbeAt | None, ...]:
    """``probe_at`` at every one of some steps."""
    shown = _shown(reader, task, run, steps, None, protocol)
    if shown is None:
        return (None,) * len(steps)
    dataset, seed, at = shown
    found: dict[int, ProbeAt] = {}
    if wanted := sorted(step for step in set(at) if step is not None):
        values = [run, task, protocol, wanted, dataset, seed, layer, wanted[0], wanted[-1]]
        rows = reader.sql(LABELS, values).rows
        for step in wanted:
            found[step] = made(run, task, step, layer, [row[1:] for row in rows if row[0] == step])
    return tuple(None if step is None else found[step] for step in at)


def _shown(
    reader: Reader, task: str, run: str, steps: Sequence[int], relation: str | None, protocol: str | None
) -> tuple[str, int, list[int | None]] | None:
    """The dataset and seed that stand for a task, and the evaluated step that stands in for each step."""
    rows = reader.sql(_EVALUATED, [task, run, relation, protocol]).rows
    if not rows:
        return None
    dataset, seed = rows[0][:2]
    known = np.array([row[2] for row in rows if row[:2] == (dataset, seed)], dtype=np.int64)
    places = np.searchsorted(known, steps, side="right") - 1
    return dataset, seed, [int(known[place]) if place >= 0 else None for place in places.tolist()]
