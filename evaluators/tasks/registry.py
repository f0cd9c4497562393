"""The tasks by name, made with the options that a user wrote. Imports what is asked for."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from evaluators.errors import InputError
from evaluators.tasks.base import Task

#: Name → where the class stands; cheap ones first, as they are evaluated.
BUILT_IN: Mapping[str, str] = {
    "train-log": "evaluators.tasks.train_log:TrainingLog",
    "reconstruct": "evaluators.tasks.reconstruct:Reconstruct",
    "mlm": "evaluators.tasks.mlm:Mlm",
    "lama": "evaluators.tasks.lama:Lama",
    "attention": "evaluators.tasks.attention:Attention",
    "probe-pos": "evaluators.tasks.probe_pos:ProbePos",
    "probe-const": "evaluators.tasks.probe_const:ProbeConst",
    "probe-srl": "evaluators.tasks.probe_srl:ProbeSrl",
    "probe-coref": "evaluators.tasks.probe_coref:ProbeCoref",
    "mask-predict": "evaluators.tasks.mask_predict:MaskPredict",
}


def check_names(names: Sequence[str]) -> None:
    """Refuses names that are no task's.

    Raises:
        InputError: with the nearest name, and all of them.
    """
    for name in names:
        if name not in BUILT_IN:
            near = difflib.get_close_matches(name, BUILT_IN, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise InputError(f"No task {name!r}.{meant} There are: {', '.join(BUILT_IN)}.")


def make_tasks(names: Sequence[str], options: Mapping[str, Mapping[str, Any]]) -> tuple[Task, ...]:
    """The named tasks (all where none is named), cheapest first.

    Raises:
        InputError: a name is no task's, or an option is not the task's or has another type.
    """
    check_names([*names, *options])
    chosen = [name for name in BUILT_IN if not names or name in names]
    tasks = [_make(name, options.get(name, {})) for name in chosen]
    return tuple(sorted(tasks, key=lambda task: task.cost))


def _make(name: str, options: Mapping[str, Any]) -> Task:
    module, _, attribute = BUILT_IN[name].partition(":")
    kind: type[Task] = getattr(import_module(module), attribute)
    known = {field.name: type(field.default) for field in dataclasses.fields(kind)}
    for option, value in options.items():
        if option not in known:
            raise InputError(
                f"[task.{name}] has no option {option!r}. It knows: {', '.join(known) or 'none'}."
            )
        if isinstance(value, bool) is not (known[option] is bool) or not isinstance(value, (known[option],)):
            raise InputError(
                f"[task.{name}] {option} is {value!r}. Expected a value of type {known[option].__name__}."
            )
    return kind(**options)
