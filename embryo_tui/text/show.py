"""``embryo-tui --print``: reads the store once, prints a panel, says what is wrong in one message."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embryo_store.errors import StoreError
from embryo_store.query import read
from embryo_tui.several import labels
from embryo_tui.steps import settle
from embryo_tui.text import layers, panels
from embryo_tui.text.summary import summary
from embryo_tui.text.tables import showable

if TYPE_CHECKING:
    from embryo_store.query import Reader, RunCard

PANELS: Mapping[str, Callable[[Reader, RunCard, int, int], str]] = {
    "overview": panels.overview,
    "words": panels.words,
    "probes": layers.probes,
    "downstream": layers.downstream,
    "knowledge": panels.knowledge,
    "attention": panels.attention,
}
#: Columns: fewer hold no chart, more help nobody.
NARROW, WIDE = 60, 200
#: Seconds to wait for a store that is being written to.
PATIENCE = 10.0


def show(stores: Sequence[Path], panel: str, *, run: str | None, step: int | None, width: int | None) -> int:
    """Prints a panel of all runs or one, store by store; the exit code."""
    columns = min(max(width or shutil.get_terminal_size((80, 24)).columns, NARROW), WIDE)
    texts, held = [], []
    for path, label in zip(stores, labels(stores), strict=True):
        try:
            with read(path, timeout=PATIENCE) as reader:
                cards = reader.runs()
                if not cards:
                    return _complain(f"{path} holds no results yet. Fill it: embryo-eval --db {path}")
                held += [card.run for card in cards]
                mine = panels.chosen(cards, run)
                if mine:
                    texts += [f"{label}\n{'=' * len(label)}"] if len(stores) > 1 else []
                    texts.append(_text(reader, mine, panel, step, columns))
        except StoreError as error:
            return _complain(str(error), error.exit_code)
    if not texts:
        names = " and ".join(str(path) for path in stores)
        return _complain(f"{names} holds no run {run!r}. It holds: {', '.join(dict.fromkeys(held))}")
    try:
        print(showable("\n\n".join(texts), sys.stdout.encoding), flush=True)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; Python must not find the pipe broken again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _text(reader: Reader, cards: Sequence[RunCard], panel: str, step: int | None, columns: int) -> str:
    if panel == "summary":
        return summary(reader, cards, columns)
    return "\n\n".join(PANELS[panel](reader, card, _step(card, step), columns) for card in cards)


def _step(card: RunCard, step: int | None) -> int:
    if not len(card.steps):
        return 0
    if step is None:
        return int(card.steps[-1])
    shown = settle(card.steps, step)
    if shown != step:
        print(f"embryo-tui: {card.run} has no step {step:,}; step {shown:,} is shown.", file=sys.stderr)
    return shown


def _complain(message: str, code: int = 2) -> int:
    print(f"embryo-tui: {message}", file=sys.stderr)
    return code
