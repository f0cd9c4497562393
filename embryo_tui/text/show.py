"""``embryo-tui --print``: reads the store once, prints a panel, says what is wrong in one message."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embryo_store.errors import StoreError
from embryo_store.query import read
from embryo_tui.filters import matcher
from embryo_tui.harmless import harmless_lines
from embryo_tui.several import labels
from embryo_tui.steps import at_or_before, settle
from embryo_tui.text import facts, layers, panels
from embryo_tui.text.page import Page
from embryo_tui.text.summary import summary
from embryo_tui.text.tables import showable

if TYPE_CHECKING:
    from embryo_store.query import Reader, RunCard
    from embryo_tui.look import Look


@dataclass(frozen=True)
class Panel:
    """What prints some runs, and which settings of a look it goes by."""

    text: Callable[[Reader, Sequence[Page]], str]
    settings: frozenset[str]


def _panel(text: Callable[[Reader, Sequence[Page]], str], settings: str) -> Panel:
    return Panel(text, frozenset({*settings.split(), "screen", "run", "runs", "filter"}))


def _each(one: Callable[[Reader, Page], str]) -> Callable[[Reader, Sequence[Page]], str]:
    """Run after run."""
    return lambda reader, pages: "\n\n".join(one(reader, page) for page in pages)


PANELS: Mapping[str, Panel] = {
    "summary": _panel(summary, "scale window"),
    "overview": _panel(_each(panels.overview), "step mark scale window"),
    "words": _panel(
        _each(panels.words), "step mark scale window word_task grouping rescaled dataset hidden"
    ),
    "probes": _panel(_each(layers.probes), "step mark scale window probe probe_metric protocol layer"),
    "downstream": _panel(_each(layers.downstream), "step mark scale window"),
    "knowledge": _panel(_each(facts.knowledge), "step mark scale window relation hidden"),
    "attention": _panel(_each(panels.attention), "step mark statistic layer head"),
}  # fmt: skip
#: Columns: fewer hold no chart, more help nobody.
NARROW, WIDE = 60, 200
#: Seconds to wait for a store that is being written to.
PATIENCE = 10.0


def show(stores: Sequence[Path], panel: str, look: Look, said: frozenset[str], *, width: int | None) -> int:
    """Prints a panel of all runs or those of a look, store by store; the exit code.

    ``said``: the settings of the look that were asked for. Those that mean nothing here are named on stderr.
    """
    columns = min(max(width or shutil.get_terminal_size((80, 24)).columns, NARROW), WIDE)
    try:
        matcher(look.filter)
    except ValueError as error:
        return _complain(f"filter {look.filter}: {error}")
    wanted, found, takes = chosen(look), set[str](), PANELS[panel].settings
    texts, held = [], []
    for path, label in zip(stores, labels(stores), strict=True):
        try:
            with read(path, timeout=PATIENCE) as reader:
                cards = reader.runs()
                if not cards:
                    return _complain(f"{path} holds no results yet. Fill it: embryo-eval --db {path}")
                held += [card.run for card in cards]
                # Where several stores hold a run, the app calls it by its file and its name.
                names = {card.run: {card.run, f"{label}:{card.run}"} for card in cards}
                mine = [card for card in cards if not wanted or names[card.run] & wanted]
                found |= {name for card in mine for name in names[card.run]}
                pages = [_page(card, look, said & takes, columns) for card in mine]
                if pages:
                    texts += [f"{label}\n{'=' * len(label)}"] if len(stores) > 1 else []
                    texts.append(PANELS[panel].text(reader, pages))
        except StoreError as error:
            return _complain(str(error), error.exit_code)
    if wanted - found:
        names_of = " and ".join(str(path) for path in stores)
        lost = ", ".join(sorted(wanted - found))
        return _complain(f"{names_of} holds no run {lost!r}. It holds: {', '.join(dict.fromkeys(held))}")
    unshown = sorted(said - takes)
    if unshown:
        _tell(f"--print {panel} goes without {', '.join(unshown)}.")
    try:
        print(showable(harmless_lines("\n\n".join(texts)), sys.stdout.encoding), flush=True)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; Python must not find the pipe broken again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def chosen(look: Look) -> set[str]:
    """The runs that a look is at; none: all."""
    return set(look.runs) if not look.run or look.run in look.runs else {look.run}


def _page(card: RunCard, look: Look, said: frozenset[str], columns: int) -> Page:
    """The look as it stands on a run's own steps; says so where that is elsewhere than asked."""
    if not len(card.steps):
        return Page(card, replace(look, step=0), said, columns)
    step = int(card.steps[-1]) if look.step < 0 else settle(card.steps, look.step)
    if "step" in said and look.step >= 0 and step != look.step:
        _tell(f"{card.run} has no step {look.step:,}; step {step:,} is shown.")
    if "mark" in said and look.mark is not None and look.mark not in card.steps:
        before = at_or_before(card.steps, look.mark)
        stands = "none before it, either" if before is None else f"step {before:,} stands for it"
        _tell(f"{card.run} has no step {look.mark:,} to compare with; {stands}.")
    look = replace(look, run=card.run, step=step)
    for name, most in (("layer", card.layers), ("head", card.heads)):
        if name in said and most and getattr(look, name) > most:
            _tell(f"{card.run} has no {name} {getattr(look, name)}; {name} {most} is shown.")
            held: dict[str, Any] = {name: most}
            look = replace(look, **held)
    return Page(card, look, said, columns)


def _tell(message: str) -> None:
    print(f"embryo-tui: {harmless_lines(message)}", file=sys.stderr)


def _complain(message: str, code: int = 2) -> int:
    _tell(message)
    return code
