"""Workers of ``TF_CONFIG``: real processes on this machine that train one run together."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tpu_train import cluster, run, state, store
from tpu_train.cluster import Cluster
from tpu_train.errors import InputError
from tpu_train.run import Split
from tpu_train.train import Request, _split

WORKERS = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
CHIEF = '{"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "task": {"type": "%s", "index": %d}}'


def test_tf_config_says_who_writes() -> None:
    def read(text: str) -> Cluster:
        return cluster.of_environment({"TF_CONFIG": text})

    assert cluster.of_environment({}) == read("") == Cluster(1, 0)
    assert read(WORKERS) == Cluster(2, 1)
    assert read(CHIEF % ("chief", 0)) == Cluster(3, 0)
    assert read(CHIEF % ("worker", 0)) == Cluster(3, 1)
    assert [read(WORKERS).chief, read(CHIEF % ("chief", 0)).chief] == [False, True]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"cluster": {"worker": ["a:1"]}}', CHIEF % ("worker", 2), CHIEF % ("ps", 0)]
)
def test_a_wrong_tf_config_is_named(text: str) -> None:
    with pytest.raises(InputError, match="TF_CONFIG"):
        cluster.of_environment({"TF_CONFIG": text})


@pytest.mark.parametrize(
    ("before", "workers", "given", "expected"),
    [
        (None, 1, {}, ("cpu", 1)),
        (None, 3, {}, ("cpu", 3)),
        (None, 2, {"device": "gpu"}, ("gpu", 0)),
        # As it began, in one process too; but other workers are other replicas.
        (("cpu", 4, 1), 1, {}, ("cpu", 4)),
        (("cpu", 2, 2), 1, {}, ("cpu", 2)),
        (("cpu", 2, 2), 3, {}, ("cpu", 3)),
        (("cpu", 1, 1), 2, {}, ("cpu", 2)),
        (("cpu", 1, 1), 1, {"device": "gpu"}, ("gpu", 0)),
        (("gpu", 4, 1), 1, {"replicas": 2}, ("gpu", 2)),
    ],
)
def test_a_run_is_split_as_it_was_or_over_the_workers_that_there_are(
    before: tuple[str, int, int] | None, workers: int, given: dict[str, Any], expected: tuple[str, int]
) -> None:
    request = Request(Path("run"), None, (), None, threads=1, **given)
    device, replicas, others = before or ("", 0, 0)
    found = _split(request, Cluster(workers, 0), Split(device, replicas, 1, others) if before else None)
    assert found == Split(*expected, 1, workers)


def ports(count: int) -> list[int]:
    """Free ones: held together, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def started(world: Any, out: str, *more: str) -> list[subprocess.Popen[str]]:
    """Two workers that train ``out``, each with a cache of its own."""
    addresses = [f"127.0.0.1:{port}" for port in ports(2)]
    processes = []
    for index in range(2):
        told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        cache = str(world.root / f"cache-{index}")
        environment = os.environ | {"TF_CONFIG": json.dumps(told), "XDG_CACHE_HOME": cache}
        command = [sys.executable, "-m", "tpu_train", *world.command(out, *more)]
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    return processes


def ended(processes: list[subprocess.Popen[str]]) -> tuple[list[int], list[str]]:
    told = [process.communicate(timeout=240)[1] for process in processes]
    return [process.returncode for process in processes], told


def digest(run: Path, step: int) -> str:
    return hashlib.sha256((store.step_folder(run, step) / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.slow
def test_two_workers_train_what_two_devices_do_and_go_on_after_signals_and_kills(world: Any) -> None:
    more = ("--steps", "60", "--set", "save.pieces=[]", "--state-every", "0.2")
    one, run_of = world.root / "one", world.root / "run"
    command = [sys.executable, "-m", "tpu_train", *world.command("one", "--replicas", "2", *more)]
    subprocess.run(command, check=True)

    # SIGTERM to one of them, whichever: both stop after the same step, and the chief saves it.
    processes = started(world, "run", *more)
    log = run_of / "train_log.jsonl"
    while not log.is_file() and all(process.poll() is None for process in processes):
        with pytest.raises(subprocess.TimeoutExpired):
            processes[0].wait(timeout=0.02)
    processes[1].send_signal(signal.SIGTERM)
    codes, told = ended(processes)
    assert codes == [130, 130], told
    found = state.load(run_of / "state")
    assert found is not None
    assert 20 <= found[0].step < 60
    assert f"Stopped at step {found[0].step} of 60" in told[0]

    # One is killed: the other says so, and nothing is lost.
    processes = started(world, "run", *more)
    while not (run_of / "state" / f"state-{found[0].step + 1:08d}.json").is_file() and all(
        process.poll() is None for process in processes
    ):
        newest = state.load(run_of / "state")
        if newest is not None and newest[0].step > found[0].step:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            processes[0].wait(timeout=0.02)
    processes[1].kill()
    codes, told = ended(processes)
    assert codes[1] == -signal.SIGKILL
    assert codes[0] in (0, 3), told

    codes, told = ended(started(world, "run", *more))
    assert codes == [0, 0], told
    about = run.read(run_of)
    assert about is not None
    assert (about["replicas"], about["workers"]) == (2, 2)
    assert store.saved(run_of) == store.saved(one) == [0, 1, 2, 4, 8, 60]
    for step in (8, 60):
        ours, theirs = (
            load_file(store.step_folder(folder, step) / "model.safetensors") for folder in (run_of, one)
        )
        assert max(np.abs(ours[name] - theirs[name]).max() for name in theirs) < 1e-5
    # The second worker left nothing in the run, and has its text in a folder of its own.
    assert {path.name for path in run_of.glob("state/*.json")} == {
        "corpus.json",
        "made_from.json",
        *(path.name for path in run_of.glob("state/state-*.json")),
    }
    assert list((world.root / "cache-1").rglob("tokens.bin"))


@pytest.mark.slow
def test_workers_with_other_texts_refuse(world: Any) -> None:
    other = type(world)(world.root / "other")
    (other.root / "text").mkdir(parents=True)
    (other.root / "text" / "a.txt").write_text((world.text / "a.txt").read_text("utf-8") + "\n\nMore.\n")
    (other.root / "little.toml").write_text(world.recipe.read_text("utf-8"))
    addresses = [f"127.0.0.1:{port}" for port in ports(2)]
    processes = []
    for index, place in enumerate((world, other)):
        told = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = os.environ | {"TF_CONFIG": json.dumps(told), "XDG_CACHE_HOME": str(place.root / "c")}
        command = [sys.executable, "-m", "tpu_train", *place.command("run")]
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    codes, messages = ended(processes)
    assert codes == [3, 3], messages
    assert all("differ in recipe, text, vocabulary" in message for message in messages)
