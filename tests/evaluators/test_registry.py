"""Tasks of other packages: installed, listed, evaluated like any other; refused with a reason where unfit."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

import embryo_store

Evaluate = Callable[..., tuple[int, str, str]]
EXAMPLE = Path(__file__).with_name("example_task")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed by pip into a folder of its own; nothing comes by network."""
    root = tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, root / "source")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*pip, "--target", root / "site", root / "source"], check=True)
    return root / "site"


def test_an_installed_task_is_listed_and_evaluated(
    world: Path, little: ModuleType, evaluate: Evaluate, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed)
    importlib.invalidate_caches()
    assert "uncertainty" in evaluate("--list-tasks")[1]
    Path("embryo.toml").write_text("[task.uncertainty]\nbase = 2.0\n")
    code, out, err = evaluate("--task", "uncertainty", "--step", "10", "--dtype", "fp32")
    assert (code, "Stored 1 results" in out) == (0, True), err
    with embryo_store.read("results.duckdb") as reader:
        ((value, n),) = reader.sql("SELECT value, n FROM metrics WHERE task = 'uncertainty'").rows
    assert (value, n) == pytest.approx(entropy_in_bits(little))
    assert "Nothing to do" in evaluate("--task", "uncertainty", "--step", "10", "--dtype", "fp32")[1]
    Path("embryo.toml").write_text("[task.uncertainty]\nbse = 2.0\n")
    assert "no option 'bse'. Did you mean base? It knows: base" in evaluate("--task", "uncertainty")[2]


def entropy_in_bits(little: ModuleType) -> tuple[float, int]:
    """From the definition, one sentence at a time."""
    model, tokenizer = little.make_model(10), little.make_tokenizer()
    found = []
    for sentence in little.TREEBANK:
        ids = [i for word, _ in sentence for i in tokenizer(word, add_special_tokens=False)["input_ids"]]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[2, *ids, 3]])).prediction_logits[0, 1:-1]
        found += [-(p * p.log2()).sum().item() for p in logits.double().softmax(-1)]
    return sum(found) / len(found), len(found)


@pytest.mark.parametrize(
    ("name", "module", "said"),
    [
        ("mlm", "class T: pass", "there is one of that name already (built in"),
        ("odd", "import nonsense_that_is_not_there", "cannot be imported: ModuleNotFoundError"),
        ("odd", "class T: pass", "is no frozen dataclass derived from"),
        ("odd", "from evaluators.tasks.reconstruct import Reconstruct as T", "its name is 'reconstruct'"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(
    world: Path,
    tmp_path: Path,
    evaluate: Evaluate,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    module: str,
    said: str,
) -> None:
    site = tmp_path / "site"
    (site / "theirs-1.dist-info").mkdir(parents=True)
    (site / "theirs-1.dist-info" / "METADATA").write_text("Name: theirs\nVersion: 1\n")
    (site / "theirs-1.dist-info" / "entry_points.txt").write_text(
        f"[embryo.tasks]\n{name} = theirs_of_test:T\n"
    )
    (site / "theirs_of_test.py").write_text(module)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "theirs_of_test", raising=False)
    code, _, err = evaluate("--task", name)
    assert (code, said in err, "the package theirs" in err) == (2, True, True), err
