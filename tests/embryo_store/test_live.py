"""Writers, readers and a plain DuckDB client at one file: nobody sees half a commit, none is lost."""

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import embryo_store

Worker = Callable[..., "subprocess.Popen[str]"]

#: Commits step after step until the time is up; says each step with the milliseconds that it took.
WRITE = """
import sys, time, numpy, embryo_store, small_world
from dataclasses import replace
from embryo_store.records import AttentionMaps, Key
path, name, patience = sys.argv[1], sys.argv[2], float(sys.argv[3])
run = replace(small_world.RUN, run=name)
maps = numpy.random.default_rng(0).random((4, 8, 64, 64), dtype=numpy.float32)
print("ready", flush=True)
end, step = float(sys.stdin.readline()), 0
while step == 0 or time.time() < end:
    lama = small_world.lama_commit(step, small_world.RANKS[step % 3], run)
    made = small_world.evaluation(Key(name, step, "attention", "d"), payloads=(AttentionMaps(0, maps),))
    began = time.perf_counter()
    embryo_store.commit(path, replace(lama, evaluations=[*lama.evaluations, made]), timeout=patience)
    print(step, 1000 * (time.perf_counter() - began), flush=True)
    step += 1
"""

#: Looks again and again at everything; says the milliseconds that each look took, and stops at half a commit.
READ = """
import sys, time, embryo_store
path, query = sys.argv[1:]
print("ready", flush=True)
end = float(sys.stdin.readline())
while time.time() < end:
    began = time.perf_counter()
    with embryo_store.read(path) as reader:
        rows = reader.sql(query).rows
    print(1000 * (time.perf_counter() - began), flush=True)
    assert all(row[2:] == (3, 4, 32, 2) for row in rows), rows
"""

WHOLE = """
SELECT run, step, any_value(evaluations), any_value(answers), any_value(maps), any_value(metrics)
FROM checkpoints
LEFT JOIN (SELECT run, step, count(*) AS evaluations FROM evaluations GROUP BY run, step) USING (run, step)
LEFT JOIN (SELECT run, step, count(*) AS answers FROM lama GROUP BY run, step) USING (run, step)
LEFT JOIN (SELECT run, step, count(*) AS maps FROM attention GROUP BY run, step) USING (run, step)
LEFT JOIN (SELECT run, step, count(*) AS metrics FROM metrics GROUP BY run, step) USING (run, step)
GROUP BY run, step ORDER BY run, step
"""

#: A client that knows nothing of Embryo: keeps the file open for as long as its input stays open.
PLAIN = """
import duckdb, sys
while True:
    try:
        connection = duckdb.connect(sys.argv[1], read_only=True)
        break
    except duckdb.IOException:
        continue
print("in", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_open(path: Path) -> Iterator[bool]:
    """The file, kept open by the `duckdb` command where there is one, else by Python. False: kept out."""
    command = shutil.which("duckdb")
    plain = [command, "-readonly", str(path)] if command else [sys.executable, "-c", PLAIN, str(path)]
    with subprocess.Popen(
        plain, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        if command:
            with suppress(BrokenPipeError):
                client.stdin.write("SELECT 'in' FROM metrics LIMIT 1;\n")
                client.stdin.flush()
        yield any(line.strip("│| \n") == "in" for line in iter(client.stdout.readline, ""))


def hold(path: Path, end: float, seconds: float) -> int:
    """Holds the file open for `seconds` at a time; how often it came in."""
    held = 0
    while time.time() < end:
        with held_open(path) as inside:
            held += inside
            time.sleep(min(seconds if inside else 0.05, max(0.0, end - time.time())))
        time.sleep(seconds / 5)
    return held


@pytest.mark.parametrize(("seconds", "at_a_time"), [(4, 0.5), pytest.param(60, 5, marks=pytest.mark.slow)])
def test_writers_readers_and_a_plain_client_get_along(
    worker: Worker, tmp_path: Path, seconds: float, at_a_time: float, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "results.duckdb"
    first = worker(WRITE, store, "first", 60)
    output, trouble = first.communicate("0\n", timeout=60)
    assert first.returncode == 0, trouble
    writers = {
        # The second and the third lay a commit aside where they would have to wait for long.
        name: worker(WRITE, store, name, patience)
        for name, patience in (("writer", 60), ("one", at_a_time / 2), ("two", at_a_time / 2))
    }
    readers = [worker(READ, store, WHOLE) for _ in range(3)]
    everybody = [*writers.values(), *readers]
    for process in everybody:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    end = time.time() + seconds
    for process in everybody:
        assert process.stdin is not None
        process.stdin.write(f"{end}\n")
        process.stdin.flush()
    held = hold(store, end, at_a_time)
    told: dict[str, list[int]] = {}
    waits: dict[str, list[float]] = {"commits": [], "looks": []}
    for name, writer in writers.items():
        output, trouble = writer.communicate(timeout=120)
        assert writer.returncode == 0, trouble
        lines = [line.split() for line in output.splitlines()]
        told[name] = [int(step) for step, _ in lines]
        waits["commits"] += [float(wait) for _, wait in lines]
    for reader in readers:
        output, trouble = reader.communicate(timeout=120)
        assert reader.returncode == 0, trouble
        waits["looks"] += [float(line) for line in output.splitlines()]
    embryo_store.fold_in(store)
    with embryo_store.read(store) as reader:
        rows = reader.sql(WHOLE).rows
    assert all(row[2:] == (3, 4, 32, 2) for row in rows)
    found = {name: [row[1] for row in rows if row[0] == name] for name in told}
    assert found == told
    assert held
    assert embryo_store.check(store).problems == ()
    with capsys.disabled():
        print(f"\n{seconds} s, held open {held} times for {at_a_time} s; milliseconds")
        for what, times in waits.items():
            p95 = statistics.quantiles(times, n=20)[-1]
            print(f"{len(times)} {what}: {statistics.median(times):.0f}, p95 {p95:.0f}, max {max(times):.0f}")
