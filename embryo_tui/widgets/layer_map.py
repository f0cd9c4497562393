"""A value of every layer over the steps, as colours: layers down (the last on top), steps across."""

from __future__ import annotations

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from embryo_tui.raster.axes import Axis, Floats, value_axis
from embryo_tui.raster.heat import half_blocks, quantise
from embryo_tui.raster.map_strip import Levels
from embryo_tui.widgets.ink import Ink
from embryo_tui.widgets.panel import Content, Panel, line
from embryo_tui.widgets.series import Steps

LEFT, RIGHT = 6, 7


class LayerMap(Panel):
    """A line or more a layer, a column a place on the axis of steps; values at the cursor beside."""

    class Picked(Message):
        """A place was clicked."""

        def __init__(self, layer: int, step: float) -> None:
            """``step``: where on the axis, not yet a saved step."""
            super().__init__()
            self.layer, self.step = layer, step

    def __init__(self, key: str, title: str = "", empty: str = "") -> None:
        """``empty`` is what is said where there is nothing to show."""
        super().__init__(key, title)
        self._empty = empty
        self._layers: tuple[int, ...] = ()
        self._steps: Steps = np.zeros(0, dtype=np.int64)
        self._values: Floats = np.zeros((0, 0))
        self._across = Axis("linear", 0.0, 1.0)
        self._signed = False
        self._strips: list[Strip] | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._cursor, self._layer = 0, 0

    def fill(
        self,
        layers: tuple[int, ...],
        steps: Steps,
        values: Floats,
        across: Axis,
        signed: bool = False,
        empty: str = "",
    ) -> None:
        """Values ``(layers, steps)`` over an axis of steps."""
        self._layers, self._steps, self._values, self._across = layers, steps, values, across
        self._signed, self._empty, self._strips = signed, empty or self._empty, None
        self.refresh()

    def point(self, cursor: int, layer: int) -> None:
        """Moves the cursor, and says which layer is chosen."""
        if (cursor, layer) != (self._cursor, self._layer):
            self._cursor, self._layer = cursor, layer
            self.refresh()

    @property
    def values(self) -> Floats:
        """What is shown: ``(layers, steps)``."""
        return self._values

    def content(self) -> Content:
        """A row a step, a column a layer."""
        rows = [(int(step), *self._values[:, at].tolist()) for at, step in enumerate(self._steps)]
        return Content(self.heading, ("step", *(f"layer {layer}" for layer in self._layers)), tuple(rows))

    def _columns(self) -> int:
        return max(1, self.size.width - LEFT - RIGHT)

    def _down(self) -> int:
        """Lines a layer; 0 where two layers share one."""
        return (self.size.height - 2) // max(1, len(self._layers))

    def _build(self, pen: Ink) -> None:
        drawn_for = (self.size, pen)
        if self._strips is not None and self._drawn_for == drawn_for:
            return
        self._drawn_for = drawn_for
        columns, down = self._columns(), self._down()
        places = self._across.place(self._steps)
        inside = np.isfinite(places)
        right = (np.arange(columns) + 0.999) / columns
        index = np.searchsorted(places[inside], right, side="right") - 1
        values = self._values[:, inside]
        seen = np.where(index >= 0, values[:, np.maximum(index, 0)], np.nan) if values.shape[1] else (
            np.full((len(self._layers), columns), np.nan)
        )  # fmt: skip
        ramp = pen.ramp(self._signed)
        finite = self._values[np.isfinite(self._values)]
        if self._signed:
            bound = max(0.05, float(np.abs(finite).max(initial=0.0)))
            low, high = -bound, bound
        else:
            axis = value_axis(finite, rise="fitted")
            low, high = axis.low, axis.high
        levels: Levels = quantise(seen[::-1], low, high, ramp.levels)
        self._strips = half_blocks(np.repeat(levels, 2 * down, axis=0) if down else levels, ramp)

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """The cursor's place, or a line of layers."""
        if not len(self._layers) or not self._values.size:
            return self.said(self._empty, y, width, pen)
        self._build(pen)
        assert self._strips is not None
        if y == 0:
            return line(self._pointer(pen), width, pen.blank)
        if y - 1 >= len(self._strips):
            return Strip.blank(width, pen.blank)
        down = self._down()
        row = (y - 1) // down if down else 2 * (y - 1)
        layer = self._layers[len(self._layers) - 1 - row]
        first = not down or (y - 1) % down == 0
        chosen = layer == self._layer
        style = pen.accent if chosen else pen.dim
        name = f"{f'[{layer}]' if chosen else layer:>{LEFT - 1}} " if first else " " * LEFT
        value = self._here(len(self._layers) - 1 - row) if first and down else None
        text = "" if value is None else f" {value:+.3f}" if self._signed else f" {value:.3f}"
        after = [Segment(f"{text:<{RIGHT}}"[:RIGHT], pen.strong if chosen else pen.dim)]
        return Strip([Segment(name, style), *self._strips[y - 1], *after]).adjust_cell_length(
            width, pen.blank
        )

    def _here(self, row: int) -> float | None:
        index = int(np.searchsorted(self._steps, self._cursor, side="right")) - 1
        known = np.flatnonzero(np.isfinite(self._values[row, : index + 1]))
        return float(self._values[row, known[-1]]) if len(known) else None

    def _pointer(self, pen: Ink) -> list[tuple[str, Style]]:
        place = float(self._across.place([self._cursor])[0])
        column = int(place * (self._columns() - 1) + 0.5) if np.isfinite(place) and 0 <= place <= 1 else None
        head = [("layer ", pen.faint)]
        return head if column is None else [*head, (" " * column, pen.blank), ("▼", pen.accent)]

    def on_click(self, event: events.Click) -> None:
        """Picks the layer and the step under the mouse."""
        down = self._down()
        row = (event.y - 2) // down if down else 2 * (event.y - 2)
        if event.y >= 2 and 0 <= row < len(self._layers) and event.x >= LEFT:
            part = min(max((event.x - LEFT) / max(1, self._columns() - 1), 0.0), 1.0)
            self.post_message(
                self.Picked(self._layers[len(self._layers) - 1 - row], self._across.value(part))
            )
