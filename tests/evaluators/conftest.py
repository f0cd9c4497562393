"""Fixtures over the little world."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def little() -> ModuleType:
    """The module ``little_world``."""
    return _load("little_world")


@pytest.fixture(scope="session")
def forked() -> ModuleType:
    """The module ``forked``."""
    return _load("forked")


@pytest.fixture(scope="session")
def template(little: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder: two checkpoints of one run, a treebank and facts. Not to be written to."""
    root = tmp_path_factory.mktemp("template")
    little.write_run(root / "checkpoints", "tiny", [0, 10])
    little.write_treebank(root / "data" / "bank" / "bank.conllu")
    little.write_facts(root / "data" / "facts")
    return root


@pytest.fixture
def world(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the template as the working folder, where the command's defaults find everything."""
    import shutil

    root = tmp_path / "world"
    shutil.copytree(template, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def evaluate(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process: exit code, standard output, standard error."""
    from evaluators.cli import main

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
        shown = capfd.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def content() -> Callable[[Path], dict[str, list[tuple[object, ...]]]]:
    """All tables of a store, times and host apart, sorted."""
    import embryo_store

    def read(path: Path) -> dict[str, list[tuple[object, ...]]]:
        found = {}
        with embryo_store.read(path) as reader:
            tables = reader.sql(
                "SELECT table_name, list(column_name ORDER BY column_index) "
                "FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_name) "
                "WHERE NOT internal GROUP BY table_name"
            ).rows
            for table, columns in tables:
                if table == "meta":
                    continue
                kept = ", ".join(f'"{c}"' for c in columns if c not in ("started", "finished", "host"))
                found[table] = list(reader.sql(f"SELECT {kept} FROM {table} ORDER BY ALL").rows)
        return found

    return read
