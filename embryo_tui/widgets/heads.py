"""A value for every layer and head as a grid of coloured, numbered fields. Knows a matrix alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from embryo_tui.raster.axes import Floats
from embryo_tui.raster.heat import INK, quantise
from embryo_tui.raster.map_strip import Levels
from embryo_tui.widgets.ink import Ink
from embryo_tui.widgets.panel import Content, Panel, line

LEFT = 4
_ZERO = re.compile(r"^([+-]?)0\.")


class HeadGrid(Panel):
    """Layers down, heads across; the chosen one stands in brackets."""

    class Picked(Message):
        """A field was clicked."""

        def __init__(self, layer: int, head: int) -> None:
            """Both count from 1."""
            super().__init__()
            self.layer, self.head = layer, head

    def __init__(self, key: str, title: str = "") -> None:
        """``key`` is the widget's id."""
        super().__init__(key, title)
        self._values: Floats = np.zeros((0, 0))
        self._chosen = (1, 1)
        self._range = (0.0, 1.0)
        self._signed = False
        self._levels: Levels | None = None
        self._columns: dict[str, Floats] = {}

    def fill(
        self,
        values: Floats,
        chosen: tuple[int, int],
        span: tuple[float, float],
        signed: bool = False,
        columns: Mapping[str, Floats] | None = None,
    ) -> None:
        """Values ``(layers, heads)``, coloured over ``span``: the same at all steps, so that they compare.

        ``columns``: what is exported of every head, by name.
        """
        self._columns = dict(columns or {})
        same = values.shape == self._values.shape and np.array_equal(values, self._values, equal_nan=True)
        if same and (chosen, span, signed) == (self._chosen, self._range, self._signed):
            return
        grown = values.shape != self._values.shape
        self._values, self._chosen, self._range, self._signed = values, chosen, span, signed
        self._levels = None
        self.refresh(layout=grown)

    @property
    def values(self) -> Floats:
        """What is shown."""
        return self._values

    def content(self) -> Content:
        """A row a head."""
        rows = tuple(
            (layer + 1, head + 1, *(float(values[layer, head]) for values in self._columns.values()))
            for layer, head in np.ndindex(*self._values.shape)
        )
        return Content(self.heading, ("layer", "head", *self._columns), rows if self._columns else ())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Room for every layer, in fields as high as the screen allows."""
        layers = len(self._values)
        return 2 + layers * (1 if viewport.height < 36 or layers > 6 else 3)

    def _sizes(self) -> tuple[int, int]:
        """Cells across and down of one field."""
        layers, heads = self._values.shape
        across = min(9, max(2, (self.size.width - LEFT) // max(1, heads)))
        down = min(3, max(1, (self.size.height - 2) // max(1, layers)))
        return across, down

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """The heads' numbers, or a line of a layer."""
        layers, heads = self._values.shape
        if not layers:
            return Strip.blank(width, pen.blank)
        across, down = self._sizes()
        if y == 0:
            names = "".join(f"{head:^{across}}" for head in range(1, heads + 1))
            return line([(" " * LEFT + names, pen.faint)], width, pen.blank)
        layer, part = divmod(y - 1, down)
        if layer >= layers:
            return Strip.blank(width, pen.blank)
        middle = part == (down - 1) // 2
        ramp = pen.ramp(self._signed)
        if self._levels is None:
            self._levels = quantise(self._values, *self._range, ramp.levels)
        segments = [Segment(f"{layer + 1:>3} " if middle else " " * LEFT, pen.faint)]
        fields = zip(self._values[layer].tolist(), self._levels[layer].tolist(), strict=True)
        for head, (value, level) in enumerate(fields, 1):
            chosen = (layer + 1, head) == self._chosen
            inner = " " * across
            if middle and isfinite(value):
                inner = _number(round(100 * value), self._signed, across, chosen)
            elif middle and chosen:
                inner = f"{'[]':^{across}}"
            if pen.mono:
                shade = INK[min(4, level * 5 // ramp.levels)] if level < ramp.levels else " "
                segments.append(
                    Segment(inner if middle else shade * across, pen.chosen if chosen else pen.text)
                )
            else:
                segments.append(_field(inner, ramp.colours[level], chosen))
        rest = width - LEFT - across * heads
        if rest < 0:
            return Strip(segments).adjust_cell_length(width, pen.blank)
        if rest:
            segments.append(Segment(" " * rest, pen.blank))
        return Strip(segments, width)

    def on_click(self, event: events.Click) -> None:
        """Picks the field under the mouse."""
        across, down = self._sizes()
        layers, heads = self._values.shape
        layer, head = (event.y - 2) // down + 1, (event.x - LEFT) // across + 1
        if event.y >= 2 and event.x >= LEFT and layer <= layers and head <= heads:
            self.post_message(self.Picked(layer, head))


@lru_cache(maxsize=4096)
def _number(hundredths: int, signed: bool, across: int, chosen: bool) -> str:
    text = f"{hundredths / 100:+.2f}" if signed else f"{hundredths / 100:.2f}"
    if across < 6:
        # Of the zero before the point, where that is all there is before it.
        text = _ZERO.sub(r"\1.", text)
    text = text[: across - 2 if chosen else across - 1]
    return f"{f'[{text}]' if chosen else text:^{across}}"


@lru_cache(maxsize=4096)
def _field(text: str, ground: Color, bold: bool) -> Segment:
    return Segment(text, _on(ground, bold))


@lru_cache(maxsize=512)
def _on(ground: Color, bold: bool) -> Style:
    """Black or white, whichever can be read on a colour."""
    red, green, blue = ground.get_truecolor()
    ink = Color.parse("#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 130 else "#ffffff")
    return Style(color=ink, bgcolor=ground, bold=bold)
