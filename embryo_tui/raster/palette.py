"""Colours that a colour-blind reader can tell apart, and ramps whose lightness alone carries the value.

Knows how colours are chosen and named for a terminal; not what they are used for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from rich.color import Color, ColorSystem
from rich.style import Style

Rgb = npt.NDArray[np.uint8]

#: What the terminal can show: 24-bit colour, the 256 of xterm, 16, or none (``NO_COLOR``, dumb terminals).
Depth = Literal["truecolor", "256", "16", "none"]

#: One colour a series, in the order in which they are given out: begun from Okabe and Ito's, then moved until
#: each stands out from its background and from the others, also to protanopic and deuteranopic eyes.
SERIES_DARK = ("#68c9ff", "#e0ac09", "#4ccd77", "#c978b7", "#f0e442", "#e77042", "#7983ff", "#b2d5bc")
SERIES_LIGHT = ("#0686bc", "#bf7900", "#098f45", "#a2448c", "#5b5100", "#a35c21", "#4a4fc0", "#445b61")

#: Levels of a ramp. Enough that steps are not seen, few enough that equal neighbours merge into one run.
LEVELS = 32

_OKLAB_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
_XTERM_LEVELS = np.array([0, 95, 135, 175, 215, 255])


def series(dark: bool) -> tuple[str, ...]:
    """The categorical colours for a dark or a light background."""
    return SERIES_DARK if dark else SERIES_LIGHT


def oklch(lightness: npt.ArrayLike, chroma: npt.ArrayLike, hue: npt.ArrayLike) -> Rgb:
    """Colours as sRGB bytes ``(n, 3)`` from OKLCH (Ottosson 2020); hue in degrees; clipped into the gamut."""
    light, strength, angle = np.broadcast_arrays(
        np.atleast_1d(np.asarray(lightness, float)),
        np.asarray(chroma, float),
        np.deg2rad(np.asarray(hue, float)),
    )
    lab = np.stack([light, strength * np.cos(angle), strength * np.sin(angle)], axis=1)
    linear = np.clip((lab @ _OKLAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    rgb: Rgb = np.rint(encoded * 255).astype(np.uint8)
    return rgb


def sequential(dark: bool, levels: int = LEVELS) -> Rgb:
    """From the background to full strength: blue through green to yellow, lightness rising (dark theme)
    or falling (light theme) evenly, so that the order survives any colour blindness.
    """
    t = np.linspace(0.0, 1.0, levels)
    lightness = 0.235 + 0.70 * t if dark else 0.975 - 0.70 * t
    hue = 268.0 - 163.0 * t if dark else 95.0 + 173.0 * t
    return oklch(lightness, 0.03 + 0.125 * np.sin(np.pi * (0.12 + 0.72 * t)), hue)


def diverging(dark: bool, levels: int = LEVELS + 1) -> Rgb:
    """Blue below zero, orange above, the background at zero; the middle level is zero."""
    t = np.linspace(-1.0, 1.0, levels)
    size = np.abs(t)
    lightness = 0.235 + 0.56 * size if dark else 0.975 - 0.48 * size
    return oklch(lightness, 0.155 * size, np.where(t < 0, 250.0, 55.0))


def xterm() -> Rgb:
    """The colours 16 to 255 of xterm: its cube, then its greys; ``(240, 3)``."""
    cube = np.stack(np.meshgrid(_XTERM_LEVELS, _XTERM_LEVELS, _XTERM_LEVELS, indexing="ij"), axis=-1)
    greys = np.repeat(8 + 10 * np.arange(24), 3).reshape(24, 3)
    return np.concatenate([cube.reshape(216, 3), greys]).astype(np.uint8)


def luminance(rgb: Rgb) -> npt.NDArray[np.float64]:
    """How bright colours look, from 0 to about 1; ``(n,)``."""
    bright: npt.NDArray[np.float64] = (rgb / 255.0) ** 2.2 @ np.array([0.2126, 0.7152, 0.0722])
    return bright


def to_256(rgb: Rgb) -> npt.NDArray[np.int64]:
    """Entries of xterm's 256 for the colours of a ramp, ``(n,)``: the nearest among those that keep the ramp
    rising where it rises and falling where it falls. A coarser ramp must not lie about order.
    """
    choices, wanted = xterm(), luminance(rgb)
    bright = luminance(choices)
    error = ((choices.astype(int)[None] - rgb.astype(int)[:, None]) ** 2).sum(axis=2)
    found = np.zeros(len(rgb), dtype=np.int64)
    for level in range(len(rgb)):
        allowed = np.ones(len(choices), dtype=np.bool_)
        if level:
            rising = wanted[level] >= wanted[level - 1]
            last = bright[found[level - 1]]
            allowed = bright >= last - 1e-9 if rising else bright <= last + 1e-9
        found[level] = np.where(allowed, error[level], np.iinfo(np.int64).max).argmin()
    return found + 16


class Sent(dict[int, str]):
    """Text of map cells by their code, made as it is needed: space or half block, after the colours that
    change (ground alone for a space; ink; ground; both).
    """

    def __init__(self, inks: Sequence[str], grounds: Sequence[str]) -> None:
        """``inks`` and ``grounds``: terminal codes by level."""
        super().__init__({0: " ", 1: "▀"})
        self._inks, self._grounds = inks, grounds

    def __missing__(self, code: int) -> str:
        """Makes the text of a code."""
        levels = len(self._inks)
        kind, level = divmod(code - 2, levels)
        if kind == 0:
            text = f"\x1b[{self._grounds[level]}m "
        elif kind == 1:
            text = f"\x1b[{self._inks[level]}m▀"
        elif kind == 2:
            text = f"\x1b[{self._grounds[level]}m▀"
        else:
            text = f"\x1b[{self._inks[kind - 3]};{self._grounds[level]}m▀"
        self[code] = text
        return text


@dataclass(frozen=True)
class Ramp:
    """The colours of a heat map's levels, as terminal styles. The level after the last is "no value".

    The codes are what a terminal is sent for a level in the upper half of a cell (foreground) and in its
    lower half (background).
    """

    colours: tuple[Color, ...]
    signed: bool
    mono: bool
    upper_codes: tuple[str, ...] = ()
    lower_codes: tuple[str, ...] = ()
    _styles: dict[tuple[int, int], Style] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def sent(self) -> Sent:
        """What a terminal is sent for a cell of a map, by the codes of ``map_strip.sent_codes``."""
        return Sent(self.upper_codes, self.lower_codes)

    @property
    def levels(self) -> int:
        """How many levels carry a value; the missing one is not counted."""
        return len(self.colours) - 1

    def pair(self, upper: int, lower: int) -> Style:
        """The style of a half block whose upper pixel has one level and whose lower one another."""
        found = self._styles.get((upper, lower))
        if found is None:
            found = self._styles[upper, lower] = Style(color=self.colours[upper], bgcolor=self.colours[lower])
        return found


@lru_cache(maxsize=16)
def ramp(dark: bool, depth: Depth, background: str, signed: bool = False) -> Ramp:
    """The ramp for a theme, a terminal and a sign; ``background`` (#rrggbb) is shown where no value is."""
    rgb = diverging(dark) if signed else sequential(dark)
    ground = Color.parse(background)
    if depth == "256":
        colours = tuple(Color.from_ansi(int(index)) for index in to_256(rgb))
        # The ground must be what Rich makes of it elsewhere on the screen.
        ground = ground.downgrade(ColorSystem.EIGHT_BIT)
    else:
        colours = tuple(Color.from_rgb(*(int(part) for part in row)) for row in rgb)
    shown = (*colours, ground)
    upper = tuple(";".join(colour.get_ansi_codes()) for colour in shown)
    lower = tuple(";".join(colour.get_ansi_codes(foreground=False)) for colour in shown)
    return Ramp(shown, signed, depth in ("16", "none"), upper, lower)
