"""A look as a small TOML file, and as the command that shows it again. Hostile files do no harm: only known
names with values of the right kind are taken.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from embryo_tui.look import BELOW, GROUPINGS, WORD_TASKS, Look
from embryo_tui.raster.axes import RISES, SCALES, SMOOTHINGS
from embryo_tui.screens.registry import SCREENS

#: Settings with few values.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "screen": tuple(entry.key for entry in SCREENS),
    "scale": SCALES, "rise": RISES, "smoothing": SMOOTHINGS, "word_task": WORD_TASKS, "grouping": GROUPINGS,
    "below": BELOW,
}  # fmt: skip
#: Settings that have an option of their own.
OPTIONS = {"screen": "--screen", "step": "--step", "mark": "--mark", "run": "--run", "layer": "--layer",
           "head": "--head"}  # fmt: skip
_KINDS: Mapping[str, type] = {
    "step": int, "mark": int, "layer": int, "head": int, "sentence": int, "difference": bool,
    "bands": bool, "rescaled": bool, "loop": bool,
}  # fmt: skip
#: Settings that are several things at once: their types, and what they look like.
_TOLD: Mapping[str, tuple[tuple[type, ...], str]] = {
    "fact": ((str, str, str), 'relation, subject and object, such as ["P36", "France", "Paris"]'),
    "asked": ((str, int), 'a sentence and which of its masks, such as ["France is in [MASK].", 1]'),
}
#: The least that a number may be. Step -1 is the last one.
_LEAST = {"step": -1, "mark": 0, "layer": 1, "head": 1, "sentence": 0}


class BadLookError(ValueError):
    """A look that cannot be taken; the message says what was expected and found."""


def to_toml(look: Look) -> str:
    """The settings that differ from those of a fresh app, one a line."""
    lines = ["# embryo-tui results.duckdb --look THIS-FILE"]
    lines += [f"{name} = {_written(value)}" for name, value in settings(look).items()]
    return "\n".join(lines) + "\n"


def settings(look: Look) -> dict[str, Any]:
    """The settings that differ from those of a fresh app; the step is always among them."""
    fresh = Look()
    found: dict[str, Any] = {}
    for part in fields(Look):
        value = getattr(look, part.name)
        if value != getattr(fresh, part.name) or part.name in ("screen", "step"):
            found[part.name] = sorted(value) if isinstance(value, frozenset) else value
    return found


def command(look: Look, stores: Sequence[str | Path], *, low_bandwidth: bool = False) -> str:
    """The command line that shows the look again. ``stores``: files, or an option that stands for one."""
    parts = ["embryo-tui", *map(str, stores)]
    for name, value in settings(look).items():
        if name in OPTIONS:
            # A value that begins with a dash would be taken for an option of its own.
            said = str(value)
            parts += [f"{OPTIONS[name]}={said}"] if said.startswith("-") else [OPTIONS[name], said]
        else:
            parts += ["--set", f"{name}={_written(value)}"]
    if low_bandwidth:
        parts.append("--low-bandwidth")
    return shlex.join(parts)


def load(path: Path) -> Look:
    """The look in a file.

    Raises:
        BadLookError: no such file, no TOML, or a setting that is none.
    """
    return taken(Look(step=-1), read(path), str(path))


def read(path: Path) -> Mapping[str, Any]:
    """The settings in a file, as they are written.

    Raises:
        BadLookError: no such file, or no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadLookError(f"{path} cannot be read as a look ({error}). W in the app writes one.") from error
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadLookError(f'{path} is no TOML: {error}. Expected lines such as: screen = "words"') from error


def parsed(assignment: str) -> Mapping[str, Any]:
    """The setting that ``name=value`` names, the value as in a look file or as plain text.

    Raises:
        BadLookError: there is no name, or no value.
    """
    name, equals, text = assignment.partition("=")
    name = name.strip()
    if not equals:
        raise BadLookError(f"--set {assignment}: expected NAME=VALUE, such as grouping=form")
    import tomllib

    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return {name: value}


def taken(look: Look, found: Mapping[str, Any], where: str) -> Look:
    """A look with settings changed.

    Raises:
        BadLookError: an unknown name or a value of another kind.
    """
    known = {part.name for part in fields(Look)}
    for name, value in found.items():
        if name not in known:
            raise BadLookError(
                f"{where}: there is no setting {name!r}. There are: {', '.join(sorted(known))}"
            )
        look = replace(look, **{name: _checked(name, value, where)})
    return look


def _checked(name: str, value: Any, where: str) -> Any:
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise BadLookError(f"{where}: {name} is one of {', '.join(CHOICES[name])}, not {value!r}")
        return value
    if name in ("runs", "hidden"):
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise BadLookError(f"{where}: {name} is a list of names, not {value!r}")
        return tuple(value) if name == "runs" else frozenset(value)
    if name == "window":
        if not isinstance(value, list) or len(value) != 2 or not all(_number(part) for part in value):
            raise BadLookError(f"{where}: window is two steps, such as [0, 1000], not {value!r}")
        return float(value[0]), float(value[1])
    if name in _TOLD:
        kinds, example = _TOLD[name]
        if not isinstance(value, list) or tuple(map(type, value)) != kinds:
            raise BadLookError(f"{where}: {name} is {example}, not {value!r}")
        return tuple(value)
    kind = _KINDS.get(name, str)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        told = {int: "a whole number", bool: "true or false", str: "text"}[kind]
        raise BadLookError(f"{where}: {name} is {told}, not {value!r}")
    least = _LEAST.get(name)
    if least is not None and isinstance(value, int) and value < least:
        raise BadLookError(f"{where}: {name} is {max(0, least)} or more, not {value}")
    return value


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(value: Any) -> str:
    """A value as TOML; JSON's strings, lists and booleans are TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
