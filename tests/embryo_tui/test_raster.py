"""Curves, axes, palettes and heat maps: what holds for any numbers, and a few pictures known by heart."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from embryo_tui.raster import palette
from embryo_tui.raster.axes import Axis, natural_scale, short, smooth, step_axis, value_axis
from embryo_tui.raster.curves import PATTERNS, broken, compose, pack, trace
from embryo_tui.raster.heat import half_blocks, quantise, resample, whole_side
from embryo_tui.raster.strips import paint_column, to_strips

parts = st.floats(0, 1, allow_nan=False)
WIDTH, HEIGHT = 40, 24


def points(
    draw_values: st.SearchStrategy[list[tuple[float, float]]],
) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    def split(pairs: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
        ordered = sorted(pairs)
        return np.array([x for x, _ in ordered]), np.array([y for _, y in ordered])

    return draw_values.map(split)


@given(points(st.lists(st.tuples(parts, parts), min_size=1, max_size=60, unique_by=lambda pair: pair[0])))
@example((np.array([0.5, 1.0]), np.zeros(2)))
def test_every_point_is_on_the_line_and_the_line_has_no_holes(curve: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = curve
    dots = trace(x, y, WIDTH, HEIGHT)
    column = np.floor(x * (WIDTH - 1) + 0.5).astype(int)
    row = np.rint((1 - y) * (HEIGHT - 1)).astype(int)
    assert dots[row, column].all()
    drawn = np.flatnonzero(dots.any(axis=0))
    assert list(drawn) == list(range(column.min(), column.max() + 1))
    for here, there in pairwise(drawn):
        upper, lower = np.flatnonzero(dots[:, here]), np.flatnonzero(dots[:, there])
        assert upper.min() <= lower.max() + 1
        assert lower.min() <= upper.max() + 1


@given(arrays(np.float64, 500, elements=st.floats(0, 1)), st.integers(0, 499))
def test_no_extreme_is_lost_where_many_points_share_a_column(values: np.ndarray, peak: int) -> None:
    values = values * 0.5
    values[peak] = 1.0
    assert trace(np.linspace(0, 1, 500), values, WIDTH, HEIGHT)[0].any()


@given(arrays(np.float64, 30, elements=st.one_of(st.just(math.nan), st.floats(-1e9, 1e9), st.just(math.inf))))
def test_whatever_the_values_nothing_is_raised_and_nan_is_not_drawn(values: np.ndarray) -> None:
    axis = value_axis(values)
    dots = trace(np.linspace(0, 1, 30), axis.place(values), WIDTH, HEIGHT)
    assert dots.shape == (HEIGHT, WIDTH)
    if np.isnan(values).all():
        assert not dots.any()


def test_nan_breaks_the_line() -> None:
    y = np.array([0.5, 0.5, np.nan, 0.5, 0.5])
    dots = trace(np.linspace(0, 1, 5), y, WIDTH, HEIGHT)
    assert not dots[:, WIDTH // 2 - 3 : WIDTH // 2 + 3].any()
    assert dots[:, 0].any()
    assert dots[:, -1].any()


def test_braille_patterns_are_those_of_unicode() -> None:
    dots = np.zeros((4, 8), dtype=bool)
    dots[0, 0] = dots[3, 2] = dots[0, 5] = True
    dots[:, 6:] = True
    cells = compose([pack(dots)], (1, 4))
    assert "".join(chr(code) for code in cells.glyph[0]) == "⠁⡀⠈⣿"
    assert list(cells.owner[0]) == [0, 0, 0, 0]


def test_the_last_series_owns_a_shared_cell_and_no_dot_is_lost() -> None:
    upper, lower = np.zeros((4, 2), dtype=bool), np.zeros((4, 2), dtype=bool)
    upper[0], lower[3] = True, True
    cells = compose([pack(upper), pack(lower)], (1, 1))
    assert chr(cells.glyph[0, 0]) == "⣉"
    assert cells.owner[0, 0] == 1


def test_broken_lines_differ_from_one_another() -> None:
    dots = np.ones((4, 48), dtype=bool)
    pictures = {broken(dots, pattern).tobytes() for pattern in PATTERNS}
    assert len(pictures) == len(PATTERNS)


def test_the_cursor_keeps_what_it_stands_on() -> None:
    red, blank = Style(color="red"), Style()
    cells = compose([pack(np.eye(4, 8, dtype=bool))], (1, 4))
    strip = to_strips(cells, [red], blank)[0]
    assert paint_column(strip, 0, Style(reverse=True)).text == strip.text
    assert paint_column(strip, 3, Style(reverse=True)).text == strip.text[:3] + "│"


@given(
    st.sampled_from(["linear", "log", "symlog"]),
    st.floats(1, 1e6),
    st.floats(1.5, 1e6),
    st.floats(0, 1),
)
def test_place_and_value_are_each_others_inverse(scale: str, low: float, times: float, part: float) -> None:
    axis = Axis(scale, low, low * times, unit=low)
    assert float(axis.place([axis.value(part)])[0]) == pytest.approx(part, abs=1e-6)
    assert list(axis.place([axis.low, axis.high])) == pytest.approx([0, 1])


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=40, unique=True), st.integers(2, 30))
def test_ticks_are_inside_the_axis_ascending_and_few(steps: list[int], room: int) -> None:
    for scale in ("linear", "log", "symlog"):
        axis = step_axis(sorted(steps), scale)
        values = [value for value, _ in axis.ticks(room)]
        assert values == sorted(values)
        assert all(axis.low <= value <= axis.high for value in values)
        assert len(values) <= max(room, 3) + 2


@pytest.mark.parametrize("steps", [[], [0], [7]])
@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_an_axis_of_no_step_or_one_has_places_and_ticks(steps: list[int], scale: str) -> None:
    axis = step_axis(steps, scale)
    assert axis.ticks(8)
    assert len(axis.place(steps)) == len(steps)


def test_step_zero_has_a_place_on_symlog_and_none_on_log() -> None:
    steps = [0, 10, 100, 1000]
    assert step_axis(steps, "symlog").place([0])[0] == 0
    assert np.isnan(step_axis(steps, "log").place([0])[0])
    assert step_axis(steps, "log").place([10])[0] == 0


def test_the_scale_follows_the_schedule() -> None:
    assert natural_scale([0, 1, 2, 5, 10, 20, 50, 100, 1000]) == "symlog"
    assert natural_scale(range(0, 1_000_000, 50_000)) == "linear"


def test_smoothing_is_the_mean_of_three_neighbours() -> None:
    assert list(smooth([0.0, 3.0, 6.0, 0.0])) == [1.5, 3.0, 3.0, 3.0]
    assert np.isnan(smooth([1.0, np.nan, 3.0])[1])


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.25, "0.25"), (999, "999"), (2500, "2.5k"), (1e6, "1M")]
)
def test_short_names(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize("dark", [True, False])
def test_ramps_rise_evenly_in_lightness_away_from_the_background(dark: bool) -> None:
    def lightness(rgb: np.ndarray) -> np.ndarray:
        linear = (rgb / 255.0) ** 2.2
        return linear @ [0.2126, 0.7152, 0.0722]

    rising = np.diff(lightness(palette.sequential(dark)))
    assert (rising > 0).all() if dark else (rising < 0).all()
    signed = lightness(palette.diverging(dark))
    middle = len(signed) // 2
    assert (np.diff(signed[middle:]) > 0).all() if dark else (np.diff(signed[middle:]) < 0).all()
    assert signed[0] == pytest.approx(signed[-1], rel=0.35)


#: Simulated dichromacy (Viénot, Brettel and Mollon 1999) on linear RGB.
DICHROMATS = {
    "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


@pytest.mark.parametrize("dark", [True, False])
def test_series_stand_out_from_the_background_and_stay_apart_for_colour_blind_eyes(dark: bool) -> None:
    colours = (
        np.array([[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in palette.series(dark)]) / 255.0
    )
    linear = colours**2.2
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    ground = 0.008 if dark else 0.95
    contrast = (np.maximum(luminance, ground) + 0.05) / (np.minimum(luminance, ground) + 0.05)
    assert contrast.min() > 3
    for matrix in DICHROMATS.values():
        seen = np.clip(linear @ matrix.T, 0, 1) ** (1 / 2.2)
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        assert distance[np.triu_indices(len(seen), 1)].min() > 0.12


def test_256_colours_are_the_nearest_of_xterm() -> None:
    rising = np.array(
        [[0, 0, 0], [95, 0, 0], [95, 135, 175], [175, 175, 175], [255, 255, 255]], dtype=np.uint8
    )
    assert list(palette.to_256(rising)) == [16, 52, 67, 145, 231]


@pytest.mark.parametrize("dark", [True, False])
def test_a_ramp_of_256_colours_keeps_the_order_of_values(dark: bool) -> None:
    def brightness(rgb: np.ndarray) -> np.ndarray:
        return palette.luminance(palette.xterm()[palette.to_256(rgb) - 16])

    rising = np.diff(brightness(palette.sequential(dark))) * (1 if dark else -1)
    assert (rising >= -1e-9).all()
    assert (rising > 0).sum() >= 8
    signed = brightness(palette.diverging(dark))
    outwards = np.diff(signed[len(signed) // 2 :]) * (1 if dark else -1)
    assert (outwards >= -1e-9).all()


def test_quantising_keeps_order_and_marks_what_is_missing() -> None:
    levels = quantise([[0.0, 0.5, 1.0, np.nan, 7.0]], 0.0, 1.0, 10)
    assert levels.tolist() == [[0, 5, 9, 10, 9]]


def test_a_thin_diagonal_survives_shrinking_and_keeps_its_sign() -> None:
    diagonal = -np.eye(32)
    assert (resample(diagonal, 8, 8).diagonal() == -1).all()
    assert resample(np.eye(3), 6, 6).tolist() == np.kron(np.eye(3), np.ones((2, 2))).tolist()


@given(st.integers(1, 200), st.integers(2, 300))
def test_a_map_is_drawn_at_a_whole_multiple_or_part_that_fits(size: int, room: int) -> None:
    side = whole_side(size, room)
    assert 1 <= side <= max(room, 1)
    if room >= size:
        assert side % size == 0


def seen(sent: str) -> list[tuple[str, str, str]]:
    """What a terminal makes of escape sequences: character, foreground and background of every cell."""
    cells, upper, lower = [], "", ""
    for codes, character in re.findall(r"\x1b\[([\d;]*)m|(.)", sent):
        if character:
            cells.append((character, upper, lower))
            continue
        parts = codes.split(";")
        while parts:
            code = parts.pop(0)
            if code in ("38", "48"):
                colour = ";".join([code, *(parts.pop(0) for _ in range(4 if parts[0] == "2" else 2))])
                upper, lower = (colour, lower) if code == "38" else (upper, colour)
            else:
                upper = lower = ""
    return cells


@pytest.mark.parametrize("depth", ["truecolor", "256"])
@given(levels=arrays(np.int16, (6, 9), elements=st.integers(0, palette.LEVELS)))
def test_half_blocks_show_two_pixels_a_cell_however_they_are_sent(
    depth: palette.Depth, levels: np.ndarray
) -> None:
    ramp = palette.ramp(True, depth, "#000000")
    console = Console(color_system=depth, force_terminal=True)
    for row, strip in enumerate(half_blocks(levels, ramp, after=[Segment("end")])):
        expected = []
        for upper, lower in zip(levels[2 * row].tolist(), levels[2 * row + 1].tolist(), strict=True):
            expected.append((ramp.upper_codes[upper], ramp.lower_codes[lower], upper == lower))
        for sent in (strip.render(console), Strip(list(strip)).render(console)):
            cells = seen(sent)
            assert "".join(character for character, _, _ in cells[9:]) == "end"
            for (character, upper, lower), (above, below, same) in zip(cells, expected, strict=False):
                assert lower == below
                assert character == (" " if same else "▀")
                assert same or upper == above


def test_a_map_line_can_be_cut_like_any_other() -> None:
    ramp = palette.ramp(True, "truecolor", "#000000")
    strip = half_blocks(np.arange(20, dtype=np.int16).reshape(2, 10), ramp, [[Segment("ab")]])[0]
    assert strip.cell_length == 12
    assert [part.text for part in strip.divide([12])] == ["ab" + "▀" * 10]
    assert [part.text for part in strip.divide([1, 4, 12])] == ["a", "b▀▀", "▀" * 8]
    assert strip.crop(1, 3).text == "b▀"


def test_without_colour_ink_shows_the_value_and_its_sign() -> None:
    levels = np.array([[0, 8, 16, 24, 32]] * 2, dtype=np.int16)
    signed = palette.ramp(True, "none", "#000000", signed=True)
    assert half_blocks(levels, signed)[0].text == "#- ▒█"
    plain = palette.ramp(True, "none", "#000000")
    assert half_blocks(np.array([[0, 16, 31, 32]] * 2, dtype=np.int16), plain)[0].text == " ▒█ "
