"""The training loop: batches in, steps saved, a line an interval, a state to go on from.

Puts the rooms together; the arithmetic is in ``step``, the files in ``store``, ``state`` and ``log``.
Of several workers, all go through the same loop; the chief alone writes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpu_train import (
    atomic,
    cluster,
    families,
    flops,
    hardware,
    initial,
    log,
    names,
    prepare,
    state,
    store,
    vocabulary,
)
from tpu_train import (
    recipe as recipes,
)
from tpu_train import (
    run as runs,
)
from tpu_train.batches import Batch, Staged
from tpu_train.cluster import Cluster, Workers
from tpu_train.errors import CouldNotFinishError, InputError, InterruptedTrainingError
from tpu_train.events import Events
from tpu_train.places import Place
from tpu_train.prepare import Prepared
from tpu_train.progress import Display
from tpu_train.recipe import Recipe
from tpu_train.results import StepResult, finite
from tpu_train.run import Split
from tpu_train.schedule import learning_rate, saved_steps
from tpu_train.signals import noted_signals
from tpu_train.state import Progress
from tpu_train.store import ModelFolder

#: Seconds between resumable states: what a kill costs at most.
STATE_EVERY = 30.0


@dataclass(frozen=True)
class Request:
    """A training command. ``recipe`` and ``corpus`` may be left out where the run has begun.

    Without ``threads`` and ``replicas``, a run keeps the numbers that it began with, as long as devices and
    workers are those it began with: sums are split by them, and repeat to the last bit only under the same
    split.
    """

    out: Place
    recipe: Recipe | None
    corpus: Sequence[Path]
    vocabulary: Path | None
    threads: int | None = None
    state_seconds: float = STATE_EVERY
    device: str | None = None
    replicas: int | None = None
    tensorboard: bool = False


def train(request: Request, display: Display) -> None:
    """Trains a run to its last step, from wherever it stands.

    Raises:
        InputError: recipe, corpus or vocabulary cannot be used, or are not those of the run.
        CouldNotFinishError: disk full, locked, a loss that is not finite, or another worker that is gone.
        InterruptedTrainingError: Ctrl-C or SIGTERM; the state was saved.
    """
    workers = cluster.of_environment()
    about = runs.read(request.out)
    if about is not None and "recipe" not in about:
        raise InputError(f"{request.out} was imported: there is nothing to go on from. Choose another --out.")
    if about is None and (request.recipe is None or not request.corpus):
        raise InputError(
            f"{request.out} holds no run yet: say --recipe and --corpus to begin one "
            f"(recipes: {', '.join(recipes.names())}, or a TOML file)."
        )
    with runs.locked(request.out, workers.worker):
        _Session(request, _begun(request, workers, display), workers, display).run()


@dataclass(frozen=True)
class _Begun:
    """A run whose ``run.json`` stands (or, at a worker that is not the chief, will)."""

    recipe: Recipe
    prepared: Prepared
    dtype: str
    split: Split

    @property
    def digest(self) -> str:
        """Of all that the workers of a run have to have in common."""
        made_from = {
            "recipe": recipes.to_json(self.recipe),
            "corpus": self.prepared.manifest.digest,
            "vocabulary": self.prepared.vocabulary.digest,
            "dtype": self.dtype,
            "device": self.split.device,
        }
        return hashlib.sha256(atomic.as_json(made_from)).hexdigest()


def _begun(request: Request, workers: Cluster, display: Display) -> _Begun:
    """Begins the run (``run.json`` is written when all of it stands), or finds it as it was begun."""
    folder = runs.work_folder(request.out, workers.worker)
    about = runs.read(request.out)
    if about is not None:
        return _found(request, about, workers, display)
    assert request.recipe is not None
    recipe = request.recipe
    found, marked = prepare.mark(folder, request.corpus)
    prepared = prepare.prepare(folder, found, marked, recipe, request.vocabulary, display.show)
    dtype = hardware.compute_dtype(recipe.training.compute_dtype, recipe.model.hidden)
    split = _split(request, workers, None)
    if workers.chief:
        described = runs.describe(
            request.out.name,
            recipe,
            marked,
            [str(source) for source in request.corpus],
            prepared.tokens,
            prepared.vocabulary,
            families.network(recipe),
            dtype,
            split,
        )
        prepare.publish(folder, request.out)
        atomic.write_json(request.out / runs.RUN, described)
    return _Begun(recipe, prepared, dtype, split)


def _found(request: Request, about: dict[str, Any], workers: Cluster, display: Display) -> _Begun:
    """A run that has begun: refuses what it was not begun with."""
    folder = runs.work_folder(request.out, workers.worker)
    digest = prepare.mark(folder, request.corpus)[1].digest if request.corpus else None
    recipe = recipes.from_json(about["recipe"], str(request.out / runs.RUN))
    given = request.vocabulary and vocabulary.from_folder(
        request.vocabulary, recipe.vocabulary, recipe.model.positions
    )
    runs.refuse_changes(request.out, about, request.recipe, digest, given.digest if given else None)
    before = Split(
        about.get("device", "cpu"), about.get("replicas", 1), about["threads"], about.get("workers", 1)
    )
    split = _split(request, workers, before)
    if split != before:
        display.say(
            f"The run began with {before.told}, now there are {split.told}: weights may differ in their "
            "last bits from those of an uninterrupted run."
        )
    prepare.fetch(request.out, folder)
    return _Begun(recipe, prepare.resume(folder, recipe), about["compute_dtype"], split)


def _split(request: Request, workers: Cluster, before: Split | None) -> Split:
    """What shares a batch: as the command says, else as ``before``, else the CPU of each worker or all GPUs.

    Other workers than before are other replicas; a process alone makes its own do the work of all.
    """
    device = request.device or (before.device if before else "cpu")
    threads = request.threads or (before.threads if before else hardware.cores())
    replicas = workers.workers * int(device == "cpu")
    if before is not None and device == before.device and workers.workers in (1, before.workers):
        replicas = before.replicas
    return Split(device, replicas if request.replicas is None else request.replicas, threads, workers.workers)


class _Session:
    """One process's part of a run: from the newest state to the last step, or to a signal."""

    def __init__(self, request: Request, begun: _Begun, workers: Cluster, display: Display) -> None:
        recipe, prepared = begun.recipe, begun.prepared
        self._out, self._states = request.out, request.out / runs.STATE
        self._work, self._cluster = runs.work_folder(request.out, workers.worker), workers
        self._recipe, self._prepared, self._display = recipe, prepared, display
        self._state_seconds = request.state_seconds
        self._network = families.network(recipe)
        self._to_save = frozenset(saved_steps(recipe.save, recipe.training.steps))
        display.show("Starting TensorFlow", 0, 0)
        split = begun.split
        logical = split.replicas if workers.workers == 1 else 1
        hardware.prepare(split.threads, split.device, logical, workers.workers == 1)
        from tpu_train import devices
        from tpu_train.step import Trainer

        strategy = devices.strategy(split.device, split.replicas, workers)
        replicas = strategy.num_replicas_in_sync if strategy else 1
        devices.check(recipe, replicas)
        self._workers = Workers(workers, strategy)
        self._workers.agree(begun.digest, "recipe, text, vocabulary, device or number format")
        # Logical CPUs already keep the cores busy; what is left over goes to shards inside of each.
        here = replicas // workers.workers
        shards = max(1, split.threads // here) if split.device == "cpu" else 1
        self._trainer = Trainer(recipe, self._network, begun.dtype, shards, strategy)
        display.show("Measuring this machine's matrix products", 0, 0)
        # Logical CPUs share the threads of their machine; accelerators do not.
        lanes, times = (split.threads, workers.workers) if split.device == "cpu" else (1, replicas)
        self._peak = hardware.gemm_peak(begun.dtype, lanes) * times
        self._events = Events(request.out) if request.tensorboard and workers.chief else None
        self._progress = self._restored()
        self._interval = log.Interval(dict(self._progress.interval))
        self._detail = ""
        if workers.chief:
            log.cut_after(self._out, self._progress.step)

    def run(self) -> None:
        """Trains to the last step.

        Raises:
            CouldNotFinishError: disk full, a loss that is not finite, or another worker that is gone.
            InterruptedTrainingError: a signal came; the state was saved.
        """
        prepared, recipe = self._prepared, self._recipe
        last, step = recipe.training.steps, self._progress.step
        batches = Staged(recipe, prepared.vocabulary, prepared.tokens, self._work / "tokens")
        if step == 0 and 0 in self._to_save:
            self._save_step(0)
        state_at = time.monotonic()
        with noted_signals() as noted, closing(batches.from_step(step, last)) as made:
            for batch in made:
                result = self._advance(batch, bool(noted))
                step = self._progress.step
                # Alone, a signal during the step counts at once; workers have to stop after the same step.
                stopping = bool(noted) if self._cluster.workers == 1 else result.stopping > 0
                if step in self._to_save:
                    self._save_step(step)
                if stopping or step == last or time.monotonic() - state_at >= self._state_seconds:
                    self._save_state()
                    state_at = time.monotonic()
                if stopping and step < last:
                    raise InterruptedTrainingError(
                        f"Stopped at step {step:,} of {last:,}; the state is saved. "
                        "The same command goes on from there."
                    )

    def _restored(self) -> Progress:
        """Puts the newest state, or the initialisation, into the trainer; the chief's, at every worker."""
        training = self._recipe.training
        found = state.load(self._states) if self._cluster.chief else None
        progress, arrays = found or (Progress(), {})
        step = int(self._workers.from_chief(np.array(progress.step)))
        if step == 0:
            self._trainer.start(initial.weights(self._network.weights, self._recipe.model, training.seed))
            return Progress()
        own = arrays or self._trainer.state()
        self._trainer.restore({name: self._workers.from_chief(own[name]) for name in sorted(own)})
        self._display.say(f"Going on from step {step:,} of {training.steps:,}.")
        return dataclasses.replace(progress, step=step)

    def _save_state(self) -> None:
        if self._cluster.chief:
            state.save(self._states, self._progress, self._trainer.state())

    def _advance(self, batch: Batch, stopping: bool) -> StepResult:
        """One update, its place in the log, and what the user sees of it."""
        training, before = self._recipe.training, self._progress
        begin = time.perf_counter()
        with cluster.lost_worker_told(self._cluster, before.step):
            result = self._trainer.run(before.step, batch, stopping)
        seconds = time.perf_counter() - begin
        step, seen = before.step + 1, int(batch.attention_mask.sum())
        if not finite(result):
            raise CouldNotFinishError(
                f"The loss is not finite at step {step:,} ("
                + "".join(f"{name} {part.loss:.4g}, " for name, part in result.parts.items())
                + f"gradient norm {result.gradient_norm:.4g}). The last good state "
                f"is in {self._states}. Begin another run with a lower learning rate or a longer warm-up."
            )
        own = next(own for _, end, own in recipes.stages(self._recipe) if before.step < end)
        self._interval.add(result, seconds, seen, flops.step(own))
        tokens = before.tokens + seen
        if step % training.log_every == 0 or step == training.steps:
            rate = learning_rate(step - 1, training.steps, self._recipe.optimizer)
            line = self._interval.line(step, tokens, rate, result, self._peak)
            if self._cluster.chief:
                log.append(self._out, line)
            if self._events is not None:
                self._events.add(line)
            self._interval = log.Interval()
            self._detail = (
                f"loss {line['loss']:.3f}  masked words {line['mlm_accuracy']:.1%}  "
                f"{line['tokens_per_second']:,.0f} tokens/s"
            )
        self._progress = Progress(step, tokens, before.seconds + seconds, self._interval.sums)
        self._display.show("Training", step, training.steps, self._detail)
        return result

    def _save_step(self, step: int) -> None:
        if not self._cluster.chief:
            return
        values = self._trainer.read()
        models = [
            ModelFolder(saved.folder, names.to_hugging_face(saved.weights, values), saved.config)
            for saved in self._network.saved
        ]
        files = self._prepared.vocabulary.files
        store.save_step(self._out, step, models, files, self._recipe.save.dtype)
