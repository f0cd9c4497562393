"""Columns of Python or NumPy values into a table, in bulk. Knows DuckDB, and no record of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt

#: Values row by row: an array, or a sequence in which None stands for NULL. An array of two dimensions
#: holds a fixed-size list a row.
Column: TypeAlias = npt.NDArray[Any] | Sequence[Any]


@contextmanager
def incoming(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, Column]) -> Iterator[None]:
    """Lends ``columns`` to the connection as the table ``incoming``."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, values in columns.items():
        array = _array(values)
        if array.ndim == 1:
            arrays[name] = array
        else:
            arrays |= {f"{name}_{place}": np.ascontiguousarray(part) for place, part in enumerate(array.T)}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Columns of one table differ in length: {lengths}")
    connection.register("incoming", arrays)
    try:
        yield
    except BaseException:
        # In a transaction that has failed this fails, too, and what went wrong is what counts.
        with suppress(duckdb.Error):
            connection.unregister("incoming")
        raise
    connection.unregister("incoming")


def insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    constants: Mapping[str, Any],
    columns: Mapping[str, Column] | None = None,
) -> None:
    """Appends a row for each value of ``columns`` (one row without them), the same ``constants`` in each."""
    names = ", ".join([*constants, *(columns or ())])
    values = list(constants.values())
    marks = ["?"] * len(constants)
    if columns is None:
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(marks)})", values)
        return
    marks += [_selected(name, column) for name, column in columns.items()]
    with incoming(connection, columns):
        connection.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(marks)} FROM incoming", values)


def _selected(name: str, column: Column) -> str:
    if isinstance(column, np.ndarray) and column.ndim == 2:
        # DuckDB's array_value takes four times as long.
        return f"list_value({', '.join(f'{name}_{place}' for place in range(column.shape[1]))})"
    return name


def _array(values: Column) -> npt.NDArray[Any]:
    if isinstance(values, np.ndarray):
        # DuckDB turns NumPy's own strings into ENUMs; as objects they stay text.
        return values.astype(object) if values.dtype.kind in "US" else np.ascontiguousarray(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
