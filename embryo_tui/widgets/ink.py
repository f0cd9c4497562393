"""The styles that widgets write with, for the current theme and terminal. Knows no data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rich.color import Color, ColorSystem
from rich.style import Style
from textual.app import App
from textual.theme import Theme
from textual.widget import Widget

from embryo_tui.raster import palette
from embryo_tui.raster.palette import Depth, Ramp

DARK = Theme(
    name="embryo-dark",
    primary="#56b4e9",
    secondary="#8d9bf0",
    accent="#56b4e9",
    warning="#e69f00",
    error="#f0703f",
    success="#34b98a",
    foreground="#d7dae0",
    background="#14171c",
    surface="#1a1e25",
    panel="#242a33",
    dark=True,
    variables={"rule": "#343b47", "faint": "#5d6675", "dim": "#8c95a4"},
)
LIGHT = Theme(
    name="embryo-light",
    primary="#0072b2",
    secondary="#4a4fc0",
    accent="#0072b2",
    warning="#b06a00",
    error="#c23f00",
    success="#00805c",
    foreground="#23272e",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e6e3dc",
    dark=False,
    variables={"rule": "#d3cfc6", "faint": "#9b968b", "dim": "#68645c"},
)


#: What names a series where there is no colour.
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Ink:
    """Styles by what they are for. ``mono``: colour must carry nothing, so marks and weights do."""

    dark: bool
    depth: Depth
    background: str
    text: Style
    strong: Style
    dim: Style
    faint: Style
    rule: Style
    accent: Style
    good: Style
    bad: Style
    chosen: Style
    chosen_dull: Style
    cursor: Style
    mark: Style
    blank: Style
    series: tuple[Style, ...]

    @property
    def mono(self) -> bool:
        """Colours are too few to carry a value or to name a curve alone: ink and letters do."""
        return self.depth in ("none", "16")

    def ramp(self, signed: bool = False) -> Ramp:
        """The colours of a heat map."""
        return palette.ramp(self.dark, self.depth, self.background, signed)

    def shade(self, part: float) -> Style:
        """The style of something that has its place in an order, from 0 to 1."""
        if self.depth in ("none", "16"):
            return self.of(round(part * (len(self.series) - 1)))
        ramp = self.ramp()
        # The darkest levels are the background's: what is written must be read.
        level = round((0.3 + 0.7 * min(max(part, 0.0), 1.0)) * (ramp.levels - 1))
        return Style(color=ramp.colours[level], bgcolor=self.blank.bgcolor)

    def of(self, index: int) -> Style:
        """The style of a series; colours come round again after the last."""
        return self.series[index % len(self.series)]


def ink(widget: Widget) -> Ink:
    """The ink of the app that a widget belongs to."""
    app: App[Any] = widget.app
    return _ink(app.current_theme.name, app.current_theme.dark, depth_of(app))


def depth_of(app: App[Any]) -> Depth:
    """What the terminal shows. 16 colours are too few for a ramp: curves have them, maps are drawn in ink."""
    if app.no_color:
        return "none"
    system = app.console._color_system
    if system in (ColorSystem.STANDARD, ColorSystem.WINDOWS, None):
        return "16"
    if system is ColorSystem.TRUECOLOR and not getattr(app, "low_bandwidth", False):
        return "truecolor"
    return "256"


@lru_cache(maxsize=8)
def _ink(_theme: str, dark: bool, depth: Depth) -> Ink:
    theme = DARK if dark else LIGHT
    background = theme.background or "#000000"
    if depth == "none":
        plain, reverse = Style.null(), Style(reverse=True)
        bold, under = Style(bold=True), Style(underline=True)
        return Ink(
            dark, depth, background, text=plain, strong=bold, dim=plain, faint=plain, rule=Style(dim=True),
            accent=bold, good=plain, bad=plain, chosen=reverse, chosen_dull=under, cursor=reverse, mark=under,
            blank=plain, series=(plain,),
        )  # fmt: skip

    if depth == "16":
        return _sixteen(dark, background)

    def style(colour: str | None, on: str = background, bold: bool | None = None) -> Style:
        return Style(color=Color.parse(colour or "#888888"), bgcolor=Color.parse(on), bold=bold)

    extra, panel = theme.variables, theme.panel or background
    return Ink(
        dark,
        depth,
        background,
        text=style(theme.foreground),
        strong=style(theme.foreground, bold=True),
        dim=style(extra["dim"]),
        faint=style(extra["faint"]),
        rule=style(extra["rule"]),
        accent=style(theme.accent, bold=True),
        good=style(theme.success),
        bad=style(theme.error),
        chosen=style(theme.foreground, on=extra["rule"], bold=True),
        chosen_dull=style(theme.foreground, on=panel),
        cursor=style(theme.foreground, on=extra["rule"]),
        mark=style(theme.warning),
        blank=style(theme.foreground),
        series=tuple(style(colour) for colour in palette.series(dark)),
    )


def _sixteen(dark: bool, background: str) -> Ink:
    """The terminal's own colours by name: what they look like is the terminal's matter."""

    def ansi(number: int | None, bold: bool | None = None, dim: bool | None = None) -> Style:
        return Style(color=None if number is None else Color.from_ansi(number), bold=bold, dim=dim)

    plain = Style.null()
    series = (14, 11, 10, 13, 12, 9, 6, 3) if dark else (6, 3, 2, 5, 4, 1, 12, 13)
    return Ink(
        dark, "16", background, text=plain, strong=ansi(None, bold=True), dim=plain,
        faint=ansi(None, dim=True), rule=ansi(None, dim=True), accent=ansi(series[0], bold=True),
        good=ansi(2), bad=ansi(1), chosen=Style(reverse=True),
        chosen_dull=Style(underline=True), cursor=Style(reverse=True), mark=ansi(3), blank=plain,
        series=tuple(ansi(number) for number in series),
    )  # fmt: skip
