"""Conditions of a question, from what was asked for. Text alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def where(wanted: Mapping[str, object]) -> tuple[str, list[Any]]:
    """A condition for what is not None: equal to a value, or among several; and its parameters."""
    parts: list[str] = []
    values: list[Any] = []
    for column, value in wanted.items():
        if isinstance(value, Iterable) and not isinstance(value, str):
            several = list(value)
            parts.append(f"{column} IN ({', '.join('?' * len(several))})" if several else "FALSE")
            values += several
        elif value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    return " AND ".join(parts) or "TRUE", values
