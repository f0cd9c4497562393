"""How fast the app answers: driven through a real pseudo-terminal, DuckDB in the loop.

For every screen: first picture (store and screens by name, drawn before anything is loaded), first frame of
the app itself, time from a key to its last byte, CPU and bytes a step, frames shown and time to settle when a
key is held at 30 Hz, memory; each beside its limit. ``--peer WANDB`` (the wandb command) measures W&B LEET on
the same terminal, on an offline run of 10 metrics x 10,000 steps that it logs itself; it has no step cursor:
its key is the arrow that moves along the list beside its charts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from paper_scale import fill
from terminal import COLUMNS, DOWN, ROWS, UP, measure

SCREENS = ("overview", "words", "probes", "downstream", "knowledge", "attention")
LIMITS = {"first picture s": 0.3, "first frame s": 0.3, "all panels s": 0.8, "median ms": 16.0,
          "CPU ms": 10.0, "kB a step": 55.0, "frames shown %": 95.0, "settled ms": 50.0,
          "memory MB": 250.0}  # fmt: skip
LOW = {"kB a step": 30.0}
LOGGED = """
import math, random, wandb
run = wandb.init(mode="offline", project="bench")
for step in range(10_000):
    run.log({f"metric{k}": math.exp(-step / 3000) * (k + 1) + random.random() * 0.1 for k in range(10)})
run.finish()
"""


def peer(wandb: Path, folder: Path, count: int) -> dict[str, float]:
    """W&B LEET on its own offline run."""
    python = wandb.parent / "python"
    subprocess.run([python, "-c", LOGGED], cwd=folder, check=True, capture_output=True)
    run = folder / "wandb" / "latest-run"
    return measure([str(wandb), "leet", "run", str(run.resolve())], count, back=UP, forth=DOWN)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, help="measure on this store")
    parser.add_argument("--steps", type=int, default=100, help="checkpoints a run of the store that is made")
    parser.add_argument("--count", type=int, default=40, help="single steps a screen")
    parser.add_argument("--screens", nargs="+", choices=SCREENS, default=SCREENS)
    parser.add_argument("--low-bandwidth", action="store_true", help="the app's own option")
    parser.add_argument("--peer", type=Path, metavar="WANDB", help="wandb command, to measure LEET beside")
    options = parser.parse_args()
    measured: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or Path(folder) / "bench.duckdb"
        if options.store is None:
            fill(store, options.steps)
        for screen in options.screens:
            command = [sys.executable, "-m", "embryo_tui", str(store), "--screen", screen]
            measured[screen] = measure(
                [*command, *(["--low-bandwidth"] * options.low_bandwidth)], options.count
            )
        if options.peer is not None:
            measured["LEET"] = peer(options.peer, Path(folder), options.count)
    limits = LIMITS | (LOW if options.low_bandwidth else {})
    print(f"{COLUMNS} x {ROWS}, load average {os.getloadavg()[0]:.1f}")
    print(f"{'':<16}{'limit':>8}" + "".join(f"{screen:>18}" for screen in measured))
    for name in next(iter(measured.values())):
        limit = limits.get(name)
        cells = []
        for numbers in measured.values():
            ratio = f" ({numbers[name] / limit:.2f}x)" if limit else ""
            cells.append(f"{numbers[name]:.2f}{ratio}".rjust(18))
        print(f"{name:<16}{'' if limit is None else f'{limit:g}':>8}" + "".join(cells))


if __name__ == "__main__":
    main()
