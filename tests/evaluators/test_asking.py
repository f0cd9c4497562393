"""What a user asks of a series: a sentence through the steps, what changed, what it costs, what comes."""

import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import embryo_store
from embryo_store.evaluating import cloze_answers, costs

Evaluate = Callable[..., tuple[int, str, str]]
DB = Path("results.duckdb")
TEXT = "The capital of France is [MASK] ."


def test_a_sentence_is_asked_at_every_step_and_answered_as_by_the_model_itself(
    world: Path, little: ModuleType, evaluate: Evaluate
) -> None:
    code, out, err = evaluate("cloze", TEXT, "--top", "2", "--dtype", "fp32")
    assert code == 0, err
    model, tokenizer = little.make_model(10), little.make_tokenizer()
    pieces = ["[CLS]", "▁the", "▁capital", "▁of", "▁france", "▁is", "[MASK]", "▁.", "[SEP]"]
    with torch.no_grad():
        ids = torch.tensor([tokenizer.convert_tokens_to_ids(pieces)])
        logps = model(input_ids=ids).prediction_logits[0, 6].log_softmax(-1).numpy()
    best = np.argsort(-logps)[:2]
    found = {(answer.step, answer.mask): answer.answers for answer in cloze_answers(DB, TEXT, top=2)}
    assert set(found) == {(0, 1), (10, 1)}
    assert [token for token, _ in found[10, 1]] == tokenizer.convert_ids_to_tokens(best)
    assert [p for _, p in found[10, 1]] == pytest.approx(np.exp(logps[best]), rel=2e-3)
    assert re.search(rf"10 +{tokenizer.convert_ids_to_tokens(best)[0].strip('▁')}", out)
    written = DB.stat().st_mtime_ns
    assert evaluate("cloze", TEXT, "--step", "10", "--dtype", "fp32")[0] == 0
    assert DB.stat().st_mtime_ns == written, "asked before"


def test_two_masks_and_none(world: Path, evaluate: Evaluate) -> None:
    assert "(mask 2)" in evaluate("cloze", "[MASK] is the capital of [MASK]")[1]
    code, _, err = evaluate("cloze", "no mask at all")
    assert (code, "the text has no [MASK]" in err) == (2, True)
    code, out, _ = evaluate("cloze", "dog " * 100 + "[MASK]")
    assert (code, "The sentence has 101 pieces, the model reads 62" in out) == (1, True)


def test_diff_says_which_input_changed(world: Path, little: ModuleType, evaluate: Evaluate) -> None:
    assert evaluate("diff")[0] == 2, "nothing stored"
    assert evaluate()[0] == 0
    assert "0 of 14 results changed" in evaluate("diff")[1]
    little.write_step(Path("checkpoints/tiny"), 10, little.make_model(99))
    Path("embryo.toml").write_text("[task.mlm]\nrate = 0.3\n")
    out = evaluate("diff")[1]
    assert "7 of 14 results changed" in out, "six by their weights, mlm at step 0 by its option"
    assert changed(out) == {("lama", "weights"), ("mask-predict", "weights"), ("attention", "weights"),
                            ("reconstruct", "weights"), ("mlm", "weights"), ("mlm", "option")}  # fmt: skip
    shutil.copy(DB, "before.duckdb")
    assert evaluate()[0] == 0
    assert "0 of 14 results changed" in evaluate("diff")[1]
    assert "7 of 14 results changed" in evaluate("diff", "--against", "before.duckdb")[1]
    assert ("lama", "weights") in changed(evaluate("diff", "tiny:0", "tiny:10")[1])
    code, _, err = evaluate("diff", "tiny:0", "tiny:7")
    assert (code, "no result there" in err) == (2, True)


def changed(out: str) -> set[tuple[str, str]]:
    """(task, input) of every row of the table."""
    words = ("weights", "option", "data", "tokenizer", "version")
    rows = [line.split() for line in out.splitlines() if line.strip().startswith("tiny ")]
    return {(row[1], next(word for word in words if word in row)) for row in rows}


def test_a_dry_run_estimates_from_what_the_store_says(world: Path, evaluate: Evaluate) -> None:
    out = evaluate("--dry-run")[1]
    assert "To evaluate: 12 of 12 results, about" in out
    assert re.search(r"mlm +bank +2 .*formula", out)
    assert not DB.exists()
    assert evaluate("--step", "0")[0] == 0
    known = {cost.task: cost for cost in costs(DB)}
    assert known["lama"].results == 1
    assert known["lama"].bytes > 6 * 46
    assert known["mlm"].seconds > 0
    shutil.copytree("checkpoints/tiny", "checkpoints/twin")
    out = evaluate("--dry-run")[1]
    assert re.search(r"tiny +mlm +bank +1 .*results", out)
    assert re.search(r"twin +mlm +bank +2 .*size", out)


def test_watch_follows_a_run_to_its_end(
    world: Path, little: ModuleType, forked: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluators.watch.EVERY", 0.1)
    shutil.move("checkpoints/tiny/step-00000010", "later")
    child = forked.start("--watch", "--task", "mlm")
    forked.wait_for(1, child, DB)
    assert not forked.is_over(child)
    shutil.move("later", "checkpoints/tiny/step-00000010")
    assert forked.finish(child) == 0
    shown = Path("shown.txt").read_text()
    assert "Waiting for the next checkpoint of tiny" in shown
    assert "All runs are complete and evaluated: 2 results." in shown
    assert len(embryo_store.done(DB)) == 2


def test_watch_waits_for_a_run_and_ends_when_told(world: Path, forked: ModuleType) -> None:
    shutil.move("checkpoints", "later")
    child = forked.start("--watch")
    while "Waiting for a run" not in (Path("shown.txt").read_text() if Path("shown.txt").exists() else ""):
        assert not forked.is_over(child)
    os.kill(child, signal.SIGINT)
    assert forked.finish(child) == 130
