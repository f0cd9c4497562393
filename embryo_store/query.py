"""Questions to a results store, answered in NumPy: the public Python API, and all that the app asks.

Every answer is a frozen record of arrays; no connection, cursor or DuckDB type leaves this module.
The SQL (``sql.py``) reads the documented views and tables alone, so a SQL user can ask the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from embryo_store import sql
from embryo_store.answers import (
    AttentionAt,
    AttentionSentence,
    Biography,
    Birth,
    Coverage,
    Curve,
    FactDynamics,
    FactsAtStep,
    Floats,
    Grouping,
    HeadFilm,
    HeadStatistic,
    Ints,
    LedgerEntry,
    RelationCard,
    RunCard,
    Table,
)
from embryo_store.asking import ask, ask_for_arrow
from embryo_store.conditions import where
from embryo_store.dense import by_head, film, floats, ints, statistic
from embryo_store.errors import DamagedStore, MissingPackage
from embryo_store.open import reading

__all__ = [
    "AttentionAt",
    "AttentionSentence",
    "Biography",
    "Birth",
    "Coverage",
    "Curve",
    "FactDynamics",
    "FactsAtStep",
    "Floats",
    "Grouping",
    "HeadFilm",
    "HeadStatistic",
    "Ints",
    "LedgerEntry",
    "Reader",
    "RelationCard",
    "RunCard",
    "Table",
    "read",
]

Columns = dict[str, npt.NDArray[Any]]


class Reader:
    """Answers questions over one short, read-only, locked-down connection. Made by ``read``.

    For one thread; another one opens its own.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Takes a connection that someone else closes."""
        self._connection = connection

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """What it asks through; it is closed when the block ends."""
        return self._connection

    def runs(self) -> tuple[RunCard, ...]:
        """Every run of the store, by name."""
        rows = self._ask(sql.RUNS).fetchall()
        return tuple(
            RunCard(*(*card, _recipe(recipe, card[0]), corpus, source, ints(steps)))
            for *card, recipe, corpus, source, steps in rows
        )

    def coverage(self) -> tuple[Coverage, ...]:
        """What is evaluated, by run and task."""
        return tuple(Coverage(*row) for row in self._ask(sql.COVERAGE).fetchall())

    def curves(
        self,
        task: str,
        metric: str | None = None,
        *,
        runs: Sequence[str] | None = None,
        dataset: str | None = None,
        protocol: str | None = None,
        labels: Sequence[str] | None = None,
    ) -> tuple[Curve, ...]:
        """The curves of a task, narrowed by what is given; ordered by run, dataset, metric, label."""
        condition, values = where(
            {
                "task": task,
                "metric": metric,
                "run": runs,
                "dataset": dataset,
                "protocol": protocol,
                "label": labels,
            }
        )
        return self._curves(sql.CURVES.format(where=condition), values)

    def word_curves(
        self,
        task: str,
        grouping: Grouping,
        *,
        runs: Sequence[str] | None = None,
        dataset: str | None = None,
        rescaled: bool = False,
    ) -> tuple[Curve, ...]:
        """Accuracy by tag or group of tags (tables 3, 4); ``rescaled``: over its last value (section 3)."""
        condition, values = where({"task": task, "grouping": grouping, "run": runs, "dataset": dataset})
        view = "word_curve_rescaled" if rescaled else "word_curve"
        return self._curves(sql.WORD_CURVES.format(view=view, where=condition), values)

    def births(
        self,
        task: str,
        grouping: Grouping,
        *,
        runs: Sequence[str] | None = None,
        dataset: str | None = None,
        fraction: float = 0.5,
    ) -> tuple[Birth, ...]:
        """When each tag or group first reached ``fraction`` of its last value; earliest first.

        Raises ValueError for a fraction that is no whole percent from 0.01 to 1.
        """
        percent = round(fraction * 100)
        if not 1 <= percent <= 100 or abs(fraction * 100 - percent) > 1e-9:
            raise ValueError(f"fraction must be a whole percent from 0.01 to 1, not {fraction}")
        condition, values = where(
            {"task": task, "grouping": grouping, "run": runs, "dataset": dataset, "percent": percent}
        )
        rows = self._ask(sql.BIRTHS.format(where=condition), values).fetchall()
        return tuple(
            Birth(run, label, step, after, _number(final), percent / 100, n)
            for run, label, step, after, final, n in rows
        )

    def relations(self) -> tuple[RelationCard, ...]:
        """Every relation, and how many of its facts were answered at the last evaluated step."""
        return tuple(RelationCard(*row) for row in self._ask(sql.RELATIONS).fetchall())

    def facts_at(
        self, run: str, step: int, relation: str, *, dataset: str | None = None, top: int = 5
    ) -> FactsAtStep | None:
        """The facts of a relation at a step or, where it was not evaluated, the nearest earlier one.

        None where there is no earlier one either. ``top`` predictions a fact, ten at most.
        """
        shown = self._ask(sql.LAMA_SHOWN, [run, relation, step, dataset]).fetchone()
        if shown is None:
            return None
        dataset, seed, shown_step = shown
        query = sql.FACTS_AT.format(predictions=predictions(top))
        rows = self._columns(query, [run, shown_step, dataset, seed, relation])
        return FactsAtStep(
            run=run,
            step=shown_step,
            relation=relation,
            fact_id=ints(rows["fact_id"]),
            subject=tuple(rows["subject"]),
            object=tuple(rows["object"]),
            gold_rank=ints(rows["gold_rank"]),
            gold_logp=floats(rows["gold_logp"]),
            tokens=self.words_of(run, side_by_side(rows, "token")),
            logps=side_by_side(rows, "logp").astype(np.float64),
        )

    def biography(self, run: str, fact_id: int, *, top: int = 5) -> Biography | None:
        """One fact over all steps of a run (table 9); None where the store has no answer to it.

        Of several datasets that hold it, the first by name.
        """
        query = sql.BIOGRAPHY.format(predictions=predictions(top))
        # A relation may stand in several datasets with other facts in each; most often the first holds it.
        for fact in self._ask(sql.FACT, [run, fact_id]).fetchall():
            dataset, seed, relation, template, subject, object_ = fact
            rows = self._columns(query, [run, fact_id, dataset, seed])
            if len(rows["step"]):
                break
        else:
            return None
        echoes = rows["echo"].tolist()
        listed = [echo for echo in echoes if echo is not None]
        words = iter(self.words_of(run, listed))
        return Biography(
            run=run,
            fact_id=fact_id,
            relation=relation,
            template=template,
            subject=subject,
            object=object_,
            step=ints(rows["step"]),
            gold_rank=ints(rows["gold_rank"]),
            gold_logp=floats(rows["gold_logp"]),
            tokens=self.words_of(run, side_by_side(rows, "token")),
            logps=side_by_side(rows, "logp").astype(np.float64),
            echo=tuple(None if echo is None else " ".join(next(words)) for echo in echoes),
        )

    def ledger(
        self, run: str, step_a: int, step_b: int, *, relation: str | None = None
    ) -> tuple[LedgerEntry, ...]:
        """Facts whose answer turned right or wrong from one step to another, each with both answers.

        A step that was not evaluated stands for the nearest earlier one that was.
        """
        turned: dict[LedgerEntry, None] = {}
        for dataset, seed, a, b in self._ask(sql.LEDGER_SHOWN, [run, step_a, step_b]).fetchall():
            values = {"run": run, "a": a, "b": b, "dataset": dataset, "seed": seed, "relation": relation}
            rows = self._ask(sql.LEDGER, values).fetchall()
            turned |= {LedgerEntry(*row): None for row in rows}
        return tuple(turned)

    def fact_dynamics(self, run: str, relation: str) -> tuple[FactDynamics, ...]:
        """How the answers to every fact of a relation behaved over the run."""
        rows = self._ask(sql.FACT_DYNAMICS, [run, relation]).fetchall()
        return tuple(FactDynamics(*row) for row in rows)

    def attention_sentences(self, run: str) -> tuple[AttentionSentence, ...]:
        """The sentences of which a run's attention is stored."""
        rows = self._ask(sql.ATTENTION_SENTENCES, [run]).fetchall()
        return tuple(
            AttentionSentence(dataset, sentence_id, text, tuple(pieces))
            for dataset, sentence_id, text, pieces in rows
        )

    def attention_at(
        self, run: str, step: int, *, sentence_id: int = 0, dataset: str | None = None
    ) -> AttentionAt | None:
        """The maps of every head at a step or, without them, the nearest earlier one; None without any.

        ``dataset``: the first by name, where it is not given.
        """
        shown = self._ask(sql.ATTENTION_SHOWN, [run, step, dataset]).fetchone()
        if shown is None:
            return None
        dataset, seed, shown_step = shown
        rows = self._columns(sql.ATTENTION_AT, [run, shown_step, dataset, seed, sentence_id])
        maps = by_head(rows["layer"], rows["head"], rows["size"], rows["map"])
        if not maps.size:
            return None
        return AttentionAt(run, shown_step, sentence_id, np.square(maps.astype(np.float32) / np.float32(255)))

    def head_film(
        self, run: str, layer: int, head: int, *, sentence_id: int = 0, dataset: str | None = None
    ) -> HeadFilm:
        """One head at every step that has it; no frames where there is none."""
        values = {"run": run, "layer": layer, "head": head, "sentence_id": sentence_id, "dataset": dataset}
        rows = self._columns(sql.HEAD_FILM, values)
        steps, maps = film(rows["step"], rows["size"], rows["map"])
        return HeadFilm(run, sentence_id, layer, head, steps, maps)

    def head_statistic(self, run: str, metric: str) -> HeadStatistic:
        """One number of every head at every step; layers and heads by position, from 1 at index 0."""
        rows = self._columns(sql.HEAD_STATISTIC, [run, metric])
        steps, value = statistic(rows["step"], rows["layer"], rows["head"], rows["value"])
        return HeadStatistic(run, metric, steps, value)

    def head_statistics(self, run: str) -> tuple[str, ...]:
        """The statistics that a run's heads have, by name."""
        return tuple(name for (name,) in self._ask(sql.HEAD_STATISTICS, [run]).fetchall())

    def sql(
        self,
        query: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        limit: int | None = None,
    ) -> Table:
        """The answer to any SQL, as Python values; ``limit`` rows at most. Raises BadQuery, QueryTooLong."""
        answer = self._ask(query, parameters)
        columns = tuple(column[0] for column in answer.description or ())
        rows = answer.fetchall() if limit is None else answer.fetchmany(limit + 1)
        return Table(columns, tuple(rows[:limit]), truncated=limit is not None and len(rows) > limit)

    def arrays(
        self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Mapping[str, npt.NDArray[Any]]:
        """The answer to any SQL as one array a column: fast for many rows. NULL is masked."""
        return self._columns(query, parameters)

    def pandas(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The answer to any SQL as a ``pandas.DataFrame``. Raises MissingPackage without pandas."""
        _need("pandas")
        return self._ask(query, parameters).df()

    def arrow(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The answer to any SQL as a ``pyarrow.Table``. Raises MissingPackage without pyarrow."""
        _need("pyarrow")
        return ask_for_arrow(self._connection, query, parameters)

    def _ask(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> duckdb.DuckDBPyConnection:
        return ask(self._connection, query, values)

    def _columns(self, query: str, values: Sequence[Any] | Mapping[str, Any]) -> Columns:
        columns: Columns = self._ask(query, values).fetchnumpy()
        return columns

    def _curves(self, query: str, values: Sequence[Any]) -> tuple[Curve, ...]:
        rows = (column.tolist() for column in self._columns(query, values).values())
        return tuple(_curve(*row) for row in zip(*rows, strict=True))

    def words_of(
        self, run: str, ids: npt.NDArray[np.int64] | Sequence[Sequence[int]]
    ) -> tuple[tuple[str, ...], ...]:
        """Rows of token ids as rows of tokens; an id outside the vocabulary shows as ``#id``."""
        square = isinstance(ids, np.ndarray)
        flat = np.ravel(ids) if square else np.concatenate([np.zeros(0), *map(np.asarray, ids)])
        if not len(flat):
            return ((),) * len(ids)
        wanted, places = _distinct(flat.astype(np.int64))
        found = dict(self._ask(sql.TOKENS, [run, wanted.tolist()]).fetchall())
        tokens = np.array([found.get(token, f"#{token}") for token in wanted.tolist()], dtype=object)
        if square:
            return tuple(map(tuple, tokens[places].reshape(len(ids), -1).tolist()))
        named, ends = tokens[places].tolist(), np.cumsum([len(row) for row in ids]).tolist()
        return tuple(tuple(named[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True))


@contextmanager
def read(path: str | Path, *, timeout: float = 30.0, query_seconds: float = 60.0) -> Iterator[Reader]:
    """Opens the store read-only for as long as the block lasts; keep it short: no writer comes in meanwhile.

    ``timeout``: seconds to wait for a writer. ``query_seconds``: time for the block's queries together.
    Raises StoreError of the kind that fits, also from within the block.
    """
    with reading(path, timeout=timeout, query_seconds=query_seconds) as connection:
        yield Reader(connection)


def _distinct(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The ids that occur, ascending, and the place of each among them: without sorting, where they are small
    as a vocabulary's are.
    """
    if ids.min() < 0 or ids.max() > max(2**20, 4 * len(ids)):
        wanted, places = np.unique(ids, return_inverse=True)
        return wanted, places
    seen = np.zeros(int(ids.max()) + 1, dtype=np.bool_)
    seen[ids] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[ids]


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise MissingPackage(
            f"This answer needs {package}, which is not installed: pip install {package}. "
            "Reader.arrays and Reader.sql need nothing more."
        )


def _curve(*row: Any) -> Curve:
    *identity, steps, values, stderrs, n = row
    # Sorting here is many times cheaper than three sorted lists in SQL.
    order = np.argsort(steps, kind="stable")
    return Curve(*(*identity, ints(steps)[order], floats(values)[order], floats(stderrs)[order], n))


def _recipe(text: str | None, run: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise DamagedStore(
            f"The store is damaged: the recipe of the run {run} is no JSON ({error}). Restore it from a copy."
        ) from error
    return found if isinstance(found, dict) else {}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def predictions(top: int) -> str:
    """``, token1, logp1, token2 …``: the columns of the best ``top`` predictions to each fact."""
    return "".join(sql.PREDICTION.format(k=k) for k in range(1, top + 1))


def side_by_side(rows: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    """The columns ``name1``, ``name2`` … as ``(rows, columns)``; a column that no row has ends them."""
    columns = [rows[column] for column in rows if column.rstrip("0123456789") == name]
    known = [column for column in columns if len(column) and not np.ma.getmaskarray(column).all()]
    if not known:
        return np.empty((len(rows["gold_rank"]), 0))
    return np.stack([np.ma.getdata(column) for column in known], axis=1)
