"""Who imports whom, at run time: a fresh interpreter loads a whole package, then looks at ``sys.modules``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOAD_EVERYTHING = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

OURS = {"embryo_tui", "evaluators", "tpu_train", "embryo_demo", "embryo_store"}
ML = {"torch", "tensorflow", "transformers", "spacy", "sklearn", "tokenizers", "safetensors", "ray"}

FORBIDDEN = {
    "embryo_store": (OURS - {"embryo_store"}) | ML | {"textual", "rich", "plotext", "pandas", "pyarrow"},
    "embryo_tui": (OURS - {"embryo_tui", "embryo_store"}) | ML | {"pandas", "pyarrow"},
    "embryo_demo": (OURS - {"embryo_demo"}) | ML | {"duckdb", "textual", "plotext"},
    "tpu_train": (OURS - {"tpu_train"}) | {"torch", "transformers", "spacy", "duckdb", "textual"},
    "evaluators": (OURS - {"evaluators", "embryo_store"}) | {"tensorflow", "keras", "textual"},
}


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_package_loads_nothing_it_may_not(package: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", LOAD_EVERYTHING, package], capture_output=True, text=True, timeout=240
    )
    assert shown.returncode == 0, shown.stderr
    loaded = set(json.loads(shown.stdout.splitlines()[-1]))
    assert package in loaded
    assert not loaded & FORBIDDEN[package]


@pytest.mark.parametrize("command", ["embryo_tui", "evaluators", "tpu_train", "embryo_demo"])
def test_help_and_version_answer_without_loading_a_model_library(command: str) -> None:
    script = (
        "import runpy, sys\n"
        f"sys.argv = [{command!r}, sys.argv[1]]\n"
        "try:\n"
        f"    runpy.run_module({command!r}, run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code, stop.code\n"
        f"loaded = {{name.partition('.')[0] for name in sys.modules}} & {ML!r}\n"
        "assert not loaded, loaded\n"
    )
    for option in ("--help", "--version"):
        shown = subprocess.run(
            [sys.executable, "-c", script, option], capture_output=True, text=True, timeout=120
        )
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.strip()


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        ("evaluators.cli.main(['--list-tasks'])", "torch", "[eval]"),
        (
            "tpu_train.cli.main(['--recipe', 'albert-tiny', '--corpus', '.', '--out', 'x'])",
            "zstandard",
            "[train]",
        ),
    ],
)
def test_a_base_install_says_what_a_command_needs(
    command: str, package: str, extra: str, tmp_path: Path
) -> None:
    module = command.partition(".main")[0]
    code = f"import sys; sys.modules[{package!r}] = None; import {module}; sys.exit({command})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert f"package {package} is not installed" in found.stderr
    assert f"'.{extra}'" in found.stderr
    assert "Traceback" not in found.stderr
