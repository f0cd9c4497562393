"""Computes units on a Ray cluster: a GPU each where there are GPUs. Nothing is written there.

A unit whose worker or machine is lost is computed again elsewhere. The machines need this package in the same
version, and have to see the checkpoints under the same path.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evaluators.errors import EvaluatorError, InputError
from evaluators.units import LATER, Answer, Doing, Setup, Unit, Units, bereaved

LOCAL = "local"
_INSTALL = "pip install 'lm-embryology[ray]'"
#: Units that wait on the cluster for each that is computed there: no worker idles while answers are written.
_AHEAD = 2


@dataclass(frozen=True)
class Cluster:
    """The workers of the cluster at ``address``: host:port, ``auto`` or ``local`` (this machine)."""

    setup: Setup
    address: str

    def answers(self, units: Units) -> Iterator[Doing | Answer]:
        """Keeps the cluster busy with ``units``, and yields what comes back, in any order.

        Raises:
            InputError: Ray is not installed, or there is no cluster.
            EvaluatorError: the cluster was lost.
        """
        ray = _connected(self.address)
        try:
            yield from self._answers(ray, units)
        except (ConnectionError, ray.exceptions.RaySystemError) as error:
            raise EvaluatorError(
                f"The Ray cluster at {self.address} was lost: {error}. What was committed stays; the same "
                "command goes on from there."
            ) from error
        finally:
            ray.shutdown()

    def _answers(self, ray: Any, units: Units) -> Iterator[Doing | Answer]:
        # Wrapped in a list the reference stays one: a worker fetches the corpora once, not with every unit.
        setup = [ray.put(self.setup)]
        compute = _remote(ray, self.setup.threads)
        again: deque[Unit] = deque()
        flying: dict[Any, Unit] = {}
        is_over = False
        while True:
            while len(flying) < _AHEAD * _slots(ray, self.setup.threads):
                unit = again.popleft() if again else next(units, "over")
                is_over = is_over or isinstance(unit, str)
                if not isinstance(unit, Unit):
                    break
                flying[compute.remote(setup, unit)] = unit
                yield Doing(unit.asks[0].number)
            if not flying:
                if is_over:
                    return
                time.sleep(LATER)
                continue
            for done in ray.wait(list(flying), num_returns=1, timeout=LATER)[0]:
                unit = flying.pop(done)
                try:
                    yield from ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise EvaluatorError(f"A Ray worker failed: {error.cause}") from error
                except ray.exceptions.RayError as error:
                    units_left, answers = bereaved(unit, (), type(error).__name__)
                    again.extend(units_left)
                    yield from answers


def _connected(address: str) -> Any:
    try:
        import ray
    except ImportError as error:
        raise InputError(f"--ray needs Ray, which is not installed: {_INSTALL}") from error
    try:
        ray.init(
            address=address,
            include_dashboard=False if address == LOCAL else None,
            logging_level="ERROR",
            log_to_driver=False,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        said = str(error).strip().splitlines()
        raise InputError(
            f"--ray {address}: no Ray cluster answers there ({said[0] if said else type(error).__name__}). "
            "Start one with `ray start --head`, name its address, or take --ray local or --jobs N."
        ) from error
    return ray


def _slots(ray: Any, threads: int | None) -> int:
    """How many units the cluster, as it is now, computes at a time."""
    there = ray.cluster_resources()
    return int(there.get("GPU", 0)) or max(int(there.get("CPU", 1)) // (threads or 1), 1)


def _remote(ray: Any, threads: int | None) -> Any:
    gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
    # max_calls 0: a worker keeps its model for the next unit, on a GPU too. bereaved() counts the lost ones.
    options = {"num_cpus": threads or 1, "num_gpus": gpus, "max_retries": 0, "max_calls": 0}
    return ray.remote(**options)(_compute)


#: The worker process's computer, and what it was made of.
_computer: tuple[Any, Any] | None = None


def _compute(setup: list[Any], unit: Unit) -> list[Answer]:
    """Runs on a worker: answers a unit with the computer that this process keeps."""
    global _computer
    import os

    import ray

    from evaluators.compute import Computer

    if _computer is None or _computer[0] != setup[0]:
        made: Setup = ray.get(setup[0])
        if not made.folder.is_dir():
            raise FileNotFoundError(
                f"{made.folder} is not there on {ray.util.get_node_ip_address()}: checkpoints have to lie "
                "where every machine of the cluster sees them under the same path."
            )
        os.chdir(made.folder)
        _computer = (setup[0], Computer(made))
    return [said for said in _computer[1].answer(unit) if isinstance(said, Answer)]
