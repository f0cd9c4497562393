"""The attention task: averaged, single and cropped maps against transformers' own; the built-in sentences."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pytest
import torch
from transformers import AutoModelForPreTraining, AutoTokenizer

from embryo_store.records import AttentionMaps
from evaluators.checkpoints import CheckpointStore
from evaluators.compute import look
from evaluators.corpora.sentences import built_in, read_sentences
from evaluators.loading import Resident
from evaluators.tasks.attention import Attention
from evaluators.vocabulary import load_vocabulary


def test_maps_are_those_of_the_model_cropped_and_averaged(little: ModuleType, tmp_path: Path) -> None:
    step = little.write_step(tmp_path / "checkpoints" / "one", 0, little.make_model(5))
    lines = [
        "The dog sees a cat .",
        "The old dog sees a big cat and a small bird .",
        "Rome",
        "A cat walks to the river , to the dog .",
    ]
    (tmp_path / "sentences.txt").write_text("\n".join(lines))
    saved = CheckpointStore(tmp_path / "checkpoints").open("one", 0)
    resident = Resident("cpu", "fp32")
    resident.hold(saved)
    corpus = read_sentences(tmp_path / "sentences.txt", "mine")
    prepared = Attention(size=8, singles=2).prepare(corpus, load_vocabulary(saved), 64)
    collector = prepared.start()
    for index, (batch, seen) in enumerate(look(resident, prepared.stream)):
        collector.see(index, batch, seen)
    finding = collector.findings()["paper"]

    model = AutoModelForPreTraining.from_pretrained(step, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(step)
    whole = []
    for line in lines:
        with torch.no_grad():
            shown = model(
                input_ids=torch.tensor([tokenizer(line)["input_ids"]]), output_attentions=True
            ).attentions
        whole.append(torch.cat(shown).numpy())
    long = [maps for maps in whole if maps.shape[-1] >= 8]
    assert 0 < len(long) < len(lines)
    expected = {
        0: np.mean([maps[..., :8, :8] for maps in long], axis=0),
        1: whole[0][..., :8, :8],
        2: whole[1][..., :8, :8],
    }
    stored = {
        payload.sentence_id: payload.maps
        for payload in finding.payloads
        if isinstance(payload, AttentionMaps)
    }
    assert stored.keys() == expected.keys()
    for sentence, maps in expected.items():
        assert stored[sentence] == pytest.approx(maps, abs=1e-6)

    found = {(m.metric, m.layer, m.head): m for m in finding.metrics}
    rows = sum(maps.shape[-1] for maps in whole)
    diagonal = sum(float(np.trace(maps[1, 2])) for maps in whole) / rows
    assert (found["diagonal", 2, 3].value, found["diagonal", 2, 3].n) == (
        pytest.approx(diagonal, abs=1e-6),
        rows,
    )
    places = [
        [i for i, t in enumerate(tokenizer.tokenize(line), start=1) if t.strip("▁") in {".", ","}]
        for line in lines
    ]
    marks = sum(maps[0, 1][:, mine].sum() for maps, mine in zip(whole, places, strict=True)) / rows
    assert found["punctuation", 1, 2].value == pytest.approx(marks, abs=1e-6)

    sentences = {s.sentence_id: s for s in prepared.dataset().attention_sentences}
    assert list(sentences[1].pieces) == tokenizer.convert_ids_to_tokens(tokenizer(lines[0])["input_ids"])[:8]
    assert len(sentences[0].pieces) == 8
    assert sentences[0].text == f"mean over {len(long)} sentences"


def test_the_built_in_sentences_are_long_enough_for_any_vocabulary() -> None:
    sentences = built_in().sentences
    assert sum(len(sentence.split()) >= 32 - 2 for sentence in sentences) >= 64
    assert len(set(sentences)) == len(sentences)


def test_words_are_looked_at_in_the_pass_that_reconstructs_them(
    world: Path, evaluate: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("embryo.toml").write_text("[task.attention]\nwords = true\nsize = 8\n")
    passes = []
    every = Resident.every

    def counted(self: Resident, ids: torch.Tensor, **how: bool) -> object:
        passes.append(len(ids))
        return every(self, ids, **how)

    monkeypatch.setattr(Resident, "every", counted)
    tasks = ("--task", "reconstruct"), ("--task", "attention")
    for db, *chosen in (("one", tasks[0]), ("two", tasks[1]), ("both", *tasks)):
        before = len(passes)
        arguments = [word for task in chosen for word in task]
        assert evaluate("--db", f"{db}.duckdb", "--step", "0", *arguments)[0] == 0
        passes[before:] = [len(passes) - before]
    one, two, both = passes
    assert one > 0
    assert both == two, "the pass over words serves both"
    sql = "SELECT * FROM metrics WHERE task = ? AND dataset = 'bank' ORDER BY ALL"
    found = {}
    for db in ("one", "two", "both"):
        with duckdb.connect(f"{db}.duckdb", read_only=True) as store:
            found[db] = [store.execute(sql, [task]).fetchall() for task in ("reconstruct", "attention")]
            sentences = store.execute(
                "SELECT text FROM sentences WHERE dataset = 'bank' ORDER BY sentence_id"
            )
            texts = [text for (text,) in sentences.fetchall()]
    assert found["both"] == [found["one"][0], found["two"][1]]
    assert found["both"][1]
    assert texts[1] == "The old dog sees a cat ."


def test_a_task_that_fails_leaves_the_others_of_its_pass_alone(
    world: Path, evaluate: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("embryo.toml").write_text("[task.attention]\nwords = true\nsize = 8\n")
    both = ("--step", "0", "--task", "reconstruct", "--task", "attention")
    assert evaluate("--db", "whole.duckdb", *both)[0] == 0

    def refuse(self: object, index: int, *_: object) -> None:
        if index == 1:
            raise ValueError("not this one")

    def judgement(db: str) -> dict[tuple[str, str], str | None]:
        with duckdb.connect(db, read_only=True) as store:
            rows = store.execute("SELECT task, dataset, error FROM evaluations").fetchall()
        return {(task, dataset): error for task, dataset, error in rows}

    with monkeypatch.context() as patch:
        patch.setattr("evaluators.tasks.words._Judge.see", refuse)
        code, out, err = evaluate(*both)
    assert (code, "reconstruct: ValueError: not this one" in out) == (1, True), out + err
    expected = {
        ("attention", "bank"): None,
        ("attention", "built-in"): None,
        ("reconstruct", "bank"): "ValueError: not this one",
    }
    assert judgement("results.duckdb") == expected
    sql = "SELECT * FROM metrics WHERE task = 'attention' AND dataset = 'bank' ORDER BY ALL"
    found = []
    for db in ("whole.duckdb", "results.duckdb"):
        with duckdb.connect(db, read_only=True) as store:
            found.append(store.execute(sql).fetchall())
    assert found[0] == found[1] != []

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no pass at all")

    with monkeypatch.context() as patch:
        patch.setattr(Resident, "every", broken)
        assert evaluate("--db", "none.duckdb", *both)[0] == 1
    assert set(judgement("none.duckdb").values()) == {"RuntimeError: no pass at all"}
    assert evaluate(*both)[0] == 0
    assert set(judgement("results.duckdb").values()) == {None}
