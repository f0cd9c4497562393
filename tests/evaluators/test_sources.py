"""Checkpoints of others, read in place: step folders, the paper's numbered weights, URLs; what is refused."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import fsspec
import pytest
import torch

import embryo_store
from evaluators.checkpoints import open_checkpoints
from evaluators.checkpoints.layouts import step_of
from evaluators.errors import CheckpointError, InputError
from evaluators.families import family_of
from evaluators.loading import read_weights

Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def foreign(little: ModuleType, root: Path, names: list[str]) -> Path:
    """Steps as the Trainer of transformers saves them: no manifest, an optimizer beside the model."""
    for number, name in enumerate(names):
        folder = root / name
        folder.mkdir(parents=True)
        little.make_model(number).save_pretrained(folder)
        little.make_tokenizer().save_pretrained(folder)
        torch.save({"state": {}}, folder / "optimizer.pt")
    return root


def paper(little: ModuleType, root: Path, steps: list[int]) -> Path:
    """The paper's layout: pytorch_model_N.bin beside one config.json and one vocabulary."""
    root.mkdir(parents=True)
    for step in steps:
        model = little.make_model(step)
        torch.save(model.state_dict(), root / f"pytorch_model_{step}.bin")
    model.config.save_pretrained(root)
    little.make_tokenizer().save_pretrained(root)
    return root


def tensors(where: str | Path, run: str, step: int) -> dict[str, torch.Tensor]:
    saved = open_checkpoints(where).open(run, step)
    assert saved.problem is None
    return read_weights(saved, family_of(saved))


def same(found: dict[str, torch.Tensor], model: torch.nn.Module) -> bool:
    expected = model.state_dict()
    return all(torch.equal(tensor, expected[name]) for name, tensor in found.items()) and len(found) > 20


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("checkpoint-500", 500),
        ("step_20", 20),
        ("step-00000250", 250),
        ("step1000", 1000),
        ("multiberts-seed_0-step_20k", 20_000),
        ("step_2000k", 2_000_000),
        ("global_step10", 10),
        ("checkpoint-best", None),
        ("main", None),
        ("v1.0", None),
        ("seed_0", None),
    ],
)
def test_a_name_tells_its_step(name: str, step: int | None) -> None:
    assert step_of(name) == step


def test_step_folders_are_runs_in_a_folder_or_one_run_by_themselves(
    little: ModuleType, tmp_path: Path
) -> None:
    foreign(little, tmp_path / "all" / "mine", ["checkpoint-0", "checkpoint-500", "checkpoint-best"])
    foreign(little, tmp_path / "all" / "yours", ["step_3"])
    little.write_run(tmp_path / "all", "ours", [0, 10])
    source = open_checkpoints(tmp_path / "all")
    assert {run: source.steps(run) for run in source.runs()} == {
        "mine": (0, 500),
        "ours": (0, 10),
        "yours": (3,),
    }
    assert same(tensors(tmp_path / "all", "mine", 500), little.make_model(1))
    alone = open_checkpoints(tmp_path / "all" / "mine")
    assert {run: alone.steps(run) for run in alone.runs()} == {"mine": (0, 500)}
    assert alone.describe("mine").hidden == 32
    assert alone.describe("mine").family == "albert"


def test_the_papers_layout_is_evaluated_and_never_twice(
    world: Path, little: ModuleType, evaluate: Evaluate
) -> None:
    paper(little, world / "paper", [0, 1000])
    code, out, err = evaluate("--checkpoints", "paper", "--task", "mlm")
    assert (code, "Stored 2 results" in out) == (0, True), out + err
    assert "Nothing to do" in evaluate("--checkpoints", "paper", "--task", "mlm")[1]
    os.utime("paper/pytorch_model_1000.bin", (1, 1))
    assert "Nothing to do" in evaluate("--checkpoints", "paper", "--task", "mlm")[1], "touched, not changed"
    torch.save(little.make_model(77).state_dict(), "paper/pytorch_model_1000.bin")
    assert "Stored 1 results" in evaluate("--checkpoints", "paper", "--task", "mlm")[1]


def test_planning_reads_no_weights_that_it_knows(
    little: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper(little, tmp_path / "paper", [0, 1000])
    first = open_checkpoints(tmp_path / "paper").open("paper", 1000).weights_hash
    monkeypatch.setattr("evaluators.checkpoints.trees.LocalTree.read", None)
    assert (
        open_checkpoints(tmp_path / "paper")._listing("paper").get("pytorch_model_1000.bin").digest == first
    )


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harmed",)


def test_a_pickle_that_would_run_code_does_not(world: Path, little: ModuleType, evaluate: Evaluate) -> None:
    paper(little, world / "paper", [0, 1000])
    torch.save({"weights": Harm()}, "paper/pytorch_model_1000.bin")
    code, out, err = evaluate("--checkpoints", "paper", "--task", "mlm")
    assert code == 1, out + err
    assert "pytorch_model_1000.bin is refused" in out
    assert "Traceback" not in out + err
    Path("paper/pytorch_model_1000.bin").write_bytes(pickle.dumps(Harm()))
    assert evaluate("--checkpoints", "paper", "--task", "mlm")[0] == 1
    assert not Path("harmed").exists()
    pickle.loads(pickle.dumps(Harm()))
    assert Path("harmed").exists(), "the pickle does nothing: the test shows nothing"


def cut(run: Path) -> None:
    path = run / "checkpoint-500" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])


def no_weights(run: Path) -> None:
    (run / "checkpoint-500" / "model.safetensors").unlink()


def no_config(run: Path) -> None:
    (run / "checkpoint-500" / "config.json").unlink()


def a_shard_short(run: Path) -> None:
    folder = run / "checkpoint-500"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00003.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")


def no_tokenizer(run: Path) -> None:
    for path in (run / "checkpoint-500").glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "is no complete safetensors file"),
        (no_weights, "has no model.safetensors and no pytorch_model.bin"),
        (no_config, "has no config.json"),
        (a_shard_short, "has 1 of 3 shards"),
        (no_tokenizer, "has no tokenizer: expected"),
    ],
)
def test_a_foreign_step_that_cannot_be_read_is_recorded_and_passed_by(
    world: Path, little: ModuleType, evaluate: Evaluate, harm: Callable[[Path], None], said: str
) -> None:
    harm(foreign(little, world / "mine", ["checkpoint-0", "checkpoint-500"]))
    code, out, err = evaluate("--checkpoints", "mine", "--task", "mlm")
    assert code == 1, out + err
    assert said in out
    assert "Traceback" not in out + err
    assert {
        key.step for key, done in embryo_store.done(Path("results.duckdb")).items() if done.status == "done"
    } == {0}


def test_shards_are_one_model(little: ModuleType, tmp_path: Path) -> None:
    folder = foreign(little, tmp_path / "mine", ["checkpoint-0"]) / "checkpoint-0"
    (folder / "model.safetensors").unlink()
    little.make_model(0).save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert same(tensors(tmp_path / "mine", "mine", 0), little.make_model(0))


@pytest.fixture
def bucket(little: ModuleType, tmp_path: Path) -> str:
    """Contract 1, step folders and numbered weights in an object store in memory."""
    little.write_run(tmp_path / "local", "ours", [0, 10])
    foreign(little, tmp_path / "local" / "mine", ["checkpoint-500"])
    paper(little, tmp_path / "local" / "papers", [1000])
    memory = fsspec.filesystem("memory")
    for path in (tmp_path / "local").rglob("*"):
        if path.is_file():
            memory.pipe(f"/bucket/{path.relative_to(tmp_path / 'local')}", path.read_bytes())
    yield "memory://bucket"
    memory.rm("/bucket", recursive=True)


def test_a_url_is_read_as_a_folder_is(bucket: str, little: ModuleType, tmp_path: Path) -> None:
    here, there = open_checkpoints(tmp_path / "local"), open_checkpoints(bucket)
    assert there.runs() == here.runs() == ("mine", "ours", "papers")
    for run in here.runs():
        assert there.steps(run) == here.steps(run)
        for step in here.steps(run):
            one, other = here.open(run, step), there.open(run, step)
            assert (one.weights_hash, one.config_hash, one.tokenizer_hash, one.bytes) == (
                other.weights_hash,
                other.config_hash,
                other.tokenizer_hash,
                other.bytes,
            )
    assert there.describe("ours").parameters == here.describe("ours").parameters
    assert same(tensors(bucket, "papers", 1000), little.make_model(1000))


def test_a_url_is_evaluated_in_place(world: Path, bucket: str, evaluate: Evaluate) -> None:
    code, out, err = evaluate("--checkpoints", bucket, "--task", "mlm")
    assert (code, "Stored 4 results" in out) == (0, True), out + err
    assert "Nothing to do" in evaluate("--checkpoints", bucket, "--task", "mlm")[1]


def test_an_object_that_changes_under_its_name_is_noticed(bucket: str, little: ModuleType) -> None:
    saved = open_checkpoints(bucket).open("mine", 500)
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/mine/checkpoint-500/model.safetensors", b"other")
    with pytest.raises(CheckpointError, match="was changed since"):
        read_weights(saved, family_of(saved))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("nowhere", "does not exist"),
        ("memory://empty", "holds no run"),
        ("unheard://of", "cannot be opened"),
        ("hub:albert", "expected hub:ORGANISATION/NAME"),
    ],
)
def test_a_place_without_runs_is_named(
    where: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        open_checkpoints(where).runs()


def test_a_run_that_is_being_written_has_its_complete_steps_alone(little: ModuleType, tmp_path: Path) -> None:
    little.write_run(tmp_path, "one", [0, 10])
    shutil.copytree(tmp_path / "one" / "step-00000010", tmp_path / "one" / "step-00000020")
    (tmp_path / "one" / "step-00000020" / "COMPLETE.json").unlink()
    assert open_checkpoints(tmp_path).steps("one") == (0, 10)
