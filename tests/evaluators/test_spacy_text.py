"""Words by way of spaCy: a DocBin, and raw text through a tagger trained here on the little treebank."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from evaluators.corpora.find import look
from evaluators.corpora.spacy_text import read_docbin, read_tagged
from evaluators.errors import InputError


@pytest.fixture(scope="session")
def tagger(little: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of two parts, trained until it knows the little treebank by heart."""
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("tagger")
    examples = []
    for sentence in little.TREEBANK:
        words, tags = (list(part) for part in zip(*sentence, strict=True))
        gold = Doc(nlp.vocab, words=words, tags=tags)
        examples.append(Example(Doc(nlp.vocab, words=words), gold))
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples)
    folder = tmp_path_factory.mktemp("tagger") / "pipeline"
    nlp.to_disk(folder)
    return folder


def write_text(little: ModuleType, folder: Path, pipeline: Path) -> Path:
    folder.mkdir(parents=True)
    lines = [" ".join(word for word, _ in sentence) for sentence in little.TREEBANK[:3]]
    (folder / "a.txt").write_text("\n\n".join(lines))
    (folder / "spacy.toml").write_text(f'pipeline = "{pipeline}"\n')
    return folder / "spacy.toml"


def test_raw_text_is_tagged_by_the_users_pipeline_and_once(
    little: ModuleType, tagger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = write_text(little, tmp_path / "data" / "mine", tagger)
    (found,) = look(tmp_path / "data").corpora
    first = found.read()
    assert first == read_tagged(settings, "mine")
    pairs = [list(zip(*both, strict=True)) for both in zip(first.words, first.tags, strict=True)]
    assert pairs == [list(sentence) for sentence in little.TREEBANK[:3]]
    monkeypatch.setattr("spacy.language.Language.pipe", None)
    assert read_tagged(settings, "mine") == first, "kept, not tagged again"
    (settings.parent / "a.txt").write_text("The dog sees a cat .")
    with pytest.raises(TypeError):
        read_tagged(settings, "mine")


def test_a_docbin_is_read_as_it_was_saved(little: ModuleType, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    documents = [
        Doc(
            nlp.vocab,
            words=[w for w, _ in s],
            tags=[t for _, t in s],
            sent_starts=[i == 0 for i in range(len(s))],
        )
        for s in little.TREEBANK
    ]
    path = tmp_path / "data" / "bank" / "bank.spacy"
    path.parent.mkdir(parents=True)
    DocBin(attrs=["TAG", "SENT_START"], docs=documents).to_disk(path)
    (found,) = look(tmp_path / "data").corpora
    corpus = found.read()
    assert (found.kind, corpus.name) == ("words", "bank")
    assert [list(zip(*both, strict=True)) for both in zip(corpus.words, corpus.tags, strict=True)] == [
        list(sentence) for sentence in little.TREEBANK
    ]


def no_docbin(path: Path) -> None:
    path.write_bytes(b"no DocBin")


def no_tags(path: Path) -> None:
    DocBin(docs=[Doc(spacy.blank("en").vocab, words=["a", "b"])]).to_disk(path)


def no_words(path: Path) -> None:
    DocBin().to_disk(path)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (no_docbin, "expected a DocBin"),
        (no_tags, "2 of 2 tokens have no tag"),
        (no_words, "holds no sentence"),
    ],
)
def test_what_is_no_tagged_docbin_is_refused(
    write: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.spacy")
    with pytest.raises(InputError, match=said):
        read_docbin(tmp_path / "a.spacy", "a")


def test_a_pipeline_that_is_not_there_is_named(little: ModuleType, tmp_path: Path) -> None:
    settings = write_text(little, tmp_path / "mine", tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"nowhere.*cannot be loaded"):
        read_tagged(settings, "mine")
