"""Readers of words, and how corpora are found in the data folder."""

import gzip
import os
from pathlib import Path
from types import ModuleType

import pytest
import zstandard

from evaluators.corpora.conllu import read_conllu
from evaluators.corpora.find import look
from evaluators.errors import InputError

BANK = """# sent_id = 1
# text = Don't go.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
3.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_

1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
"""


def test_words_and_penn_tags_without_multiword_tokens_and_empty_nodes(tmp_path: Path) -> None:
    (tmp_path / "b.conllu").write_text(BANK)
    corpus = read_conllu(tmp_path / "b.conllu", "b")
    assert corpus.words == (("Do", "n't", "go", "."), ("Go",))
    assert corpus.tags == (("VBP", "RB", "VB", "."), ("VB",))
    assert corpus.report == {
        "format": "CoNLL-U",
        "tags": "XPOS",
        "sentences": 2,
        "words": 5,
        "multiword_tokens": 1,
        "empty_nodes": 1,
    }
    words = corpus.dataset().words
    assert words is not None
    assert list(words.sentence_id) == [0, 0, 0, 0, 1]
    assert list(words.position) == [0, 1, 2, 3, 0]
    assert list(words.rank) == [3, 4, 1, 2, 1], "go twice in lower case, then . do n't in alphabetical order"


def test_universal_tags_stand_in_where_a_file_has_no_others(tmp_path: Path) -> None:
    (tmp_path / "b.conllu").write_text("1\tGo\tgo\tVERB\t_\t_\t0\troot\t_\t_\n")
    corpus = read_conllu(tmp_path / "b.conllu", "b")
    assert corpus.tags == (("VERB",),)
    assert corpus.report["tags"] == "UPOS"


def test_packed_files_are_the_same_corpus(tmp_path: Path) -> None:
    (tmp_path / "b.conllu").write_text(BANK)
    (tmp_path / "b.conllu.gz").write_bytes(gzip.compress(BANK.encode()))
    (tmp_path / "b.conllu.zst").write_bytes(zstandard.compress(BANK.encode()))
    hashes = {read_conllu(path, "b").data_hash for path in tmp_path.iterdir()}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("line", "content", "expected"),
    [
        (5, "2\tn't\tnot", "expected 10 columns separated by tabs, found 3"),
        (6, "4\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_", "expected word 3, found the index '4'"),
        (6, "x\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_", "expected word 3, found the index 'x'"),
        (6, "3\t \tgo\tVERB\tVB\t_\t0\troot\t_\t_", "word 3 has no form"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: int, content: str, expected: str) -> None:
    lines = BANK.splitlines()
    lines[line - 1] = content
    path = tmp_path / "b.conllu"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        read_conllu(path, "b")
    assert str(error.value).startswith(f"{path}, line {line}: {expected}")


def test_other_bytes_than_utf8_and_damaged_packing_are_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.conllu"
    latin.write_bytes(BANK.replace("Don't go", "Don't gö").encode("latin-1"))
    with pytest.raises(InputError, match=rf"{latin}, line 2: expected UTF-8"):
        read_conllu(latin, "b")
    for name, packed in (
        ("b.conllu.gz", gzip.compress(BANK.encode())),
        ("b.conllu.zst", zstandard.compress(BANK.encode())),
    ):
        (tmp_path / name).write_bytes(packed[: len(packed) // 2])
        with pytest.raises(InputError, match="cannot be read"):
            read_conllu(tmp_path / name, "b")


def test_the_data_folder_offers_one_corpus_a_folder(little: ModuleType, tmp_path: Path) -> None:
    for name in (
        "ewt/dev.conllu",
        "ewt/test.conllu",
        "ewt/ewt-train.conllu",
        "bank/bank.conllu",
        "loose.conllu",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(BANK)
    (tmp_path / "ewt" / "zipped.conllu.gz").write_bytes(gzip.compress(BANK.encode()))
    little.write_facts(tmp_path / "lama")
    (tmp_path / "lama" / "sentences.txt").write_text("One sentence.\n")
    folder = look(tmp_path)
    assert {(found.name, found.kind) for found in folder.corpora} == {
        ("bank", "words"),
        ("ewt/dev", "words"),
        ("ewt/test", "words"),
        ("ewt/zipped", "words"),
        ("lama", "facts"),
        ("lama", "sentences"),
    }
    assert len(folder.notes) == 2
    assert any("loose.conllu" in note and f"Move it to {tmp_path}/NAME/" in note for note in folder.notes)
    assert any("training split" in note for note in folder.notes)
    assert look(tmp_path / "absent").corpora == ()


@pytest.mark.skipif("EMBRYO_DATA" not in os.environ, reason="EMBRYO_DATA is not set")
def test_counts_of_the_open_corpora() -> None:
    folder = look(Path(os.environ["EMBRYO_DATA"]))
    corpora = {(found.name, found.kind): found for found in folder.corpora}
    dev = corpora["ewt/en_ewt-ud-dev", "words"].read().report
    assert (dev["sentences"], dev["words"], dev["tags"]) == (2001, 25147, "XPOS")
    lama = corpora["lama", "facts"].read()
    stated = lama.report["facts_stated"]
    assert len(stated) == 25
    assert (stated["P36"], stated["P264"], sum(stated.values())) == (471, 53, 18382)
    assert lama.report["facts"] == 18368
    assert lama.report["common_vocabulary"] == 21018
