"""What the user looks at, as one frozen value: screens are drawn from it, actions make a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from embryo_tui.raster.axes import Scale
from embryo_tui.steps import EMPTY

if TYPE_CHECKING:
    from embryo_store.query import Grouping, Ints

WORD_TASKS = ("reconstruct", "mask-predict")
GROUPINGS: tuple[Grouping, ...] = ("group", "class", "form", "tag")


@dataclass(frozen=True)
class Look:
    """One view of a store. ``mark`` is step A of a comparison, the cursor (``step``) is B."""

    screen: str = "overview"
    step: int = 0
    run: str = ""
    runs: tuple[str, ...] = ()
    scale: Scale | None = None
    smooth: bool = False
    mark: int | None = None
    hidden: frozenset[str] = frozenset()
    word_task: str = "mask-predict"
    grouping: Grouping = "group"
    rescaled: bool = False
    dataset: str | None = None
    relation: str | None = None
    fact: int | None = None
    below: Literal["biography", "ledger"] = "biography"
    statistic: str | None = None
    layer: int = 1
    head: int = 1
    sentence: int = 0
    difference: bool = False


@dataclass(frozen=True, eq=False)
class World:
    """What there is to choose from: filled in from the store as its answers arrive."""

    steps: Ints = field(default_factory=lambda: EMPTY)
    runs: tuple[str, ...] = ()
    layers: int = 0
    heads: int = 0
    datasets: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    sentences: tuple[int, ...] = ()
