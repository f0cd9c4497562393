"""Somebody who keeps the file open costs nobody a result."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import embryo_store
from embryo_store import errors
from embryo_store.turnstile import sidecars

Worker = Callable[..., "subprocess.Popen[str]"]

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('in', flush=True); sys.stdin.read()"
TABLES = (
    "runs", "checkpoints", "evaluations", "metrics", "datasets", "words", "outcomes", "train_log",
    "vocabularies", "relations", "facts", "lama", "sentences", "attention",
)  # fmt: skip


def content(path: Path) -> dict[str, list[str]]:
    with embryo_store.read(path) as reader:
        return {table: sorted(repr(row) for row in reader.sql(f"FROM {table}").rows) for table in TABLES}


def test_commits_wait_beside_a_store_that_is_kept_open(
    world: ModuleType, store: Path, tmp_path: Path, worker: Worker
) -> None:
    straight = tmp_path / "straight.duckdb"
    new = [
        world.lama_commit(300, world.RANKS[1], replace(world.RUN, run="other")),
        world.words_commit(100, {"DT": 0.25}, inputs="inputs-2"),
        world.words_commit(100, {"DT": 0.75}, inputs="inputs-3"),
    ]
    for commit in [*world.small_world(), *new]:
        embryo_store.commit(straight, commit)
    with worker(HOLD, store) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        for commit in new:
            embryo_store.commit(store, commit, timeout=0.05)
        waiting = sorted((tmp_path / "results.duckdb.spool").iterdir())
        assert [path.suffix for path in waiting] == [".duckdb"] * 3
        with pytest.raises(errors.StoreLocked, match="3 finished results wait"):
            embryo_store.fold_in(store, timeout=0.05)
        holder.communicate()
    assert embryo_store.done(store) == embryo_store.done(straight)
    assert embryo_store.fold_in(store) == 3
    assert not (tmp_path / "results.duckdb.spool").exists()
    assert content(store) == content(straight)


def test_the_next_commit_folds_in_what_waits_first(
    world: ModuleType, store: Path, tmp_path: Path, worker: Worker
) -> None:
    with worker(HOLD, store) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        embryo_store.commit(store, world.words_commit(100, {"DT": 0.25}), timeout=0.05)
        holder.communicate()
    embryo_store.commit(store, world.words_commit(100, {"DT": 0.5}))
    assert not (tmp_path / "results.duckdb.spool").exists()
    with embryo_store.read(store) as reader:
        values = reader.sql("SELECT value FROM metrics WHERE step = 100 AND label = 'DT'").rows
    assert values == ((0.5,),)


def test_words_ranked_anew_while_the_store_is_kept_open_take_their_ranks(
    world: ModuleType, store: Path, worker: Worker
) -> None:
    again = world.words_commit(100, {"DT": 0.25}, inputs="inputs-2")
    ranked = replace(again.dataset.words, rank=again.dataset.words.rank[::-1] + 10)
    with worker(HOLD, store) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        embryo_store.commit(store, replace(again, dataset=replace(again.dataset, words=ranked)), timeout=0.05)
        holder.communicate()
    embryo_store.fold_in(store)
    with embryo_store.read(store) as reader:
        found = [rank for (rank,) in reader.sql("SELECT rank FROM words ORDER BY word_id").rows]
    assert found == ranked.rank.tolist()


def test_a_fold_that_was_cut_off_is_folded_again_without_harm(
    world: ModuleType, store: Path, tmp_path: Path, worker: Worker
) -> None:
    with worker(HOLD, store) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        embryo_store.commit(store, world.lama_commit(100, world.RANKS[0]), timeout=0.05)
        holder.communicate()
    (place,) = (tmp_path / "results.duckdb.spool").iterdir()
    kept = place.read_bytes()
    embryo_store.fold_in(store)
    once = content(store)
    place.parent.mkdir()
    place.write_bytes(kept)
    embryo_store.fold_in(store)
    assert content(store) == once


FOLD = """
import sys, embryo_store
print("in", flush=True)
embryo_store.fold_in(sys.argv[1])
print("out", flush=True)
"""

LAY_ASIDE = """
import sys, embryo_store, small_world
for step in (300, 400, 500):
    embryo_store.commit(sys.argv[1], small_world.attention_heavy(step), timeout=0.01)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_kill_9_while_waiting_commits_are_taken_in_loses_none_and_doubles_none(
    store: Path, tmp_path: Path, worker: Worker, killed_inside: Callable[..., Iterator[None]], kills: int
) -> None:
    with duckdb.connect(str(store)):
        assert worker(LAY_ASIDE, store).communicate(timeout=120) == ("", "")
    spool = tmp_path / "results.duckdb.spool"
    kept = {path.name: path.read_bytes() for path in spool.iterdir()}
    assert len(kept) == 3
    original = store.read_bytes()
    for _ in killed_inside(FOLD, store, wanted=kills):
        with embryo_store.read(store) as reader:
            whole = reader.sql("SELECT count(*) FROM attention WHERE step >= 300 GROUP BY step").rows
        assert all(row == (20 * 144,) for row in whole)
        assert len(whole) in (0, 3)
        assert {key.step for key in embryo_store.done(store)} == {0, 100, 200, 300, 400, 500}
        embryo_store.fold_in(store)
        with embryo_store.read(store) as reader:
            assert reader.sql(
                "SELECT count(*), count(DISTINCT step) FROM attention WHERE step >= 300"
            ).rows == ((3 * 20 * 144, 3),)
        # Once more from the start.
        store.write_bytes(original)
        spool.mkdir()
        for name, content_ in kept.items():
            (spool / name).write_bytes(content_)


def truncated(place: Path) -> None:
    content = place.read_bytes()
    place.write_bytes(content[: len(content) // 2])


def of_a_newer_version(place: Path) -> None:
    with duckdb.connect(str(place)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")


def with_a_view_in_place_of_a_table(place: Path) -> None:
    with duckdb.connect(str(place)) as connection:
        connection.execute("ALTER TABLE metrics RENAME TO mine; CREATE VIEW metrics AS FROM mine")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda place: place.write_bytes(b""), errors.NotAStore),
        (truncated, errors.DamagedStore),
        (of_a_newer_version, errors.NewerSchema),
        (with_a_view_in_place_of_a_table, errors.HostileStore),
    ],
)
def test_a_waiting_commit_that_is_spoilt_is_blamed_itself_and_stays(
    world: ModuleType, store: Path, spoil: Callable[[Path], object], kind: type[errors.StoreError]
) -> None:
    before = content(store)
    place = store.with_name(store.name + ".spool") / f"{1:020}-1.duckdb"
    place.parent.mkdir()
    embryo_store.commit(place, world.words_commit(300, {"DT": 1.0}))
    spoil(place)
    for action in (
        lambda: embryo_store.fold_in(store),
        lambda: embryo_store.commit(store, world.words_commit(400, {"DT": 1.0})),
        lambda: embryo_store.done(store),
    ):
        with pytest.raises(kind) as caught:
            action()
        assert str(caught.value).startswith(str(place))
        assert "move it away" in str(caught.value)
    assert content(store) == before
    place.unlink()
    embryo_store.commit(store, world.words_commit(400, {"DT": 1.0}))


def test_what_killed_writers_left_half_written_goes_and_what_is_being_written_stays(
    world: ModuleType, store: Path
) -> None:
    spool = store.with_name(store.name + ".spool")
    spool.mkdir()
    left, new = spool / f"{1:020}-1.part.new", spool / f"{2:020}-1.part"
    for path in (left, new):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    for number in (3, 4):
        place = spool / f"{number:020}-1.duckdb"
        embryo_store.commit(place, world.words_commit(300, {"DT": 1.0}))
        for beside in sidecars(place):
            beside.unlink()
        assert embryo_store.fold_in(store) == 1
        assert [path for path in (left, new) if path.exists()] == [new]
    new.unlink()
    spool.rmdir()


def test_a_clock_set_back_changes_no_order(
    world: ModuleType, store: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker(HOLD, store) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        for moment, value in ((2_000, 0.25), (1_000, 0.75)):
            monkeypatch.setattr("embryo_store.spool.time.time_ns", lambda moment=moment: moment)
            embryo_store.commit(store, world.words_commit(100, {"DT": value}), timeout=0.05)
        holder.communicate()
    embryo_store.fold_in(store)
    with embryo_store.read(store) as reader:
        values = reader.sql("SELECT value FROM metrics WHERE step = 100 AND label = 'DT'").rows
    assert values == ((0.75,),)


def test_a_spool_that_can_t_be_made_leaves_the_lock_s_message(
    world: ModuleType, store: Path, tmp_path: Path, worker: Worker
) -> None:
    (tmp_path / "results.duckdb.spool").write_text("in the way")
    with worker(HOLD, store) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(errors.StoreLocked, match=f"process {holder.pid}"):
            embryo_store.commit(store, world.words_commit(300, {"DT": 1.0}), timeout=0.05)
        holder.communicate()
