"""What all curves have in common, on every screen: filters, differences from A, bands over seeds, events."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from embryo_tui.events import Event, of_curve
from embryo_tui.filters import lenient
from embryo_tui.look import Look, World
from embryo_tui.raster.axes import Floats
from embryo_tui.raster.curves import PATTERNS, Pattern
from embryo_tui.sight import axis_of
from embryo_tui.widgets.series import Frame, Level, Series, Steps

#: Events are looked for in so many curves of a plot: beyond, marks would stand everywhere.
MOST = 24


def style(look: Look, world: World) -> Hashable:
    """Everything that changes how curves are drawn, whatever the screen. The cursor does not."""
    return (
        look.runs, axis_of(look, world), look.smoothing, look.rise, look.hidden, look.filter, look.bands,
        look.mark if look.difference else None, world.suspects,
    )  # fmt: skip


def compared(look: Look) -> bool:
    """Whether values are shown as signed differences from step A."""
    return look.difference and look.mark is not None


def pattern(look: Look, run: str) -> Pattern:
    """How a run's lines are broken, where colour says something else."""
    return PATTERNS[look.runs.index(run) % len(PATTERNS)] if run in look.runs else "solid"


def frame_of(
    look: Look,
    world: World,
    series: Sequence[Series] = (),
    *,
    shares: bool = False,
    legend: bool = True,
    levels: tuple[Level, ...] = (),
) -> Frame:
    """The frame for some series, with their events."""
    shown = [entry for entry in series if not entry.hidden]
    events = (*events_of(shown[:MOST]), *(event for run, event in world.suspects if run in look.runs))
    since = look.mark if compared(look) else None
    shares = shares and since is None
    return Frame(axis_of(look, world), look.smoothing, shares, legend, look.rise, events, levels, since)


def events_of(series: Iterable[Series]) -> list[Event]:
    """Onsets, plateaus, dips and best steps of curves."""
    return [event for entry in series for event in of_curve(entry.name, entry.x, entry.y)]


def prepared(series: Iterable[Series], look: Look, world: World) -> tuple[Series, ...]:
    """Curves as the look wants them: filtered, hidden, joined over seeds, as differences from A."""
    wanted = lenient(look.filter)
    kept = [
        replace(entry, hidden=entry.switch in look.hidden)
        for entry in series
        if wanted(entry.name) or wanted(entry.switch) or (entry.run and wanted(entry.run))
    ]
    joined = banded(kept, world) if look.bands else kept
    if not compared(look):
        return tuple(joined)
    return tuple(since(entry, look.mark) for entry in joined)


def since(series: Series, mark: int | None) -> Series:
    """A curve minus its value at step A; nothing where it has none there."""
    start = None if mark is None else series.at(mark)
    base = np.nan if start is None else start[1]
    low = None if series.low is None else series.low - base
    high = None if series.high is None else series.high - base
    return replace(series, y=series.y - base, low=low, high=high)


def empty(look: Look, made: Sequence[Series], missing: str) -> str:
    """What a plot without curves says: what would fill it, or that the filter keeps all of them away."""
    return (
        f"nothing here matches {look.filter}: a shows everything again" if made and look.filter else missing
    )


def banded(series: Iterable[Series], world: World) -> list[Series]:
    """One curve where runs differ by seed alone: their mean, and the band from the lowest to the highest."""
    groups: dict[tuple[str, str], list[Series]] = {}
    for entry in series:
        groups.setdefault((world.kin.get(entry.run, entry.run), entry.switch), []).append(entry)
    return [_joined(kin, members) for (kin, _), members in groups.items()]


def _joined(kin: str, members: Sequence[Series]) -> Series:
    first = members[0]
    if len(members) == 1:
        return first
    steps: Steps = np.unique(np.concatenate([member.x for member in members]))
    table: Floats = np.full((len(members), len(steps)), np.nan)
    for row, member in enumerate(members):
        table[row, np.searchsorted(steps, member.x)] = member.y
    # A band is drawn over steps that several have: elsewhere a single run would stand for all.
    known = np.isfinite(table).sum(axis=0) > 1
    if not known.any():
        return first
    steps, table = steps[known], table[:, known]
    name = first.name.replace(first.run, kin) if first.run else first.name
    name = f"{name} ×{len(members)}"
    return replace(
        first, name=name, x=steps, y=np.nanmean(table, axis=0), run=kin,
        low=np.nanmin(table, axis=0), high=np.nanmax(table, axis=0),
    )  # fmt: skip
