"""One registry of what a user can do: it feeds the key bindings, the footer, the help and the palette.

An action that changes the view is a function from one look to the next; the few that touch the app itself
(quit, help, play …) carry no change and are carried out by the app under their id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from embryo_tui.look import BELOW, GROUPINGS, WORD_TASKS, Look, World
from embryo_tui.raster.axes import RISES, SCALES, SMOOTHINGS, natural_scale
from embryo_tui.sight import axis_of, in_sight
from embryo_tui.steps import move

T = TypeVar("T")
Change = Callable[[Look, World], Look]

EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class Action:
    """Something to do: ``where`` is a screen's name or ``everywhere``; ``hint`` is the footer's word."""

    id: str
    keys: tuple[str, ...]
    description: str
    where: str = EVERYWHERE
    change: Change | None = None
    hint: str = ""


def after(choices: Sequence[T], current: T, by: int = 1) -> T:
    """The choice after the current one, round and round; the first where the current is none of them."""
    if not choices:
        return current
    if current not in choices:
        return choices[0]
    return choices[(choices.index(current) + by) % len(choices)]


def _held(value: int, low: int, high: int) -> int:
    return min(max(value, low), max(low, high))


def _step(by: int) -> Change:
    return lambda look, world: replace(look, step=move(world.steps, look.step, by))


def _layer(by: int) -> Change:
    return lambda look, world: replace(look, layer=_held(look.layer + by, 1, world.layers))


def _head(by: int) -> Change:
    return lambda look, world: replace(look, head=_held(look.head + by, 1, world.heads))


def _first(look: Look, world: World) -> Look:
    return replace(look, step=int(world.steps[0])) if len(world.steps) else look


def _last(look: Look, world: World) -> Look:
    return replace(look, step=int(world.steps[-1])) if len(world.steps) else look


def _scale(look: Look, world: World) -> Look:
    return replace(look, scale=after(SCALES, look.scale or natural_scale(world.steps)))


def _zoom(factor: float) -> Change:
    def change(look: Look, world: World) -> Look:
        axis = axis_of(look, world)
        place = float(axis.place([look.step])[0])
        turned = axis.zoomed(min(max(place, 0.0), 1.0) if place == place else 0.5, factor)
        return in_sight(look, world, turned.low, turned.high)

    return change


def _pan(by: float) -> Change:
    def change(look: Look, world: World) -> Look:
        moved = axis_of(look, world).panned(by)
        return look if look.window is None else in_sight(look, world, moved.low, moved.high)

    return change


def _run(look: Look, world: World) -> Look:
    run = after(world.runs, look.run)
    alone = len(look.runs) <= 1
    return replace(look, run=run, runs=(run,) if alone else tuple(dict.fromkeys((*look.runs, run))))


def _overlay(look: Look, world: World) -> Look:
    return replace(look, runs=(look.run,) if len(look.runs) > 1 else world.runs)


def _bands(look: Look, world: World) -> Look:
    if look.bands:
        return replace(look, bands=False)
    kin = world.kin.get(look.run)
    runs = tuple(run for run in world.runs if kin is not None and world.kin.get(run) == kin)
    return replace(look, bands=True, runs=tuple(dict.fromkeys((*look.runs, *runs))))


def _mark(look: Look, world: World) -> Look:
    if not len(world.steps):
        return look
    return replace(look, mark=None if look.mark == look.step else look.step)


def _swap(look: Look, _world: World) -> Look:
    return look if look.mark is None else replace(look, mark=look.step, step=look.mark)


def _difference(look: Look, world: World) -> Look:
    if look.difference or look.mark is not None or not len(world.steps):
        return replace(look, difference=not look.difference)
    # Without A the first step is the natural thing to compare with.
    return replace(look, difference=True, mark=int(world.steps[0]))


def _dataset(look: Look, world: World) -> Look:
    if not world.datasets:
        return look
    return replace(look, dataset=after(world.datasets, look.dataset or world.datasets[0]))


ACTIONS: tuple[Action, ...] = (
    Action("back", ("left", "h"), "One saved step back", change=_step(-1), hint="step"),
    Action("forward", ("right", "l"), "One saved step forward", change=_step(1)),
    Action("back_ten", ("[",), "Ten saved steps back", change=_step(-10), hint="by ten"),
    Action("forward_ten", ("]",), "Ten saved steps forward", change=_step(10)),
    Action("first", ("home", "g"), "The first step", change=_first),
    Action("last", ("end", "G"), "The last step", change=_last),
    Action("event_next", ("n",), "The next event: onset, plateau, dip, suspect checkpoint", hint="event"),
    Action("event_back", ("N",), "The event before"),
    Action("events", ("E",), "All events on this screen, to choose from", hint="events"),
    Action("play", ("space",), "Play through the steps, or stop", hint="play"),
    Action("faster", ("+", "="), "Play faster"),
    Action("slower", ("-",), "Play slower"),
    Action(
        "loop", ("L",), "Play round and round, or once",
        change=lambda look, _: replace(look, loop=not look.loop),
    ),
    Action(
        "mark", ("m",), "Mark this step as A, to compare with (again: take the mark away)",
        change=_mark, hint="mark A",
    ),
    Action("swap", ("M",), "Swap the cursor and A", change=_swap),
    Action(
        "difference", ("d",), "Signed differences from A in curves and maps, or plain values",
        change=_difference, hint="A/B difference",
    ),
    Action("run", ("r",), "The next run: its card, facts and attention", change=_run, hint="run"),
    Action("overlay", ("o",), "Curves of all runs, or of this run alone", change=_overlay, hint="overlay"),
    Action("bands", ("B",), "Runs that differ by seed alone as one curve with a band", change=_bands),
    Action(
        "smooth", ("s",), "Smooth: mean of 3 points, moving average, off; the raw line stays as a ghost",
        change=lambda look, _: replace(look, smoothing=after(SMOOTHINGS, look.smoothing)), hint="smooth",
    ),
    Action("scale", ("x",), "Steps on a linear, log or symlog axis", change=_scale, hint="x axis"),
    Action(
        "rise", ("Y",), "Values from 0, fitted to what is in sight, log, or symlog",
        change=lambda look, _: replace(look, rise=after(RISES, look.rise)), hint="y axis",
    ),
    Action("zoom_in", ("z",), "Look closer at the steps around the cursor", change=_zoom(0.5), hint="zoom"),
    Action("zoom_out", ("Z",), "Take in more steps", change=_zoom(2.0)),
    Action("zoom_off", ("0",), "All steps in sight", change=lambda look, _: replace(look, window=None)),
    Action("pan_back", ("<",), "Move along to earlier steps", change=_pan(-0.25)),
    Action("pan_forward", (">",), "Move along to later steps", change=_pan(0.25)),
    Action("filter", ("/",), "Search and filter: text, glob, /regular expression/", hint="search"),
    Action("curves", ("f",), "Choose curves: hide, show, or one alone", hint="curves"),
    Action("toggle", ("enter",), "Hide or show the chosen row's curve"),
    Action(
        "show_all", ("a",), "Show everything again: no filter, nothing hidden",
        change=lambda look, _: replace(look, hidden=frozenset(), filter=""),
    ),
    Action("copy_sql", ("c",), "Copy the SQL behind the panel in focus"),
    Action("copy_command", ("C",), "Copy the command that shows this again"),
    Action("save_look", ("W",), "Save this look to a file (open it with --look FILE)"),
    Action("export_csv", ("X",), "Write the panel in focus as CSV"),
    Action("export_latex", ("T",), "Write the panel in focus as a LaTeX table"),
    Action("theme", ("t",), "Light or dark"),
    Action("help", ("question_mark", "f1"), "All keys", hint="help"),
    Action("quit", ("q",), "Quit", hint="quit"),
    Action(
        "word_task", ("w",), "Reconstruct (unmasked) or mask-predict", "words",
        lambda look, _: replace(look, word_task=after(WORD_TASKS, look.word_task)), "task",
    ),
    Action(
        "grouping", ("v",), "Group words by part of speech, function/content, verb form, tag or frequency",
        "words",
        lambda look, _: replace(look, grouping=after(GROUPINGS, look.grouping), hidden=frozenset()),
        "grouping",
    ),
    Action(
        "rescaled", ("y",), "Accuracy as it is, or as a share of the last step's", "words",
        lambda look, _: replace(look, rescaled=not look.rescaled), "raw/rescaled",
    ),
    Action("dataset", ("D",), "The next dataset", "words", _dataset, "dataset"),
    Action(
        "probe", ("v",), "The next probing task", "probes",
        lambda look, world: replace(look, probe=after(world.probes, look.probe)), "task",
    ),
    Action("metric", ("w",), "F1, or the next number: control, selectivity, loss", "probes", None, "number"),
    Action("probe_layer_back", ("comma",), "The layer before", "probes", _layer(-1), "layer"),
    Action("probe_layer_forward", ("full_stop",), "The layer after", "probes", _layer(1)),
    Action(
        "protocol", ("p",), "The next protocol (paper, tenney)", "probes",
        lambda look, world: replace(look, protocol=after(world.protocols or ("paper",), look.protocol)),
        "protocol",
    ),
    Action(
        "below", ("b",),
        "The chosen fact's biography, facts learned and forgotten since A, all fates, all forgotten facts, "
        "or the sentences asked",
        "knowledge", lambda look, _: replace(look, below=after(BELOW, look.below)),
        "life/ledger/fates/forgotten/asked",
    ),
    Action("layer_up", ("up", "k"), "The layer before", "attention", _layer(-1), "layer"),
    Action("layer_down", ("down", "j"), "The layer after", "attention", _layer(1)),
    Action("head_back", ("comma", "shift+left"), "The head before", "attention", _head(-1), "head"),
    Action("head_forward", ("full_stop", "shift+right"), "The head after", "attention", _head(1)),
    Action(
        "statistic", ("v",), "Colour layers and heads by the next statistic", "attention",
        lambda look, world: replace(look, statistic=after(world.statistics, look.statistic)), "statistic",
    ),
    Action(
        "strongest", ("w",), "The head at which the statistic is highest here", "attention",
        hint="strongest",
    ),
    Action(
        "sentence", ("e",), "Average map, or the next single sentence", "attention",
        lambda look, world: replace(look, sentence=after(world.sentences, look.sentence)), "sentence",
    ),
)  # fmt: skip

KEY_NAMES = {
    "left": "←", "right": "→", "up": "↑", "down": "↓", "question_mark": "?", "comma": ",", "full_stop": ".",
    "space": "space", "home": "Home", "end": "End", "enter": "Enter", "shift+left": "⇧←", "shift+right": "⇧→",
    "f1": "F1",
}  # fmt: skip


def key_name(key: str) -> str:
    """How a key is written for people."""
    return KEY_NAMES.get(key, key)


def for_screen(screen: str) -> tuple[Action, ...]:
    """What can be done on a screen: its own actions first, then those of everywhere."""
    own = tuple(action for action in ACTIONS if action.where == screen)
    return own + tuple(action for action in ACTIONS if action.where == EVERYWHERE)


def find(action_id: str) -> Action:
    """The action of that id.

    Raises:
        KeyError: no such action.
    """
    for action in ACTIONS:
        if action.id == action_id:
            return action
    raise KeyError(action_id)
