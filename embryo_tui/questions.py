"""What the app asks of a store: each question is a frozen value, so that its answer can be kept under it.

Knows the names of the Reader's methods; nothing of threads, caches or widgets, and no SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from embryo_store.query import (
        AttentionAt,
        AttentionSentence,
        Biography,
        Birth,
        Coverage,
        Curve,
        FactsAtStep,
        Grouping,
        HeadStatistic,
        LedgerEntry,
        Reader,
        RelationCard,
        RunCard,
    )

T = TypeVar("T")

#: Predictions kept of every fact at every step.
TOP = 5


@dataclass(frozen=True)
class Question(Generic[T]):
    """A method of the Reader and what it is called with."""

    method: str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    def ask(self, reader: Reader) -> T:
        """The answer, from an open store."""
        answer: T = getattr(reader, self.method)(*self.arguments, **dict(self.options))
        return answer


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
    task: str, grouping: Grouping, dataset: str | None, rescaled: bool
) -> Question[tuple[Curve, ...]]:
    """Accuracy per group of words, all runs."""
    return Question("word_curves", (task, grouping), (("dataset", dataset), ("rescaled", rescaled)))


def births(task: str, grouping: Grouping, dataset: str | None) -> Question[tuple[Birth, ...]]:
    """When each group of words reached half of its final accuracy."""
    return Question("births", (task, grouping), (("dataset", dataset),))


def relations() -> Question[tuple[RelationCard, ...]]:
    """The relations that hold answered facts."""
    return Question("relations")


def facts_at(run: str, step: int, relation: str) -> Question[FactsAtStep | None]:
    """A relation's facts at one step."""
    return Question("facts_at", (run, step, relation), (("top", TOP),))


def biography(run: str, fact: int) -> Question[Biography | None]:
    """One fact over all steps."""
    return Question("biography", (run, fact), (("top", TOP),))


def ledger(run: str, step_a: int, step_b: int, relation: str | None) -> Question[tuple[LedgerEntry, ...]]:
    """The facts whose answer turned between two steps."""
    return Question("ledger", (run, step_a, step_b), (("relation", relation),))


def attention_sentences(run: str) -> Question[tuple[AttentionSentence, ...]]:
    """The sentences whose attention is stored, the average first."""
    return Question("attention_sentences", (run,))


def attention_at(run: str, step: int, sentence: int) -> Question[AttentionAt | None]:
    """Every head's map of one sentence at one step."""
    return Question("attention_at", (run, step), (("sentence_id", sentence),))


def head_statistic(run: str, metric: str) -> Question[HeadStatistic]:
    """One statistic of every head at every step."""
    return Question("head_statistic", (run, metric))


def head_statistics(run: str) -> Question[tuple[str, ...]]:
    """The statistics that a run's heads have."""
    return Question("head_statistics", (run,))
