"""``embryo-eval doctor``: what would fail, and what would be cut or left out, before much is computed.

Looks at every chosen step without reading weights; then rehearses every task, corpus and batch number one, at
the last step of every shape and tokenizer that a run has.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.markup import escape

import embryo_store
from evaluators.console import console
from evaluators.corpora.base import WordCorpus
from evaluators.errors import CheckpointError
from evaluators.plan import Job
from evaluators.probes.labels import PAPER_LABELS
from evaluators.session import FAILED, Prepared, prepare
from evaluators.settings import Settings
from evaluators.tasks.base import ModelTask
from evaluators.tasks.train_log import LogSlice
from evaluators.units import Ask, Setup, corpora_of

#: Steps that are named one by one where the same is wrong with several.
_NAMED = 3
_SHOWN_TAGS = 8


@dataclass(frozen=True)
class Finding:
    """``fails``: an evaluation would. ``note``: it would not, but the user should know."""

    level: Literal["fails", "note"]
    says: str


def run(given: Namespace, settings: Settings) -> int:
    """Prints what it finds; 1 where something would fail. Returns the exit code.

    Raises:
        InputError: the input is such that no evaluation would begin.
        StoreError: the store could not be written.
    """
    out = console()
    embryo_store.ensure_writable(settings.db)
    prepared = prepare(settings)
    count: Counter[str] = Counter()
    said = set()
    for finding in _findings(prepared, settings):
        if finding in said:
            continue
        said.add(finding)
        count[finding.level] += 1
        colour = "red" if finding.level == "fails" else "yellow"
        out.print(f"[{colour}]{finding.level}[/] {escape(finding.says)}", highlight=False, soft_wrap=True)
    checkpoints = len({(job.saved.run, job.saved.step) for job in prepared.plan.jobs})
    out.print(
        f"{checkpoints:,} checkpoints: {count['fails']:,} things would fail, {count['note']:,} notes.",
        highlight=False,
    )
    return FAILED if count["fails"] else 0


def _findings(prepared: Prepared, settings: Settings) -> Iterator[Finding]:
    for run, why in prepared.plan.passed_by.items():
        yield Finding("fails", f"{run} is passed by: {why}")
    for note in (*prepared.data.notes, *prepared.plan.notes):
        yield Finding("note", note)
    for name, why in prepared.plan.skipped.items():
        yield Finding("note", f"{name} is skipped: {why}.")
    yield from _tags(prepared.plan.jobs)
    jobs = [job for job in prepared.plan.jobs if isinstance(job.task, ModelTask)]
    yield from _problems(jobs)
    yield from _rehearsals(jobs, prepared, settings)


def _tags(jobs: Sequence[Job]) -> Iterator[Finding]:
    """Word tags that are none of the 48 which the paper's groups are made of."""
    known = set(PAPER_LABELS["pos"])
    corpora = {job.content.name: job.content for job in jobs if isinstance(job.content, WordCorpus)}
    for corpus in corpora.values():
        counts = Counter(tag for tag in corpus.flat_tags if tag not in known)
        if counts:
            total, words = counts.total(), len(corpus.flat_tags)
            most = ", ".join(f"{tag} {n:,}" for tag, n in counts.most_common(_SHOWN_TAGS))
            most += " …" if len(counts) > _SHOWN_TAGS else ""
            yield Finding(
                "note",
                f"{corpus.name}: {total:,} of {words:,} words have a tag that is none of OntoNotes' 48 "
                f"({most}); they count in no group of table 3.",
            )


def _problems(jobs: Sequence[Job]) -> Iterator[Finding]:
    """What shows without reading weights."""
    steps: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for saved in {(job.saved.run, job.saved.step): job.saved for job in jobs}.values():
        if saved.problem:
            steps[saved.run, saved.problem].append(saved.step)
    for (run, problem), wrong in steps.items():
        named = ", ".join(f"{step:,}" for step in sorted(wrong)[:_NAMED])
        more = f" and {len(wrong) - _NAMED:,} more" if len(wrong) > _NAMED else ""
        yield Finding("fails", f"{run} step {named}{more}: {problem}")


def _rehearsals(jobs: Sequence[Job], prepared: Prepared, settings: Settings) -> Iterator[Finding]:
    """What shows at the last sound step of every shape and tokenizer of a run."""
    chosen: dict[tuple[str, str, str], int] = {}
    for job in jobs:
        saved = job.saved
        if not saved.problem:
            key = (saved.run, saved.config_hash, saved.tokenizer_hash)
            chosen[key] = max(saved.step, chosen.get(key, -1))
    places = {(key[0], step) for key, step in chosen.items()}
    rehearsed = [job for job in jobs if (job.saved.run, job.saved.step) in places]
    if not rehearsed:
        return
    from evaluators.compute import Computer

    computer = Computer(Setup(corpora_of(jobs), prepared.dtype, settings.threads, Path.cwd()))
    for number, job in enumerate(rehearsed):
        assert isinstance(job.task, ModelTask)
        assert not isinstance(job.content, LogSlice)
        where = f"{job.saved.run} step {job.saved.step:,}, {job.task.name} on {job.dataset}"
        try:
            inputs = computer.rehearse(Ask(number, job.saved, job.task, (job.task.reads, job.dataset)))
        except CheckpointError as error:
            yield Finding("fails", f"{where}: {error}")
        except Exception as error:  # whatever a task raises is what its evaluation would record
            yield Finding("fails", f"{where}: {type(error).__name__}: {error}")
        else:
            for note in inputs.notes():
                yield Finding("note", f"{job.saved.run}, {job.task.name}: {note}")
