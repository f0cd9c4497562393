"""Computes units: one model in memory, one pass for the tasks that read the same. Writes nothing.

A checkpoint that cannot be evaluated is answered with the reason; it never stops the others.
"""

from __future__ import annotations

import itertools
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import torch

from evaluators.batches import Batch, Stream, together
from evaluators.checkpoints import SavedStep
from evaluators.errors import CheckpointError
from evaluators.families import longest_input
from evaluators.loading import Resident
from evaluators.tasks.base import Collector, Pass, Prepared
from evaluators.units import Answer, Ask, Doing, Setup, Unit, now, of_dataset, of_vocabulary
from evaluators.vocabulary import Vocabulary, load_vocabulary


@dataclass
class Computer:
    """Answers units in the order given."""

    setup: Setup
    _resident: Resident = field(init=False)
    _vocabularies: dict[tuple[str, int], Vocabulary] = field(default_factory=dict)
    _prepared: dict[tuple[str, str, str, str, int], Prepared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Finds the device."""
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.host = platform.node()
        self._resident = Resident(
            self.device,
            self.setup.dtype,
            self.setup.threads,
            self.setup.most_threads,
        )

    def answer(self, unit: Unit) -> Iterator[Doing | Answer]:
        """What came of a unit's asks, one after another; those that read the same share a pass."""
        ready: dict[tuple[str, ...], list[tuple[Ask, Prepared]]] = {}
        for ask in unit.asks:
            started = now()
            yield Doing(ask.number)
            try:
                prepared = self.prepare(ask)
            except Exception as error:  # one checkpoint never stops the others: the error is stored
                yield self._failed(ask, started, error)
                continue
            read_by = _reader(ask).uri
            ready.setdefault((read_by, *prepared.stream.key), []).append((ask, prepared))
        held = set(unit.held)
        for sharing in ready.values():
            yield from self._share(sharing, held)

    def _share(
        self, sharing: Sequence[tuple[Ask, Prepared]], held: set[tuple[str, ...]]
    ) -> Iterator[Doing | Answer]:
        """One forward pass for asks that read the same, then what came of each, one after another. Where the
        pass itself fails, so do all; where a task's own part does, it alone.
        """
        started = now()
        yield Doing(sharing[0][0].number)
        collectors = self._pass(_reader(sharing[0][0]), [prepared for _, prepared in sharing])
        for (ask, prepared), collector in zip(sharing, collectors, strict=True):
            yield Doing(ask.number)
            try:
                answer = self._answer(ask, prepared, _sound(collector), started, held)
            except Exception as error:  # as above
                answer = self._failed(ask, started, error)
            yield answer
            started = now()

    def _answer(
        self,
        ask: Ask,
        prepared: Prepared,
        collector: Collector,
        started: datetime,
        held: set[tuple[str, ...]],
    ) -> Answer:
        """What a task found in its pass, with the records that are not ``held`` yet."""
        self._follow(ask.saved, collector)
        findings = collector.findings()
        dataset, vocabulary = of_dataset(*ask.corpus, ask.saved), of_vocabulary(ask.saved)
        answer = Answer(
            ask.number,
            started,
            now(),
            self.host,
            self.device,
            findings,
            dataset=None if dataset in held else prepared.dataset(),
            vocabulary=None if vocabulary in held else self._vocabulary(ask.saved).record(),
            notes=tuple(prepared.notes()),
        )
        held |= {dataset, vocabulary}
        return answer

    def _failed(self, ask: Ask, started: datetime, error: Exception) -> Answer:
        return Answer(ask.number, started, now(), self.host, self.device, failure=_say(error))

    def prepare(self, ask: Ask) -> Prepared:
        """Loads the weights, and makes the inputs where this tokenizer has none yet."""
        saved, corpus = ask.saved, self.setup.corpora[ask.corpus]
        self._resident.hold(_reader(ask))
        vocabulary = self._vocabulary(saved)
        limit = min(longest_input(saved), vocabulary.longest)
        key = (ask.task.name, *ask.corpus, vocabulary.digest, limit)
        if key not in self._prepared:
            self._prepared[key] = ask.task.prepare(corpus, vocabulary, limit)
        return self._prepared[key]

    def _vocabulary(self, saved: SavedStep) -> Vocabulary:
        key = (saved.tokenizer_hash, saved.config["vocab_size"])
        if key not in self._vocabularies:
            self._vocabularies[key] = load_vocabulary(saved)
        return self._vocabularies[key]

    def rehearse(self, ask: Ask) -> Prepared:
        """All that can fail before much is computed: weights, tokenizer, inputs, and the first batch.

        Raises:
            Exception: what the evaluation itself would record.
        """
        prepared = self.prepare(ask)
        (collector,) = self._pass(_reader(ask), [prepared], most=1)
        self._follow(ask.saved, _sound(collector))
        return prepared

    def _pass(
        self, saved: SavedStep, sharing: Sequence[Prepared], most: int | None = None
    ) -> list[Collector | Exception]:
        """One forward pass for tasks that read the same; over the first ``most`` batches. A task that fails
        is left out of the rest, and its error stands in its collector's place.
        """
        seeing: list[Collector | Exception] = []
        try:
            self._resident.hold(saved)
            stream = replace(sharing[0].stream, layers=any(prepared.stream.layers for prepared in sharing))
            seeing += [_start(prepared) for prepared in sharing]
            for index, (batch, seen) in enumerate(look(self._resident, stream, most)):
                seeing = [_see(collector, index, batch, seen) for collector in seeing]
                if all(isinstance(collector, Exception) for collector in seeing):
                    break
        except Exception as error:
            seeing = [one if isinstance(one, Exception) else error for one in seeing or sharing]
        return seeing

    def _follow(self, saved: SavedStep, collector: Collector) -> None:
        """What a task wants the checkpoint itself to read, after its generator's pass."""
        batches = tuple(collector.follow())
        if batches:
            self._resident.hold(saved)
        for index, (batch, seen) in enumerate(look(self._resident, Stream((), batches))):
            collector.see_again(index, batch, seen)


def look(resident: Resident, stream: Stream, most: int | None = None) -> Iterator[tuple[Batch, Pass]]:
    """What the loaded model makes of the first ``most`` batches, one by one.

    Batches of one length are computed together where the device is fast with more than one: rows know nothing
    of one another. Heads are looked for when a task asks: not every model has one, nor every task needs it.
    """
    batches = stream.batches[:most]
    for group in together(batches, resident.budget):
        yield from zip(batches[group], _together(resident, stream, group), strict=True)


def _together(resident: Resident, stream: Stream, group: slice) -> Iterator[Pass]:
    """One forward pass over neighbouring batches of one length, and what is each one's part in it."""

    def head(states: torch.Tensor) -> torch.Tensor:
        return resident.head()(states)

    def detect(states: torch.Tensor) -> torch.Tensor:
        return resident.detector()(states)

    batches = stream.batches[group]
    ids = torch.from_numpy(np.concatenate([batch.ids for batch in batches]))
    first = np.cumsum([0, *(len(batch.ids) for batch in batches)])
    if stream.places and not stream.attentions and not stream.layers:
        places = stream.places[group]
        row = np.concatenate([rows + start for (rows, _), start in zip(places, first[:-1], strict=True)])
        column = np.concatenate([columns for _, columns in places])
        states = resident.states(ids, torch.from_numpy(row), torch.from_numpy(column))
        for part in states.split([len(rows) for rows, _ in places]):
            yield Pass(part, (), head, detect=detect, chosen=True)
        return
    layers, maps = resident.every(ids, maps=stream.attentions)
    for start, end in itertools.pairwise(first):
        mine = tuple(layer[start:end] for layer in layers)
        yield Pass(
            mine[-1], tuple(one[start:end] for one in maps), head, mine if stream.layers else (), detect
        )


def take_gpu(place: int) -> None:
    """Gives this process, the worker at ``place``, a GPU of the machine, where there are any."""
    count = torch.cuda.device_count()
    if count:
        torch.cuda.set_device(place % count)


def _reader(ask: Ask) -> SavedStep:
    """The model that reads a task's inputs first.

    Raises:
        CheckpointError: the task needs a generator, and none was saved.
    """
    if ask.task.needs != "pair":
        return ask.saved
    if ask.saved.generator is None:
        raise CheckpointError(
            f"{ask.saved.uri} has no generator, and the task needs one: save it there in a folder generator/."
        )
    return ask.saved.generator


def _start(prepared: Prepared) -> Collector | Exception:
    """A collector, or why there is none."""
    try:
        return prepared.start()
    except Exception as error:  # the others of the pass go on
        return error


def _see(collector: Collector | Exception, index: int, batch: Batch, seen: Pass) -> Collector | Exception:
    """A collector that has seen one more batch, or why there is none any more."""
    if isinstance(collector, Exception):
        return collector
    try:
        collector.see(index, batch, seen)
    except Exception as error:  # as above
        # Its frames would keep the batch in memory.
        return error.with_traceback(None)
    return collector


def _sound(collector: Collector | Exception) -> Collector:
    """The collector; raises what stands in its place."""
    if isinstance(collector, Exception):
        raise collector
    return collector


def _say(error: Exception) -> str:
    return str(error) if isinstance(error, CheckpointError) else f"{type(error).__name__}: {error}"
