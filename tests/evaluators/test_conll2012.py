"""OntoNotes in CoNLL-2012 form: what a document says, and what is left of one that says it wrongly."""

from pathlib import Path

import pytest

from evaluators.corpora.annotated import AnnotatedSentence, Findings, LabelledSpan, Mention, Proposition
from evaluators.corpora.conll2012 import read_conll2012
from evaluators.errors import InputError

HEAD = "#begin document (nw/one); part 000\n"
TAIL = "#end document\n"
#: Two predicates; one is two words long. A mention within a mention, and two that end at the same word.
SENTENCE = """\
nw/one 0 0 Ann   NNP (TOP(S(NP*) -     -  - - * (ARG0*)     *      (3)
nw/one 0 1 gave  VBD      (VP*   give  01 1 - * (V*         *       -
nw/one 0 2 up    RP      (PRT*)  -     -  - - * *)          *       -
nw/one 0 3 her   PRP$ (NP(NP*    -     -  - - * (ARG1*      *     (7|(3)
nw/one 0 4 plan  NN         *)   plan  01 1 - * *          (V*)     -
nw/one 0 5 to    TO     (S(VP*   -     -  - - * *          (ARG1*   -
nw/one 0 6 -LRB- -LRB-       *   -     -  - - * *           *       -
nw/one 0 7 stay  VB       *))))  -     -  - - * *)          *)      7)
nw/one 0 8 /.    .         *))   -     -  - - * *           *       -

"""


def read(folder: Path, text: str, name: str = "one.gold_conll") -> tuple[list[AnnotatedSentence], Findings]:
    path = folder / name
    path.write_text(text)
    findings = Findings()
    return list(read_conll2012(path, findings)), findings


def replaced(old: str, new: str) -> str:
    assert SENTENCE.count(old) == 1
    return HEAD + SENTENCE.replace(old, new) + TAIL


def test_every_layer_of_annotation_is_read(tmp_path: Path) -> None:
    (sentence,), findings = read(tmp_path, HEAD + SENTENCE + TAIL)
    assert sentence.document == "nw/one/000"
    assert sentence.words == ("Ann", "gave", "up", "her", "plan", "to", "(", "stay", ".")
    assert sentence.tags == ("NNP", "VBD", "RP", "PRP$", "NN", "TO", "-LRB-", "VB", ".")
    assert sentence.constituents == (
        LabelledSpan("TOP", 0, 9),
        LabelledSpan("S", 0, 9),
        LabelledSpan("NP", 0, 1),
        LabelledSpan("VP", 1, 8),
        LabelledSpan("PRT", 2, 3),
        LabelledSpan("NP", 3, 8),
        LabelledSpan("NP", 3, 5),
        LabelledSpan("S", 5, 8),
        LabelledSpan("VP", 5, 8),
    )
    assert sentence.propositions == (
        Proposition((1, 3), (LabelledSpan("ARG0", 0, 1), LabelledSpan("ARG1", 3, 8))),
        Proposition((4, 5), (LabelledSpan("ARG1", 5, 8),)),
    )
    assert sentence.mentions == (Mention("3", 0, 1), Mention("3", 3, 4), Mention("7", 3, 8))
    assert not findings.kinds
    assert (findings.counts["mentions"], findings.counts["clusters"]) == (3, 2)


def test_a_document_without_coreference_is_not_a_document_without_coreferent_mentions(tmp_path: Path) -> None:
    bare = "nw/two 0 0 Yes UH (TOP(INTJ*)) - - - - * -\n\n"
    sentences, findings = read(
        tmp_path, HEAD + SENTENCE + bare + TAIL + "#begin document (nw/two)\n" + bare + TAIL
    )
    assert [sentence.mentions is None for sentence in sentences] == [False, False, True]
    assert sentences[1].mentions == ()
    assert findings.counts["documents"] == 2
    (fault,) = findings.faults
    assert str(fault) == f"{tmp_path}/one.gold_conll, line 16: document without coreference: nw/two/0"


@pytest.mark.parametrize(
    ("old", "new", "line", "layer", "said"),
    [
        ("stay  VB       *))))", "stay  VB       *)))) )", 9, "sentence", "expected 14 columns, found 15"),
        ("plan  NN         *)", "plan  NN         *", 2, "constituents", "TOP is never closed"),
        (
            "plan  NN         *)",
            "plan  NN       *))))))))",
            6,
            "constituents",
            "closes a constituent that was not opened",
        ),
        ("plan  NN         *) ", "plan  NN         ) ", 6, "constituents", "stands for 0 words"),
        (
            "up    RP      (PRT*)  -     -  - - * *) ",
            "up    RP      (PRT*)  -     -  - - * * ",
            5,
            "first",
            "ARG1 overlaps V",
        ),
        ("(V*)     -", "*     -", 2, "second", "expected one predicate (V) in column 13, found 0"),
        ("7)\n", "8)\n", 9, "mention", "'8)' ends a mention of 8 that did not begin"),
        ("    (3)\n", "    (3\n", 2, "mention", "the mention of 3 never ends"),
    ],
)
def test_a_fault_is_named_by_file_and_line_and_costs_its_own_annotation_alone(
    tmp_path: Path, old: str, new: str, line: int, layer: str, said: str
) -> None:
    sentences, findings = read(tmp_path, replaced(old, new))
    assert any(said in fault.detail for fault in findings.faults), findings.faults
    fault = next(fault for fault in findings.faults if said in fault.detail)
    assert (fault.path, fault.line) == (tmp_path / "one.gold_conll", line)
    assert f"line {line}: " in str(fault)
    if layer == "sentence":
        assert sentences == []
        return
    (sentence,) = sentences
    assert len(sentence.words) == 9
    assert (sentence.constituents is None) == (layer == "constituents")
    predicates = [proposition.predicate for proposition in sentence.propositions or ()]
    assert predicates == [p for p, broken in (((1, 3), "first"), ((4, 5), "second")) if broken != layer]
    assert len(sentence.mentions or ()) == (2 if layer == "mention" else 3)


def test_a_wrong_bracket_costs_no_other_mention_of_its_cell(tmp_path: Path) -> None:
    """9) ends nothing, and the mention that 7|(3) spells beside it stays; 8 and 9 are both never ended."""
    text = SENTENCE.replace("(7|(3)", "9)|(7|(3)").replace(
        "up    RP      (PRT*)  -     -  - - * *)          *       -",
        "up    RP      (PRT*)  -     -  - - * *)          *       (8|(9",
    )
    text = text.replace("9)|(7", "4)|(7")
    (sentence,), findings = read(tmp_path, HEAD + text + TAIL)
    assert sentence.mentions == (Mention("3", 0, 1), Mention("3", 3, 4), Mention("7", 3, 8))
    assert [(fault.line, fault.detail) for fault in findings.faults] == [
        (5, "'4)|(7|(3)' ends a mention of 4 that did not begin"),
        (4, "the mention of 8 never ends"),
        (4, "the mention of 9 never ends"),
    ]


def test_pairs_do_not_explode_and_nothing_of_a_corpus_commands_the_terminal(tmp_path: Path) -> None:
    rows = "".join(f"d 0 {i} w NN * - - - - * (0)|({i})\n" for i in range(400))
    text = HEAD + rows + "\nd 0 0 w NN * - - - - * (\x1b[31mred\x07\n\n" + TAIL
    sentences, findings = read(tmp_path, text)
    assert [sentence.mentions for sentence in sentences] == [(), ()]
    assert [(fault.line, fault.detail) for fault in findings.faults] == [
        (2, "expected at most 500 mentions, found 800"),
        (403, r"the mention of \x1b[31mred\x07 never ends"),
    ]


def test_a_row_cut_short_costs_its_sentence(tmp_path: Path) -> None:
    cut = HEAD + SENTENCE.replace(
        "nw/one 0 5 to    TO     (S(VP*   -     -  - - * *          (ARG1*   -", "nw/one 0 5 to"
    )
    sentences, findings = read(tmp_path, cut + SENTENCE + TAIL)
    assert len(sentences) == 1
    assert str(findings.faults[0]).endswith("line 7: sentence left out: expected 14 columns, found 4")


def test_a_no_break_space_is_part_of_a_word(tmp_path: Path) -> None:
    (sentence,), findings = read(tmp_path, HEAD + SENTENCE.replace(" plan ", " p\u00a0lan ") + TAIL)
    assert sentence.words[4] == "p\u00a0lan"
    assert not findings.kinds


def test_words_before_a_document_are_another_format(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"one\.gold_conll, line 1: expected '#begin document', found 'nw/one 0 0"
    ):
        read(tmp_path, SENTENCE)


def test_bytes_that_are_no_text_are_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "one.gold_conll"
    path.write_bytes(HEAD.encode() + b"nw/one 0 0 caf\xe9 NN (TOP*) - - - - * -\n")
    with pytest.raises(InputError, match="line 2: expected UTF-8 text, found the byte 0xe9"):
        list(read_conll2012(path, Findings()))
