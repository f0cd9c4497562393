"""The store at the paper's size: every question and a commit, against their targets.

Prints milliseconds for a fresh open, the answer and the close: in a process that has asked this file before
(warm; cpu: its CPU time, all threads together), in one that comes to it for the first time and looks it over
(first), and with the file dropped from the page cache (cold). The ratio is warm over target.

    bench_store.py                     fills a store of 3 x 1,000 checkpoints in a temporary folder
    bench_store.py --store FILE        asks a store that paper_scale.py filled before
    bench_store.py --store FILE --tail 100    asks it twice: so many checkpoints more lie as they came
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import paper_scale

import embryo_store
from embryo_store.query import Reader

ROUNDS = 15
COLD_ROUNDS = 3
BESIDE_SECONDS = 30.0
NINE = ["DT", "IN", "NN", "NNP", "VBD", "JJ", "RB", "CC", "PRP"]


@dataclass(frozen=True)
class Case:
    """A question, and the milliseconds it may take."""

    name: str
    target: float
    ask: Callable[[Reader, str, int], object]


ONE_HEAD = (
    "SELECT map FROM attention WHERE run = ? AND step = ? AND layer = 8 AND head = 3 AND sentence_id = 0"
)

CASES = (
    Case("9 curves", 30, lambda r, run, _: r.curves("mask-predict", "accuracy", runs=[run], labels=NINE)),
    Case("9 curves of groups, rescaled", 30, lambda r, run, _: r.word_curves(
        "mask-predict", "group", runs=[run], rescaled=True)),
    Case("births of 9 groups", 30, lambda r, run, _: r.births("mask-predict", "group", runs=[run])),
    Case("all values at a step", 25, lambda r, run, step: r.arrays(
        "SELECT * FROM metrics WHERE run = ? AND step = ?", [run, step])),
    Case("a relation's facts at a step", 60, lambda r, run, step: r.facts_at(run, step, "P110")),
    Case("a fact's timeline", 30, lambda r, run, _: r.biography(run, 4711)),
    Case("a relation's dynamics, all steps", 150, lambda r, run, _: r.fact_dynamics(run, "P110")),
    Case("ledger between two steps", 60, lambda r, run, step: r.ledger(run, 0, step)),
    Case("1 head at a step", 25, lambda r, run, step: r.arrays(ONE_HEAD, [run, step])),
    Case("144 heads at a step", 30, lambda r, run, step: r.attention_at(run, step)),
    Case("film of a head, all steps", 60, lambda r, run, _: r.head_film(run, 8, 3)),
    Case("a probe by layer, all steps", 60, lambda r, run, _: r.arrays(
        "SELECT layer, step, value FROM probe_curve WHERE run = ? AND probe = 'pos'", [run])),
    Case("what is done and missing", 60, lambda r, run, _: r.coverage()),
    Case("suspect checkpoints of a run", 500, lambda r, run, _: r.sql(
        "FROM suspect_checkpoints WHERE run = ?", [run])),
    Case("events of a run", 500, lambda r, run, _: r.sql("FROM events WHERE run = ?", [run])),
    Case("statistic of all heads, all steps", 60, lambda r, run, _: r.head_statistic(run, "diagonal")),
)  # fmt: skip


def milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def forget_file(store: Path) -> None:
    """Drops the store from the page cache; nothing of this process has it open."""
    file = os.open(store, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def questions(store: Path) -> None:
    with embryo_store.read(store) as reader:
        card = reader.runs()[0]
    step = int(card.steps[len(card.steps) // 2])
    heads = " ".join(f"{head:>7}" for head in ("warm", "cpu", "first", "cold", "target"))
    print(f"\n{'milliseconds, median':36} {heads}  ratio")
    for case in CASES:

        def asked(case: Case = case) -> None:
            with embryo_store.read(store) as reader:
                case.ask(reader, card.run, step)

        def asked_first(case: Case = case) -> None:
            # A file that was touched is looked over again.
            os.utime(store)
            asked(case)

        asked()
        cpu = time.process_time()
        warm = statistics.median(milliseconds(asked) for _ in range(ROUNDS))
        cpu = (time.process_time() - cpu) * 1000 / ROUNDS
        first = statistics.median(milliseconds(asked_first) for _ in range(ROUNDS))
        colds: list[float] = []
        for _ in range(COLD_ROUNDS):
            forget_file(store)
            colds.append(milliseconds(asked))
        cold = statistics.median(colds)
        times = " ".join(f"{value:7.1f}" for value in (warm, cpu, first, cold))
        print(f"{case.name:36} {times} {case.target:7.0f} {warm / case.target:6.2f}", flush=True)


def append(store: Path, count: int) -> None:
    """Commits so many checkpoints more of the first run, one by one."""
    with embryo_store.read(store) as reader:
        card = reader.runs()[0]
    first = int(card.steps[-1]) // paper_scale.STEP + 1
    took = [
        milliseconds(lambda commit=commit: embryo_store.commit(store, commit))
        for commit in paper_scale.commits(count, card.run, 0, first)
    ]
    print(f"\n{count} checkpoints more: a commit took {statistics.median(took):.0f} ms, p95 {p95(took):.0f}")


def write_for(
    store: Path, run: str, seconds: float, rest: float, times: multiprocessing.Queue[list[float]]
) -> None:
    took: list[float] = []
    end = time.monotonic() + seconds
    for commit in paper_scale.commits(1000, run, 99):
        took.append(milliseconds(lambda commit=commit: embryo_store.commit(store, commit)))
        time.sleep(rest)
        if time.monotonic() > end:
            break
    times.put(took)


def read_for(store: Path, seconds: float, times: multiprocessing.Queue[list[float]]) -> None:
    took: list[float] = []
    end = time.monotonic() + seconds

    def asked() -> None:
        with embryo_store.read(store) as reader:
            reader.curves("mask-predict", "accuracy", runs=["albert-base"], labels=["DT"])

    while time.monotonic() < end:
        took.append(milliseconds(asked))
    times.put(took)


def beside(store: Path, seconds: float) -> None:
    """A writer alone, and with two readers that never rest: one that never rests, and one that computes."""
    context = multiprocessing.get_context("spawn")
    print(f"\n{'beside one another':36} {'median':>7} {'p95':>7} {'max':>7} {'target':>16}   (ms)")
    for name, readers, rest in (
        ("commit, alone", 0, 0.0),
        ("commit, beside 2 readers", 2, 0.0),
        ("one a second, beside 2 readers", 2, 1.0),
    ):
        writer_times, reader_times = context.Queue(), context.Queue()
        run = f"{name}, {time.time()}"  # a run of its own, so that nothing is replaced
        processes = [context.Process(target=write_for, args=(store, run, seconds, rest, writer_times))]
        processes += [
            context.Process(target=read_for, args=(store, seconds, reader_times)) for _ in range(readers)
        ]
        for process in processes:
            process.start()
        commits = writer_times.get()
        reads = [value for _ in range(readers) for value in reader_times.get()]
        for process in processes:
            process.join()
        # The first commit of a run brings its vocabulary and words.
        rows = [(f"{name} ({len(commits)} of them)", commits[1:] or commits, "<= 200, p95 400")]
        if reads:
            rows.append((f"a reader's wait ({len(reads)} reads)", reads, "p95 <= 200"))
        for title, values, target in rows:
            median = statistics.median(values)
            print(f"{title:36} {median:7.0f} {p95(values):7.0f} {max(values):7.0f} {target:>16}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--store", type=Path, help="a store that paper_scale.py filled; commits are added to it"
    )
    parser.add_argument("--steps", type=int, default=1000, help="checkpoints a run of a new store")
    parser.add_argument("--tail", type=int, default=0, help="checkpoints that are added and asked once more")
    parser.add_argument("--seconds", type=float, default=BESIDE_SECONDS, help="of writing beside readers")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = arguments.store
        if store is None:
            store = Path(folder) / "results.duckdb"
            paper_scale.fill(store, arguments.steps)
            print("(target 900 s at 3 x 1,000)")
        with embryo_store.read(store) as reader:
            (count,) = reader.sql("SELECT count(*) FROM checkpoints").rows[0]
        size = store.stat().st_size / 1e9
        print(
            f"{count} checkpoints, {size:.2f} GB (3,000 at this rate: {size * 3000 / count:.2f}, target 5.00)"
        )
        questions(store)
        if arguments.tail:
            append(store, arguments.tail)
            questions(store)
        beside(store, arguments.seconds)


if __name__ == "__main__":
    main()
