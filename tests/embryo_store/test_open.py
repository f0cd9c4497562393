"""Files that can't be used: one clear message each, the right exit code, and nothing half-written."""

import os
import resource
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import embryo_store
from embryo_store import errors

Worker = Callable[..., "subprocess.Popen[str]"]

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('in', flush=True); sys.stdin.read()"


def refusal(kind: type[errors.StoreError], action: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert "Traceback" not in message
    return message


def look(path: Path, timeout: float = 30.0) -> None:
    with embryo_store.read(path, timeout=timeout) as reader:
        reader.runs()


def altered(store: Path, *statements: str) -> Path:
    with duckdb.connect(str(store)) as connection:
        for statement in statements:
            connection.execute(statement)
    return store


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    message = refusal(errors.StoreMissing, lambda: look(tmp_path / "results.duckdb"))
    assert str(tmp_path / "results.duckdb") in message
    assert "embryo-eval" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"step,loss\n0,9.1\n", b"SQLite format 3\0" + b"\0" * 5000],
    ids=["empty", "csv", "sqlite"],
)
def test_a_file_of_another_kind_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.duckdb"
    path.write_bytes(content)
    for action in (look, embryo_store.done, embryo_store.ensure_writable):
        assert "not a DuckDB file" in refusal(errors.NotAStore, lambda action=action: action(path))
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    assert errors.NotAStore.exit_code == 2


@pytest.mark.parametrize(
    "action",
    [
        lambda path: embryo_store.drop(path, runs=["small"]),
        embryo_store.compact,
        lambda path: embryo_store.rename(path, "small", "tiny"),
        embryo_store.migrate,
        embryo_store.check,
        lambda path: embryo_store.export(path, path.with_name("out")),
    ],
    ids=["drop", "compact", "rename", "migrate", "check", "export"],
)
def test_who_looks_after_a_store_makes_none_and_waits_for_no_pipe(
    tmp_path: Path, action: Callable[[Path], object]
) -> None:
    message = refusal(errors.StoreMissing, lambda: action(tmp_path / "absent.duckdb"))
    assert "absent.duckdb" in message
    assert not list(tmp_path.iterdir())
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        assert "not a DuckDB file" in refusal(errors.NotAStore, lambda path=path: action(path))
    assert list(tmp_path.iterdir()) == [tmp_path / "pipe"]


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    assert "not a DuckDB file" in refusal(errors.NotAStore, lambda: look(tmp_path))
    assert "not a DuckDB file" in refusal(errors.NotAStore, lambda: embryo_store.ensure_writable(tmp_path))


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = altered(tmp_path / "other.duckdb", "CREATE TABLE sales (amount INTEGER)")
    assert "no results store" in refusal(errors.NotAStore, lambda: look(path))
    assert list(tmp_path.iterdir()) == [path]
    meta = altered(tmp_path / "meta.duckdb", "CREATE TABLE meta (key VARCHAR, value VARCHAR)")
    assert "no schema version" in refusal(errors.NotAStore, lambda: look(meta))
    partial = altered(meta, "INSERT INTO meta VALUES ('schema_version', '1')")
    assert "lacks the tables" in refusal(errors.NotAStore, lambda: look(partial))


def test_a_newer_schema_is_refused_by_reader_and_writer(world: ModuleType, store: Path) -> None:
    altered(store, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    for action in (look, embryo_store.done, embryo_store.ensure_writable):
        message = refusal(errors.NewerSchema, lambda action=action: action(store))
        assert "99" in message
        assert "pip install --upgrade" in message
    with pytest.raises(errors.NewerSchema):
        embryo_store.commit(store, world.words_commit(300, {"DT": 1.0}))


def test_a_store_kept_open_names_who_keeps_it(world: ModuleType, store: Path, worker: Worker) -> None:
    with worker(HOLD, store) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        commit = world.words_commit(300, {"DT": 1.0})
        for action in (
            lambda: look(store, timeout=0.05),
            lambda: embryo_store.ensure_writable(store, timeout=0.05),
            lambda: embryo_store.commit(store, commit, timeout=0.05, spool=False),
        ):
            assert f"process {holder.pid}" in refusal(errors.StoreLocked, action)
        holder.communicate()
    embryo_store.commit(store, commit)
    assert errors.StoreLocked.exit_code == 3


def test_a_writer_waits_for_a_client_that_lets_go(world: ModuleType, store: Path, worker: Worker) -> None:
    code = HOLD.replace("sys.stdin.read()", "import time; time.sleep(0.5)")
    with worker(code, store) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        embryo_store.commit(store, world.words_commit(300, {"DT": 1.0}))
    assert any(key.step == 300 for key in embryo_store.done(store))


AS_NOBODY = """
import os, sys
from pathlib import Path
import numpy, duckdb, embryo_store, small_world
from embryo_store import errors
duckdb.connect().execute("SELECT 1").fetchnumpy()
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
action, path = sys.argv[1:]
try:
    if action == "read":
        with embryo_store.read(path) as reader:
            print(len(reader.runs()))
    elif action == "commit":
        embryo_store.commit(path, small_world.words_commit(300, {"DT": 1.0}))
    else:
        embryo_store.ensure_writable(path)
except errors.StoreError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def open_folder(store: Path) -> Path:
    """The store's folder, with all folders above it passable, so that another user gets there."""
    for folder in [store.parent, *store.parent.parents]:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IXGRP)
    return store.parent


def as_nobody(worker: Worker, action: str, path: Path) -> str:
    process = worker(AS_NOBODY, action, path)
    output, trouble = process.communicate(timeout=60)
    assert process.returncode == 0, trouble
    return output.strip()


def test_a_read_only_folder_can_be_read_but_not_written(open_folder: Path, worker: Worker) -> None:
    store = open_folder / "results.duckdb"
    store.chmod(0o444)
    open_folder.chmod(0o555)
    try:
        assert as_nobody(worker, "read", store) == "1"
        for action in ("commit", "check"):
            for path in (store, open_folder / "new.duckdb"):
                told = as_nobody(worker, action, path)
                assert told.startswith("NotWritable")
                assert "Permission denied" in told
        assert [path.name for path in open_folder.iterdir()] == ["results.duckdb"]
    finally:
        open_folder.chmod(0o755)


def test_a_file_that_may_not_be_read_or_written_is_named(open_folder: Path, worker: Worker) -> None:
    store = open_folder / "results.duckdb"
    open_folder.chmod(0o777)
    store.chmod(0o444)
    assert as_nobody(worker, "check", store).startswith("NotWritable")
    if os.getuid() == 0:
        store.chmod(0o400)
        assert as_nobody(worker, "read", store).startswith("NotReadable")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\udcff.duckdb"])
def test_a_path_that_cannot_be_is_told(
    world: ModuleType, whole_world: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    for action in (
        look,
        embryo_store.done,
        embryo_store.ensure_writable,
        embryo_store.fold_in,
        embryo_store.check,
        embryo_store.compact,
        lambda path: embryo_store.commit(path, world.words_commit(0, {"DT": 1.0})),
        lambda path: embryo_store.export(whole_world, path),
        lambda path: embryo_store.merge(tmp_path / "new.duckdb", path),
    ):
        assert "can't be used" in refusal(errors.NotReadable, lambda action=action: action(path))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_may_not_be_entered_is_told(open_folder: Path, worker: Worker) -> None:
    open_folder.chmod(0)
    try:
        for action in ("read", "commit", "check"):
            told = as_nobody(worker, action, open_folder / "results.duckdb")
            assert told.startswith("NotReadable")
            assert "Permission denied" in told
    finally:
        open_folder.chmod(0o755)


def test_a_missing_folder_is_named(world: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "absent" / "results.duckdb"
    for action in (
        lambda: embryo_store.ensure_writable(path),
        lambda: embryo_store.commit(path, world.words_commit(0, {"DT": 1.0})),
    ):
        assert "does not exist" in refusal(errors.NotWritable, action)


def test_a_log_left_by_a_store_that_is_gone_is_not_taken_in(world: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    (tmp_path / "results.duckdb.wal").write_bytes(b"rest")
    message = refusal(errors.NotAStore, lambda: embryo_store.commit(path, world.words_commit(0, {"DT": 1.0})))
    assert "results.duckdb.wal" in message
    refusal(errors.NotAStore, lambda: embryo_store.ensure_writable(path))
    assert not path.exists()


@pytest.mark.parametrize(
    "said", [RuntimeError("Query interrupted"), duckdb.InterruptException("INTERRUPT Error: Interrupted!")]
)
def test_what_duckdb_makes_of_ctrl_c_is_ctrl_c_again(store: Path, said: Exception) -> None:
    with pytest.raises(KeyboardInterrupt), embryo_store.read(store):
        raise said


@pytest.mark.slow
def test_ctrl_c_ends_a_query_at_the_latest_when_its_time_is_up(store: Path) -> None:
    ends = []
    for _ in range(10):
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        # Where DuckDB's other thread does all the work, DuckDB hears of Ctrl-C only then, and forgets it.
        with (
            pytest.raises((KeyboardInterrupt, errors.QueryTooLong)) as end,
            embryo_store.read(store, query_seconds=2) as reader,
        ):
            reader.sql("SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b")
        ends.append(end.type)
        timer.join()
    assert KeyboardInterrupt in ends
    look(store)


FULL = """
import resource, sys, numpy, embryo_store, small_world
from dataclasses import replace
from embryo_store import errors
from embryo_store.records import AttentionMaps, Commit, Key
path, room, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
maps = numpy.random.default_rng(0).random((12, 12, 64, 64), dtype=numpy.float32)
payloads = tuple(AttentionMaps(sentence, maps) for sentence in range(20))
made = small_world.evaluation(Key("small", step, "attention", "big"), payloads=payloads)
commit = Commit(small_world.RUN, small_world.checkpoint(step), [made])
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
try:
    embryo_store.commit(path, commit)
    print("written")
except errors.StoreError as error:
    print(type(error).__name__, error.exit_code, error)
"""


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_keeps_what_was_there_and_nothing_of_the_rest(
    worker: Worker, tmp_path: Path, whole_world: Path, existing: bool
) -> None:
    path = tmp_path / "results.duckdb"
    if existing:
        shutil.copy(whole_world, path)
        # Else the rows fit into free blocks, or into a log as large as the file.
        embryo_store.compact(path)
    before = embryo_store.done(path)
    room = path.stat().st_size + 8192 if existing else 100_000
    output, trouble = worker(FULL, path, room, 300).communicate(timeout=60)
    assert output.startswith("StoreFull 3"), (output, trouble)
    assert "run the same command again" in output
    assert embryo_store.done(path) == before
    assert not list(tmp_path.glob("*.new*"))
    output, trouble = worker(FULL, path, resource.RLIM_INFINITY, 300).communicate(timeout=60)
    assert output == "written\n", trouble
    assert len(embryo_store.done(path)) == len(before) + 1


FULL_AFTERWARDS = """
import os, resource, sys, numpy, embryo_store, small_world
from embryo_store.records import AttentionMaps, Commit, Key
path = sys.argv[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path), resource.RLIM_INFINITY))
maps = AttentionMaps(0, numpy.random.default_rng(0).random((12, 12, 64, 64), dtype=numpy.float32))
for step in (300, 400):
    made = small_world.evaluation(Key("small", step, "attention", "d"), payloads=(maps,))
    embryo_store.commit(path, Commit(small_world.RUN, small_world.checkpoint(step), [made]))
print(sorted({key.step for key in embryo_store.done(path)}))
"""


def test_what_fits_the_log_is_written_though_the_file_itself_can_t_grow(worker: Worker, store: Path) -> None:
    # Free blocks within the file would take the new rows.
    embryo_store.compact(store)
    assert worker(FULL_AFTERWARDS, store).communicate(timeout=60) == ("[0, 100, 200, 300, 400]\n", "")
    assert store.with_name(store.name + ".wal").exists()
    assert {key.step for key in embryo_store.done(store)} == {0, 100, 200, 300, 400}
    embryo_store.ensure_writable(store)
    assert not store.with_name(store.name + ".wal").exists()
    assert embryo_store.check(store).problems == ()


def test_a_store_that_is_removed_or_replaced_between_two_readings_is_looked_at_anew(
    world: ModuleType, store: Path, tmp_path: Path
) -> None:
    look(store)
    other = tmp_path / "other.duckdb"
    embryo_store.commit(other, world.words_commit(300, {"DT": 1.0}, run="another"))
    other.replace(store)
    with embryo_store.read(store) as reader:
        assert [card.run for card in reader.runs()] == ["another"]
    store.write_bytes(b"something else")
    refusal(errors.NotAStore, lambda: look(store))
    store.unlink()
    refusal(errors.StoreMissing, lambda: look(store))
    embryo_store.commit(store, world.words_commit(0, {"DT": 1.0}))
    with embryo_store.read(store) as reader:
        assert [card.run for card in reader.runs()] == ["small"]


def test_a_store_that_is_replaced_while_it_is_read_is_read_to_the_end(
    world: ModuleType, store: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.duckdb"
    embryo_store.commit(other, world.words_commit(300, {"DT": 1.0}, run="another"))
    with embryo_store.read(store) as reader:
        before = reader.sql("SELECT count(*) FROM metrics").rows
        other.replace(store)
        assert reader.sql("SELECT count(*) FROM metrics").rows == before
        assert [card.run for card in reader.runs()] == ["small"]
    with embryo_store.read(store) as reader:
        assert [card.run for card in reader.runs()] == ["another"]


def test_threads_read_beside_one_another_and_inside_one_another(store: Path) -> None:
    def count() -> int:
        with embryo_store.read(store) as reader:
            rows = reader.sql("SELECT count(*) FROM metrics").rows
            with embryo_store.read(store) as inner:
                assert inner.sql("SELECT count(*) FROM metrics").rows == rows
            assert reader.sql("SELECT count(*) FROM metrics").rows == rows
        return int(rows[0][0])

    with ThreadPoolExecutor(8) as pool:
        assert len({future.result() for future in [pool.submit(count) for _ in range(64)]}) == 1


LOCKED = """
import duckdb, sys
try:
    duckdb.connect(sys.argv[1]).close()
    print("came in")
except duckdb.IOException:
    print("kept out")
"""


def test_a_reader_that_leaves_does_not_drop_the_lock_of_one_that_stays(store: Path, worker: Worker) -> None:
    with embryo_store.read(store) as staying:
        with embryo_store.read(store) as leaving:
            leaving.runs()
        assert worker(LOCKED, store).communicate()[0] == "kept out\n"
        assert staying.runs()
    assert worker(LOCKED, store).communicate()[0] == "came in\n"


def test_free_sql_of_one_reading_is_gone_in_the_next(store: Path) -> None:
    with embryo_store.read(store) as reader:
        reader.sql("CREATE TEMP TABLE metrics AS SELECT 1 AS one")
        reader.sql("USE memory")
        reader.sql("ATTACH ':memory:' AS junk")
    for _ in range(2):
        with embryo_store.read(store) as reader:
            assert reader.sql("SELECT count(*) > 10 FROM metrics").rows == ((True,),)
            reader.sql("DETACH memory")


AFTER_FORK = """
import os, sys, embryo_store
def look():
    with embryo_store.read(sys.argv[1]) as reader:
        return len(reader.runs())
assert look() == 1
child = os.fork()
if child == 0:
    os._exit(0 if look() == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
assert look() == 1
print("both")
"""


def test_a_forked_process_reads_as_its_parent_does(store: Path, worker: Worker) -> None:
    output, trouble = worker(AFTER_FORK, store).communicate(timeout=30)
    assert output == "both\n", trouble
