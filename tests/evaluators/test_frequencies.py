"""Words counted where the user says: in text, treebanks, DocBins and lists of counts."""

import gzip
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import duckdb
import pytest
import spacy

from evaluators.corpora.frequencies import UNSEEN, read_frequencies
from evaluators.errors import InputError

Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "embryo" / "counted"


def test_raw_text_is_cut_as_treebanks_are(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.mkdir()
    (text / "a.txt").write_text("The dog doesn't bark.\n\nThe dog sleeps.\n")
    with gzip.open(text / "b.txt.gz", "wt") as packed:
        packed.write("the cat's dog")
    (text / ".trash").mkdir()
    (text / ".trash" / "c.txt").write_text("cat cat cat")
    found = read_frequencies(text)
    # dog 3, the 3; "." 2; does, n't, 's and the others once.
    assert found.of(["dog", "The", ".", "bark", "doesn't"]) == (1, 2, 3, 5, UNSEEN)
    assert set(found.ranks) == {"dog", "the", ".", "'s", "bark", "cat", "does", "n't", "sleeps"}
    assert str(found) == (
        f"frequencies: 14 words, 9 of them different, were counted in 2 files of {text}: a.txt, b.txt.gz."
    )


def test_every_kind_of_file_counts_alike(tmp_path: Path, little: ModuleType) -> None:
    sentences = [[("The", "DT"), ("dog", "NN")], [("the", "DT"), ("cat", "NN")]]
    treebank = little.write_treebank(tmp_path / "one.conllu", sentences)
    documents = spacy.tokens.DocBin(attrs=["TAG"])
    nlp = spacy.blank("en")
    for sentence in sentences:
        document = spacy.tokens.Doc(nlp.vocab, [form for form, _ in sentence], tags=[t for _, t in sentence])
        documents.add(document)
    documents.to_disk(tmp_path / "two.spacy")
    (tmp_path / "three.txt").write_text("The dog\nthe cat")
    (tmp_path / "four.tsv").write_text("form\tcount\nThe\t1\nthe\t1\ndog\t1\ncat\t1\n")
    (tmp_path / "five.csv").write_text("the,2\ncat,1\ndog,1\n")
    found = [
        read_frequencies(tmp_path / name)
        for name in (treebank.name, "two.spacy", "three.txt", "four.tsv", "five.csv")
    ]
    assert {each.digest for each in found} == {found[0].digest}
    assert dict(found[0].ranks) == {"the": 1, "cat": 2, "dog": 3}


def test_counts_are_kept_by_content(tmp_path: Path, cache: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("one two two")
    first = read_frequencies(text)
    (kept,) = cache.iterdir()
    kept.write_text('{"kept": 1}')
    assert list(read_frequencies(text).ranks) == ["kept"]
    text.write_text("one two two two")
    assert read_frequencies(text).ranks == first.ranks


def test_kept_counts_are_those_that_were_counted(tmp_path: Path, little: ModuleType) -> None:
    """Or else what is evaluated would depend on whether somebody had counted before."""
    (tmp_path / "a.txt").write_text('"Ah!" , 5" \ufeff \u0130 #')
    little.write_treebank(tmp_path / "b.conllu", [[("\u00a0New York", "NNP"), ('"', "''")]])
    first, again = read_frequencies(tmp_path), read_frequencies(tmp_path)
    assert first == again
    assert first.ranks['"'] == 1


def test_quotes_are_words_but_where_csv_puts_words_in_them(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('"\t3\n"so"\t2\n')
    assert set(read_frequencies(tmp_path / "a.tsv").ranks) == {'"', '"so"'}
    (tmp_path / "a.csv").write_text('"""",3\n",",2\n"so",1\n')
    assert set(read_frequencies(tmp_path / "a.csv").ranks) == {'"', ",", "so"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tsv", "the\t3\ndog\tmany\n", "a.tsv, line 2: expected a word and its count"),
        ("a.txt", " \n", "holds no word"),
        ("a.pdf", "x", "expected .* to be, or to hold, text"),
    ],
)
def test_what_cannot_be_counted_is_said(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        read_frequencies(tmp_path / name)
    with pytest.raises(InputError, match="found none"):
        read_frequencies(tmp_path / "nothing")


def test_other_frequencies_are_another_input_of_the_tasks_that_use_them(
    world: Path, evaluate: Evaluate
) -> None:
    narrow = ("--step", "0", "--task", "reconstruct", "--task", "mlm")
    assert evaluate(*narrow)[0] == 0
    assert ranks() != [7] * 28
    Path("counts.tsv").write_text("the\t9\na\t8\ndog\t7\n")
    Path("embryo.toml").write_text('[task.reconstruct]\nbands = ["1-2"]\n')
    code, out, err = evaluate(*narrow, "--frequencies", "counts.tsv")
    assert (code, "Stored 1 results" in out) == (0, True), err
    assert "do not occur where frequencies were counted" in out + err
    assert (
        "note: frequencies: 24 words, 3 of them different, were counted in 1 file of counts.tsv: counts.tsv."
        in err
    )
    assert (
        "were counted in 1 file of counts.tsv"
        in evaluate("doctor", *narrow, "--frequencies", "counts.tsv")[1]
    )
    assert sorted(set(ranks())) == [1, 2, 3, UNSEEN]
    with duckdb.connect("results.duckdb", read_only=True) as store:
        (n,) = store.execute("SELECT n FROM metrics WHERE label = 'rank 1-2'").fetchone()
    assert n == sum(rank <= 2 for rank in ranks())
    changed = evaluate("diff", "--step", "0", "--task", "reconstruct")[1]
    assert "frequencies" in changed
    assert "option" not in changed


def ranks() -> list[int]:
    with duckdb.connect("results.duckdb", read_only=True) as store:
        return [row[0] for row in store.execute("SELECT rank FROM words ORDER BY word_id").fetchall()]
