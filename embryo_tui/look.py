"""What the user looks at, as one frozen value: screens are drawn from it, actions make a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from embryo_tui.events import Event
from embryo_tui.raster.axes import Rise, Scale, Smoothing
from embryo_tui.steps import EMPTY

if TYPE_CHECKING:
    from embryo_store.query import Ints

#: Words by table 3's groups, as function and content words, by verb form, tag, or rank of frequency.
WordGrouping = Literal["group", "class", "form", "tag", "band"]
Below = Literal["biography", "ledger", "dynamics", "forgotten", "asked"]
#: A fact by relation, subject and object: the same in every store, which its number there is not.
Fact = tuple[str, str, str]

WORD_TASKS = ("reconstruct", "mask-predict")
GROUPINGS: tuple[WordGrouping, ...] = ("group", "class", "form", "tag", "band")
BELOW: tuple[Below, ...] = ("biography", "ledger", "dynamics", "forgotten", "asked")


@dataclass(frozen=True)
class Look:
    """One view of a store. ``mark`` is step A of a comparison, the cursor (``step``) is B.

    ``window`` is the part of the steps that is in sight, ``filter`` narrows curves and rows,
    ``hidden`` holds the curves that are switched off. ``asked``: a sentence that was put to the model, and
    which of its masks (from 1).
    """

    screen: str = "overview"
    step: int = 0
    run: str = ""
    runs: tuple[str, ...] = ()
    mark: int | None = None
    difference: bool = False
    scale: Scale | None = None
    window: tuple[float, float] | None = None
    rise: Rise = "natural"
    smoothing: Smoothing = "off"
    bands: bool = False
    hidden: frozenset[str] = frozenset()
    filter: str = ""
    word_task: str = "mask-predict"
    grouping: WordGrouping = "group"
    rescaled: bool = False
    dataset: str | None = None
    probe: str = "probe-pos"
    probe_metric: str = "f1"
    protocol: str = "paper"
    relation: str | None = None
    fact: Fact | None = None
    asked: tuple[str, int] | None = None
    below: Below = "biography"
    statistic: str | None = None
    layer: int = 1
    head: int = 1
    sentence: int = 0
    loop: bool = False


@dataclass(frozen=True, eq=False)
class World:
    """What there is to choose from: filled in from the store as its answers arrive.

    ``kin`` maps a run to the name of its group: the runs that differ from it by seed alone. ``suspects``
    are checkpoints that look like a wrong file, by run.
    """

    steps: Ints = field(default_factory=lambda: EMPTY)
    runs: tuple[str, ...] = ()
    kin: Mapping[str, str] = field(default_factory=dict)
    layers: int = 0
    heads: int = 0
    datasets: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    suspects: tuple[tuple[str, Event], ...] = ()
    sentences: tuple[int, ...] = ()
