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
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from embryo_tui.questions import Question

T = TypeVar("T")

#: Bytes of answers that are kept.
BUDGET = 96 * 2**20
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
    """Something to say about the store. ``code``: the exit code where it can't be read at all."""

    kind: Literal["fine", "gone", "locked", "replaced", "broken"]
    text: str = ""
    code: int = 0


@dataclass(frozen=True)
class _Wish:
    now: tuple[Question[Any], ...] = ()
    ahead: tuple[Question[Any], ...] = ()
    later: tuple[Question[Any], ...] = ()


class Desk:
    """Answers questions about one store from a thread of its own.

    ``arrived``, ``noticed`` and ``failed`` are called from that thread: they must only post.
    """

    def __init__(
        self,
        path: str | Path,
        arrived: Callable[[], None],
        noticed: Callable[[Notice], None],
        failed: Callable[[BaseException], None],
        *,
        budget: int = BUDGET,
        poll: float = POLL,
    ) -> None:
        """``budget``: bytes of answers to keep; ``poll``: seconds between looks at the file."""
        self.path = Path(path)
        self._arrived, self._noticed, self._failed = arrived, noticed, failed
        self._budget, self._poll = budget, poll
        self._changed = threading.Condition()
        self._wish = _Wish()
        self._stopped = False
        self._cache: OrderedDict[Question[Any], tuple[int, Any, int]] = OrderedDict()
        self._used = 0
        self._fetching = False
        self._asked: set[Question[Any]] = set()
        self._generation = 0
        self._stamp: tuple[int, int, int] | None = None
        self._notice = Notice("fine")
        self._thread = threading.Thread(target=self._run, name="embryo-tui store", daemon=True)

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """Ends the thread, after the question that it is asking."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(patience)

    def find(self, question: Question[T]) -> Found[T] | None:
        """The answer, if it has been given; never waits for the store."""
        with self._changed:
            kept = self._cache.get(question)
            if kept is None:
                return None
            self._cache.move_to_end(question)
            return Found(kept[1], kept[0] == self._generation)

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
            there = self._look_at_file()
            if there and (not self._open_questions() or self._answer()):
                continue
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, self._poll if there else RETRY)

    def _open_questions(self) -> list[tuple[Question[Any], bool]]:
        """Questions without a fresh answer, in order; True: it is on the screen.

        A question is asked once a wish, even if its answer did not stay in the cache: answers larger than
        the budget must not be asked for for ever. What may come next is fetched by the handful: opening the
        store costs more than asking it.
        """
        with self._changed:
            now = [question for question in self._wish.now if self._is_open(question)]
            ahead = [question for question in self._wish.ahead if self._is_open(question)]
            if not self._fetching and not now and 2 * len(ahead) < len(self._wish.ahead):
                ahead = []
            later = [question for question in self._wish.later if self._is_open(question)]
            return [
                *((question, True) for question in now),
                *((question, False) for question in ahead),
                *((question, True) for question in later),
            ]

    def _is_open(self, question: Question[Any]) -> bool:
        return question not in self._asked and self._cache.get(question, (-1,))[0] != self._generation

    def _look_at_file(self) -> bool:
        """Takes note of a changed file; False where there is none."""
        try:
            found = self.path.stat()
        except OSError as error:
            self._say(
                Notice("gone", f"{self.path} cannot be read ({error.strerror}); showing what was read before")
            )
            return False
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._notice.kind == "gone":
            self._say(Notice("fine"))
        if stamp == self._stamp:
            return True
        replaced = self._stamp is not None and stamp[2] != self._stamp[2]
        with self._changed:
            self._stamp = stamp
            self._generation += 1
            self._asked.clear()
            if replaced:
                self._cache.clear()
                self._used = 0
        if replaced:
            self._say(Notice("replaced", f"{self.path.name} was replaced; reading the new one"))
        return True

    def _answer(self) -> bool:
        """Asks open questions over one connection until none is left or its turn is over."""
        from embryo_store.errors import StoreError, StoreLocked
        from embryo_store.query import read

        try:
            with read(self.path, timeout=PATIENCE) as reader:
                self._fetching = True
                told = begun = time.monotonic()
                while (waiting := self._open_questions()) and not self._stopped:
                    question, shown = waiting[0]
                    others = () if shown or not question.window else waiting[1:]
                    batch = [
                        question,
                        *(more for more, now in others if not now and more.kind == question.kind),
                    ]
                    batch = batch[:WINDOW]
                    if len(batch) == 1:
                        self._keep(question, question.ask(reader))
                    else:
                        steps = [more.arguments[1] for more in batch]
                        for more, answer in zip(batch, question.ask_all(reader, steps), strict=True):
                            self._keep(more, answer)
                    now = time.monotonic()
                    if shown and (now - told > PAINT or not any(more for _, more in waiting[1:2])):
                        self._arrived()
                        told = now
                    if now - begun > TURN:
                        break
        except StoreLocked as error:
            self._say(Notice("locked", str(error)))
            return False
        except StoreError as error:
            self._say(Notice("broken", str(error), error.exit_code))
            return False
        finally:
            self._fetching = False
        self._say(Notice("fine"))
        return True

    def _keep(self, question: Question[Any], answer: object) -> None:
        size = weight(answer)
        with self._changed:
            self._asked.add(question)
            old = self._cache.pop(question, None)
            self._used += size - (old[2] if old else 0)
            self._cache[question] = (self._generation, answer, size)
            while self._used > self._budget and len(self._cache) > 1:
                _, (_, _, freed) = self._cache.popitem(last=False)
                self._used -= freed

    def _say(self, notice: Notice) -> None:
        if notice != self._notice:
            self._notice = notice
            self._noticed(notice)


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
