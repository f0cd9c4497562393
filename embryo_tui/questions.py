"""What the app asks of a store: each question is a frozen value, so that its answer can be kept under it.

Knows the names of the Reader's methods; nothing of threads, caches or widgets, and no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from embryo_store.attention_answers import AttentionBytes
    from embryo_store.cloze_answers import AskedSentence
    from embryo_store.downstream_answers import Baseline
    from embryo_store.probe_answers import ProbeAt, ProbeCurve
    from embryo_store.query import (
        AttentionSentence,
        Biography,
        Birth,
        Coverage,
        Curve,
        FactDynamics,
        FactsAtStep,
        HeadStatistic,
        LedgerEntry,
        Reader,
        RelationCard,
        RunCard,
    )
    from embryo_store.suspect_answers import Suspect
    from embryo_tui.look import Fact, WordGrouping

T = TypeVar("T")

#: Questions that are asked at every step are made once each: as the same object they are found at once.
NEAR = 512
#: Predictions kept of every fact at every step.
TOP = 5


@dataclass(frozen=True)
class Question(Generic[T]):
    """A method of the Reader, or a function of ``module`` that takes one, and what it is called with.

    ``window``: a function that answers it for several steps at once, where there is one; ``of_run``: it is
    about one run, its first argument.
    """

    method: str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    module: str = ""
    window: str = ""
    of_run: bool = False

    @property
    def run(self) -> str | None:
        """The run that is asked about; None: all."""
        return self.arguments[0] if self.of_run else None

    def about(self, run: str) -> Question[T]:
        """The same of another run."""
        return replace(self, arguments=(run, *self.arguments[1:]))

    def ask(self, reader: Reader) -> T:
        """The answer, from an open store."""
        if self.module:
            function = getattr(import_module(self.module), self.method)
            answer: T = function(reader, *self.arguments, **dict(self.options))
        else:
            answer = getattr(reader, self.method)(*self.arguments, **dict(self.options))
        return answer

    @property
    def kind(self) -> tuple[object, ...]:
        """What questions must share to be answered together: all but the step, their second argument."""
        return (self.window, self.arguments[:1], self.arguments[2:], self.options)

    def ask_all(self, reader: Reader, steps: Sequence[int]) -> tuple[T, ...]:
        """The answers to this question at several steps, by the function ``window`` of the store."""
        from embryo_store import windows

        run, _, *rest = self.arguments
        answers: tuple[T, ...] = getattr(windows, self.window)(
            reader, run, steps, *rest, **dict(self.options)
        )
        return answers


@dataclass(frozen=True)
class Behind(Question[tuple[str, ...]]):
    """The SQL behind another question, with its values: asked again, and listened to."""

    of: Question[Any] | None = None

    @property
    def run(self) -> str | None:
        """The run that the other question asks about."""
        return self.of.run if self.of is not None else None

    def about(self, run: str) -> Behind:
        """The SQL behind the same question of another run."""
        return replace(self, of=self.of.about(run)) if self.of is not None else self

    def ask(self, reader: Reader) -> tuple[str, ...]:
        """Every statement that the other question runs."""
        from embryo_store.behind import statements

        return statements(reader, self.of.ask) if self.of is not None else ()


def behind(question: Question[Any]) -> Behind:
    """The SQL behind a question."""
    return Behind("behind", of=question)


def runs() -> Question[tuple[RunCard, ...]]:
    """The runs and their saved steps."""
    return Question("runs")


def coverage() -> Question[tuple[Coverage, ...]]:
    """What is evaluated."""
    return Question("coverage")


def curves(
    task: str, metric: str | None = None, labels: tuple[str, ...] | None = None
) -> Question[tuple[Curve, ...]]:
    """Curves of all runs, under the paper's protocol."""
    return Question("curves", (task, metric), (("labels", labels), ("protocol", "paper")))


def word_curves(
    task: str, grouping: WordGrouping, dataset: str | None, rescaled: bool
) -> Question[tuple[Curve, ...]]:
    """Accuracy per group of words, all runs."""
    if grouping == "band":
        options = (("dataset", dataset), ("rescaled", rescaled))
        return Question("band_curves", (task,), options, "embryo_store.word_bands")
    return Question("word_curves", (task, grouping), (("dataset", dataset), ("rescaled", rescaled)))


def births(task: str, grouping: WordGrouping, dataset: str | None) -> Question[tuple[Birth, ...]]:
    """When each group of words reached half of its final accuracy."""
    if grouping == "band":
        return Question("band_births", (task,), (("dataset", dataset),), "embryo_store.word_bands")
    return Question("births", (task, grouping), (("dataset", dataset),))


def relations() -> Question[tuple[RelationCard, ...]]:
    """The relations that hold answered facts."""
    return Question("relations")


@lru_cache(maxsize=NEAR)
def facts_at(run: str, step: int, relation: str) -> Question[FactsAtStep | None]:
    """A relation's facts at one step."""
    return Question("facts_at", (run, step, relation), (("top", TOP),), window="facts_window", of_run=True)


def biography(run: str, fact: Fact) -> Question[Biography | None]:
    """One fact over all steps."""
    options = (("top", TOP),)
    return Question("biography", (run, fact), options, "embryo_store.fact_answers", of_run=True)


def ledger(run: str, step_a: int, step_b: int, relation: str | None) -> Question[tuple[LedgerEntry, ...]]:
    """The facts whose answer turned between two steps."""
    return Question("ledger", (run, step_a, step_b), (("relation", relation),), of_run=True)


def fact_dynamics(run: str, relation: str) -> Question[tuple[FactDynamics, ...]]:
    """How the answers to every fact of a relation behaved."""
    return Question("fact_dynamics", (run, relation), of_run=True)


def asked_sentences(run: str) -> Question[tuple[AskedSentence, ...]]:
    """What users asked a run, with its answers at every step."""
    return Question("asked_sentences", (run,), module="embryo_store.cloze_answers", of_run=True)


def probe_metrics() -> Question[tuple[str, ...]]:
    """The numbers that probes have by layer."""
    return Question("probe_metrics", module="embryo_store.probe_answers")


def probe_layer(metric: str, protocol: str, layer: int) -> Question[tuple[ProbeCurve, ...]]:
    """All probing tasks at one layer."""
    options = (("layer", layer),)
    return Question("probe_curves", (metric, protocol), options, "embryo_store.probe_answers")


def probe_layers(metric: str, protocol: str, task: str) -> Question[tuple[ProbeCurve, ...]]:
    """All layers of one probing task."""
    options = (("task", task),)
    return Question("probe_curves", (metric, protocol), options, "embryo_store.probe_answers")


@lru_cache(maxsize=NEAR)
def probe_at(run: str, task: str, step: int, layer: int, protocol: str) -> Question[ProbeAt | None]:
    """Labels and mistakes of one probe at one step."""
    options = (("protocol", protocol),)
    return Question(
        "probe_at", (run, step, task, layer), options, "embryo_store.probe_answers", "probe_window", True
    )


def scores() -> Question[tuple[Curve, ...]]:
    """GLUE and SQuAD over the steps."""
    return Question("scores", module="embryo_store.downstream_answers")


def baselines() -> Question[tuple[Baseline, ...]]:
    """Published numbers."""
    return Question("baselines", module="embryo_store.downstream_answers")


def suspects(run: str) -> Question[tuple[Suspect, ...]]:
    """Checkpoints of a run that look like a wrong file."""
    return Question("suspects", (run,), module="embryo_store.suspect_answers", of_run=True)


def attention_sentences(run: str) -> Question[tuple[AttentionSentence, ...]]:
    """The sentences whose attention is stored, the average first."""
    return Question("attention_sentences", (run,), of_run=True)


@lru_cache(maxsize=NEAR)
def attention_at(run: str, step: int, sentence: int) -> Question[AttentionBytes | None]:
    """Every head's map of one sentence at one step."""
    return Question(
        "attention_bytes",
        (run, step, sentence),
        (),
        "embryo_store.attention_answers",
        "attention_window",
        True,
    )


def head_statistic(run: str, metric: str) -> Question[HeadStatistic]:
    """One statistic of every head at every step."""
    return Question("head_statistic", (run, metric), of_run=True)


def head_statistics(run: str) -> Question[tuple[str, ...]]:
    """The statistics that a run's heads have."""
    return Question("head_statistics", (run,), of_run=True)
