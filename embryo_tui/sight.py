"""Which steps are in sight: zooming in on a part of them, moving along, following the cursor."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from embryo_tui.look import Look, World
from embryo_tui.raster.axes import Axis, Scale, natural_scale, step_axis


def axis_of(look: Look, world: World) -> Axis:
    """The axis of the steps in sight."""
    return _axis(world, look.scale, look.window)


@lru_cache(maxsize=8)
def _axis(world: World, scale: Scale | None, window: tuple[float, float] | None) -> Axis:
    # Every panel asks for it at every step of the cursor, and sorts the steps to know.
    return step_axis(world.steps, scale or natural_scale(world.steps), window)


def in_sight(look: Look, world: World, low: float, high: float) -> Look:
    """The look with the steps from ``low`` to ``high`` in sight: held within those that are there, at least
    two of them; all of them count as no window.
    """
    if len(world.steps) < 2 or not low < high:
        return look
    whole = step_axis(world.steps, look.scale or natural_scale(world.steps))
    start, end = (float(part) for part in whole.place([low, high]))
    if not end > start:
        return look
    width = min(end - start, 1.0)
    start = min(max(start, 0.0), 1.0 - width)
    if width >= 0.999:
        return replace(look, window=None)
    window = (whole.value(start), whole.value(start + width))
    inside = ((world.steps >= window[0]) & (world.steps <= window[1])).sum()
    return replace(look, window=window) if inside >= 2 else look


def following(look: Look, world: World) -> Look:
    """The look with the steps in sight moved to the cursor, where it has left them."""
    if look.window is None or look.window[0] <= look.step <= look.window[1]:
        return look
    axis = axis_of(look, world)
    place = float(axis.place([look.step])[0])
    if place != place:
        return look
    moved = axis.panned(place - 0.5)
    for _ in range(60):
        # A window that held many steps may hold too few elsewhere.
        found = in_sight(look, world, moved.low, moved.high)
        if found is not look:
            return found
        moved = moved.zoomed(0.5, 1.5)
    return replace(look, window=None)
