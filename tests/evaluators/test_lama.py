"""LAMA: ranks against a full sort, templates, what falls out, both protocols."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForPreTraining, AutoTokenizer

from embryo_store.records import LamaAnswers
from evaluators.checkpoints import CheckpointStore
from evaluators.compute import look
from evaluators.corpora.lama import read_lama
from evaluators.errors import InputError
from evaluators.loading import Resident
from evaluators.tasks.base import Finding
from evaluators.tasks.lama import Lama, best, precisions, ranks, ranks_together
from evaluators.vocabulary import load_vocabulary


@pytest.fixture(scope="module")
def step(little: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = little.write_step(
        tmp_path_factory.mktemp("lama") / "checkpoints" / "one", 0, little.make_model(7)
    )
    return folder


@pytest.fixture
def folder(little: ModuleType, tmp_path: Path) -> Path:
    return Path(little.write_facts(tmp_path / "facts"))


def find(step: Path, folder: Path, limit: int = 64) -> dict[str, Finding]:
    saved = CheckpointStore(step.parent.parent).open("one", 0)
    resident = Resident("cpu", "fp32")
    resident.hold(saved)
    prepared = Lama().prepare(read_lama(folder, "facts"), load_vocabulary(saved), limit)
    collector = prepared.start()
    for index, (batch, seen) in enumerate(look(resident, prepared.stream)):
        collector.see(index, batch, seen)
    return dict(collector.findings())


def answers(finding: Finding) -> LamaAnswers:
    (payload,) = finding.payloads
    assert isinstance(payload, LamaAnswers)
    return payload


def values(finding: Finding, metric: str) -> dict[str, float]:
    return {m.label: m.value for m in finding.metrics if m.metric == metric}


def test_every_fact_is_answered_as_by_a_full_sort(step: Path, folder: Path) -> None:
    model, tokenizer = (
        AutoModelForPreTraining.from_pretrained(step).eval(),
        AutoTokenizer.from_pretrained(step),
    )
    found = answers(find(step, folder)["paper"])
    templates = {"P36": ("The capital of {} is", "."), "P37": ("{} speaks", ".")}
    common = sorted(
        {
            tokenizer(w, add_special_tokens=False)["input_ids"][0]
            for w in ("Paris", "Berlin", "Rome", "French", "dog")
        }
    )
    assert len(found.facts.relation) == 6
    for row, (relation, subject, object_) in enumerate(
        zip(found.facts.relation, found.facts.subject, found.facts.object, strict=True)
    ):
        left, right = templates[relation]
        ids = [
            tokenizer.cls_token_id,
            *tokenizer(left.format(subject), add_special_tokens=False)["input_ids"],
            tokenizer.mask_token_id,
            *tokenizer(right, add_special_tokens=False)["input_ids"],
            tokenizer.sep_token_id,
        ]
        (gold,) = tokenizer(object_, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).prediction_logits[
                0, ids.index(tokenizer.mask_token_id)
            ]
        order = logits.sort(descending=True, stable=True).indices.tolist()
        assert found.gold_rank[row] == order.index(gold) + 1
        assert list(found.tokens[row]) == order[:10]
        assert found.logps[row] == pytest.approx(logits.log_softmax(-1)[order[:10]].numpy(), abs=1e-5)
        assert found.gold_logp[row] == pytest.approx(float(logits.log_softmax(-1)[gold]), abs=1e-5)
        assert found.gold_rank_common is not None
        assert found.gold_logp_common is not None
        if gold in common:
            among = [token for token in order if token in common]
            assert found.gold_rank_common[row] == among.index(gold) + 1
            expected = float(logits[gold] - logits[torch.tensor(common)].logsumexp(0))
            assert found.gold_logp_common[row] == pytest.approx(expected, abs=1e-5)
        else:
            assert found.gold_rank_common[row] == 0
            assert np.isnan(found.gold_logp_common[row])


def test_protocols_count_facts_in_their_own_way(step: Path, folder: Path) -> None:
    found = find(step, folder)
    paper = {m.label: m for m in found["paper"].metrics if m.metric == "p1"}
    lama = {m.label: m for m in found["lama"].metrics if m.metric == "p1"}
    # Rome is stated twice, Florence is not one piece; German and Italian are no common words.
    assert (paper["P36"].n, paper["P37"].n, paper["all"].n) == (4, 3, 7)
    assert (lama["P36"].n, lama["P37"].n, lama["all"].n) == (3, 1, 4)
    assert values(found["paper"], "facts_several_pieces") == {"P36": 1}
    assert values(found["lama"], "facts_not_common") == {"all": 2}
    assert values(found["lama"], "common_vocabulary") == {"all": 5}
    assert "P47" not in paper


def test_the_mean_over_relations_is_unweighted() -> None:
    relation = np.array(["A"] * 4 + ["B"], dtype=object)
    found = precisions(
        np.array([1, 2, 11, 1, 5]), np.array([1, 1, 1, 3, 1]), relation, {"A": "1-1", "B": "N-1"}
    )
    told = {(m.metric, m.label): m.value for m in found}
    assert told["p1", "A"] == pytest.approx(4 / 6)
    assert told["p10", "A"] == pytest.approx(5 / 6)
    assert told["mrr", "A"] == pytest.approx((1 + 1 / 2 + 1 / 11 + 3) / 6)
    assert (told["p1", "B"], told["p10", "B"], told["mrr", "B"]) == (0, 1, 0.2)
    assert told["p1", "all"] == pytest.approx((4 / 6 + 0) / 2)
    assert told["mrr", "1-1"] == told["mrr", "A"]
    assert told["p10", "N-1"] == told["p10", "B"]


@given(
    scores=st.lists(st.lists(st.integers(0, 5), min_size=12, max_size=12), min_size=1, max_size=8),
    gold=st.integers(0, 11),
)
def test_ranks_and_best_answers_equal_a_stable_sort_even_with_ties(
    scores: list[list[int]], gold: int
) -> None:
    table = torch.tensor(scores, dtype=torch.float32)
    found = ranks(table, np.full(len(scores), gold))
    assert ranks_together(table, np.full(len(scores), gold)).tolist() == found.tolist()
    for row, line in enumerate(scores):
        order = sorted(range(12), key=lambda token: (-line[token], token))
        assert found[row] == order.index(gold) + 1
    _, logps = best(table, 10)
    assert logps.tolist() == [sorted(line, reverse=True)[:10] for line in scores]


def test_listed_facts_are_echoed_piece_by_piece(step: Path, folder: Path) -> None:
    (folder / "echo.jsonl").write_text(json.dumps({"relation": "P37", "sub_label": "Germany"}) + "\n")
    found = answers(find(step, folder)["paper"])
    ((row, echo),) = found.echo.items()
    assert (found.facts.relation[row], found.facts.subject[row]) == ("P37", "Germany")
    assert echo[2] == found.tokens[row][0], "the mask is the third piece: germany speaks [MASK] ."
    assert len(echo) == 4


def test_without_a_common_vocabulary_there_is_no_protocol_lama(step: Path, folder: Path) -> None:
    (folder / "common_vocab_cased.txt").unlink()
    found = find(step, folder)
    assert set(found) == {"paper"}
    assert answers(found["paper"]).gold_rank_common is None


def test_facts_beyond_the_models_length_are_counted_out(step: Path, folder: Path) -> None:
    found = find(step, folder, limit=7)["paper"]
    assert values(found, "facts_too_long") == {"P36": 4}
    assert set(answers(found).facts.relation) == {"P37"}


def test_relations_are_chosen_by_type_else_by_table_8(folder: Path) -> None:
    corpus = read_lama(folder, "facts")
    assert [r.relation for r in corpus.relations] == ["P36", "P37"]
    assert corpus.report["relations_left_out"] == {"P47": "type N-M"}
    lines = [json.loads(line) for line in (folder / "relations.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("type")
    (folder / "relations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    untyped = read_lama(folder, "facts")
    assert [r.relation for r in untyped.relations] == ["P36", "P37"]
    assert untyped.report["relations_left_out"] == {"P47": "no type, and not in table 8"}
    assert untyped.data_hash != corpus.data_hash


@pytest.mark.parametrize(
    ("file", "line", "content", "expected"),
    [
        ("TREx/P36.jsonl", 2, '{"sub_label": "France"}', "expected a 'obj_label'"),
        ("TREx/P36.jsonl", 3, '{"sub_label": "", "obj_label": "Paris"}', "expected a 'sub_label'"),
        ("TREx/P37.jsonl", 1, "{broken", "expected a JSON object"),
        ("relations.jsonl", 1, '{"relation": "P36", "template": "[X] is ."}', "one [X] and one [Y]"),
        ("relations.jsonl", 2, '{"template": "[X] is [Y] ."}', "expected a 'relation'"),
        ("relations.jsonl", 3, "[1]", "expected a JSON object"),
    ],
)
def test_a_broken_line_is_named(folder: Path, file: str, line: int, content: str, expected: str) -> None:
    lines = (folder / file).read_text().splitlines()
    lines[line - 1] = content
    (folder / file).write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        read_lama(folder, "facts")
    assert f"{folder / file}, line {line}: " in str(error.value)
    assert expected in str(error.value)
