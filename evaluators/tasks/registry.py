"""The tasks by name, made with the options that a user wrote. Imports what is asked for.

Other packages add tasks by an entry point of the group ``embryo.tasks`` (docs/evaluators.md, "A task of your
own"): its name is the task's name, its object the task's class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args

from evaluators.errors import InputError, meant
from evaluators.settings import CONFIG
from evaluators.tasks.base import Cost, Kind, ModelTask, Task

ENTRY_POINTS = "embryo.tasks"
#: Name → where the class stands; cheap ones first, as they are evaluated.
BUILT_IN: Mapping[str, str] = {
    "train-log": "evaluators.tasks.train_log:TrainingLog",
    "reconstruct": "evaluators.tasks.reconstruct:Reconstruct",
    "mlm": "evaluators.tasks.mlm:Mlm",
    "rtd": "evaluators.tasks.rtd:ReplacedTokens",
    "lama": "evaluators.tasks.lama:Lama",
    "attention": "evaluators.tasks.attention:Attention",
    "probe-pos": "evaluators.tasks.probe_pos:ProbePos",
    "probe-const": "evaluators.tasks.probe_const:ProbeConst",
    "probe-srl": "evaluators.tasks.probe_srl:ProbeSrl",
    "probe-coref": "evaluators.tasks.probe_coref:ProbeCoref",
    "mask-predict": "evaluators.tasks.mask_predict:MaskPredict",
}


def names() -> tuple[str, ...]:
    """All tasks that there are: the built-in ones, then those of other packages."""
    return (*BUILT_IN, *_foreign())


def check_names(wanted: Iterable[str], where: str = "") -> None:
    """Refuses names that are no task's. ``where`` they stand begins the message.

    Raises:
        InputError: with the nearest name, and all of them.
    """
    there = names()
    for name in wanted:
        if name not in there:
            raise InputError(f"{where}No task {name!r}.{meant(name, there)} There are: {', '.join(there)}.")


def make_tasks(wanted: Sequence[str], options: Mapping[str, Mapping[str, Any]]) -> tuple[Task, ...]:
    """The ``wanted`` tasks (all where none is named), cheapest first.

    Raises:
        InputError: a name is no task's, an option is not the task's or has another type, or a task of
            another package cannot be used.
    """
    check_names(wanted)
    check_names(options, f"{CONFIG}, [task.NAME]: ")
    # Options of tasks that are not wanted now are looked at, too: a mistyped one is never passed over.
    made = [
        _make(name, options.get(name, {})) for name in names() if not wanted or name in {*wanted, *options}
    ]
    tasks = [task for task in made if not wanted or task.name in wanted]
    return tuple(sorted(tasks, key=lambda task: task.cost))


def _make(name: str, options: Mapping[str, Any]) -> Task:
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        kind: type[Task] = getattr(import_module(module), attribute)
    else:
        kind = _load(_foreign()[name])
    known = {field.name: type(field.default) for field in dataclasses.fields(kind)}
    # TOML tells 4 from 4.0; users do not.
    options = {
        option: float(value) if type(value) is int and known.get(option) is float else value
        for option, value in options.items()
    }
    # TOML has lists; options are frozen.
    options = {
        option: tuple(value) if isinstance(value, list) and known.get(option) is tuple else value
        for option, value in options.items()
    }
    for option, value in options.items():
        if option not in known:
            raise InputError(
                f"{CONFIG}: [task.{name}] has no option {option!r}.{meant(option, tuple(known))} It knows: "
                f"{', '.join(known) or 'none'}."
            )
        if isinstance(value, bool) is not (known[option] is bool) or not isinstance(value, (known[option],)):
            what = (
                "a list of names" if known[option] is tuple else f"a value of type {known[option].__name__}"
            )
            raise InputError(f"{CONFIG}: [task.{name}] {option} is {value!r}. Expected {what}.")
    return kind(**options)


def _foreign() -> Mapping[str, EntryPoint]:
    """The tasks of other packages; nothing of theirs is imported yet."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=ENTRY_POINTS):
        known = f"built in: {BUILT_IN[point.name]}" if point.name in BUILT_IN else None
        if point.name in found and found[point.name].value != point.value:
            known = f"that of {_package(found[point.name])}"
        if known:
            raise InputError(
                f"{_package(point)} brings a task {point.name!r}, but there is one of that name already "
                f"({known}). Rename it in its pyproject.toml, or uninstall it."
            )
        found[point.name] = point
    return found


def _load(point: EntryPoint) -> type[Task]:
    """The class of a task of another package, held against what every task must be."""
    where = f"The task {point.name!r} of {_package(point)} ({point.value})"
    try:
        kind = point.load()
    except Exception as error:  # whatever their module raises is theirs, and the user has to hear of it
        raise InputError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, ModelTask) and dataclasses.is_dataclass(kind)):
        raise InputError(f"{where} is no frozen dataclass derived from evaluators.tasks.base.ModelTask.")
    expected: dict[str, Callable[[Any], bool]] = {
        "name": lambda value: value == point.name,
        "version": lambda value: isinstance(value, int),
        "summary": lambda value: isinstance(value, str),
        "reads": lambda value: value in get_args(Kind) and value != "log",
        "cost": lambda value: isinstance(value, Cost),
    }
    for attribute, fits in expected.items():
        value = getattr(kind, attribute, None)
        if not fits(value):
            raise InputError(
                f"{where}: its {attribute} is {value!r}; docs/evaluators.md says what it has to be."
            )
    return kind


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist is not None else "a package"
