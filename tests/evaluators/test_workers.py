"""Several workers, several commands, lost workers: every result exactly once, as if nothing had happened."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

import embryo_store

Evaluate = Callable[..., tuple[int, str, str]]
Content = Callable[[Path], dict[str, list[tuple[object, ...]]]]
DB, WHOLE, SHOWN = Path("results.duckdb"), Path("whole.duckdb"), Path("shown.txt")
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


def series(little: ModuleType, count: int) -> int:
    """Makes the run as long as ``count`` checkpoints; the number of results that it gives."""
    shutil.rmtree("checkpoints/tiny")
    little.write_run(Path("checkpoints"), "tiny", range(0, count * 10, 10))
    return 7 * count


def test_worker_processes_give_the_content_that_one_process_gives(
    world: Path, evaluate: Evaluate, content: Content
) -> None:
    shutil.copytree("checkpoints/tiny", "checkpoints/twin")
    assert evaluate("--db", str(WHOLE))[0] == 0
    code, out, err = evaluate("--jobs", "2")
    assert (code, "Stored 24 results of 4 checkpoints" in out) == (0, True), err
    assert content(DB) == content(WHOLE)
    assert "Nothing to do" in evaluate("--jobs", "2")[1]


@LINUX
def test_lost_workers_cost_nothing_but_time(
    world: Path, little: ModuleType, forked: ModuleType, evaluate: Evaluate, content: Content
) -> None:
    results = series(little, 4)
    assert evaluate("--db", str(WHOLE))[0] == 0
    command = start("--jobs", "2")
    hit = disturb(forked, command.pid, results, kills=3, victims=lambda: workers_of(command.pid, forked))
    assert command.wait() == 0, SHOWN.read_text()
    assert hit >= 1  # a quick machine is done before the later ones
    assert content(DB) == content(WHOLE)


@LINUX
@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(("where", "kills"), [("jobs", 30), ("ray", 5)])
def test_kills_over_fifty_checkpoints_with_three_workers(
    world: Path,
    little: ModuleType,
    forked: ModuleType,
    content: Content,
    where: str,
    kills: int,
    request: pytest.FixtureRequest,
) -> None:
    """On Ray fewer: only a process that computes is one, and these tasks are short."""
    results = series(little, 50)
    assert start("--db", str(WHOLE)).wait() == 0
    arguments = ["--jobs", "3"] if where == "jobs" else ["--ray", request.getfixturevalue("cluster")]
    command = start(*arguments)

    def victims() -> list[int]:
        return workers_of(command.pid, forked) if where == "jobs" else ray_workers_of(os.getpid(), forked)

    hit = disturb(forked, command.pid, results, kills=kills, victims=victims)
    code, out = command.wait(), SHOWN.read_text()
    # A task that was hit three times in a row is given up and said; the same command tries it again.
    assert code == 0 or "3 workers in a row were lost" in out, out
    assert code == 0 or start(*arguments).wait() == 0, SHOWN.read_text()
    assert hit == kills
    assert content(DB) == content(WHOLE)


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of one machine with three processors; its processes are ours."""
    pytest.importorskip("ray", reason="the extra [ray] is not installed")
    from ray.cluster_utils import Cluster

    running = Cluster(initialize_head=True, head_node_args={"num_cpus": 3, "include_dashboard": False})
    yield running.address
    running.shutdown()


def ray_workers_of(command: int, forked: ModuleType) -> list[int]:
    """The processes of our Ray cluster that compute. That one died as it started Ray sees after a minute."""
    found = []
    for process in forked.descendants(command):
        with suppress(OSError):
            if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::_compute"):
                found.append(process)
    return found


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    """Starts the command in a process of its own; what it prints goes to ``SHOWN``, which never fills."""
    command = [sys.executable, "-m", "evaluators", *arguments]
    with SHOWN.open("wb") as shown:
        return subprocess.Popen(
            command, stdout=shown, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )


def test_ray_that_is_not_installed_is_said(
    world: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = evaluate("--ray", "auto")
    assert (code, "pip install 'lm-embryology[ray]'" in err) == (2, True)
    assert evaluate("--ray", "auto", "--jobs", "2")[0] == 2
    assert evaluate("--jobs", "0")[0] == 2


def test_a_task_that_kills_its_worker_is_recorded_and_passed_by(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluate: Evaluate
) -> None:
    package = tmp_path / "site"
    (package / "deadly-1.dist-info").mkdir(parents=True)
    (package / "deadly-1.dist-info" / "METADATA").write_text("Name: deadly\nVersion: 1\n")
    (package / "deadly-1.dist-info" / "entry_points.txt").write_text("[embryo.tasks]\ndeadly=deadly:Deadly\n")
    (package / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(package)
    code, out, _ = evaluate("--jobs", "2", "--task", "deadly", "--task", "mlm")
    assert code == 1
    assert "3 workers in a row were lost over this task (signal 9)" in out
    done = {(key.task, key.step): found.status for key, found in embryo_store.done(DB).items()}
    assert done == {
        ("mlm", 0): "done",
        ("mlm", 10): "done",
        ("deadly", 0): "failed",
        ("deadly", 10): "failed",
    }


HOW = {"mlm": "done", "deadly": "failed"}
DEADLY = """
import os
from dataclasses import dataclass
from evaluators.tasks.reconstruct import Reconstruct

@dataclass(frozen=True)
class Deadly(Reconstruct):
    name = "deadly"

    def prepare(self, corpus, vocabulary, limit):
        os.kill(os.getpid(), 9)
"""


def workers_of(command: int, forked: ModuleType) -> list[int]:
    """The workers of a command: its grandchildren, for a server forks them."""
    children = set(forked.descendants(command, deep=1))
    return [process for process in forked.descendants(command) if process not in children]


def disturb(
    forked: ModuleType, child: int, results: int, *, kills: int, victims: Callable[[], list[int]]
) -> int:
    """Kills ``kills`` random victims, one after every ``results / kills`` results; how many there were."""
    chance = random.Random(0)
    hit = 0
    while hit < kills:
        forked.wait_for(1 + hit * results // (kills + 5), child, DB, rest=4)
        time.sleep(chance.uniform(0, 0.1))
        alive = victims()
        if forked.is_over(child):
            break
        if alive:
            os.kill(chance.choice(alive), signal.SIGKILL)
            hit += 1
    return hit


def test_two_commands_at_once_share_the_work(
    world: Path, little: ModuleType, forked: ModuleType, evaluate: Evaluate, content: Content
) -> None:
    series(little, 6)
    assert evaluate("--db", str(WHOLE))[0] == 0
    both = [forked.start(shown=f"shown-{number}.txt") for number in range(2)]
    assert [forked.finish(child) for child in both] == [0, 0]
    assert content(DB) == content(WHOLE)
    shown = [Path(f"shown-{number}.txt").read_text() for number in range(2)]
    computed = [int(found[1]) for text in shown if (found := re.search(r"Stored (\d+) results", text))]
    logs = 6
    assert 36 <= sum(computed) <= 36 + logs, "each computed by one of them; training logs perhaps by both"
