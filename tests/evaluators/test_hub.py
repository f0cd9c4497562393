"""Runs on the Hub, against a local server that speaks its API: revisions, repositories, what goes wrong."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import huggingface_hub.constants
import pytest
import torch

from evaluators.checkpoints import hub as source_module
from evaluators.checkpoints import open_checkpoints
from evaluators.checkpoints.hub import _small_files
from evaluators.errors import CheckpointError, InputError
from evaluators.families import family_of
from evaluators.loading import read_weights

Evaluate = Callable[..., tuple[int, str, str]]


def _server() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hub_server", Path(__file__).with_name("hub_server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def repositories(little: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    """A repository with a revision a step, and MultiBERTs' manner: a repository a step, PyTorch files."""
    root = tmp_path_factory.mktemp("hub")
    found: dict[str, dict[str, Path]] = {"org/pythia": {}}
    for name, seed in (("step0", 0), ("step1000", 1), ("main", 1)):
        folder = root / name
        little.make_model(seed).save_pretrained(folder)
        little.make_tokenizer().save_pretrained(folder)
        found["org/pythia"][name] = folder
    for name, seed in (("step_0k", 2), ("step_20k", 3)):
        folder = root / name
        folder.mkdir()
        model = little.make_model(seed, "bert")
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        model.config.save_pretrained(folder)
        little.make_tokenizer().save_pretrained(folder)
        found[f"org/bert-seed_0-{name}"] = {"main": folder}
    found["org/bert-seed_0"] = {"main": root / "main"}
    return found


@pytest.fixture
def hub(
    repositories: dict[str, dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[object]:
    server = _server().Hub(repositories)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # ours and the library's waits between tries
    _small_files().clear()
    yield server
    server.close()


def weights_asked(hub: object) -> int:
    return sum(
        count
        for what, count in hub.asked.items()
        if what.startswith("GET") and what.endswith((".safetensors", ".bin"))
    )


def test_a_revision_a_step_is_evaluated_and_never_downloaded_twice(
    world: Path, hub: object, evaluate: Evaluate
) -> None:
    code, out, err = evaluate("--checkpoints", "hub:org/pythia", "--task", "mlm")
    assert (code, "Stored 2 results" in out) == (0, True), out + err
    # One download a step, and the head of the last step's file, which tells its size.
    assert weights_asked(hub) <= 4
    before = sum(hub.asked.values())
    assert "Nothing to do" in evaluate("--checkpoints", "hub:org/pythia", "--task", "mlm")[1]
    assert sum(hub.asked.values()) - before <= 2, "planning lists the revisions, and knows the rest"


def test_a_repository_a_step_is_one_run(
    hub: object, repositories: dict[str, dict[str, Path]], little: ModuleType
) -> None:
    source = open_checkpoints("hub:org/bert-seed_0-step_*")
    assert {run: source.steps(run) for run in source.runs()} == {"bert-seed_0": (0, 20_000)}
    saved = source.open("bert-seed_0", 20_000)
    here = open_checkpoints(repositories["org/bert-seed_0-step_20k"]["main"].parent)
    assert saved.weights_hash == here.open("hub0", 20_000).weights_hash
    assert weights_asked(hub) == 0, "planning downloads no weights"
    assert saved.tokenizer_hash == here.open("hub0", 20_000).tokenizer_hash
    found = read_weights(saved, family_of(saved))
    expected = little.make_model(3, "bert").state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())


@pytest.mark.parametrize("codes", [[429, 429], [503], [0], [0, 429, 500]])
@pytest.mark.parametrize("part", ["/refs", "model.safetensors"])
def test_a_busy_hub_and_a_dropped_connection_are_asked_again(
    hub: object, little: ModuleType, part: str, codes: list[int]
) -> None:
    hub.faults[part] = list(codes)
    source = open_checkpoints("hub:org/pythia")
    assert source.steps(source.runs()[0]) == (0, 1000)
    saved = source.open("pythia", 1000)
    expected = little.make_model(1).state_dict()
    found = read_weights(saved, family_of(saved))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    assert hub.faults[part] == []


@pytest.mark.parametrize(
    ("where", "codes", "said"),
    [
        ("hub:org/nothing", [], r"the Hub has nothing of that name \(404\)"),
        ("hub:org/bert-seed_0", [], "has no revision that names a step"),
        ("hub:org/nothing-*", [], "has no repository whose name tells a step"),
        ("hub:org/pythia", [429] * 9, r"asked too often \(429\)"),
        ("hub:org/pythia", [401], r"the Hub asks who you are \(401\)"),
        ("hub:org/pythia", [0] * 9, "the Hub cannot be reached"),
        ("hub:a/b/c", [], "expected hub:ORGANISATION/NAME"),
    ],
)
def test_a_hub_that_says_no_is_quoted(hub: object, where: str, codes: list[int], said: str) -> None:
    hub.faults["/refs"] = codes
    with pytest.raises(InputError, match=said):
        open_checkpoints(where).runs()


def test_a_step_that_cannot_be_downloaded_is_recorded_and_passed_by(
    world: Path, hub: object, evaluate: Evaluate
) -> None:
    last = hub.repositories["org/pythia"]["step1000"]
    commit = _server().commit_of("org/pythia", "step1000")
    assert last.is_dir()
    hub.faults[f"{commit}/model.safetensors"] = [404] * 99
    code, out, err = evaluate("--checkpoints", "hub:org/pythia", "--task", "mlm")
    assert code == 1, out + err
    assert "Stored 1 results" in out
    assert "the Hub has nothing of that name (404)" in out
    assert "Traceback" not in out + err


def test_a_download_that_is_not_what_the_hub_told_is_refused(
    hub: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = open_checkpoints("hub:org/pythia").open("pythia", 1000)
    monkeypatch.setattr(source_module.HubTree, "read", lambda self, path, most=None: b"other")
    with pytest.raises(CheckpointError, match="is damaged"):
        read_weights(saved, family_of(saved))
