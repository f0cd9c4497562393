"""Conditions of a question, from what was asked for. Text alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def where(wanted: Mapping[str, object]) -> tuple[str, list[Any]]:
    """A condition for what is not None: equal to a value, or among several; and its parameters."""
    parts: list[str] = []
    values: list[Any] = []
    for column, value in wanted.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            parts.append(f"{column} IN ({', '.join('?' * len(value))})" if value else "FALSE")
            values += value
        elif value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    return " AND ".join(parts) or "TRUE", values
