"""What is to do: runs × steps × tasks × corpora, minus what is done. Reads no weights, loads no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from embryo_store import Done
from embryo_store.records import Key
from evaluators.checkpoints import CheckpointSource, SavedStep
from evaluators.checkpoints.base import pick
from evaluators.corpora.base import Corpus, WordCorpus
from evaluators.corpora.find import DataFolder, Kind
from evaluators.corpora.frequencies import read_frequencies
from evaluators.corpora.sentences import built_in
from evaluators.errors import InputError
from evaluators.hardware import Dtype
from evaluators.identity import Identity, identify, identify_log
from evaluators.settings import Settings
from evaluators.steps import coarse_to_fine
from evaluators.tasks.base import Cost, ModelTask, Task
from evaluators.tasks.train_log import LogSlice, cut_log, read_log

#: What a task needs and how to get it, by the kind of corpus that it reads.
HOW_TO_GET = {
    "words": "put a treebank (NAME.conllu) into a folder of its own in {data}, or run embryo-eval data ewt",
    "facts": "put relations.jsonl and TREx/P*.jsonl into a folder of their own in {data}, or run "
    "embryo-eval data lama",
    "edges": "put OntoNotes (CoNLL-2012), PropBank with a treebank, GUM or probing JSON lines into {data}",
    "log": "none of the runs has a train_log.jsonl",
}


@dataclass(frozen=True)
class Job:
    """One task at one checkpoint: the unit that is computed and committed. One identity a protocol.

    ``content`` is the corpus that the task reads, or its slice of the training log.
    """

    saved: SavedStep
    task: Task
    content: Corpus | LogSlice
    identities: Mapping[str, Identity]
    is_done: bool

    @property
    def dataset(self) -> str:
        """The corpus's name; empty for the training log."""
        return "" if isinstance(self.content, LogSlice) else self.content.name


@dataclass(frozen=True)
class Plan:
    """All jobs in the order of their evaluation, done ones included, and the tasks that were skipped."""

    jobs: tuple[Job, ...]
    skipped: Mapping[str, str]

    @property
    def todo(self) -> tuple[Job, ...]:
        """The jobs that are not done."""
        return tuple(job for job in self.jobs if not job.is_done)


def make_plan(
    settings: Settings,
    source: CheckpointSource,
    data: DataFolder,
    tasks: Sequence[Task],
    done: Mapping[Key, Done],
    dtype: Dtype,
) -> Plan:
    """Joins what there is with what was asked.

    Raises:
        InputError: a run or step is not there, a corpus is broken, or a task asked for by name has no data.
    """
    runs = pick(source.runs(), settings.runs, settings.checkpoints)
    every = {run: source.steps(run) for run in runs}
    settings.steps.check(every)
    logs = {run: path for run in runs if (path := source.train_log(run))}
    skipped = _skipped(settings, tasks, data, has_log=bool(logs))
    wanted = [task for task in tasks if task.name not in skipped]
    corpora = _read(data, wanted, settings.frequencies)
    skipped = {**skipped, **_unfit(settings, wanted, corpora)}
    wanted = [task for task in wanted if task.name not in skipped]
    places = []
    jobs = []
    for run in runs:
        chosen = settings.steps.of(every[run])
        rank = {
            step: (depth, place)
            for depth, level in enumerate(coarse_to_fine(chosen))
            for place, step in enumerate(level)
        }
        slices = cut_log(read_log(logs[run]), every[run]) if run in logs else {}
        for step in chosen:
            saved = source.open(run, step)
            for task in wanted:
                for job in _jobs(saved, task, corpora, slices, done, dtype):
                    jobs.append(job)
                    depth, place = rank[step]
                    places.append((task.cost > Cost.LOG, depth, task.cost, run, place))
    order = sorted(range(len(jobs)), key=places.__getitem__)
    return Plan(tuple(jobs[i] for i in order), skipped)


def _jobs(
    saved: SavedStep,
    task: Task,
    corpora: Mapping[str, Sequence[Corpus]],
    slices: Mapping[int, LogSlice],
    done: Mapping[Key, Done],
    dtype: Dtype,
) -> list[Job]:
    if not isinstance(task, ModelTask):
        part = slices.get(saved.step)
        if part is None:
            return []
        identities = {"paper": identify_log(saved, task, part.data_hash)}
        return [Job(saved, task, part, identities, is_done(identities, done))]
    jobs: list[Job] = []
    if not task.suits(saved):
        return jobs
    for corpus in _of(task, corpora):
        identities = {
            protocol: identify(saved, task, corpus, protocol=protocol, dtype=dtype)
            for protocol in task.protocols(corpus)
        }
        if not identities:
            continue
        jobs.append(Job(saved, task, corpus, identities, is_done(identities, done)))
    return jobs


def _of(task: ModelTask, corpora: Mapping[str, Sequence[Corpus]]) -> Sequence[Corpus]:
    """The corpora that a task reads, each name once: results are known by it."""
    found = {corpus.name: corpus for kind in reversed((task.reads, *task.also)) for corpus in corpora[kind]}
    return list(found.values())


def is_done(identities: Mapping[str, Identity], done: Mapping[Key, Done]) -> bool:
    """Does the store hold a result of just these inputs under every protocol?"""
    return all(
        (found := done.get(identity.key)) is not None
        and found.status == "done"
        and found.inputs_hash == identity.inputs_hash
        for identity in identities.values()
    )


def _skipped(
    settings: Settings, tasks: Sequence[Task], data: DataFolder, *, has_log: bool
) -> Mapping[str, str]:
    there = {found.kind for found in data.corpora} | {"sentences"} | ({"log"} if has_log else set())
    skipped = {
        task.name: HOW_TO_GET[task.reads].format(data=settings.data)
        for task in tasks
        if task.reads not in there
    }
    for name in settings.tasks:
        if name in skipped:
            raise InputError(f"Task {name} has nothing to read: {skipped[name]}.")
    return skipped


def _unfit(
    settings: Settings, tasks: Sequence[Task], corpora: Mapping[str, Sequence[Corpus]]
) -> Mapping[str, str]:
    """Tasks that can judge none of the corpora which they read."""
    unfit = {}
    for task in tasks:
        if isinstance(task, ModelTask) and not any(task.protocols(corpus) for corpus in corpora[task.reads]):
            names = ", ".join(corpus.name for corpus in corpora[task.reads])
            unfit[task.name] = f"{names} has no annotation for it in all of train, dev and test"
            if task.name in settings.tasks:
                raise InputError(f"Task {task.name} has nothing to read: {unfit[task.name]}.")
    return unfit


def _read(
    data: DataFolder, tasks: Sequence[Task], frequencies: Path | None
) -> Mapping[str, Sequence[Corpus]]:
    """The corpora of every kind that is needed, each read once; words ranked by ``frequencies``."""
    needed = {task.reads for task in tasks}
    needed |= {kind for task in tasks if isinstance(task, ModelTask) for kind in task.also}
    corpora: dict[str, list[Corpus]] = {kind: [] for kind in get_args(Kind)}
    for found in data.corpora:
        if found.kind in needed:
            corpora[found.kind].append(found.read())
    if frequencies is not None and corpora["words"]:
        counted = read_frequencies(frequencies)
        corpora["words"] = [
            replace(corpus, ranks=counted.of(corpus.forms), ranked_by=counted.digest)
            for corpus in corpora["words"]
            if isinstance(corpus, WordCorpus)
        ]
    if "sentences" in needed:
        corpora["sentences"].insert(0, built_in())
    return corpora
