"""How much memory text takes on its way to tokens, and what of it grows with the text.

    python bench/text_memory.py [--text DIR …] [--sizes MB …] [--processes N]
    python bench/text_memory.py --digests    # of documents that have been there, by their number

Copies of the text (made up, or that of DIR) are strung together to each size, a line put before every
document that makes it another; each size goes through ``embryo-train text`` and then through the encoder in
processes of their own. Printed: the most that the first process ever held, the most that all held at the same
time, CPU-seconds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

MB = 1_000_000
#: A copy's size, and the share of it that a vocabulary is trained on.
COPY, SAMPLE, VOCABULARY = 10 * MB, 2 * MB, 4000
MILLIONS_OF_DIGESTS = 8


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", type=Path, nargs="+", help="real text to copy; in its order, cut at 10 MB")
    parser.add_argument("--sizes", type=int, nargs="+", default=[30, 200, 800], help="in MB")
    parser.add_argument("--encode-up-to", type=int, default=200, help="in MB: encoding takes longer")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--digests", action="store_true")
    parser.add_argument("--inner", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        inner(options.inner[0], Path(options.inner[1]), options.processes)
        return
    if options.digests:
        print(f"{'documents':>12}  {'MB now':>7}  {'MB most':>8}")
        apart("digests", Path(), 1)
        return
    documents = list(copied(options.text))
    characters = sum(map(len, documents)) / len(documents)
    print(
        f"{len(documents):,} documents of {characters:,.0f} characters, copied; {options.processes} processes"
    )
    print(f"{'':8}  {'MB of text':>10}  {'documents':>10}  {'MB most':>8}  {'MB, all':>8}  {'CPU-s':>7}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            source, count = Path(folder) / "source.txt", 0
            with source.open("w", encoding="utf-8") as file:
                while file.tell() < size * MB:
                    for number, text in enumerate(documents):
                        file.write(f"Copy {file.tell()} of {number} follows.\n{text}\n\n")
                    count += len(documents)
            for stage in ("build", "encode"):
                if stage == "build" or size <= options.encode_up_to:
                    written = source.stat().st_size / MB
                    most, together, seconds = json.loads(apart(stage, source, options.processes))
                    memory = f"{most:8,.0f}  {together:8,.0f}"
                    print(f"{stage:8}  {written:10,.0f}  {count:10,}  {memory}  {seconds:7.1f}", flush=True)


def copied(sources: list[Path] | None) -> Iterator[str]:
    """Some ten megabytes of documents, one sentence a line."""
    from tpu_train.text import corpus, files

    found = made_up() if sources is None else corpus.documents(files.find(sources))
    size = 0
    for document in found:
        yield "\n".join(document)
        size += sum(map(len, document))
        if size >= COPY:
            return


def made_up() -> Iterator[list[str]]:
    """Documents of some two thousand characters, the length of Wikipedia's."""
    draw = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    words = ["".join(draw.choices(letters, range(26, 0, -1), k=draw.randint(2, 9))) for _ in range(50_000)]
    while True:
        picked = (int(len(words) ** draw.random()) for _ in itertools.count())
        yield [
            " ".join(["“The”", *(words[at] for at in itertools.islice(picked, 15))]) + "." for _ in range(20)
        ]


def apart(stage: str, source: Path, processes: int) -> str:
    """Runs a stage in a process of its own; gives the last line it prints. The digests print themselves."""
    command = [sys.executable, __file__, "--inner", stage, str(source), "--processes", str(processes)]
    if stage == "digests":
        subprocess.run(command, check=True)
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]


def inner(stage: str, source: Path, processes: int) -> None:
    if stage == "digests":
        digests()
        return
    from tpu_train import recipe, tokens, vocabulary
    from tpu_train.text import build, corpus, files

    out = source.parent / stage
    if stage == "build":
        watched(lambda: build.build([source], out, processes, lambda *_: None))
        return
    # As a run finds it: the parts that were built, and a vocabulary.
    settings = recipe.load("bert-tiny", {"vocabulary.size": VOCABULARY}).vocabulary
    found = files.find([source.parent / "build"])
    some = itertools.islice(corpus.documents(found), SAMPLE // 2000)
    pieces = vocabulary.train(some, settings, 64)
    watched(lambda: tokens.write(out, corpus.documents(found), pieces.encoder(), VOCABULARY, lambda _: None))


def watched(work: Callable[[], object]) -> None:
    """Prints the most memory that one process held, that all held together, and CPU-seconds, as JSON."""
    together, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            together[0] = max(together[0], sum(map(held, family())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    most = held(os.getpid(), "VmHWM")
    times = os.times()
    print(
        json.dumps(
            [most, together[0], times.user + times.system + times.children_user + times.children_system]
        )
    )


def family() -> list[int]:
    """This process and its children."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [os.getpid(), *map(int, path.read_text().split())]


def held(process: int, key: str = "VmRSS") -> float:
    """MB in memory, now or (VmHWM) at most; none of a process that has gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) * 1024 / MB for line in lines if line.startswith(key)), 0.0)


def digests() -> None:
    from tpu_train.text.seen import Seen

    draw, known = random.Random(0), Seen()
    for million in range(MILLIONS_OF_DIGESTS + 1):
        print(f"{len(known):12,}  {held(os.getpid()):7,.0f}  {held(os.getpid(), 'VmHWM'):8,.0f}", flush=True)
        for _ in range(MB if million < MILLIONS_OF_DIGESTS else 0):
            known.add(draw.getrandbits(64))


if __name__ == "__main__":
    main()
