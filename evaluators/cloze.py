"""``embryo-eval cloze TEXT``: a sentence with a [MASK] through the steps. Rows in the store, and a table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

import embryo_store
from embryo_store.evaluating import cloze_answers
from embryo_store.naming import is_name
from evaluators.claims import Claims
from evaluators.console import console
from evaluators.corpora.base import SentenceCorpus
from evaluators.corpora.files import digest
from evaluators.corpora.find import DataFolder, Found
from evaluators.errors import InputError
from evaluators.hardware import resolve_dtype
from evaluators.plan import Plan, make_plan
from evaluators.session import Prepared, execute, say_failures, say_passed_by, source_of
from evaluators.settings import Settings
from evaluators.tasks.cloze import MASK, TOP, Cloze


def add_arguments(parser: ArgumentParser) -> None:
    """The sentence, and how many answers are shown."""
    parser.add_argument("text", metavar="TEXT", help=f"a sentence with {MASK}, once or several times")
    parser.add_argument("--top", type=int, default=3, metavar="K", help=f"answers shown, 1 to {TOP} (3)")


def run(given: Namespace, settings: Settings) -> int:
    """Asks every chosen step that has not been asked yet, and shows all their answers. Returns the exit code.

    Raises:
        InputError: the text has no mask, or there are no such steps.
        StoreError: the store cannot be read or written.
    """
    text = " ".join(given.text.split())
    if MASK not in text:
        raise InputError(f"cloze: the text has no {MASK}. Write one where a word is asked: {text} {MASK}.")
    if not 1 <= given.top <= TOP:
        raise InputError(f"--top {given.top}: expected 1 to {TOP}.")
    embryo_store.ensure_writable(settings.db)
    out = console()
    prepared = _prepare(text, settings)
    code = say_passed_by(prepared.plan)
    if prepared.plan.todo:
        with Claims(settings.db) as claims:
            code = say_failures(execute(prepared, prepared.plan.todo, settings, claims), out) or code
    _show(text, prepared.plan, settings, given.top, out)
    return code


def _prepare(text: str, settings: Settings) -> Prepared:
    if not is_name(text):
        raise InputError(f"cloze: {text!a} holds characters that are no text. Write one line of UTF-8.")
    corpus = SentenceCorpus(text, "embryo-eval cloze", digest([("cloze", text.encode())]), (text,))
    data = DataFolder(settings.data, (Found(text, "asked", Path(), lambda path, name: corpus),), ())
    source, dtype = source_of(settings), resolve_dtype(settings.dtype)
    plan = make_plan(
        replace(settings, tasks=()), source, data, [Cloze()], embryo_store.done(settings.db), dtype
    )
    if not plan.jobs:
        raise InputError(f"{settings.checkpoints} holds no saved step yet.")
    return Prepared(data, plan, dtype)


def _show(text: str, plan: Plan, settings: Settings, top: int, out: Console) -> None:
    """A table for each run and mask: a row a step, the likeliest tokens with their probabilities."""
    chosen = {(job.saved.run, job.saved.step) for job in plan.jobs}
    tables: defaultdict[tuple[str, int], dict[int, list[Text]]] = defaultdict(dict)
    for found in cloze_answers(settings.db, text, top=top):
        if (found.run, found.step) in chosen:
            tables[found.run, found.mask][found.step] = [
                Text.assemble(str(token).lstrip("▁Ġ"), (f"  {probability:.1%}", "dim"))
                for token, probability in found.answers
            ]
    several = text.count(MASK) > 1
    for (run, mask), answers in sorted(tables.items()):
        title = f"{run}: {text}" + (f" (mask {mask})" if several else "")
        table = Table(title=Text(title), title_justify="left", box=box.SIMPLE)
        table.add_column("step", justify="right")
        for place in range(1, top + 1):
            table.add_column(f"{place}")
        for step, cells in answers.items():
            table.add_row(f"{step:,}", *cells)
        out.print(table)
