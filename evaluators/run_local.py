"""Executes a plan on this machine: one model in memory, one pass for the tasks that read the same, one commit
for one checkpoint's task. A checkpoint that cannot be evaluated is recorded as failed and passed by.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby

import torch

import embryo_store
from embryo_store.records import Commit, Evaluation, Run
from evaluators.checkpoints import CheckpointSource, SavedStep
from evaluators.errors import CheckpointError
from evaluators.hardware import Dtype
from evaluators.loading import Resident
from evaluators.plan import Job
from evaluators.progress import Reporter
from evaluators.settings import Settings
from evaluators.tasks.base import Collector, Finding, ModelTask, Pass, Prepared
from evaluators.tasks.train_log import LogSlice
from evaluators.vocabulary import Vocabulary, load_vocabulary

_LIBRARIES = ("lm-embryology", "numpy", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class Outcome:
    """How it went: results stored, and the jobs that failed with their reasons."""

    stored: int
    failures: tuple[tuple[Job, str], ...]


@dataclass(frozen=True)
class Computed:
    """What came of a job: findings by protocol, or the reason why there are none."""

    job: Job
    started: datetime
    finished: datetime
    findings: Mapping[str, Finding] = field(default_factory=dict)
    failure: str | None = None
    prepared: Prepared | None = None


@dataclass
class Runner:
    """Evaluates jobs in the order given and commits each."""

    settings: Settings
    source: CheckpointSource
    dtype: Dtype
    report: Reporter
    _resident: Resident = field(init=False)
    _vocabularies: dict[tuple[str, int], Vocabulary] = field(default_factory=dict)
    _prepared: dict[tuple[str, str, str, int], Prepared] = field(default_factory=dict)
    _runs: dict[str, Run] = field(default_factory=dict)
    _told: set[tuple[str, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Finds the device."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._resident = Resident(device, self.dtype, self.settings.threads)
        self._versions = {name: version(name) for name in _LIBRARIES}
        self._host = platform.node()

    def run(self, jobs: Sequence[Job]) -> Outcome:
        """Evaluates and commits.

        Raises:
            StoreError: the store cannot be written. What was committed before stays.
        """
        failures: list[tuple[Job, str]] = []
        with self.report.progress(jobs):
            for is_log, group in groupby(jobs, key=lambda job: isinstance(job.content, LogSlice)):
                for computed in self._read_logs(list(group)) if is_log else self._evaluate_all(group):
                    embryo_store.commit_all(self.settings.db, [self._commit(one) for one in computed])
                    for one in computed:
                        if one.failure is not None:
                            failures.append((one.job, one.failure))
                            self.report.failed(one.job, one.failure)
                        self.report.finished(one.job, (one.finished - one.started).total_seconds())
        embryo_store.fold_in(self.settings.db)
        return Outcome(len(jobs) - len(failures), tuple(failures))

    def _read_logs(self, jobs: Sequence[Job]) -> Iterator[Sequence[Computed]]:
        """Training logs cost nothing to compute: those of a run are one commit."""
        for _, group in groupby(jobs, key=lambda job: job.saved.run):
            computed = []
            for job in group:
                assert isinstance(job.content, LogSlice)
                computed.append(Computed(job, _now(), _now(), {"paper": Finding((), [job.content.log])}))
            yield computed

    def _evaluate_all(self, jobs: Iterable[Job]) -> Iterator[Sequence[Computed]]:
        for _, group in groupby(jobs, key=lambda job: (job.saved.run, job.saved.step, job.task.cost)):
            for computed in self._evaluate(list(group)):
                yield [computed]

    def _evaluate(self, jobs: Sequence[Job]) -> Iterator[Computed]:
        """What came of jobs at one checkpoint; those that read the same share a pass."""
        ready: dict[tuple[str, ...], list[tuple[Job, Prepared]]] = {}
        for job in jobs:
            started = _now()
            self.report.doing(job)
            try:
                prepared = self._prepare(job)
            except Exception as error:  # one checkpoint never stops the others: the error is stored
                yield Computed(job, started, _now(), failure=_say(error))
                continue
            ready.setdefault(prepared.stream.key, []).append((job, prepared))
        for sharing in ready.values():
            yield from self._share(sharing)

    def _share(self, sharing: Sequence[tuple[Job, Prepared]]) -> Iterator[Computed]:
        """One forward pass for jobs that read the same, then what came of each, one after another."""
        started = _now()
        self.report.doing(sharing[0][0])
        try:
            collectors = self._pass([prepared for _, prepared in sharing])
        except Exception as error:  # one checkpoint never stops the others: the error is stored
            for job, _ in sharing:
                yield Computed(job, started, _now(), failure=_say(error))
            return
        for (job, prepared), collector in zip(sharing, collectors, strict=True):
            self.report.doing(job)
            try:
                findings = collector.findings()
            except Exception as error:  # as above
                yield Computed(job, started, _now(), failure=_say(error))
            else:
                yield Computed(job, started, _now(), findings, prepared=prepared)
            started = _now()

    def _prepare(self, job: Job) -> Prepared:
        """Loads the weights, and makes the inputs where this tokenizer has none yet."""
        assert isinstance(job.task, ModelTask)
        assert not isinstance(job.content, LogSlice)
        saved, corpus = job.saved, job.content
        self._resident.hold(saved)
        vocabulary = self._vocabulary(saved)
        limit = min(_positions(saved), vocabulary.longest)
        key = (job.task.name, corpus.data_hash, vocabulary.digest, limit)
        if key not in self._prepared:
            self._prepared[key] = job.task.prepare(corpus, vocabulary, limit)
            for note in self._prepared[key].notes():
                self.report.note(note)
        return self._prepared[key]

    def _vocabulary(self, saved: SavedStep) -> Vocabulary:
        key = (saved.tokenizer_hash, saved.config["vocab_size"])
        if key not in self._vocabularies:
            self._vocabularies[key] = load_vocabulary(saved)
        return self._vocabularies[key]

    def _pass(self, sharing: Sequence[Prepared]) -> list[Collector]:
        """One forward pass for tasks that read the same."""
        stream = sharing[0].stream
        collectors = [prepared.start() for prepared in sharing]
        for index, batch in enumerate(stream.batches):
            ids = torch.from_numpy(batch.ids)
            out = self._resident.body(ids, attentions=stream.attentions, layers=stream.layers)
            seen = Pass(out.last_hidden_state, out.attentions or (), self._logits, out.hidden_states or ())
            for collector in collectors:
                collector.see(index, batch, seen)
        return collectors

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The model's head, looked for when a task asks: not every model has one, nor every task needs it."""
        return self._resident.head()(hidden)

    def _commit(self, computed: Computed) -> Commit:
        """The records of a job; corpus and vocabulary go with the first result that needs them."""
        job, saved = computed.job, computed.job.saved
        if saved.run not in self._runs:
            self._runs[saved.run] = self.source.describe(saved.run)
        dataset = vocabulary = None
        if computed.prepared is not None:
            if self._is_new("dataset", job.dataset, saved.tokenizer_hash):
                dataset = computed.prepared.dataset()
            if self._is_new("vocabulary", saved.tokenizer_hash):
                vocabulary = self._vocabulary(saved).record()
        evaluations = [self._evaluation(computed, protocol) for protocol in job.identities]
        return Commit(self._runs[saved.run], saved.record(), evaluations, dataset, vocabulary)

    def _evaluation(self, computed: Computed, protocol: str) -> Evaluation:
        job = computed.job
        identity = job.identities[protocol]
        finding = computed.findings.get(protocol, Finding(()))
        return Evaluation(
            key=identity.key,
            inputs_hash=identity.inputs_hash,
            inputs=identity.inputs,
            data_hash="" if isinstance(job.content, LogSlice) else job.content.data_hash,
            started=computed.started,
            finished=computed.finished,
            host=self._host,
            device=self._resident.device,
            dtype=self.dtype,
            versions=self._versions,
            status="done" if computed.failure is None else "failed",
            error=computed.failure,
            metrics=finding.metrics,
            payloads=finding.payloads,
        )

    def _is_new(self, *what: str) -> bool:
        if what in self._told:
            return False
        self._told.add(what)
        return True


def _positions(saved: SavedStep) -> int:
    found = saved.config.get("max_position_embeddings")
    if not isinstance(found, int):
        raise CheckpointError(f"{saved.folder}: config.json names no max_position_embeddings.")
    return found


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _say(error: Exception) -> str:
    return str(error) if isinstance(error, CheckpointError) else f"{type(error).__name__}: {error}"
