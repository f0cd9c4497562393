"""Line charts in characters, by plotext: the one place that knows it. Axes are transformed by us."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotext

from embryo_tui.harmless import harmless
from embryo_tui.raster.axes import Axis, value_axis
from embryo_tui.raster.curves import Floats

#: Lines in one chart; more cannot be told apart.
MOST = 8
LETTERS = string.ascii_lowercase


@dataclass(frozen=True, eq=False)
class Line:
    """A curve and its name; ``x`` steps, ``y`` values (NaN is left out)."""

    name: str
    x: npt.NDArray[np.int64]
    y: Floats


def chart(lines: Sequence[Line], across: Axis, width: int, height: int = 14, *, shares: bool = True) -> str:
    """Lines drawn by their letters, and below a legend with every line's last value. Empty without points."""
    drawn = [line for line in lines[:MOST] if np.isfinite(line.y).any()]
    if not drawn:
        return ""
    up = value_axis(np.concatenate([line.y for line in drawn]), unit_interval=shares)
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    plotext.limit_size(False, False)
    for letter, line in reversed(list(zip(LETTERS, drawn, strict=False))):
        places = across.place(line.x)
        known = np.isfinite(places) & np.isfinite(line.y)
        plotext.plot(places[known].tolist(), line.y[known].tolist(), marker=letter)
    plotext.xlim(0.0, 1.0)
    plotext.ylim(up.low, up.high)
    ticks = across.ticks(max(2, width // 10))
    plotext.xticks([float(across.place([value])[0]) for value, _ in ticks], [name for _, name in ticks])
    heights = up.ticks(max(3, height // 3))
    plotext.yticks([value for value, _ in heights], [name for _, name in heights])
    plotext.frame(False)
    picture = "\n".join(row.rstrip() for row in plotext.uncolorize(plotext.build()).splitlines())
    legend = [
        f"{letter} {harmless(line.name)} {line.y[np.isfinite(line.y)][-1]:.3f}"
        for letter, line in zip(LETTERS, drawn, strict=False)
    ]
    return f"{picture}\n{_flow(legend, width)}"


def _flow(entries: Sequence[str], width: int) -> str:
    """Entries side by side, in as many lines as they need."""
    lines, line = [], ""
    for entry in entries:
        longer = f"{line}   {entry}" if line else f"  {entry}"
        if line and len(longer) > width:
            lines.append(line)
            longer = f"  {entry}"
        line = longer
    return "\n".join([*lines, line])
