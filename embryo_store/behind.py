"""The SQL behind an answer, with its values written in: what a user may paste into any client.

The question is asked once more through a connection that keeps what it is told, so the text is always that
of the query which was run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb

from embryo_store.query import Reader

#: Strings, quoted names and comments are left alone; ``?``, ``$1`` and ``$name`` are placeholders.
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|\?|\$(\w+)")


class _Recorder:
    """A connection that keeps every statement with its values."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.statements: list[str] = []
        self._connection = connection

    def execute(self, query: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        values = () if parameters is None else parameters
        self.statements.append(spelled(query, values))  # type: ignore[arg-type]
        return self._connection.execute(query, parameters)


def statements(reader: Reader, ask: Callable[[Reader], object]) -> tuple[str, ...]:
    """Every statement that ``ask`` runs, in order, each ending in a semicolon."""
    recorder = _Recorder(reader.connection)
    ask(Reader(recorder))  # type: ignore[arg-type]
    return tuple(recorder.statements)


def spelled(query: str, values: Sequence[Any] | Mapping[str, Any]) -> str:
    """A query with its values in the places of ``?``, ``$1`` and ``$name``."""
    rest = iter(values.values() if isinstance(values, Mapping) else values)

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if match.group(0) == "?":
            return literal(next(rest))
        if name is None:
            return match.group(0)
        if isinstance(values, Mapping):
            return literal(values[name])
        return literal(values[int(name) - 1])

    return f"{_TOKEN.sub(put, query).strip()};"


def literal(value: Any) -> str:
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return repr(value) if value == value else "'nan'::DOUBLE"
    if isinstance(value, list | tuple):
        return f"[{', '.join(literal(part) for part in value)}]"
    text = str(value).replace("'", "''")
    return f"'{text}'"
