"""A run that cannot be looked at, among others: it is said once and passed by, and every command agrees."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch

import embryo_store
from evaluators.checkpoints.trees import Entry, LocalTree

Evaluate = Callable[..., tuple[int, str, str]]
Harm = Callable[[Path, pytest.MonkeyPatch], Path]
DB, OTHER = Path("results.duckdb"), Path("checkpoints/other")


def closed(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of another user's. Permissions would not stop tests that run as root."""
    files, folders = LocalTree.files, LocalTree.folders

    def refuse(tree: LocalTree) -> None:
        if tree.path == run:
            raise PermissionError(13, "Permission denied", str(run))

    def listed(tree: LocalTree, depth: int) -> Mapping[str, Entry]:
        refuse(tree)
        return files(tree, depth)

    def named(tree: LocalTree) -> tuple[str, ...]:
        refuse(tree)
        return folders(tree)

    monkeypatch.setattr(LocalTree, "files", listed)
    monkeypatch.setattr(LocalTree, "folders", named)
    return run


def half_written(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (run / "run.json").write_text('{"name": "ot')
    return run


def without_a_name(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return run.rename(run.with_name("o\nther"))


def a_broken_log(run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (run / "train_log.jsonl").write_text("steps\n" * 2)
    return run


@pytest.mark.parametrize(
    ("harm", "name", "why"),
    [
        (closed, "other", "cannot be listed: [Errno 13] Permission denied"),
        (half_written, "other", "checkpoints/other/run.json cannot be read as JSON"),
        (without_a_name, r"'o\nther'", "which cannot be shown. Rename it."),
        (a_broken_log, "other", "train_log.jsonl, line 1: expected a JSON object"),
    ],
)
def test_a_run_that_cannot_be_looked_at_is_said_and_passed_by(
    world: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, harm: Harm, name: str, why: str
) -> None:
    shutil.copytree("checkpoints/tiny", OTHER)
    run = harm(OTHER, monkeypatch)
    chosen = ("--task", "mlm", "--task", "train-log")
    said = f"passed by {name}: "

    def told(*arguments: str) -> str:
        code, out, err = evaluate(*arguments, *chosen)
        assert code == 1, out + err
        assert "Traceback" not in out + err
        assert (out + err).count(why) == 1, out + err
        if "doctor" not in arguments:
            assert err.count(said) == 1, err
        return out

    assert "To evaluate: 4 of 4 results" in told("--dry-run")
    assert f"fails {name} is passed by: " in told("doctor")
    assert "Stored 4 results of 2 checkpoints" in told()
    assert {(key.run, key.step) for key in embryo_store.done(DB)} == {("tiny", 0), ("tiny", 10)}
    assert "Nothing to do: all 4 results stand" in told()
    assert told("list").count("tiny") == 2
    assert "0 of 4 results changed" in told("diff")
    code, out, err = evaluate("--run", "tiny", *chosen)
    assert (code, why in out + err) == (0, False), "who names the others hears nothing of it"
    code, out, err = evaluate("--run", run.name, *chosen)
    assert (code, why in err, err.count("embryo-eval: ")) == (2, True, 1)


def test_nothing_that_can_be_looked_at(world: Path, evaluate: Evaluate) -> None:
    shutil.copytree("checkpoints/tiny", OTHER)
    for run in ("tiny", "other"):
        Path(f"checkpoints/{run}/run.json").write_text("{")
    code, _, err = evaluate("--task", "mlm")
    assert (code, "run.json cannot be read as JSON" in err, "with 1 more runs" in err) == (2, True, True)
    assert not DB.exists()


def test_a_step_that_a_run_might_have_which_was_passed_by(
    world: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("checkpoints/tiny", OTHER)
    closed(OTHER, monkeypatch)
    code, _, err = evaluate("--step", "7")
    assert code == 2
    assert "tiny has 0 and 10. Passed by: other (checkpoints/other cannot be listed" in err


def test_watch_says_it_once_and_ends_with_the_others(world: Path, forked: ModuleType) -> None:
    shutil.copytree("checkpoints/tiny", OTHER)
    (OTHER / "run.json").write_text("{")
    child = forked.start("--watch", "--task", "mlm")
    assert forked.finish(child) == 1
    shown = Path("shown.txt").read_text()
    assert shown.count("passed by other: ") == 1
    assert "All runs are complete and evaluated: 2 results." in shown


def test_weights_that_cannot_be_read_are_one_failure(
    world: Path, little: ModuleType, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tells their digest, so that the failure has none to be known by."""
    run = Path("paper/papers")
    run.mkdir(parents=True)
    for step in (0, 10):
        torch.save(little.make_model(step).state_dict(), run / f"pytorch_model_{step}.bin")
    little.make_model(0).config.save_pretrained(run)
    little.make_tokenizer().save_pretrained(run)
    read = LocalTree.read

    def refuse(tree: LocalTree, path: str, most: int | None = None) -> bytes:
        if path == "pytorch_model_10.bin":
            raise PermissionError(13, "Permission denied", path)
        return read(tree, path, most)

    def states() -> dict[int, str]:
        return {key.step: found.status for key, found in embryo_store.done(DB).items()}

    command = ("--checkpoints", "paper", "--task", "mlm")
    with monkeypatch.context() as patch:
        patch.setattr(LocalTree, "read", refuse)
        for _ in range(2):
            code, out, err = evaluate(*command)
            assert (code, "pytorch_model_10.bin cannot be read" in out) == (1, True), out + err
            assert states() == {0: "done", 10: "failed"}
    assert evaluate(*command)[0] == 0
    assert states() == {0: "done", 10: "done"}
