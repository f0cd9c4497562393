"""Which runs differ by seed alone: their curves may be drawn as one, with a band. Knows run cards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embryo_store.query import RunCard

#: "albert-base-seed-3", "bert_seed3", "multiberts.s7": the run's name without its seed.
_SEED = re.compile(r"[-_. ]*(?:seed|s)[-_ ]?\d+$", re.IGNORECASE)


def kin(cards: Iterable[RunCard]) -> Mapping[str, str]:
    """From run to the name of its group, for runs that have others of the same family, sizes and recipe."""
    groups: dict[str, list[str]] = {}
    for card in cards:
        recipe = {name: value for name, value in card.recipe.items() if name != "name"}
        key = [card.family, card.objective, card.layers, card.heads, card.hidden, card.parameters]
        # Without a recipe, runs of one shape are kin only where their names say so.
        told = _without_seeds(recipe) or _SEED.sub("", card.run)
        groups.setdefault(json.dumps([key, told], sort_keys=True, default=str), []).append(card.run)
    found: dict[str, str] = {}
    for runs in groups.values():
        if len(runs) > 1:
            stems = {_SEED.sub("", run) for run in runs}
            name = stems.pop() if len(stems) == 1 else _start(runs).rstrip("-_. ")
            found |= dict.fromkeys(runs, name or runs[0])
    return found


def _start(names: Sequence[str]) -> str:
    """What all names begin with."""
    letters = zip(*names, strict=False)
    return "".join(column[0] for column in takewhile(lambda column: len(set(column)) == 1, letters))


def _without_seeds(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_seeds(part) for name, part in value.items() if "seed" not in str(name).lower()}
    return [_without_seeds(part) for part in value] if isinstance(value, list | tuple) else value
