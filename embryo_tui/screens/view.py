"""What all screens share: they say what they need to know, and show what is known. Knows no thread."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from textual.containers import Container
from textual.message import Message

from embryo_tui.data import Found
from embryo_tui.events import Event
from embryo_tui.look import Look, World
from embryo_tui.questions import Question
from embryo_tui.widgets.plot import Plot

T = TypeVar("T")
U = TypeVar("U")


class Find(Protocol):
    """Answers out of the cache, at once."""

    def __call__(self, question: Question[T], /) -> Found[T] | None:
        """The answer, or None where it has not arrived yet."""


@dataclass(frozen=True)
class Wishes:
    """Questions whose answers are shown now, and such as may be shown next."""

    now: tuple[Question[Any], ...] = ()
    ahead: tuple[Question[Any], ...] = ()


class Turned(Message):
    """A panel asks for another look: ``change`` makes it of the present one."""

    def __init__(self, change: Callable[[Look], Look]) -> None:
        """``change``: from look to look."""
        super().__init__()
        self.change = change


class View(Container):
    """One screen: panels that are drawn from a look and from what the store answered."""

    key: ClassVar[str]

    def __init__(self) -> None:
        """The screen's key becomes its id."""
        super().__init__(id=f"view-{self.key}")
        self._drawn: dict[str, tuple[tuple[object, ...], Hashable]] = {}

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """What must be known to show a look."""
        raise NotImplementedError

    def show(self, look: Look, world: World, find: Find) -> None:
        """Shows a look as far as it is known. Called at every move of the cursor: nothing is built twice."""
        raise NotImplementedError

    def act(self, action: str, look: Look) -> Look:
        """Carries out an action of this screen that needs to know what is shown in it."""
        del action
        return look

    def sources(self, look: Look, world: World, find: Find) -> Mapping[str, tuple[Question[Any], ...]]:
        """What each panel (by its id) is drawn from."""
        del look, world, find
        return {}

    def label_of(self, key: Hashable) -> str | None:
        """The curve that a table's row stands for."""
        return key if isinstance(key, str) else None

    @property
    def plots(self) -> tuple[Plot, ...]:
        """The plots that are on the screen."""
        return tuple(plot for plot in self.query(Plot) if plot.display)

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened in the curves of this screen, in order of steps, each once."""
        return tuple(sorted({event for plot in self.plots for event in plot.frame.events}))

    def changed(self, part: str, answers: tuple[object, ...], settings: Hashable = None) -> bool:
        """Whether a part must be built anew: another answer (by identity) or other settings (by value)."""
        last = self._drawn.get(part)
        same = (
            last is not None
            and len(last[0]) == len(answers)
            and all(old is new for old, new in zip(last[0], answers, strict=True))
            and last[1] == settings
        )
        self._drawn[part] = (answers, settings)
        return not same


def value_of(found: Found[T] | None, otherwise: U) -> T | U:
    """The answer, or what is taken for it until it arrives."""
    return otherwise if found is None else found.value
