"""What a user asked for: the command line first, then ``embryo.toml`` in the working folder, then defaults.

Knows no task and no checkpoint: it checks names and types of options, and reads nothing but that file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from evaluators.errors import InputError, meant
from evaluators.steps import Steps

DtypeChoice = Literal["fp32", "bf16", "auto"]
CONFIG = Path("embryo.toml")

_PATHS = {"checkpoints": "checkpoints", "data": "data", "db": "results.duckdb", "frequencies": ""}
_EVAL_KEYS = {"dtype": str, "threads": int, "jobs": int, "run": list, "task": list}
#: What may stand outside of tables and head one, and under [eval]: name → how it is spoken of. What stands in
#: [train] is for embryo-train to check.
_TOP = {**{name: name for name in _PATHS}, **{name: f"[{name}]" for name in ("eval", "task", "train")}}
_UNDER_EVAL = {name: f"{name} under [eval]" for name in _EVAL_KEYS}


@dataclass(frozen=True)
class Settings:
    """All that decides what is evaluated, and where it is read and written."""

    checkpoints: str
    data: Path
    db: Path
    runs: tuple[str, ...] = ()
    steps: Steps = field(default_factory=Steps)
    tasks: tuple[str, ...] = ()
    task_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dtype: DtypeChoice = "auto"
    threads: int | None = None
    jobs: int = 1
    ray: str | None = None
    #: Where words are counted that corpora of words are ranked by; without it each by its own counts.
    frequencies: Path | None = None
    #: Where the user named ``data``; empty where nobody did, and it may be missing.
    data_named_by: str = ""


def settle(
    *,
    checkpoints: str | None = None,
    data: str | None = None,
    db: str | None = None,
    runs: Sequence[str] | None = None,
    steps: Steps | None = None,
    tasks: Sequence[str] | None = None,
    dtype: str | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    ray: str | None = None,
    frequencies: str | None = None,
    config: Path = CONFIG,
) -> Settings:
    """Joins command line, configuration file and defaults.

    Raises:
        InputError: the file is no TOML, or holds a name or type that is not known.
    """
    written = _read(config)
    _refuse_unknown(written, config)
    eval_table = _eval_table(written, config)
    places = {
        name: given if given is not None else _text(written.get(name, default), name, config)
        for (name, default), given in zip(_PATHS.items(), (checkpoints, data, db, frequencies), strict=True)
    }
    chosen: Any = dtype if dtype is not None else eval_table.get("dtype", "auto")
    if chosen not in get_args(DtypeChoice):
        raise InputError(
            f"{config}: [eval] dtype is {chosen!r}. Expected one of {', '.join(get_args(DtypeChoice))}."
        )
    counts = {
        name: number if number is not None else eval_table.get(name)
        for name, number in (("threads", threads), ("jobs", jobs))
    }
    for name, number in counts.items():
        if number is not None and number < 1:
            raise InputError(f"{name} is {number}. Expected 1 or more.")
    return Settings(
        checkpoints=places["checkpoints"],
        data=Path(places["data"]),
        db=Path(places["db"]),
        runs=tuple(runs or eval_table.get("run", ())),
        steps=steps if steps is not None else Steps(),
        tasks=tuple(tasks or eval_table.get("task", ())),
        task_options=_task_options(written, config),
        dtype=chosen,
        threads=counts["threads"],
        jobs=counts["jobs"] or 1,
        ray=ray,
        frequencies=Path(places["frequencies"]) if places["frequencies"] else None,
        data_named_by="--data" if data is not None else f"{config}: data" if "data" in written else "",
    )


def _read(config: Path) -> Mapping[str, Any]:
    try:
        with config.open("rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{config} cannot be read: {error.strerror}. Mend or remove it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{config} is no valid TOML: {error}. Mend that line, or remove the file."
        ) from error


def _refuse_unknown(written: Mapping[str, Any], config: Path) -> None:
    """Names what stands outside of tables, or heads one, and means nothing."""
    for key in written:
        if key not in _TOP:
            raise InputError(
                f"{config}: nothing reads {key!r}.{meant(key, _UNDER_EVAL | _TOP)} Outside of tables it "
                f"knows {', '.join(_PATHS)}; its tables are [eval], [task.NAME] and [train]."
            )


def _text(value: Any, name: str, config: Path) -> str:
    if not isinstance(value, str) or (not value and name != "frequencies"):
        raise InputError(f"{config}: {name} is {value!r}. Expected a path in quotes.")
    return value


def _eval_table(written: Mapping[str, Any], config: Path) -> Mapping[str, Any]:
    table = written.get("eval", {})
    if not isinstance(table, dict):
        raise InputError(f"{config}: eval is {table!r}. Expected a table [eval].")
    for key, value in table.items():
        kind = _EVAL_KEYS.get(key)
        if kind is None:
            near = meant(key, _TOP | {name: name for name in _EVAL_KEYS})
            raise InputError(
                f"{config}: [eval] has no option {key!r}.{near} It knows {', '.join(sorted(_EVAL_KEYS))}."
            )
        strings = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if not isinstance(value, kind) or isinstance(value, bool) or not strings:
            what = "a list of names" if kind is list else f"a value of type {kind.__name__}"
            raise InputError(f"{config}: [eval] {key} is {value!r}. Expected {what}.")
    return table


def _task_options(written: Mapping[str, Any], config: Path) -> Mapping[str, Mapping[str, Any]]:
    tables = written.get("task", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise InputError(
            f"{config}: task is {tables!r}. Expected tables such as [task.mlm]; names of tasks "
            "that are wanted stand under [eval]."
        )
    return tables
