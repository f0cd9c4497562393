"""``embryo-eval db …``: what is done to a results store by hand. Computes nothing, knows no model."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

import embryo_store
from evaluators.errors import InputError
from evaluators.settings import Settings

#: Seconds to wait for whoever keeps the store open.
PATIENCE = 60.0


def run(given: Namespace, settings: Settings) -> int:
    """Does what was asked to the store. Raises InputError, StoreError."""
    given.do(given, settings.db, Console(soft_wrap=True, markup=False, highlight=False))
    return 0


def _check(given: Namespace, store: Path, out: Console) -> None:
    health = embryo_store.check(store, timeout=PATIENCE)
    out.print(f"{store}: schema {health.schema_version}, {_size(health.bytes)}, read whole.")
    for table, rows in health.rows.items():
        out.print(f"  {table:14} {rows:>14,} rows")
    if health.waiting:
        out.print(
            f"{health.waiting:,} commits wait in {store.name}.spool; the next embryo-eval takes them in."
        )
    if health.problems:
        found = "\n".join(f"  {problem}" for problem in health.problems)
        raise InputError(
            f"{store} contradicts itself:\n{found}\n"
            "Restore it from a copy, or drop what is meant (embryo-eval db drop) and evaluate it again."
        )
    out.print("Nothing contradicts anything.")


def _compact(given: Namespace, store: Path, out: Console) -> None:
    before, after = embryo_store.compact(
        store, memory=given.memory, block_size=given.block_size, timeout=PATIENCE
    )
    out.print(f"{store}: {_size(before)} before, {_size(after)} now.")


def _migrate(given: Namespace, store: Path, out: Console) -> None:
    before, now = embryo_store.migrate(store, timeout=PATIENCE)
    said = f"schema {now} already" if before == now else f"schema {before} before, {now} now"
    out.print(f"{store}: {said}.")


def _merge(given: Namespace, store: Path, out: Console) -> None:
    rename = dict(_pair(text) for text in given.rename)
    embryo_store.merge(store, given.other, rename=rename, timeout=PATIENCE)
    out.print(f"{store} now holds {given.other} too.")


def _drop(given: Namespace, store: Path, out: Console) -> None:
    if given.steps is not None:
        raise InputError("db drop takes single steps (--step N, which may be repeated), not --steps.")
    count = embryo_store.drop(
        store, runs=given.run or (), steps=given.step or (), tasks=given.task or (), timeout=PATIENCE
    )
    out.print(
        f"{count:,} results dropped from {store}. `embryo-eval db compact` gives their room on the disk back."
    )


def _rename(given: Namespace, store: Path, out: Console) -> None:
    embryo_store.rename(store, given.old, given.new, timeout=PATIENCE)
    out.print(f"{store}: the run {given.old} is called {given.new} now.")


def _export(given: Namespace, store: Path, out: Console) -> None:
    files = embryo_store.export(store, given.parquet, timeout=PATIENCE)
    size = sum(file.stat().st_size for file in files)
    out.print(f"{len(files)} tables, {_size(size)}, in {given.parquet}.")


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise InputError(f"--rename is {text!r}. Expected OLD=NEW: a run's name there, and its name here.")
    return old, new


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def add_arguments(parser: ArgumentParser) -> None:
    """One more word says what is done; whatever fails or is interrupted leaves the store as it was."""
    commands = parser.add_subparsers(required=True)

    def command(name: str, do: Callable[[Namespace, Path, Console], None], what: str) -> ArgumentParser:
        # Options that stand before this word already are kept.
        made = commands.add_parser(
            name, help=what, description=what, allow_abbrev=False, argument_default=SUPPRESS
        )
        made.add_argument("--db", metavar="FILE", help="results store (results.duckdb)")
        if name not in ("merge", "rename"):
            made.add_argument("db", metavar="FILE", nargs="?", default=SUPPRESS, help="the same as --db FILE")
        made.set_defaults(do=do)
        return made

    command("check", _check, "Read all of the store, and say what contradicts itself.")
    compact = command(
        "compact", _compact, "Rewrite the store sorted as it is asked: smaller, faster to read."
    )
    compact.add_argument(
        "--memory", metavar="SIZE", default="2GB", help="what the sorting may take (2GB); the rest is disk"
    )
    compact.add_argument(
        "--block-size",
        metavar="BYTES",
        type=int,
        choices=[16384, 32768, 65536, 131072, 262144],
        default=None,
        help="16384 makes small stores many times smaller, and large ones slower to read (262144)",
    )
    command("migrate", _migrate, "Bring the store to this version's schema; embryo-eval does so by itself.")
    merge = command("merge", _merge, "Take another store in; refused where both hold different results.")
    merge.add_argument("other", metavar="OTHER.duckdb")
    merge.add_argument(
        "--rename",
        metavar="OLD=NEW",
        action="append",
        default=[],
        help="take a run of the other store in under another name; may be repeated",
    )
    drop = command("drop", _drop, "Remove the results that fit all of what is named.")
    drop.add_argument("--run", metavar="NAME", action="append", help="may be repeated")
    drop.add_argument("--step", metavar="N", type=int, action="append", help="may be repeated")
    drop.add_argument("--task", metavar="T", action="append", help="may be repeated")
    rename = command("rename", _rename, "Give a run another name, and compact on the way.")
    rename.add_argument("old", metavar="OLD")
    rename.add_argument("new", metavar="NEW")
    export = command("export", _export, "Write every table as a Parquet file of its own.")
    export.add_argument("--parquet", metavar="DIR", required=True, help="a folder to make")
