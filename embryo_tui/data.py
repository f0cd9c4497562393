"""The one place that asks the store: a single thread, a bounded cache, a slot in which the latest wish wins.

The app says what it wants to show now and what it may want next; answers are found in the cache at once, or
announced when they arrive. Knows threads and questions; no widgets. The store is open only while a batch of
questions is asked, so that an evaluation can write to it all the while.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from operator import is_
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np

from embryo_tui import several
from embryo_tui.questions import Question, runs

if TYPE_CHECKING:
    from embryo_store.query import Reader

T = TypeVar("T")

#: Bytes of answers that are kept.
BUDGET = 40 * 2**20
#: So many items of a long answer are weighed.
SAMPLE = 50
#: Seconds between two looks at the file's time stamp.
POLL = 0.5
#: Seconds for which one connection is used before others get their turn.
TURN = 0.25
#: Seconds after which an answer is announced although others of the same wish are still asked.
PAINT = 0.03
#: Steps that are read ahead in one pass: a jump elsewhere waits for no more.
WINDOW = 24
#: Seconds until a store that could not be read is tried again.
RETRY = 1.0
#: Seconds to wait for a lock before saying so.
PATIENCE = 2.0


@dataclass(frozen=True)
class Found(Generic[T]):
    """An answer, and whether the store has changed since it was given."""

    value: T
    fresh: bool


@dataclass(frozen=True)
class Notice:
    """Something to say about a store. ``code``: the exit code where it could not be read even once."""

    kind: Literal["fine", "gone", "locked", "replaced", "broken"]
    text: str = ""
    code: int = 0


FINE = Notice("fine")


@dataclass(frozen=True)
class _Wish:
    now: tuple[Question[Any], ...] = ()
    ahead: tuple[Question[Any], ...] = ()
    later: tuple[Question[Any], ...] = ()


@dataclass
class _Store:
    """One file, and what is known of it. ``names``: runs that go by another name than their own."""

    path: Path
    generation: int = 0
    stamp: tuple[int, int, int] | None = None
    notice: Notice = FINE
    rests_until: float = 0.0
    was_read: bool = False
    runs: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    @property
    def readable(self) -> bool:
        """Whether nothing is known that keeps it from being read."""
        return self.notice.kind in ("fine", "replaced")

    def own(self, name: str) -> str | None:
        """The run that goes by a name; None where this store holds none."""
        return next((run for run in self.runs if self.names.get(run, run) == name), None)


#: A question to one store, by the store's place.
_Part = tuple[int, Question[Any]]


class Desk:
    """Answers questions about one store, or several, from a thread of its own.

    ``arrived``, ``noticed`` and ``failed`` are called from that thread: they must only post.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        arrived: Callable[[], None],
        noticed: Callable[[Notice], None],
        failed: Callable[[BaseException], None],
        *,
        budget: int = BUDGET,
        poll: float = POLL,
    ) -> None:
        """``budget``: bytes of answers to keep; ``poll``: seconds between looks at the files."""
        self._stores = [_Store(path) for path in paths]
        self._labels = several.labels(paths)
        self._arrived, self._noticed, self._failed = arrived, noticed, failed
        self._budget, self._poll = budget, poll
        self._changed = threading.Condition()
        self._wish = _Wish()
        self._stopped = False
        self._cache: OrderedDict[_Part, tuple[int, Any, int]] = OrderedDict()
        self._used = 0
        self._joined: dict[Question[Any], tuple[list[Any], Any]] = {}
        self._fetching = False
        self._asked: set[_Part] = set()
        self._told = FINE
        self._thread = threading.Thread(target=self._run, name="embryo-tui store", daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """Ends the thread, after the question that it is asking."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(patience)

    def find(self, question: Question[T]) -> Found[T] | None:
        """The answer, if it has been given; never waits for a store."""
        with self._changed:
            found, fresh = [], True
            for part in self._parts(question):
                kept, store = self._cache.get(part), self._stores[part[0]]
                if kept is not None:
                    self._cache.move_to_end(part)
                    found.append(kept[1])
                    fresh = fresh and kept[0] == store.generation
                elif store.readable:
                    return None
            if not found:
                return None
            return Found(found[0] if len(found) == 1 else self._join(question, found), fresh)

    def _join(self, question: Question[Any], answers: list[Any]) -> Any:
        """Several stores' answers as one: the same object as long as they are the same."""
        last = self._joined.get(question)
        if last is None or not all(map(is_, last[0], answers)):
            last = self._joined[question] = (answers, several.joined(answers))
        return last[1]

    def _parts(self, question: Question[Any]) -> list[_Part]:
        """Which stores a question is for: all, or the one that holds its run."""
        if len(self._stores) == 1 or question.run is None:
            return [(place, question) for place in range(len(self._stores))]
        return [(place, question) for place, store in enumerate(self._stores) if store.own(question.run)]

    def want(
        self,
        now: Sequence[Question[Any]],
        ahead: Sequence[Question[Any]] = (),
        later: Sequence[Question[Any]] = (),
    ) -> None:
        """What is to be shown, what may be next, and what is announced when there is time for it. Replaces
        every earlier wish.
        """
        wish = _Wish(tuple(now), tuple(ahead), tuple(later))
        with self._changed:
            if wish != self._wish:
                self._wish = wish
                self._asked.clear()
                self._changed.notify()

    @property
    def waiting(self) -> int:
        """How many questions of the last wish are still open."""
        return len(self._open_questions())

    def _run(self) -> None:
        # A fault that nobody foresaw must end the app with its traceback, not this thread in silence.
        try:
            self._serve()
        except BaseException as error:
            self._failed(error)

    def _serve(self) -> None:
        while True:
            with self._changed:
                if not self._stopped and not self._open_questions():
                    self._changed.wait(self._poll)
                if self._stopped:
                    return
            for place in range(len(self._stores)):
                self._look_at_file(place)
            waiting = self._open_questions()
            if waiting:
                self._answer(waiting[0][0][0])
                continue
            for place, store in enumerate(self._stores):
                # Nothing to ask, but what was told of the store may be over.
                if store.notice.kind in ("locked", "broken") and store.rests_until < time.monotonic():
                    self._answer(place)

    def _open_questions(self) -> list[tuple[_Part, bool]]:
        """Questions without a fresh answer, in order; True: it is on the screen. Those to a store that could
        not be read just now are left for later.

        A question is asked once a wish, even if its answer did not stay in the cache: answers larger than
        the budget must not be asked for for ever. What may come next is fetched by the handful: opening the
        store costs more than asking it.
        """
        with self._changed:
            now, ahead, later = (
                [part for question in wished for part in self._parts(question) if self._is_open(part)]
                for wished in (self._wish.now, self._wish.ahead, self._wish.later)
            )
            if not self._fetching and not now and 2 * len(ahead) < len(self._wish.ahead):
                ahead = []
            return [
                *((part, True) for part in now),
                *((part, False) for part in ahead),
                *((part, True) for part in later),
            ]

    def _is_open(self, part: _Part) -> bool:
        store = self._stores[part[0]]
        if part in self._asked or self._cache.get(part, (-1,))[0] == store.generation:
            return False
        return store.readable or store.rests_until < time.monotonic()

    def _look_at_file(self, place: int) -> None:
        """Takes note of a file that changed, went or came back."""
        store = self._stores[place]
        try:
            found = store.path.stat()
        except OSError as error:
            said = f"{store.path} cannot be read ({error.strerror}); showing what was read before"
            self._fail(store, Notice("gone", said))
            return
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if store.notice.kind == "gone":
            self._say(store, FINE)
        if stamp == store.stamp:
            return
        replaced = store.stamp is not None and stamp[2] != store.stamp[2]
        with self._changed:
            store.stamp = stamp
            store.generation += 1
            store.rests_until = 0.0
            self._asked.clear()
            if replaced:
                self._forget()
        if replaced:
            self._say(store, Notice("replaced", f"{store.path.name} was replaced; reading the new one"))

    def _forget(self) -> None:
        self._cache.clear()
        self._joined.clear()
        self._used = 0

    def _answer(self, place: int) -> None:
        """Asks open questions of one store over one connection until none is left or its turn is over."""
        from embryo_store.errors import StoreError, StoreLocked
        from embryo_store.query import read

        store = self._stores[place]
        try:
            with read(store.path, timeout=PATIENCE) as reader:
                self._fetching = True
                told = begun = time.monotonic()
                while not self._stopped:
                    waiting = [entry for entry in self._open_questions() if entry[0][0] == place]
                    if not waiting:
                        break
                    (_, question), shown = waiting[0]
                    others = () if shown or not question.window else waiting[1:]
                    batch = [
                        question,
                        *(more for (_, more), now in others if not now and more.kind == question.kind),
                    ]
                    self._ask(store, place, batch[:WINDOW], reader)
                    now = time.monotonic()
                    if shown and (now - told > PAINT or not any(more for _, more in waiting[1:2])):
                        self._arrived()
                        told = now
                    if now - begun > TURN:
                        break
        except StoreLocked as error:
            self._fail(store, Notice("locked", str(error)))
            return
        except StoreError as error:
            code = 0 if store.was_read else error.exit_code
            self._fail(store, Notice("broken", str(error), code))
            return
        finally:
            self._fetching = False
        store.was_read = True
        self._say(store, FINE)

    def _ask(self, store: _Store, place: int, batch: Sequence[Question[Any]], reader: Reader) -> None:
        """Asks one question, or one at several steps."""
        first = own = batch[0]
        held = store.own(first.run) if first.run is not None else None
        if held is not None and held != first.run:
            own = first.about(held)
        if len(batch) == 1:
            answers: Sequence[Any] = (own.ask(reader),)
        else:
            answers = own.ask_all(reader, [more.arguments[1] for more in batch])
        for question, answer in zip(batch, answers, strict=True):
            self._keep((place, question), several.renamed(answer, store.names))
            if question == runs():
                self._take_names(store, tuple(card.run for card in answer))

    def _take_names(self, store: _Store, held: tuple[str, ...]) -> None:
        """Takes note of a store's runs. Where that gives runs other names, all is asked again under them."""
        with self._changed:
            store.runs = held
            if len(self._stores) == 1:
                return
            found = several.aliases([other.runs for other in self._stores], self._labels)
            if list(found) != [other.names for other in self._stores]:
                for other, names in zip(self._stores, found, strict=True):
                    other.names = names
                self._forget()
                self._asked.clear()

    def _keep(self, part: _Part, answer: object) -> None:
        size = weight(answer)
        with self._changed:
            self._asked.add(part)
            old = self._cache.pop(part, None)
            self._used += size - (old[2] if old else 0)
            self._cache[part] = (self._stores[part[0]].generation, answer, size)
            while self._used > self._budget and len(self._cache) > 1:
                (_, question), (_, _, freed) = self._cache.popitem(last=False)
                self._joined.pop(question, None)
                self._used -= freed

    def _fail(self, store: _Store, notice: Notice) -> None:
        """Says why a store can't be read; it is tried again a little later."""
        store.rests_until = time.monotonic() + RETRY
        self._say(store, notice)

    def _say(self, store: _Store, notice: Notice) -> None:
        """Tells of a store's state; of several in trouble, of the first."""
        store.notice = notice
        told = (
            notice
            if notice != FINE
            else next((other.notice for other in self._stores if other.notice != FINE), FINE)
        )
        if told != self._told:
            self._told = told
            self._noticed(told)


def weight(answer: object) -> int:
    """About how many bytes an answer takes."""
    if isinstance(answer, np.ndarray):
        return int(answer.nbytes) + 112
    if isinstance(answer, str):
        return 49 + len(answer)
    if isinstance(answer, (tuple, list)) and len(answer) > SAMPLE:
        # Long ones hold one kind of thing: looking at every string would cost more than asking for them.
        return 56 + len(answer) * sum(8 + weight(item) for item in answer[:SAMPLE]) // SAMPLE
    if isinstance(answer, (tuple, list)):
        return 56 + sum(8 + weight(item) for item in answer)
    if is_dataclass(answer):
        return 64 + sum(weight(getattr(answer, part.name)) for part in fields(answer))
    return 32
