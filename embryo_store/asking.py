"""One query through a connection, with what people pass as values. Knows no question of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import duckdb
import numpy as np

from embryo_store.errors import BadQuery

Values = Sequence[Any] | Mapping[str, Any]
Answer = TypeVar("Answer")


def ask(connection: duckdb.DuckDBPyConnection, query: str, values: Values) -> duckdb.DuckDBPyConnection:
    """Runs a query; the connection then holds its answer. Raises BadQuery, duckdb.Error.

    Values may be NumPy's own numbers and text: those of one answer serve for the next query.
    """
    return _asked(connection.execute, query, values)


def ask_for_arrow(connection: duckdb.DuckDBPyConnection, query: str, values: Values) -> Any:
    """The same as a ``pyarrow.Table``, whose rows are not copied on the way."""
    return _asked(
        lambda text, plain: connection.sql(text, params=plain or None), query, values
    ).to_arrow_table()


def _asked(run: Callable[[str, Values], Answer | None], query: str, values: Values) -> Answer:
    plain: Values = (
        {name: _plain(value) for name, value in values.items()}
        if isinstance(values, Mapping)
        else [_plain(value) for value in values]
    )
    try:
        query.encode()
    except UnicodeEncodeError:
        raise BadQuery("The query holds half a character (a lone surrogate), which is no text.") from None
    try:
        answer = run(query, plain)
    except duckdb.ConnectionException as error:
        raise BadQuery(
            "This reader is closed. Ask it inside its block: with embryo_store.read(…) as reader."
        ) from error
    if answer is None:
        raise BadQuery("There is nothing to run in the query. Expected a statement, such as FROM runs.")
    return answer


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
