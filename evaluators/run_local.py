"""Computes units on this machine: in this process, or in several worker processes.

A worker that is lost (killed, out of memory) is replaced, and what it had not answered is computed again. A
worker ends with the process that started it, however that one ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from evaluators.errors import EvaluatorError
from evaluators.units import LATER, Answer, Doing, Setup, Unit, Units, bereaved

_READY = "ready"
_DONE = "done"
#: So many workers in a row that end before they begin are no accident.
_MOST_STILLBORN = 6


@dataclass(frozen=True)
class Here:
    """The one worker that needs no other process."""

    setup: Setup

    def answers(self, units: Units) -> Iterator[Doing | Answer]:
        """Answers ``units`` one by one, each when the one before is done with."""
        from evaluators.compute import Computer

        computer = Computer(self.setup)
        for unit in units:
            if unit is None:
                time.sleep(LATER)
            else:
                yield from computer.answer(unit)


@dataclass
class Processes:
    """``count`` worker processes."""

    setup: Setup
    count: int
    _workers: list[_Worker] = field(default_factory=list)
    _stillborn: int = 0

    def answers(self, units: Units) -> Iterator[Doing | Answer]:
        """Hands ``units`` to whoever is free, and yields what comes back, in any order.

        Raises:
            EvaluatorError: no worker comes to life.
        """
        again: deque[Unit] = deque()
        try:
            while self._hand_out(units, again):
                waiting = [worker for worker in self._workers if worker.unit or not worker.is_ready]
                if not waiting:
                    time.sleep(LATER)
                heard = wait([worker.link for worker in waiting], LATER) if waiting else []
                for worker in [worker for worker in waiting if worker.link in heard]:
                    yield from self._hear(worker, again)
        finally:
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.process.join()
                worker.link.close()
            self._workers.clear()

    def _hand_out(self, units: Units, again: deque[Unit]) -> bool:
        """Gives every free worker a unit. Is there anything left to wait for?"""
        is_over = False
        while not is_over:
            free = next((worker for worker in self._workers if worker.is_ready and not worker.unit), None)
            if free is None and len(self._workers) < self.count:
                self._workers.append(_start(self.setup, len(self._workers)))
                continue
            if free is None:
                break
            unit = again.popleft() if again else next(units, _DONE)
            if unit is None:
                return True
            if isinstance(unit, str):
                is_over = True
            else:
                free.take(unit)
        return not is_over or any(worker.unit for worker in self._workers)

    def _hear(self, worker: _Worker, again: deque[Unit]) -> Iterator[Doing | Answer]:
        """One message of a worker, or its end."""
        try:
            said: Any = worker.link.recv()
        except (EOFError, OSError):
            yield from self._replace(worker, again)
            return
        if said == _READY:
            worker.is_ready, self._stillborn = True, 0
        elif said == _DONE:
            worker.unit = None
        else:
            if isinstance(said, Answer):
                worker.answered.add(said.number)
            yield said

    def _replace(self, worker: _Worker, again: deque[Unit]) -> Iterator[Answer]:
        worker.process.join()
        worker.link.close()
        code = worker.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        self._stillborn += not worker.is_ready
        if self._stillborn >= _MOST_STILLBORN:
            raise EvaluatorError(
                f"{self._stillborn} worker processes in a row ended as they started (the last by {how}). "
                "Try without --jobs, which shows why."
            )
        self._workers[self._workers.index(worker)] = _start(self.setup, worker.place)
        if worker.unit:
            units, answers = bereaved(worker.unit, worker.answered, how)
            again.extend(units)
            yield from answers


@dataclass(eq=False)
class _Worker:
    """A process and our end of the pipe to it."""

    process: BaseProcess
    link: Connection
    place: int
    is_ready: bool = False
    unit: Unit | None = None
    answered: set[int] = field(default_factory=set)

    def take(self, unit: Unit) -> None:
        self.unit = unit
        self.answered.clear()
        with suppress(OSError):  # it is dead: that is heard where its answers are waited for
            self.link.send(unit)


def _context() -> BaseContext:
    """Forks from a server that has loaded the libraries and nothing else, where a fork is safe."""
    if sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["evaluators.compute"])
    return context


def _start(setup: Setup, place: int) -> _Worker:
    ours, theirs = multiprocessing.Pipe()
    process = _context().Process(target=_work, args=(theirs, setup, place), daemon=True)  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    return _Worker(process, ours, place)


def _work(link: Connection, setup: Setup, place: int) -> None:
    """What a worker process does: answers what it is handed until nothing more comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from evaluators.compute import Computer, take_gpu

    take_gpu(place)
    computer = Computer(setup)
    try:
        link.send(_READY)
        while True:
            unit: Unit = link.recv()
            for said in computer.answer(unit):
                link.send(said)
            link.send(_DONE)
    except (EOFError, OSError):
        return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
