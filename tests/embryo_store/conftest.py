"""Fixtures over the small world of results."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
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
