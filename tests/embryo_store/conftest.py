"""Fixtures over the small world of results."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

import embryo_store
from embryo_store import schema

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """The module ``small_world``, which worker processes of the tests import by name."""
    spec = importlib.util.spec_from_file_location("small_world", HERE / "small_world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def worker() -> Callable[..., subprocess.Popen[str]]:
    """Starts Python code in another process, where ``small_world`` can be imported."""

    def start(code: str, *args: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, args)]
        pipes: dict[str, Any] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(HERE)}, text=True, **pipes)

    return start


@pytest.fixture
def killed_inside(worker: Callable[..., subprocess.Popen[str]]) -> Callable[..., Iterator[None]]:
    """Kills a worker again and again between its "in" and its "out", until that was `wanted` times so.

    The block of the loop is run after every kill, those that came too late included.
    """

    def kill(code: str, *args: object, wanted: int) -> Iterator[None]:
        chance = random.Random(wanted)
        span, hits = 0.5, 0
        for _ in range(10 * wanted):
            process = worker(code, *args)
            assert process.stdout is not None
            assert process.stdout.readline() == "in\n"
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0, span))
            process.send_signal(signal.SIGKILL)
            told, trouble = process.communicate()
            assert not trouble
            hit = told == ""
            hits += hit
            # So that the kills spread over as long as the work takes, on whatever machine.
            span *= 1.2 if hit else 0.7
            yield
            if hits == wanted:
                return
        pytest.fail(f"{hits} of {wanted} kills fell inside")

    return kill


@pytest.fixture(scope="session")
def whole_world(world: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds the small world; not to be written to."""
    path = tmp_path_factory.mktemp("world") / "results.duckdb"
    for commit in world.small_world():
        embryo_store.commit(path, commit)
    return path


@pytest.fixture(scope="session")
def rich_world(world: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with something in every table and view; not to be written to."""
    path = tmp_path_factory.mktemp("rich") / "results.duckdb"
    embryo_store.commit_all(path, world.rich_world())
    return path


@pytest.fixture
def rich_rows(rich_world: Path) -> Callable[[str], list[tuple[object, ...]]]:
    """The rows of a query on the rich world."""

    def ask(query: str) -> list[tuple[object, ...]]:
        with embryo_store.read(rich_world) as reader:
            return list(reader.sql(query).rows)

    return ask


@pytest.fixture
def store(whole_world: Path, tmp_path: Path) -> Path:
    """A copy of the small world for one test."""
    return Path(shutil.copy(whole_world, tmp_path / "results.duckdb"))


@pytest.fixture
def rows(whole_world: Path) -> Callable[[str], list[tuple[object, ...]]]:
    """The rows of a query on the small world."""

    def ask(query: str) -> list[tuple[object, ...]]:
        with embryo_store.read(whole_world) as reader:
            return list(reader.sql(query).rows)

    return ask


@pytest.fixture(scope="session")
def small_connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables and views in memory; a test empties what it fills."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(schema.TABLES_SQL)
        connection.execute(schema.VIEWS_SQL)
        yield connection
