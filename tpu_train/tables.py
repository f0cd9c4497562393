"""TOML tables into frozen dataclasses: types checked, unknown keys refused with the nearest known name.

Knows nothing of recipes; says where in the file a value is wrong.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from tpu_train.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Table = TypeVar("Table", bound="DataclassInstance")


def unknown_key(key: str, known: Iterable[str], where: str) -> InputError:
    """The error for a key that nobody knows, naming the nearest one that is known."""
    known = sorted(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}."
    return InputError(f"{where}: unknown key {key!r}; {hint}")


def from_table(kind: type[Table], table: Mapping[str, Any], where: str) -> Table:
    """Makes a ``kind`` (a dataclass, nested ones included) from ``table``.

    Args:
        kind: the dataclass; fields without a default must be in the table.
        table: as ``tomllib`` or ``json`` read it.
        where: file name, for messages.

    Raises:
        InputError: an unknown key, a missing key, a value of another type.
    """
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in table:
        if key not in fields:
            raise unknown_key(key, fields, where)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _value(hints[name], table[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{where}: {name!r} is missing; the recipe must say it.")
    return kind(**values)


def _value(hint: Any, found: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(found, Mapping):
            raise InputError(f"{where}: expected a table, found {found!r}.")
        return from_table(hint, found, where)
    origin = get_origin(hint)
    if origin is Literal:
        if found not in get_args(hint):
            raise InputError(
                f"{where}: expected one of {', '.join(map(repr, get_args(hint)))}, found {found!r}."
            )
        return found
    if origin is tuple:
        if not isinstance(found, list | tuple):
            raise InputError(f"{where}: expected a list, found {found!r}.")
        inner = get_args(hint)
        if inner[-1] is not Ellipsis and len(inner) != len(found):
            raise InputError(f"{where}: expected {len(inner)} values, found {found!r}.")
        return tuple(_value(inner[0], item, f"{where}[{i}]") for i, item in enumerate(found))
    if origin is types.UnionType:
        return None if found is None else _value(get_args(hint)[0], found, where)
    if hint is float and isinstance(found, int) and not isinstance(found, bool):
        return float(found)
    if not isinstance(found, hint) or (hint is int and isinstance(found, bool)):
        raise InputError(f"{where}: expected {_name(hint)}, found {found!r}.")
    return found


def _name(hint: Any) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, str(hint))


def set_path(table: dict[str, Any], path: str, value: Any) -> None:
    """Sets ``a.b`` in nested tables, making the tables on the way.

    Raises:
        InputError: ``a`` is no table.
    """
    *parents, last = path.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"{path}: {parent} is a value, no table; nothing lies below it.")
    table[last] = value
