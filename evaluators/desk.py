"""The desk: where answers become commits. The one writer of a plan, wherever the answers come from."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import embryo_store
from embryo_store.records import Commit, Evaluation, Run
from evaluators.hardware import Dtype
from evaluators.plan import Job
from evaluators.settings import Settings
from evaluators.tasks.base import Finding
from evaluators.tasks.train_log import LogSlice
from evaluators.units import Answer

_LIBRARIES = ("lm-embryology", "numpy", "tokenizers", "torch", "transformers")


@dataclass
class Desk:
    """Commits answers. ``runs``: what is said of them. ``held``: the corpora and vocabularies whose records
    were committed from here.
    """

    settings: Settings
    runs: Mapping[str, Run]
    dtype: Dtype
    held: set[tuple[str, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Looks up the versions of the libraries that decide numbers."""
        self.host = platform.node()
        self._versions = {name: version(name) for name in _LIBRARIES}

    def commit(self, answered: Sequence[tuple[Job, Answer]]) -> None:
        """Writes all of them in one transaction.

        Raises:
            StoreError: the store cannot be written.
        """
        embryo_store.commit_all(self.settings.db, [self._commit(job, answer) for job, answer in answered])

    def _commit(self, job: Job, answer: Answer) -> Commit:
        evaluations = [self._evaluation(job, answer, protocol) for protocol in job.identities]
        return Commit(
            self.runs[job.saved.run], job.saved.record(), evaluations, answer.dataset, answer.vocabulary
        )

    def _evaluation(self, job: Job, answer: Answer, protocol: str) -> Evaluation:
        identity = job.identities[protocol]
        findings: Mapping[str, Finding] = answer.findings
        finding = findings.get(protocol, Finding(()))
        return Evaluation(
            key=identity.key,
            inputs_hash=identity.inputs_hash,
            inputs=identity.inputs,
            data_hash="" if isinstance(job.content, LogSlice) else job.content.data_hash,
            started=answer.started,
            finished=answer.finished,
            host=answer.host,
            device=answer.device,
            dtype=self.dtype,
            versions=self._versions,
            status="done" if answer.failure is None else "failed",
            error=answer.failure,
            metrics=finding.metrics,
            payloads=finding.payloads,
        )
