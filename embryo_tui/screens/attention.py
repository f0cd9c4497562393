"""Screen 6: who looks where (figure 4): a statistic of all heads, a layer's maps, one map with its pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from embryo_tui import questions as q
from embryo_tui.look import Look, World
from embryo_tui.questions import Question
from embryo_tui.raster.axes import Floats, value_axis
from embryo_tui.screens import drawing, names
from embryo_tui.screens.view import Find, Turned, View, Wishes, value_of
from embryo_tui.steps import around, position
from embryo_tui.widgets.heads import HeadGrid
from embryo_tui.widgets.heat_map import HeatMap, Thumbnails
from embryo_tui.widgets.plot import Plot, Series

if TYPE_CHECKING:
    from embryo_store.attention_answers import AttentionBytes
    from embryo_store.query import HeadStatistic

#: Steps about the cursor whose maps are fetched before they are asked for.
BEHIND, AHEAD = 24, 24
#: Seconds for which the cursor rests before the small maps follow it over a slow line.
REST = 0.25
NO_MAP = np.zeros((0, 0), dtype=np.float32)
NO_MAPS = np.zeros((0, 0, 0), dtype=np.float32)


class Attention(View):
    """Heads at the left, by number and by map; the chosen one large at the right."""

    key = "attention"
    _at: AttentionBytes | None = None
    _statistic: HeadStatistic | None = None
    _resting: Timer | None = None
    _high = 1.0
    _span = 0.2

    def compose(self) -> ComposeResult:
        """Four panels."""
        with Vertical(id="heads-side"):
            yield HeadGrid("head-grid", "Layers and heads")
            yield Plot("head-curves", "Over all steps", names.READING)
            yield Thumbnails("thumbnails")
        yield HeatMap("map", "Attention", names.READING)

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """The maps at the cursor and about it, and the chosen statistic over all steps."""
        if not look.run:
            return Wishes()
        shown = self.sources(look, world, find)
        steps = around(world.steps, look.step, BEHIND, AHEAD)
        ahead = [q.attention_at(look.run, step, look.sentence) for step in steps]
        return Wishes((*shown["head-grid"], *shown["map"]), tuple(ahead))

    def sources(self, look: Look, world: World, find: Find) -> Mapping[str, tuple[Question[Any], ...]]:
        """What each panel is drawn from."""
        maps = [q.attention_at(look.run, look.step, look.sentence)]
        if look.difference and look.mark is not None:
            maps.append(q.attention_at(look.run, look.mark, look.sentence))
        statistics = (q.head_statistic(look.run, look.statistic),) if look.statistic else ()
        return {
            "head-grid": statistics,
            "head-curves": statistics,
            "thumbnails": tuple(maps),
            "map": tuple(maps),
        }

    def act(self, action: str, look: Look) -> Look:
        """Goes to the head at which the statistic is highest at the cursor."""
        found = self._statistic
        index = None if found is None else position(found.step, look.step)
        if action != "strongest" or found is None or index is None:
            return look
        values = found.value[index]
        if not np.isfinite(values).any():
            return look
        layer, head = np.unravel_index(int(np.nanargmax(values)), values.shape)
        return replace(look, layer=int(layer) + 1, head=int(head) + 1)

    def show(self, look: Look, world: World, find: Find) -> None:
        """Everything for one layer and head."""
        missing = names.missing("attention", find(q.head_statistics(look.run)) is not None)
        asked = find(q.head_statistic(look.run, look.statistic)) if look.statistic else None
        statistic = value_of(asked, None)
        self._show_statistic(statistic, look, world, missing)
        found = find(q.attention_at(look.run, look.step, look.sentence))
        if found is not None:
            self._at = found.value
        before = None
        if look.difference and look.mark is not None:
            before = value_of(find(q.attention_at(look.run, look.mark, look.sentence)), None)
        self._show_maps(before, look, find, missing)

    def _show_statistic(
        self, statistic: HeadStatistic | None, look: Look, world: World, missing: str
    ) -> None:
        grid, plot = self.query_one("#head-grid", HeadGrid), self.query_one("#head-curves", Plot)
        self._statistic = statistic
        if statistic is None or not statistic.value.size:
            if self.changed("curves", (statistic,), (look.run, missing)):
                grid.fill(np.zeros((0, 0)), (look.layer, look.head), (0.0, 1.0))
                plot.draw((), drawing.frame_of(look, world), missing)
            return
        index = position(statistic.step, look.step)
        shares = statistic.metric in names.SHARES or statistic.metric.startswith("pattern ")
        # Colours reach to the largest value of all steps, so that one colour means one value at every step.
        if self.changed("high", (statistic,)):
            self._high = value_axis(statistic.value, unit_interval=True).high
        high = self._high
        shown = None if index is None else int(statistic.step[index])
        values = np.full(statistic.value.shape[1:], np.nan) if index is None else statistic.value[index]
        start = None if look.mark is None else position(statistic.step, look.mark)
        chosen, columns = (look.layer, look.head), {statistic.metric: values}
        if start is not None:
            columns[f"{statistic.metric} at A"] = statistic.value[start]
        if look.difference and start is not None:
            if self.changed("span", (statistic,), start):
                changes = np.abs(statistic.value - statistic.value[start])
                self._span = max(0.2, float(changes[np.isfinite(changes)].max(initial=0.0)))
            values, said = values - statistic.value[start], "grew most"
            grid.fill(values, chosen, (-self._span, self._span), signed=True, columns=columns)
        else:
            said = "highest"
            grid.fill(values, chosen, (0.0, high), columns=columns)
        notes = (names.stands_in(shown, look.step), _highest(values, said))
        grid.entitle(f"{statistic.metric} of every head", " · ".join(note for note in notes if note))
        settings = (look.layer, look.head, look.run, drawing.style(look, world))
        if self.changed("curves", (statistic,), settings):
            layer = min(look.layer, statistic.value.shape[1]) - 1
            heads = sorted(range(statistic.value.shape[2]), key=lambda head: head + 1 != look.head)
            plot.entitle(f"{statistic.metric}: layer {look.layer}", f"head {look.head} first")
            made = [
                Series(f"head {head + 1}", statistic.step, statistic.value[:, layer, head], head)
                for head in heads
            ]
            drawn = drawing.prepared(made, look, world)
            # Events are those of the chosen head: twelve heads' marks would say nothing.
            frame = drawing.frame_of(look, world, drawn[:1], shares=shares)
            plot.draw(drawn, frame, drawing.empty(look, made, missing))
        plot.point(look.step, look.mark)

    def _show_maps(self, before: AttentionBytes | None, look: Look, find: Find, missing: str) -> None:
        large, small = self.query_one("#map", HeatMap), self.query_one("#thumbnails", Thumbnails)
        at = self._at
        if at is None or at.run != look.run or at.sentence_id != look.sentence:
            large.fill(NO_MAP, (), empty=missing)
            small.fill(NO_MAPS, look.head)
            return
        if not self.changed("maps", (at, before), (look.layer, look.head, look.difference, look.mark)):
            large.entitle(_title(look), _note(at, look))
            return
        sentences = value_of(find(q.attention_sentences(look.run)), ())
        sentence = next((entry for entry in sentences if entry.sentence_id == look.sentence), None)
        head = min(look.head, at.bytes.shape[1]) - 1
        signed = before is not None and before.bytes.shape == at.bytes.shape
        maps = at.layer(look.layer)
        if before is not None and signed:
            maps = maps - before.layer(look.layer)
        pieces = sentence.pieces if sentence else ()
        large.entitle(_title(look), _note(at, look))
        labels = names.labels(pieces[: maps.shape[-1]])
        large.fill(maps[head], labels, signed)
        small.entitle(
            f"Heads of layer {look.layer}", sentence.text if sentence and look.sentence else "average"
        )
        if self._resting is not None:
            self._resting.stop()
            self._resting = None
        if getattr(self.app, "low_bandwidth", False):
            self._resting = self.set_timer(REST, partial(small.fill, maps, look.head, signed, labels))
        else:
            small.fill(maps, look.head, signed, labels)

    @on(HeadGrid.Picked)
    def _take_head(self, message: HeadGrid.Picked) -> None:
        self.post_message(Turned(lambda look: replace(look, layer=message.layer, head=message.head)))

    @on(Thumbnails.Picked)
    def _take_map(self, message: Thumbnails.Picked) -> None:
        self.post_message(Turned(lambda look: replace(look, head=message.head)))


def _highest(values: Floats, said: str) -> str:
    """Names the head with the highest value."""
    if not np.isfinite(values).any():
        return ""
    layer, head = np.unravel_index(int(np.nanargmax(values)), values.shape)
    return f"{said}: layer {layer + 1}, head {head + 1}"


def _title(look: Look) -> str:
    what = f"Layer {look.layer}, head {look.head}"
    if look.difference:
        return f"{what}: {'mark a step A first (m)' if look.mark is None else 'change since A'}"
    return what


def _note(at: AttentionBytes, look: Look) -> str:
    which = f"sentence {look.sentence}" if look.sentence else "average"
    return names.stands_in(at.step, look.step) or which
