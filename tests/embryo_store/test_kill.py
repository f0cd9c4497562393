"""Writers killed at any moment leave whole commits only; readers beside a writer see whole commits only."""

import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import embryo_store

Worker = Callable[..., "subprocess.Popen[str]"]

#: Commits the lama answers and attention of step after step, and says each when it is in.
WRITE = """
import sys, numpy, embryo_store, small_world
from embryo_store.records import AttentionMaps, Commit, Key
path, first, last, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
from dataclasses import replace
run = replace(small_world.RUN, run=name)
maps = numpy.random.default_rng(0).random((4, 8, 64, 64), dtype=numpy.float32)
print("ready", flush=True)
for step in range(first, last):
    lama = small_world.lama_commit(step, small_world.RANKS[step % 3], run)
    made = small_world.evaluation(Key(name, step, "attention", "d"), payloads=(AttentionMaps(0, maps),))
    embryo_store.commit(path, replace(lama, evaluations=[*lama.evaluations, made]))
    print(step, flush=True)
"""

#: Per step with anything at all: how much there is of each kind.
WHOLE = """
SELECT run, step,
       (SELECT count(*) FROM evaluations AS e WHERE e.run = c.run AND e.step = c.step) AS evaluations,
       (SELECT count(*) FROM lama AS l WHERE l.run = c.run AND l.step = c.step) AS answers,
       (SELECT count(*) FROM attention AS a WHERE a.run = c.run AND a.step = c.step) AS maps,
       (SELECT count(*) FROM metrics AS m WHERE m.run = c.run AND m.step = c.step) AS metrics
FROM checkpoints AS c
"""
ONE_COMMIT = (3, 4, 32, 2)


def whole_steps(path: Path, run: str = "small") -> set[int]:
    """The steps of a run in the store, after making sure that every step of every run is whole."""
    with embryo_store.read(path) as reader:
        rows = reader.sql(WHOLE).rows
    assert all(row[2:] == ONE_COMMIT for row in rows), rows
    return {row[1] for row in rows if row[0] == run}


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_kill_9_loses_no_commit_and_leaves_no_half(worker: Worker, tmp_path: Path, kills: int) -> None:
    path = tmp_path / "results.duckdb"
    chance = random.Random(kills)
    told: set[int] = set()
    for place in range(kills):
        first = max(told, default=-1) + 1
        process = worker(WRITE, path, first, 10_000, "small")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # The first kills fall into the making of the store, the others after a few commits.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=chance.uniform(0, 0.15 if place < kills / 3 else 0.6))
        process.send_signal(signal.SIGKILL)
        told |= {int(line) for line in process.communicate()[0].split()}
        if path.exists():
            found = whole_steps(path)
            assert told <= found
            assert len(found - told) <= place + 1
        else:
            assert not told
    final = worker(WRITE, path, 0, 2, "small")
    assert final.communicate(timeout=60)[0].split() == ["ready", "0", "1"]
    assert whole_steps(path) >= told | {0, 1}


def test_two_writers_and_a_reader_get_along(worker: Worker, tmp_path: Path, world: ModuleType) -> None:
    path = tmp_path / "results.duckdb"
    writers = [worker(WRITE, path, 0, 8, name) for name in ("one", "two")]
    seen: list[int] = []
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.append(len(whole_steps(path, "one")) + len(whole_steps(path, "two")))
    for writer in writers:
        assert writer.wait() == 0, writer.communicate()[1]
    assert seen == sorted(seen)
    assert whole_steps(path, "one") == whole_steps(path, "two") == set(range(8))
    with embryo_store.read(path) as reader:
        assert reader.sql("SELECT count(*), max(fact_id) FROM facts").rows == ((4, 4),)
