"""What there is to choose from in a store, put together from its answers as they arrive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embryo_tui import questions as q
from embryo_tui.datasets import by_use
from embryo_tui.events import Event
from embryo_tui.kin import kin
from embryo_tui.look import WORD_TASKS, Look, World
from embryo_tui.questions import Question
from embryo_tui.screens.names import PROBES
from embryo_tui.screens.view import Find, value_of
from embryo_tui.steps import at_or_before, settle, union

if TYPE_CHECKING:
    from embryo_store.query import Coverage

#: The statistic that is shown first: the pattern that figure 4 follows.
FIRST_STATISTIC = "diagonal"


def questions(look: Look) -> tuple[Question[Any], ...]:
    """What must be known to say what there is to choose from."""
    always: tuple[Question[Any], ...] = (q.runs(), q.coverage())
    if look.screen != "attention" or not look.run:
        return always
    return (*always, q.attention_sentences(look.run), q.head_statistics(look.run))


def build(look: Look, find: Find) -> World:
    """The world as far as it is known."""
    cards, coverage = value_of(find(q.runs()), ()), value_of(find(q.coverage()), ())
    card = next((card for card in cards if card.run == look.run), None)
    sentences = value_of(find(q.attention_sentences(look.run)), ())
    return World(
        steps=union(cards, look.runs or (look.run,)),
        runs=tuple(card.run for card in cards),
        kin=kin(cards),
        layers=(card.layers or 0) if card else 0,
        heads=(card.heads or 0) if card else 0,
        datasets=by_use(coverage, WORD_TASKS),
        probes=probes_of(coverage),
        protocols=tuple(
            sorted({entry.protocol for entry in coverage if entry.task == look.probe and entry.done})
        ),
        statistics=value_of(find(q.head_statistics(look.run)), ()),
        suspects=tuple(
            (entry.run, Event(entry.step, "suspect", f"{entry.far} of {entry.curves} curves of {entry.run}"))
            for run in look.runs
            for entry in value_of(find(q.suspects(run)), ())
        ),
        sentences=tuple(sentence.sentence_id for sentence in sentences),
    )


def settled(look: Look, world: World) -> Look:
    """The look with whatever is not in the world replaced by something that is. Step -1 means the last."""
    if not world.runs:
        return look
    run = look.run if look.run in world.runs else world.runs[0]
    chosen = tuple(name for name in look.runs if name in world.runs)
    runs = chosen if run in chosen else (run, *chosen)
    step = int(world.steps[-1]) if look.step < 0 and len(world.steps) else settle(world.steps, look.step)
    layer = min(max(look.layer, 1), world.layers) if world.layers else look.layer
    head = min(max(look.head, 1), world.heads) if world.heads else look.head
    sentence = (
        look.sentence if look.sentence in world.sentences or not world.sentences else world.sentences[0]
    )
    probe = look.probe if look.probe in world.probes or not world.probes else world.probes[0]
    statistic = look.statistic
    if world.statistics and statistic not in world.statistics:
        statistic = FIRST_STATISTIC if FIRST_STATISTIC in world.statistics else world.statistics[0]
    return replace(
        look, run=run, runs=runs, step=step, layer=layer, head=head, sentence=sentence, statistic=statistic,
        probe=probe,
    )  # fmt: skip


def moved(asked: Look, look: Look, world: World) -> str:
    """What of a look is elsewhere than it was asked for, in a line; nothing where all of it is there."""
    lost = [
        f"run {name}" for name in dict.fromkeys((asked.run, *asked.runs)) if name and name not in world.runs
    ]
    found = [f"no {' and no '.join(lost)}: {look.run} is shown"] if lost else []
    if asked.step >= 0 and asked.step != look.step:
        found.append(f"no step {asked.step:,}: {look.step:,} is shown")
    for name in ("layer", "head"):
        wanted, shown = getattr(asked, name), getattr(look, name)
        if wanted != shown:
            found.append(f"no {name} {wanted}: {shown} is shown")
    before = None if look.mark is None else at_or_before(world.steps, look.mark)
    if look.mark is not None and before != look.mark:
        stands = "nothing" if before is None else f"{before:,}"
        found.append(f"no step {look.mark:,} for A: {stands} stands for it")
    return " · ".join(found)


def probes_of(coverage: Iterable[Coverage]) -> tuple[str, ...]:
    """The probing tasks that have results: the paper's in its order, then others by name."""
    found = {entry.task for entry in coverage if entry.task.startswith("probe-") and entry.done}
    paper = [task for task in PROBES if task in found]
    return (*paper, *sorted(found.difference(paper)))
