"""What is to do: runs × steps × tasks × corpora, minus what is done. Reads no weights, loads no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from embryo_store import Done
from embryo_store.records import Key, Run
from evaluators.checkpoints import CheckpointSource, SavedStep
from evaluators.checkpoints.base import Listed, list_runs, refuse_none_left
from evaluators.corpora.base import Corpus, WordCorpus
from evaluators.corpora.find import DataFolder, Kind
from evaluators.corpora.frequencies import read_frequencies
from evaluators.corpora.sentences import built_in
from evaluators.errors import EvaluatorError, InputError
from evaluators.hardware import Dtype
from evaluators.identity import Identity, identify, identify_log
from evaluators.settings import Settings
from evaluators.steps import Steps, coarse_to_fine
from evaluators.tasks.base import Cost, ModelTask, Task
from evaluators.tasks.train_log import LogSlice, cut_log, read_log

#: Logs first; then by level, cost, run, and place in the level.
_Place = tuple[bool, int, Cost, str, int]

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
    """All jobs in the order of their evaluation, done ones included, and the tasks that were skipped.

    ``runs``: what is said of those with something to do. ``passed_by``: runs that cannot be looked at, and
    why. ``notes``: what the user should know of the inputs.
    """

    jobs: tuple[Job, ...]
    skipped: Mapping[str, str]
    runs: Mapping[str, Run]
    passed_by: Mapping[str, str]
    notes: tuple[str, ...]

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
    listed = list_runs(source, settings.runs, settings.checkpoints)
    _check_steps(settings, listed)
    logs = {run: path for run in listed.steps if (path := source.train_log(run))}
    skipped = _skipped(settings, tasks, data, has_log=bool(logs))
    tasks = [task for task in tasks if task.name not in skipped]
    corpora, notes = _read(data, tasks, settings.frequencies)
    skipped = {**skipped, **_unfit(settings, tasks, corpora)}
    wanted = _Wanted(
        settings.steps, [task for task in tasks if task.name not in skipped], corpora, done, dtype
    )
    described: dict[str, Run] = {}
    passed_by = dict(listed.passed_by)
    placed: list[tuple[_Place, Job]] = []
    for run, steps in listed.steps.items():
        try:
            mine = wanted.of_run(source, run, steps, logs.get(run))
            if not all(job.is_done for _, job in mine):
                # What cannot be used of it is better known now than after hours, at a commit.
                described[run] = source.describe(run)
        except EvaluatorError as error:
            passed_by[run] = str(error)
        else:
            placed += mine
    refuse_none_left(listed.steps.keys() - passed_by.keys(), passed_by)
    placed.sort(key=lambda each: each[0])
    return Plan(tuple(job for _, job in placed), skipped, described, passed_by, notes)


def _check_steps(settings: Settings, listed: Listed) -> None:
    """Refuses a choice of steps that no run can meet; one that was passed by might have."""
    try:
        settings.steps.check(listed.steps)
    except InputError as error:
        others = "".join(f" Passed by: {run} ({why})." for run, why in listed.passed_by.items())
        raise InputError(f"{error}{others}") from error


@dataclass(frozen=True)
class _Wanted:
    """What is asked of every run."""

    steps: Steps
    tasks: Sequence[Task]
    corpora: Mapping[str, Sequence[Corpus]]
    done: Mapping[Key, Done]
    dtype: Dtype

    def of_run(
        self, source: CheckpointSource, run: str, saved: Sequence[int], log: Path | None
    ) -> list[tuple[_Place, Job]]:
        """The jobs at its ``saved`` steps, each with its place in the order of all.

        Raises:
            EvaluatorError: it cannot be read.
        """
        reads_log = any(task.cost is Cost.LOG for task in self.tasks)
        slices = cut_log(read_log(log), saved) if log is not None and reads_log else {}
        return [
            ((job.task.cost > Cost.LOG, depth, job.task.cost, run, place), job)
            for depth, level in enumerate(coarse_to_fine(self.steps.of(saved)))
            for place, step in enumerate(level)
            for job in self._at(source.open(run, step), slices.get(step))
        ]

    def _at(self, saved: SavedStep, log: LogSlice | None) -> Iterator[Job]:
        """The jobs at one checkpoint."""
        for task in self.tasks:
            if not isinstance(task, ModelTask):
                if log is not None:
                    yield self._job(saved, task, log, {"paper": identify_log(saved, task, log.data_hash)})
                continue
            for corpus in _of(task, self.corpora) if task.suits(saved) else ():
                identities = {
                    protocol: identify(saved, task, corpus, protocol=protocol, dtype=self.dtype)
                    for protocol in task.protocols(corpus)
                }
                if identities:
                    yield self._job(saved, task, corpus, identities)

    def _job(
        self, saved: SavedStep, task: Task, content: Corpus | LogSlice, identities: Mapping[str, Identity]
    ) -> Job:
        return Job(saved, task, content, identities, is_done(identities, self.done))


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
) -> tuple[Mapping[str, Sequence[Corpus]], tuple[str, ...]]:
    """The corpora of every kind that is needed, each read once; words ranked by ``frequencies``, and what was
    counted there.
    """
    needed = {task.reads for task in tasks}
    needed |= {kind for task in tasks if isinstance(task, ModelTask) for kind in task.also}
    corpora: dict[str, list[Corpus]] = {kind: [] for kind in get_args(Kind)}
    for found in data.corpora:
        if found.kind in needed:
            corpora[found.kind].append(found.read())
    notes: tuple[str, ...] = ()
    if frequencies is not None and corpora["words"]:
        counted = read_frequencies(frequencies)
        notes = (str(counted),)
        corpora["words"] = [
            replace(
                corpus,
                ranks=counted.of(corpus.forms),
                ranked_by=counted.digest,
                report={**corpus.report, "frequencies": dict(counted.report())},
            )
            for corpus in corpora["words"]
            if isinstance(corpus, WordCorpus)
        ]
    if "sentences" in needed:
        corpora["sentences"].insert(0, built_in())
    return corpora, notes
