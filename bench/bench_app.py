"""How fast the app answers: driven through a real pseudo-terminal, DuckDB in the loop.

For every screen: first frame, time from a key to its last byte, CPU and bytes a step, how soon a held key
settles, and memory, each beside its limit. Without ``--store`` a store of one run is made first (12 layers of
12 heads, 35 tags, 25 relations).
"""

from __future__ import annotations

import argparse
import fcntl
import math
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import embryo_store
from embryo_store.records import (
    AttentionMaps,
    Checkpoint,
    Commit,
    Dataset,
    Evaluation,
    Facts,
    Key,
    LamaAnswers,
    Metric,
    Payload,
    Relation,
    Run,
    Sentence,
    TrainLog,
    Vocabulary,
    Words,
)

COLUMNS, ROWS = 160, 45
SCREENS = ("overview", "words", "knowledge", "attention")
LIMITS = {"first frame s": 0.3, "all panels s": 0.8, "median ms": 16.0, "CPU ms": 10.0, "kB a step": 55.0,
          "settled ms": 50.0, "memory MB": 250.0}  # fmt: skip
LAYERS, HEADS, SIZE, FACTS, RELATIONS = 12, 12, 32, 40, 25
TAGS = (
    "CC", "CD", "DT", "EX", "FW", "IN", "JJ", "JJR", "JJS", "LS", "MD", "NN", "NNP", "NNPS", "NNS", "PDT",
    "POS", "PRP", "PRP$", "RB", "RBR", "RBS", "RP", "SYM", "TO", "UH", "VB", "VBD", "VBG", "VBN", "VBP",
    "VBZ", "WDT", "WP", "WRB",
)  # fmt: skip


def make(path: Path, steps: int) -> None:
    """A store of plausible curves: ``steps`` checkpoints, everything evaluated."""
    random = np.random.default_rng(0)
    run = Run(
        "bench",
        "albert",
        "made by bench_app",
        total_steps=steps * 1000,
        layers=LAYERS,
        heads=HEADS,
        hidden=768,
    )
    vocabulary = Vocabulary("vocab", [f"▁token{number}" for number in range(2000)])
    names = [f"P{number}" for number in range(RELATIONS)]
    facts = Facts(
        [name for name in names for _ in range(FACTS)],
        [f"subject {number}" for number in range(FACTS * RELATIONS)],
        [f"token{number}" for number in range(FACTS * RELATIONS)],
        [None] * (FACTS * RELATIONS),
    )
    sentence = Sentence("vocab", 0, "mean", [str(place) for place in range(SIZE)])
    words = Words(np.array([0]), np.array([0]), ("a",), ("DT",), np.array([1]))
    for place in range(steps):
        step = place * 1000
        grown = 1 / (1 + math.exp(-place / steps * 8 + 3))
        n = FACTS * RELATIONS
        rank = np.where(random.random(n) < grown, 1, random.integers(2, 500, n))
        maps = random.dirichlet(np.full(SIZE, 0.3 + grown), (LAYERS, HEADS, SIZE)).astype(np.float32)
        answers = LamaAnswers(
            facts, rank, -np.log(rank).astype(np.float32), None, None, random.integers(0, 2000, (n, 10)),
            np.sort(-random.random((n, 10)).astype(np.float32) * 5, axis=1)[:, ::-1].copy(),
        )  # fmt: skip
        accuracy = {
            task: [Metric("accuracy", min(1.0, grown + random.normal(0, 0.02)), n=10_000)]
            + [
                Metric(
                    "accuracy",
                    float(np.clip(grown - 0.01 * index + random.normal(0, 0.01), 0, 1)),
                    tag,
                    n=500,
                )
                for index, tag in enumerate(TAGS)
            ]
            for task in ("reconstruct", "mask-predict")
        }
        heads = [(layer, head) for layer in range(1, LAYERS + 1) for head in range(1, HEADS + 1)]
        statistic = [
            Metric(name, float(random.random()), layer=layer, head=head)
            for name in ("diagonal", "cls", "sep", "entropy")
            for layer, head in heads
        ]
        precision = [Metric("p1", float((rank == 1).mean()), name, n=FACTS) for name in (*names, "all")]
        log = TrainLog(np.array([step]), ["loss"], np.array([10 - 8 * grown]))
        made = [
            *(_evaluation(Key("bench", step, task, "words"), metrics) for task, metrics in accuracy.items()),
            _evaluation(Key("bench", step, "lama", "facts"), precision, [answers]),
            _evaluation(Key("bench", step, "attention", "built-in"), statistic, [AttentionMaps(0, maps)]),
            _evaluation(Key("bench", step, "train-log"), [], [log]),
        ]
        checkpoint = Checkpoint("bench", step, f"step-{step}", f"hash-{step}", "vocab", 1)
        if place == 0:
            relations = [
                Relation(name, f"[X] has the {name} [Y] .", "N-1", f"relation {name}") for name in names
            ]
            for dataset in (
                Dataset("words", "data", "words", "", 1, words=words),
                Dataset("facts", "data", "facts", "", n, relations=relations),
                Dataset("built-in", "data", "sentences", "", 1, attention_sentences=[sentence]),
            ):
                embryo_store.commit(path, Commit(run, checkpoint, [], dataset, vocabulary))
        embryo_store.commit(path, Commit(run, checkpoint, made))


def _evaluation(key: Key, metrics: Sequence[Metric], payloads: Sequence[Payload] = ()) -> Evaluation:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Evaluation(
        key, "inputs", {}, now, now, "host", "cpu", "float32", {}, "data", metrics=metrics, payloads=payloads
    )


@dataclass
class Terminal:
    """The app in a pseudo-terminal."""

    pid: int
    file: int

    @classmethod
    def open(cls, store: Path, screen: str) -> Terminal:
        pid, file = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            try:
                os.execv(sys.executable, [sys.executable, "-m", "embryo_tui", str(store), "--screen", screen])
            finally:
                os._exit(127)
        fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        return cls(pid, file)

    def drain(self, quiet: float, limit: float = 10.0) -> tuple[int, float | None]:
        """Reads until nothing has come for ``quiet`` seconds: bytes, and when the last came."""
        begun, count, last = time.perf_counter(), 0, None
        while time.perf_counter() - begun < limit:
            if not select.select([self.file], [], [], quiet if count else limit)[0]:
                break
            chunk = os.read(self.file, 65536)
            if b"\x1b[?2026$p" in chunk:
                os.write(self.file, b"\x1b[?2026;2$y")
            count, last = count + len(chunk), time.perf_counter()
        return count, last

    def press(self, key: bytes) -> None:
        os.write(self.file, key)

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.file)


def measure(store: Path, screen: str, count: int) -> dict[str, float]:
    """One screen: start, ``count`` single steps back, then a key held for three seconds."""
    begun = time.perf_counter()
    terminal = Terminal.open(store, screen)
    try:
        terminal.drain(0.0, 20)
        first = time.perf_counter() - begun
        _, last = terminal.drain(1.0, 20)
        whole = (last or begun) - begun
        for _ in range(4):
            terminal.press(b"\x1b[D")
            terminal.drain(0.3, 2)
        latencies, sizes, before = [], [], terminal.cpu()
        for _ in range(count):
            pressed = time.perf_counter()
            terminal.press(b"\x1b[D")
            size, last = terminal.drain(0.09, 2)
            if last is not None:
                latencies.append((last - pressed) * 1e3)
                sizes.append(size)
        used = (terminal.cpu() - before) / count * 1e3
        begun = time.perf_counter()
        for place in range(90):
            terminal.press(b"\x1b[C")
            while (left := begun + (place + 1) / 30 - time.perf_counter()) > 0:
                if select.select([terminal.file], [], [], left)[0]:
                    os.read(terminal.file, 65536)
        released = time.perf_counter()
        _, last = terminal.drain(0.3, 5)
        return {
            "first frame s": first,
            "all panels s": whole,
            "median ms": statistics.median(latencies),
            "p95 ms": float(np.percentile(latencies, 95)),
            "CPU ms": used,
            "kB a step": statistics.median(sizes) / 1e3,
            "settled ms": max(0.0, ((last or released) - released) * 1e3),
            "memory MB": terminal.memory(),
        }
    finally:
        terminal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="measure on this store")
    parser.add_argument("--steps", type=int, default=100, help="checkpoints of the store that is made")
    parser.add_argument("--count", type=int, default=60, help="single steps a screen")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or Path(folder) / "bench.duckdb"
        if options.store is None:
            begun = time.perf_counter()
            make(store, options.steps)
            print(f"made {options.steps} checkpoints, {store.stat().st_size / 1e6:.0f} MB, "
                  f"{time.perf_counter() - begun:.0f} s")  # fmt: skip
        measured = {screen: measure(store, screen, options.count) for screen in SCREENS}
    print(f"{COLUMNS} x {ROWS}, load average {os.getloadavg()[0]:.1f}")
    print(f"{'':<16}{'limit':>8}" + "".join(f"{screen:>18}" for screen in SCREENS))
    for name in next(iter(measured.values())):
        limit = LIMITS.get(name)
        cells = []
        for screen in SCREENS:
            value = measured[screen][name]
            ratio = f" ({value / limit:.2f}x)" if limit else ""
            cells.append(f"{value:.2f}{ratio}".rjust(18))
        print(f"{name:<16}{'' if limit is None else f'{limit:g}':>8}" + "".join(cells))


if __name__ == "__main__":
    main()
