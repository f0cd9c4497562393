"""Penn trees, and GUM's three files of one document."""

from pathlib import Path

from evaluators.corpora.annotated import Findings, LabelledSpan, Mention
from evaluators.corpora.gum import read_gum
from evaluators.corpora.ptb import read_ptb


def trees(folder: Path, text: str, findings: Findings | None = None) -> list[tuple[tuple[str, ...], object]]:
    (folder / "t.ptb").write_text(text)
    read = read_ptb(folder / "t.ptb", findings or Findings())
    return [(sentence.words, sentence.constituents) for sentence in read]


def test_function_tags_indices_and_traces_are_no_part_of_a_label(tmp_path: Path) -> None:
    text = """
( (S (NP-SBJ-1 (-LRB- -LRB-) (NNS cats))
     (VP (VBP sleep) (NP=2 (-NONE- *T*-1)))
     (. .)))
"""
    assert trees(tmp_path, text) == [
        (
            ("(", "cats", "sleep", "."),
            (
                LabelledSpan("TOP", 0, 4),
                LabelledSpan("S", 0, 4),
                LabelledSpan("NP", 0, 2),
                LabelledSpan("VP", 2, 3),
            ),
        )
    ]


def test_a_leaf_may_span_lines_and_a_root_has_several_names(tmp_path: Path) -> None:
    assert trees(tmp_path, "(ROOT\n  (NN\n    dog))\n(TOP (NN cat))") == [
        (("dog",), (LabelledSpan("TOP", 0, 1),)),
        (("cat",), (LabelledSpan("TOP", 0, 1),)),
    ]


def test_a_broken_tree_costs_itself_alone(tmp_path: Path) -> None:
    findings = Findings()
    text = "(ROOT (NN one))\n(ROOT\n  (NP (NN two)\n(ROOT (NN three))\n)\n(ROOT stray (NN four))\n"
    text += "(ROOT (NN five))\n"
    assert [words for words, _ in trees(tmp_path, text, findings)] == [("one",), ("three",), ("five",)]
    assert [(fault.line, fault.detail) for fault in findings.faults] == [
        (2, "2 brackets are never closed"),
        (5, "a bracket is closed that was not opened"),
        (6, "expected a bracket, found 'stray'"),
    ]


def write_gum(
    folder: Path, coreference: list[str], tree: str = "(ROOT (S (NP (NN Ann)) (VP (VBZ sings))))"
) -> None:
    for name in ("dep", "const", "conll"):
        (folder / name).mkdir()
    rows = [("Ann", "NNP"), ("sings", "VBZ"), ("She", "PRP"), ("likes", "VBZ"), ("it", "PRP")]
    lines = [f"{i}\t{w}\t_\tX\t{t}\t_\t0\t_\t_\t_\n" for i, (w, t) in zip((1, 2, 1, 2, 3), rows, strict=True)]
    (folder / "dep" / "d.conllu").write_text("".join(lines[:2]) + "\n" + "".join(lines[2:]) + "\n")
    second = "(ROOT (S (NP (PRP She)) (VP (VBZ likes) (NP-OBJ (PRP it)))))"
    (folder / "const" / "d.ptb").write_text(f"{tree}\n\n{second}\n")
    cells = [f"{i}\t{w}\t{cell}\n" for i, ((w, _), cell) in enumerate(zip(rows, coreference, strict=False))]
    (folder / "conll" / "d.conll").write_text("# begin document d\n" + "".join(cells) + "# end document\n")


def gum(folder: Path, findings: Findings) -> list[object]:
    return list(
        read_gum(
            folder / "dep" / "d.conllu", folder / "const" / "d.ptb", folder / "conll" / "d.conll", findings
        )
    )


def test_trees_words_and_coreference_of_a_document_are_joined(tmp_path: Path) -> None:
    write_gum(tmp_path, ["(1)", "_", "(1)(2", "_", "2)"])
    findings = Findings()
    first, second = gum(tmp_path, findings)
    assert (first.words, first.tags) == (("Ann", "sings"), ("NNP", "VBZ"))
    assert first.constituents[0] == LabelledSpan("TOP", 0, 2)
    assert first.mentions == (Mention("1", 0, 1),)
    assert second.constituents[-1] == LabelledSpan("NP", 2, 3)
    assert second.mentions == (Mention("1", 0, 1), Mention("2", 0, 3))
    assert findings.counts["mentions"] == 3
    assert not findings.kinds


def test_what_does_not_fit_is_left_out_layer_by_layer(tmp_path: Path) -> None:
    write_gum(tmp_path, ["(1)", "2)", "(3)"], tree="(ROOT (NN Ann))")
    findings = Findings()
    first, second = gum(tmp_path, findings)
    assert first.constituents is None
    assert second.constituents is not None
    assert first.mentions is second.mentions is None
    assert sorted(findings.kinds) == [
        "constituents of a sentence left out",
        "coreference of a document left out",
        "mention left out",
    ]
    assert {fault.path.name for fault in findings.faults} == {"d.ptb", "d.conll"}


def test_a_mention_across_sentences_belongs_to_none(tmp_path: Path) -> None:
    write_gum(tmp_path, ["(1", "_", "1)", "_", "(1)"])
    findings = Findings()
    first, second = gum(tmp_path, findings)
    assert first.mentions == ()
    assert second.mentions == (Mention("1", 2, 3),)
    assert findings.counts["mentions across sentences"] == 1


def test_a_row_of_other_columns_costs_the_documents_coreference(tmp_path: Path) -> None:
    write_gum(tmp_path, ["(1)", "_", "(1)\t_", "_", "_"])
    findings = Findings()
    first, second = gum(tmp_path, findings)
    assert first.mentions is second.mentions is None
    assert first.tags == ("NNP", "VBZ")
    (fault,) = findings.faults
    assert str(fault).endswith(
        "d.conll, line 4: coreference of a document left out: expected 3 columns separated by tabs, found 4"
    )


def test_a_document_without_coreference_is_named_and_used_for_the_rest(tmp_path: Path) -> None:
    write_gum(tmp_path, [])
    findings = Findings()
    first, _ = read_gum(tmp_path / "dep" / "d.conllu", tmp_path / "const" / "d.ptb", None, findings)
    assert first.mentions is None
    assert first.constituents is not None
    assert str(findings.faults[0]) == f"{tmp_path}/dep/d.conllu, line 1: document without coreference: d"
