"""What a whole demo must show: a model that learns words, grammar and facts, in one run, from nothing.

Runs the demo in a temporary folder, or reads the one that EMBRYO_DEMO_DIR names. The figures are printed
(``pytest -s``), so that a failing bar shows by how much.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from embryo_store import query

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("EMBRYO_DEMO_DIR")
    if named:
        return Path(named)
    out = tmp_path_factory.mktemp("demo") / "demo"
    begun = time.monotonic()
    shown = subprocess.run(
        [sys.executable, "-m", "embryo_demo", "run", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=3_000,
    )
    print(shown.stdout, f"whole demo: {time.monotonic() - begun:.0f} s")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return out


@pytest.fixture(scope="module")
def rows(folder: Path):
    """Answers to an SQL query over the demo's store."""

    def ask(sql: str) -> list[tuple]:
        with query.read(folder / "results.duckdb") as reader:
            return list(reader.sql(sql).rows)

    return ask


@pytest.fixture(scope="module")
def precision(folder: Path, rows):
    """P@1 (protocol paper) of a group of facts at the first and at the last step, and the group's size."""
    manifest = json.loads((folder / "world.json").read_text("utf-8"))
    about = {(f["relation"], f["subject"], f["object"]): f for f in manifest["facts"]}
    answers = rows(
        "SELECT step, relation, subject, object, gold_rank = 1 "
        "FROM lama JOIN facts USING (fact_id) ORDER BY step"
    )
    first, last = answers[0][0], answers[-1][0]

    def of(wanted) -> tuple[float, float, int]:
        found = {
            at: [right for step, *fact, right in answers if step == at and wanted(about[tuple(fact)])]
            for at in (first, last)
        }
        return (float(np.mean(found[first])), float(np.mean(found[last])), len(found[last]))

    return of


def test_twenty_five_checkpoints_from_step_0_all_evaluated(rows) -> None:
    steps = [step for (step,) in rows("SELECT step FROM checkpoints ORDER BY step")]
    print("checkpoints:", steps)
    assert len(steps) >= 25
    assert steps[0] == 0
    assert {1, 2, 4, 8, 16, 32, 64} <= set(steps)
    for task in ("reconstruct", "mask-predict", "mlm", "lama", "attention"):
        done = rows(f"SELECT DISTINCT step FROM evaluations WHERE task = '{task}' AND status = 'done'")
        assert {step for (step,) in done} == set(steps), task
    assert rows("SELECT count(*) FROM evaluations WHERE status <> 'done'") == [(0,)]


def test_masked_words_of_unseen_sentences_are_found(rows) -> None:
    last = "(SELECT max(step) FROM checkpoints)"
    figures = dict(
        rows(
            f"SELECT metric, value FROM curve WHERE task = 'mask-predict' AND label = 'all' AND step = {last}"
        )
    )
    print("mask prediction:", figures)
    assert figures["accuracy"] >= 0.25
    assert figures["accuracy"] >= 2 * figures["majority"]


def test_function_words_come_before_content_words(rows) -> None:
    reached = {
        label: rows(
            "SELECT min(step) FROM word_curve WHERE task = 'mask-predict' AND grouping = 'class' "
            f"AND label = '{label}' AND value >= 0.3"
        )[0][0]
        for label in ("function", "content")
    }
    print("accuracy 0.3 reached at step:", reached)
    assert reached["function"] is not None
    assert reached["content"] is None or reached["function"] < reached["content"]


def test_facts_are_learned_also_those_never_told_in_the_querys_words(precision) -> None:
    every = precision(lambda fact: True)
    capitals = precision(lambda fact: fact["relation"] == "P36")
    withheld = precision(lambda fact: fact["standing"] == "withheld")
    print("P@1 first, last, n:", {"all": every, "P36": capitals, "withheld wording": withheld})
    for band in ("frequent", "middle", "rare", "never"):
        print(f"  {band}:", precision(lambda fact, band=band: fact["band"] == band))
    assert every[0] < 0.1
    assert every[1] >= 0.6
    assert capitals[1] >= 0.4
    assert withheld[1] >= 0.5


def test_what_was_never_told_is_not_known(precision) -> None:
    """Guessing by majority aside (Europe, Christianity), nothing leaks: 1-1 relations show it."""
    absent = precision(lambda fact: fact["standing"] == "absent" and fact["relation"] in ("P36", "P1376"))
    told = precision(lambda fact: fact["standing"] != "absent" and fact["relation"] in ("P36", "P1376"))
    print("capitals: told", told, "never told", absent)
    assert absent[1] <= 0.2 < told[1]


def test_some_head_finds_its_pattern(rows) -> None:
    moved = rows(
        """
        SELECT dataset, metric, layer, head, arg_min(value, step) AS first, arg_max(value, step) AS last
        FROM metrics
        WHERE task = 'attention' AND metric IN ('diagonal', 'previous', 'next', 'sep')
        GROUP BY ALL ORDER BY abs(last - first) DESC LIMIT 3
        """
    )
    print("heads that moved most:", *moved, sep="\n  ")
    assert abs(moved[0][5] - moved[0][4]) >= 0.2
