"""A run behind a URL of ``tf.io.gfile``: here ``ram://``, which like ``gs://`` neither locks nor appends."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tpu_train import atomic, places, prepare, run, state, store
from tpu_train.cli import main
from tpu_train.places import Bucket, Place


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A folder of its own in memory, and a cache of its own on disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Bucket(f"ram://{tmp_path.name}/runs")
    yield made
    made.remove_folder()


def trained(world: Any, out: Bucket, *more: str) -> int:
    command = world.command("run", *more)
    command[command.index("--out") + 1] = f"{out}/"
    return main(command)


def contents(folder: Place, part: str) -> dict[str, bytes]:
    """Files below ``folder`` whose path has ``part``, by their path in it."""
    found = {}
    for path in places.files_below(folder):
        with places.reading(path) as file:
            found[str(path).removeprefix(f"{folder}/")] = file.read()
    return {name: content for name, content in found.items() if part in name}


def lines(run: Place) -> list[str]:
    with places.reading(run / "train_log.jsonl") as file:
        return [line.partition(b'"seconds"')[0].decode() for line in file.read().splitlines()]


def test_a_run_in_a_bucket_is_the_one_on_disk(world: Any, bucket: Bucket, finished: Path) -> None:
    out = bucket / "run"
    assert trained(world, out, "--tensorboard") == 0
    assert contents(out, "step-") == contents(finished, "step-")
    assert contents(out, "state/tokens/tokens") == contents(finished, "state/tokens/tokens")
    assert lines(out) == lines(finished)
    about, other = run.read(out), run.read(finished)
    assert about is not None
    assert other is not None
    assert about == other | {"corpus": about["corpus"]}
    assert [path.name for path in (out / "state").glob("state-*.json")] == ["state-00000120.json"]
    assert len(list((out / "events").iterdir())) == 1
    # Nothing of the URL became a folder here.
    assert not list(world.root.glob("ram*"))
    assert main(["batch", "--out", str(out), "--step", "3"]) == 0
    assert main(["prune", "--out", str(out), "--keep", "0 8"]) == 0
    assert store.saved(out) == [0, 8, 120]
    assert contents(out, "step-00000004") == {}


def test_another_machine_goes_on_after_a_step_was_half_written(
    world: Any,
    bucket: Bucket,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = bucket / "run"
    whole = places.Bucket.replace

    def breaks(self: Bucket, target: Bucket) -> None:
        if "step-00000080/COMPLETE" in str(target):
            raise OSError(28, "No space left on device", str(target))
        whole(self, target)

    monkeypatch.setattr(places.Bucket, "replace", breaks)
    assert trained(world, out, "--state-every", "0") == 3
    assert "No space left while writing" in capsys.readouterr().err
    assert (out / "step-00000080" / "model.safetensors").is_file()
    assert store.saved(out) == [0, 1, 2, 4, 8, 40]
    found = state.load(out / "state")
    assert found is not None
    assert found[0].step == 79

    # Neither text nor this machine's cache: all of it comes from the bucket.
    monkeypatch.setattr(places.Bucket, "replace", whole)
    shutil.rmtree(tmp_path / "cache")
    assert main(["--out", str(out), "--quiet", "--threads", "1"]) == 0
    assert contents(out, "step-") == contents(finished, "step-")
    assert lines(out) == lines(finished)
    assert not [path for path in places.files_below(out) if atomic.PARTIAL in path.name]


def test_a_cache_of_an_older_run_of_that_name_is_not_taken(
    world: Any, bucket: Bucket, tmp_path: Path
) -> None:
    out = bucket / "run"
    assert trained(world, out, "--steps", "2", "--set", "save.pieces=[]") == 0
    cache = run.work_folder(out)
    assert cache.is_relative_to(tmp_path / "cache")
    about = json.loads((cache / "made_from.json").read_text("utf-8"))
    atomic.write_json(cache / "made_from.json", about | {"seed": 7})
    (cache / "tokens" / "tokens.bin").write_bytes(b"")
    prepare.fetch(out, cache)
    assert (cache / "tokens" / "tokens.bin").stat().st_size > 1000


def test_a_scheme_that_nobody_knows_is_named(world: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert trained(world, Bucket("nowhere://bucket/run")) == 2
    assert "TensorFlow knows no file system of this kind" in capsys.readouterr().err


def test_a_bucket_is_no_path() -> None:
    assert places.place("gs://bucket/runs/one/") == Bucket("gs://bucket/runs/one")
    assert places.place("runs/one/") == Path("runs/one")
    one = Bucket("gs://bucket/runs") / "state-00000001.json"
    assert (one.name, one.stem, str(one.parent)) == (
        "state-00000001.json",
        "state-00000001",
        "gs://bucket/runs",
    )
    assert str(one.with_suffix(".safetensors")) == "gs://bucket/runs/state-00000001.safetensors"
