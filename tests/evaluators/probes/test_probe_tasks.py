"""The four probing tasks from the command: what is stored, and that nothing beside it changes it."""

import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import embryo_store
from evaluators.cli import main

Evaluate = Callable[..., tuple[int, str, str]]
Content = Callable[[Path], dict[str, list[tuple[object, ...]]]]
DB = Path("results.duckdb")
TASKS = ("probe-pos", "probe-const", "probe-srl", "probe-coref")
NOUNS, VERBS, ADJECTIVES = (
    ("dog", "cat", "bird", "house", "river"),
    ("sees", "likes"),
    ("big", "small", "old"),
)


def sentence(draw: random.Random) -> tuple[str, dict[str, list[dict[str, object]]]]:
    """A sentence like "the dog sees a big cat ." in all the annotation that the four tasks read."""
    subject, verb, adjective, other = (draw.choice(words) for words in (NOUNS, VERBS, ADJECTIVES, NOUNS))
    words = ["the", subject, verb, "a", adjective, other, "."]
    tags = ["DT", "NN", "VBZ", "DT", "JJ", "NN", "."]
    return " ".join(words), {
        "pos": [{"span1": [i, i + 1], "label": tag} for i, tag in enumerate(tags)],
        "const": [
            {"span1": [0, 7], "label": "TOP"},
            {"span1": [0, 2], "label": "NP"},
            {"span1": [2, 6], "label": "VP"},
            {"span1": [3, 6], "label": "NP"},
            {"span1": [6, 7], "label": "EDITED"},
        ],
        "srl": [
            {"span1": [2, 3], "span2": [0, 2], "label": "ARG0"},
            {"span1": [2, 3], "span2": [3, 6], "label": "ARG1"},
            {"span1": [2, 3], "span2": [6, 7], "label": "R-ARG1"},
        ],
        "coref": [{"span1": [0, 2], "span2": [3, 6], "label": str(int(subject == other))}],
    }


def write_corpus(
    folder: Path, tasks: tuple[str, ...] = ("pos", "const", "srl", "coref"), sentences: int = 60
) -> None:
    for split, seed in (("train", 0), ("dev", 1), ("test", 2)):
        drawn = random.Random(seed)
        told = [sentence(drawn) for _ in range(sentences)]
        for task in tasks:
            path = folder / task / f"{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = (
                json.dumps({"text": text, "targets": targets[task], "info": {}}) for text, targets in told
            )
            path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def probed(little: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two checkpoints of one run and a corpus to probe with."""
    little.write_run(tmp_path / "checkpoints", "tiny", [0, 10])
    write_corpus(tmp_path / "data" / "small")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def rows(sql: str, db: Path = DB) -> list[tuple[object, ...]]:
    with embryo_store.read(db) as reader:
        return list(reader.sql(sql).rows)


def start(*arguments: str) -> int:
    """The command in a forked process, where the libraries are loaded already. Returns the process's id."""
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO("shown.txt", "w"))
        try:
            os._exit(main(arguments))
        finally:
            os._exit(99)
    return child


def finish(child: int) -> int:
    """Waits for a process; its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_for(results: int, child: int) -> None:
    """Returns once ``child`` has stored so many results, or has ended."""
    while (len(embryo_store.done(DB)) if DB.exists() else 0) < results:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(0.01)


def asked(*tasks: str) -> list[str]:
    return [word for task in tasks for word in ("--task", task)]


def value(sql: str) -> float:
    ((found,),) = rows(f"SELECT value FROM metrics WHERE step = 10 AND {sql}")
    assert isinstance(found, float)
    return found


def test_every_layer_is_probed_in_every_task_and_then_skipped(probed: Path, evaluate: Evaluate) -> None:
    code, out, err = evaluate(*asked(*TASKS))
    assert code == 0, err
    assert "Stored 8 results" in out
    beyond = "small: 180 of 900 const targets have labels that the paper's list lacks"
    assert f"{beyond}, and are left out (EDITED 180)" in err
    code, out, _ = evaluate(*asked(*TASKS))
    assert (code, "Nothing to do: all 8 results stand" in out) == (0, True)

    layers = rows(
        "SELECT task, protocol, list(layer ORDER BY layer) FROM metrics "
        "WHERE metric = 'f1' AND label = 'all' AND step = 10 GROUP BY ALL ORDER BY ALL"
    )
    assert layers == [
        ("probe-const", "paper", [0, 1, 2]),
        ("probe-coref", "paper", [0, 1, 2]),
        ("probe-coref", "tenney", [0, 1, 2]),
        ("probe-pos", "paper", [0, 1, 2]),
        ("probe-srl", "paper", [0, 1, 2]),
        ("probe-srl", "tenney", [0, 1, 2]),
    ]
    sizes = rows("SELECT task, value FROM metrics WHERE metric = 'parameters' AND step = 10 ORDER BY task")
    assert sizes == [
        ("probe-const", 33.0 * 30),
        ("probe-coref", 65.0 * 2),
        ("probe-pos", 33.0 * 48),
        ("probe-srl", 65.0 * 66),
    ]
    counts = rows(
        "SELECT task, metric, value, n FROM metrics WHERE metric LIKE '%_targets' AND step = 10 AND task = "
        "'probe-srl' ORDER BY metric"
    )
    assert counts == [("probe-srl", f"{split}_targets", 180.0, 180) for split in ("dev", "test", "train")]


def test_what_is_stored_is_what_the_test_split_says(probed: Path, evaluate: Evaluate) -> None:
    """Words decide tags and places decide roles here, so the numbers follow from the sentences alone."""
    assert evaluate(*asked("probe-pos", "probe-srl"), "--step", "10")[0] == 0
    pos, srl = "task = 'probe-pos' AND protocol = 'paper'", "task = 'probe-srl' AND label = 'all'"
    everywhere = f"{pos} AND label = 'all'"
    assert value(f"{everywhere} AND metric = 'majority'") == pytest.approx(2 / 7), "DT and NN: 2 of 7 words"
    assert value(f"{everywhere} AND metric = 'f1' AND layer = 0") == 1.0
    assert value(f"{everywhere} AND metric = 'control' AND layer = 0") == 1.0, "every word was seen"
    assert value(f"{everywhere} AND metric = 'selectivity' AND layer = 0") == 0.0
    assert 0 < value(f"{everywhere} AND metric = 'control_majority'") < 1
    labels = rows(
        f"SELECT label, value, n FROM metrics WHERE {pos} AND metric = 'f1' AND layer = 0 ORDER BY label"
    )
    assert labels == [
        (".", 1.0, 60),
        ("DT", 1.0, 120),
        ("JJ", 1.0, 60),
        ("NN", 1.0, 120),
        ("VBZ", 1.0, 60),
        ("all", 1.0, 420),
    ]
    assert not rows("SELECT * FROM metrics WHERE metric = 'mistakes' AND task = 'probe-pos' AND layer = 0")
    assert value(f"{srl} AND metric = 'majority' AND protocol = 'paper'") == pytest.approx(1 / 3)
    # Always ARG0: 60 right of 180 predicted and 120 gold that are neither C- nor R-.
    assert value(f"{srl} AND metric = 'majority' AND protocol = 'tenney'") == pytest.approx(
        2 * 60 / (180 + 120)
    )
    low, high = rows(
        f"SELECT low, high FROM metrics WHERE {srl} AND metric = 'f1' AND layer = 2 AND protocol = 'paper'"
    )[0]
    assert low <= value(f"{srl} AND metric = 'f1' AND layer = 2 AND protocol = 'paper'") <= high


def test_labels_add_up(probed: Path, evaluate: Evaluate) -> None:
    """Mistakes and right answers are all answers, at every layer."""
    assert evaluate(*asked("probe-coref"), "--step", "10")[0] == 0
    found = rows(
        "SELECT layer, sum(value) FILTER (metric = 'mistakes') + any_value(value * n) "
        "FILTER (metric = 'f1' AND label = 'all'), any_value(n) FILTER (metric = 'f1' AND label = 'all') "
        "FROM metrics WHERE protocol = 'paper' AND layer IS NOT NULL GROUP BY layer ORDER BY layer"
    )
    assert len(found) == 3
    for _, answers, targets in found:
        assert answers == pytest.approx(60)
        assert targets == 60


def test_neither_company_nor_memory_changes_a_number(
    probed: Path, evaluate: Evaluate, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = probed / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    assert evaluate(*asked(*TASKS), "--max-targets", "50", "--db", "together.duckdb")[0] == 0
    assert evaluate(*asked("probe-srl"), "--max-targets", "50", "--db", "alone.duckdb")[0] == 0
    Path("embryo.toml").write_text("[task.probe-srl]\nmemory = 0.000001\nmax_targets = 50\n")
    assert evaluate(*asked("probe-srl"), "--db", "disk.duckdb")[0] == 0
    alone, disk = content(Path("alone.duckdb")), content(Path("disk.duckdb"))
    assert disk == alone
    together = rows("SELECT * FROM metrics WHERE task = 'probe-srl' ORDER BY ALL", Path("together.duckdb"))
    assert together == rows("SELECT * FROM metrics ORDER BY ALL", Path("alone.duckdb"))
    assert list(scratch.iterdir()) == []
    code, out, _ = evaluate(*asked("probe-srl"), "--db", "alone.duckdb")
    assert (code, "Nothing to do" in out) == (0, True), "memory is no part of what makes a number"


def test_what_makes_a_number_is_part_of_it(probed: Path, evaluate: Evaluate) -> None:
    step = ("--task", "probe-pos", "--step", "10")
    assert "Stored 1 " in evaluate(*step)[1]
    assert "Stored 1 " in evaluate(*step, "--max-targets", "50")[1]
    assert value("metric = 'train_targets'") == 50
    Path("embryo.toml").write_text("[task.probe-pos]\nwith_control = false\nmax_targets = 50\n")
    assert "Stored 1 " in evaluate(*step)[1]
    assert not rows("SELECT * FROM metrics WHERE metric IN ('control', 'selectivity')")
    assert "Nothing to do" in evaluate(*step)[1]
    write_corpus(probed / "data" / "small", sentences=61)
    assert "Stored 1 " in evaluate(*step)[1]
    assert "Nothing to do" in evaluate(*step)[1]


def test_a_corpus_may_bring_its_own_labels(probed: Path, evaluate: Evaluate) -> None:
    Path("embryo.toml").write_text('[task.probe-const]\nlabels = "corpus"\n')
    code, _, err = evaluate("--task", "probe-const", "--step", "10")
    assert (code, "left out" in err) == (0, False)
    assert value("metric = 'parameters'") == 33 * 4, "EDITED, NP, TOP, VP"
    assert value("metric = 'test_targets'") == 300


def test_labels_beyond_number_are_refused(probed: Path, evaluate: Evaluate) -> None:
    words = [f"w{i}" for i in range(1_001)]
    targets = [{"span1": [i, i + 1], "label": word} for i, word in enumerate(words)]
    for split in ("train", "dev", "test"):
        path = probed / "data" / "small" / "const" / f"{split}.jsonl"
        path.write_text(json.dumps({"text": " ".join(words), "targets": targets}) + "\n")
    Path("embryo.toml").write_text('[task.probe-const]\nlabels = "corpus"\n')
    code, out, _ = evaluate("--task", "probe-const", "--step", "0")
    assert code == 1
    assert "expected at most 1,000 labels of const, found 1,001" in out


def test_a_label_that_would_pass_for_all_of_them_is_refused(probed: Path, evaluate: Evaluate) -> None:
    path = probed / "data" / "small" / "const" / "dev.jsonl"
    path.write_text(path.read_text().replace('"EDITED"', '"all"'))
    assert evaluate("--task", "probe-const", "--step", "0")[0] == 0, (
        "the paper's labels have none of that name"
    )
    Path("embryo.toml").write_text('[task.probe-const]\nlabels = "corpus"\n')
    code, out, _ = evaluate("--task", "probe-const", "--step", "0")
    assert code == 1
    assert "a label of const is named 'all'" in out


def test_a_corpus_is_probed_for_what_is_annotated_in_it(probed: Path, evaluate: Evaluate) -> None:
    write_corpus(probed / "data" / "tags", tasks=("pos",))
    assert evaluate(*asked("probe-pos", "probe-coref"), "--step", "0")[0] == 0
    assert rows("SELECT task, dataset FROM evaluations ORDER BY ALL") == [
        ("probe-coref", "small"),
        ("probe-coref", "small"),
        ("probe-pos", "small"),
        ("probe-pos", "tags"),
    ]
    shutil.rmtree(probed / "data" / "small")
    code, _, err = evaluate("--task", "probe-coref")
    assert code == 2
    assert "tags has no annotation for it in all of train, dev and test" in err


def test_killed_while_probing_nothing_is_lost_doubled_or_left_behind(
    probed: Path, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = probed / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    options = "".join(f"[task.{task}]\nmemory = 0.000001\n" for task in TASKS)
    Path("embryo.toml").write_text(options)
    assert finish(start(*asked(*TASKS), "--db", "whole.duckdb")) == 0
    for stored in (0, 1, 5):
        child = start(*asked(*TASKS))
        wait_for(stored, child)
        os.kill(child, signal.SIGKILL)
        finish(child)
        assert list(scratch.iterdir()) == []
    assert finish(start(*asked(*TASKS))) == 0
    assert content(DB) == content(Path("whole.duckdb"))


def test_a_model_too_short_for_a_split_is_a_failed_result_not_a_crash(
    probed: Path, little: ModuleType, evaluate: Evaluate
) -> None:
    for split in ("train", "dev", "test"):
        path = probed / "data" / "small" / "coref" / f"{split}.jsonl"
        text = " ".join(["zebra"] * 30)
        pair = {"span1": [20, 21], "span2": [25, 26], "label": "1"}
        path.write_text(json.dumps({"text": text, "targets": [pair]}) + "\n")
    code, out, _ = evaluate("--task", "probe-coref", "--step", "0")
    assert code == 1
    assert "no coref target of train fits 64 pieces" in out


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("max_targets = -1", "expected 0 or more"),
        ("memory = 0.0", "Expected more than 0"),
        ("seed = 1.5", "type int"),
        ("seed = 18446744073709551616", "a seed of at most 2147483647"),
        ('labels = "mine"', "Expected paper or corpus"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    probed: Path, evaluate: Evaluate, option: str, said: str
) -> None:
    Path("embryo.toml").write_text(f"[task.probe-pos]\n{option}\n")
    code, _, err = evaluate("--task", "probe-pos")
    assert code == 2
    assert said in err


def test_a_whole_number_of_gigabytes_is_one(probed: Path, evaluate: Evaluate) -> None:
    Path("embryo.toml").write_text("[task.probe-pos]\nmemory = 8\n")
    code, out, _ = evaluate("--task", "probe-pos", "--dry-run")
    assert (code, "To evaluate: 2 of 2" in out) == (0, True)
