"""PropBank skeletons joined with the treebank that holds their words."""

from pathlib import Path

import pytest

from evaluators.corpora.annotated import Findings, LabelledSpan, Proposition
from evaluators.corpora.propbank import NO_WORD, read_joined, read_propbank
from evaluators.errors import InputError


def skeleton(*sentences: list[str]) -> str:
    return (
        "\n\n".join(
            "\n".join(f"d.xml {number} {i} [WORD] {cells}" for i, cells in enumerate(sentence))
            for number, sentence in enumerate(sentences)
        )
        + "\n"
    )


def treebank(*sentences: list[tuple[str, str]]) -> str:
    return "".join(
        "".join(
            f"{i}\t{form}\t_\tX\t{tag}\t_\t0\t_\t_\t_\n" for i, (form, tag) in enumerate(sentence, start=1)
        )
        + "\n"
        for sentence in sentences
    )


EAT = ["NNS (TOP(S(NP*) - - (ARG0*)", "VBP (VP*) eat eat.01 (V*)", ". *)) - - *"]
YES = ["UH (TOP(INTJ*)) - -"]
LONG = ["DT (TOP(NP* - -", "JJ * - -", "NN *)) - -", ". * - -"]
CATS = [("Cats", "NNS"), ("eat", "VB"), (".", ".")]


def write(folder: Path, bones: str, flesh: str) -> tuple[Path, Path]:
    (folder / "d.xml.gold_skel").write_text(bones)
    (folder / "d.xml.conllu").write_text(flesh)
    return folder / "d.xml.gold_skel", folder / "d.xml.conllu"


def test_a_skeleton_takes_its_words_from_the_treebank_and_keeps_its_own_tags(tmp_path: Path) -> None:
    findings = Findings()
    paths = write(tmp_path, skeleton(EAT, YES), treebank(CATS, [("Yes", "UH")]))
    first, second = read_joined(*paths, findings)
    assert first.words == ("Cats", "eat", ".")
    assert first.tags == ("NNS", "VBP", ".")
    assert first.constituents == (
        LabelledSpan("TOP", 0, 3),
        LabelledSpan("S", 0, 3),
        LabelledSpan("NP", 0, 1),
        LabelledSpan("VP", 1, 2),
    )
    assert first.propositions == (Proposition((1, 2), (LabelledSpan("ARG0", 0, 1),)),)
    assert first.mentions is None, "PropBank says nothing of coreference"
    assert second.propositions == ()
    counts = findings.counts
    assert (counts["aligned sentences"], counts["aligned words"], counts["words of one tag in both"]) == (
        2,
        4,
        3,
    )
    assert (counts["skeleton constituents"], counts["skeleton arguments"]) == (6, 1)


def test_sentences_of_other_lengths_are_left_out_and_named(tmp_path: Path) -> None:
    findings = Findings()
    paths = write(tmp_path, skeleton(EAT, YES), treebank([*CATS, ("!", ".")], [("Yes", "UH")]))
    assert [sentence.words for sentence in read_joined(*paths, findings)] == [("Yes",)]
    assert str(findings.faults[0]) == (
        f"{paths[0]}, line 1: sentence not aligned: 3 words here, 4 in the treebank (d.xml.conllu)"
    )


def test_sentences_that_one_side_joins_do_not_move_those_after_them(tmp_path: Path) -> None:
    findings = Findings()
    flesh = treebank(
        CATS, [("Big", "JJ"), ("dogs", "NNS")], [("sleep", "VBP"), (".", ".")], [("Yes", "UH")], CATS
    )
    paths = write(tmp_path, skeleton(EAT, LONG, YES, EAT), flesh)
    found = list(read_joined(*paths, findings))
    assert [sentence.words for sentence in found] == [("Cats", "eat", "."), ("Yes",), ("Cats", "eat", ".")]
    assert [fault.detail for fault in findings.faults] == ["4 words here, no counterpart (d.xml.conllu)"]


def test_texts_too_long_to_be_compared_are_matched_from_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluators.corpora.propbank._MOST_COMPARED", 0)
    findings = Findings()
    flesh = treebank(CATS, [("Big", "JJ"), ("dogs", "NNS")], [("sleep", "VBP"), (".", ".")], CATS)
    found = list(read_joined(*write(tmp_path, skeleton(EAT, LONG, EAT), flesh), findings))
    assert [sentence.line for sentence in found] == [1, 10]
    assert [fault.detail for fault in findings.faults] == ["4 words here, no counterpart (d.xml.conllu)"]


def test_a_skeleton_alone_has_no_words(tmp_path: Path) -> None:
    path, _ = write(tmp_path, skeleton(YES), "")
    (sentence,) = read_propbank(path, Findings())
    assert sentence.words == (NO_WORD,)


def test_the_other_format_of_that_name_is_told_apart(tmp_path: Path) -> None:
    path, _ = write(tmp_path, "#begin document (a); part 000\n" + skeleton(YES), "")
    with pytest.raises(InputError, match="line 1: expected PropBank columns, found '#begin document"):
        list(read_propbank(path, Findings()))
