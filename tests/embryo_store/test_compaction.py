"""Compaction changes where things lie and how much room they take, and nothing else."""

import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import embryo_store
from embryo_store import errors
from embryo_store.turnstile import pass_for_writing

Worker = Callable[..., "subprocess.Popen[str]"]

COMPACT = """
import sys, embryo_store
print("in", flush=True)
embryo_store.compact(sys.argv[1])
print("out", flush=True)
"""

LEAVE_A_LOG = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("INSERT INTO meta VALUES ('left', 'behind')")
os._exit(1)
"""


def content(path: Path) -> dict[str, list[str]]:
    with embryo_store.read(path) as reader:
        names = [name for (name,) in reader.sql("SELECT table_name FROM information_schema.tables").rows]
        return {name: sorted(repr(row) for row in reader.sql(f"FROM {name}").rows) for name in names}


def test_a_compacted_store_holds_the_same_in_less_room(store: Path, tmp_path: Path) -> None:
    before = content(store)
    size, smaller = embryo_store.compact(store, block_size=16_384)
    assert content(store) == before
    assert (store.stat().st_size, size > 5 * smaller) == (smaller, True)
    assert {path.name for path in tmp_path.iterdir()} == {
        "results.duckdb", "results.duckdb.turn", "results.duckdb.room",
    }  # fmt: skip


def test_a_compacted_store_takes_new_facts_and_replacements(world: ModuleType, store: Path) -> None:
    embryo_store.compact(store)
    embryo_store.commit(store, world.lama_commit(100, world.RANKS[0]))
    embryo_store.commit(store, world.lama_commit(0, world.RANKS[0], replace(world.RUN, run="other")))
    with embryo_store.read(store) as reader:
        assert reader.sql("SELECT count(*), max(fact_id) FROM facts").rows == ((4, 4),)
        assert reader.sql("SELECT count(*) FROM lama").rows == ((16,),)


def test_rows_lie_sorted_by_fact_and_step(store: Path) -> None:
    embryo_store.compact(store)
    with embryo_store.read(store) as reader:
        rows = reader.sql("SELECT run, fact_id, step FROM lama ORDER BY rowid").rows
    assert list(rows) == sorted(rows)


def test_what_a_killed_writer_left_in_its_log_is_kept(store: Path, worker: Worker) -> None:
    worker(LEAVE_A_LOG, store).communicate()
    assert store.with_name(store.name + ".wal").exists()
    embryo_store.compact(store)
    assert not store.with_name(store.name + ".wal").exists()
    with embryo_store.read(store) as reader:
        assert reader.sql("SELECT value FROM meta WHERE key = 'left'").rows == (("behind",),)


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_kill_9_while_compacting_loses_nothing(
    world: ModuleType, store: Path, killed_inside: Callable[..., Iterator[None]], kills: int
) -> None:
    before = content(store)
    for _ in killed_inside(COMPACT, store, wanted=kills):
        assert content(store) == before
    embryo_store.compact(store)
    assert content(store) == before
    embryo_store.commit(store, world.words_commit(300, {"DT": 1.0}))
    assert len(embryo_store.done(store)) == 16
    assert {path.suffix for path in store.parent.iterdir()} == {".duckdb", ".turn", ".room"}


def test_a_store_in_use_is_not_swapped(store: Path) -> None:
    inode = store.stat().st_ino
    with duckdb.connect(str(store)), pytest.raises(errors.StoreLocked):
        embryo_store.compact(store, timeout=0.05)
    assert store.stat().st_ino == inode


def test_who_waited_in_vain_to_compact_leaves_the_other_s_work_alone(store: Path) -> None:
    half = store.with_name(store.name + ".compact")
    with pass_for_writing(store, time.monotonic() + 1):
        half.write_bytes(b"half")
        with pytest.raises(errors.StoreLocked):
            embryo_store.compact(store, timeout=0.05)
        assert half.read_bytes() == b"half"
    embryo_store.compact(store)
    assert not half.exists()


def test_a_compacted_store_has_the_permissions_that_it_had(store: Path) -> None:
    store.chmod(0o660)
    embryo_store.compact(store)
    assert stat.S_IMODE(store.stat().st_mode) == 0o660
