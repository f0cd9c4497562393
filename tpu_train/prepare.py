"""From text to tokens: marks the corpus, trains or reads the vocabulary, encodes the text; each once.

Everything lands in the run's ``state/``, whole or not at all, and is found there by the next start.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tpu_train import atomic, draws, tokens, vocabulary
from tpu_train.errors import InputError
from tpu_train.places import Bucket, Place
from tpu_train.recipe import Recipe
from tpu_train.text import corpus, files
from tpu_train.text.corpus import Manifest
from tpu_train.text.plain import Document
from tpu_train.tokens import Tokens
from tpu_train.vocabulary import Vocabulary

#: Told what is being done and how far it is: a stage's name, done, and of how many (0: unknown).
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Prepared:
    """Text, ready for batches."""

    manifest: Manifest
    vocabulary: Vocabulary
    tokens: Tokens


def mark(state: Path, sources: Sequence[Path]) -> tuple[list[files.TextFile], Manifest]:
    """Finds the corpus's files and marks them; files that have not changed since are not read again."""
    found = files.find(sources)
    path = state / "corpus.json"
    known = Manifest.from_json(json.loads(path.read_text("utf-8"))) if path.is_file() else None
    marked = corpus.manifest(found, known)
    if marked != known:
        atomic.write_json(path, marked.to_json())
    return found, marked


def prepare(
    state: Path,
    found: list[files.TextFile],
    marked: Manifest,
    recipe: Recipe,
    given: Path | None,
    report: Report,
) -> Prepared:
    """Makes what is missing of vocabulary and tokens.

    Args:
        state: the run's folder for them.
        found: the corpus's files.
        marked: their marks.
        recipe: settings of vocabulary and data.
        given: a folder to take the vocabulary from; None to train it.
        report: told about progress.

    Raises:
        InputError: text or vocabulary that cannot be used.
        CouldNotFinishError: no space left.
    """
    vocabulary_folder, folder = state / "vocabulary", state / "tokens"
    _forget_others(state, (vocabulary_folder, folder), marked, recipe, given)
    pieces = _vocabulary(vocabulary_folder, found, marked, recipe, given, report)
    if not tokens.is_written(folder):
        report("Encoding text", 0, 0)
        tokens.write(
            folder,
            corpus.documents(found, recipe.data.split_sentences),
            pieces.encoder(),
            recipe.vocabulary.size,
            lambda done: report("Encoding text", done, 0),
        )
    return Prepared(marked, pieces, tokens.read(folder))


def _forget_others(
    state: Path, folders: Sequence[Path], marked: Manifest, recipe: Recipe, given: Path | None
) -> None:
    """Removes what was made from other text or settings before the run began."""
    made_from = {
        "corpus": marked.digest,
        "vocabulary": asdict(recipe.vocabulary),
        "positions": recipe.model.positions,
        "data": asdict(recipe.data),
        "objective": recipe.objective,
        "seed": recipe.training.seed,
        "given": _read_vocabulary(given, recipe).digest if given else None,
    }
    path = state / "made_from.json"
    content = atomic.as_json(made_from)
    if not path.is_file() or path.read_bytes() != content:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        atomic.write_bytes(path, content)


#: What a run goes on from, below ``state/``; the last of them says that all are there.
_PUBLISHED = (
    "corpus.json",
    "made_from.json",
    *(f"vocabulary/{name}" for name in vocabulary.FILES),
    *(f"tokens/{name}" for name in tokens.FILES),
)


def publish(state: Path, run: Place) -> None:
    """Copies what ``prepare`` made into the bucket of ``run``, so that another machine can go on with it."""
    target = run / "state"
    if isinstance(target, Bucket):
        atomic.remove_folder(target / "tokens", tokens.FILES[-1])
        _copy_all(state, target)


def fetch(run: Place, state: Path) -> None:
    """Brings what ``publish`` copied to this machine's ``state``, unless it is there."""
    source = run / "state"
    if source == state or not tokens.is_written(source / "tokens"):
        return
    made_from = state / "made_from.json"
    same = made_from.is_file() and made_from.read_bytes() == (source / "made_from.json").read_bytes()
    if not same or not tokens.is_written(state / "tokens"):
        shutil.rmtree(state / "tokens", ignore_errors=True)
        _copy_all(source, state)


def _copy_all(source: Place, target: Place) -> None:
    for name in _PUBLISHED:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.copy(source / name, target / name)


def resume(state: Path, recipe: Recipe) -> Prepared:
    """What ``prepare`` left for a run that has begun: needs no corpus.

    Raises:
        InputError: somebody removed it.
    """
    if not tokens.is_written(state / "tokens"):
        raise InputError(
            f"{state} lacks what the run goes on from (tokens, vocabulary); its saved steps are whole. "
            "Train it anew under another --out."
        )
    marked = Manifest.from_json(json.loads((state / "corpus.json").read_text("utf-8")))
    pieces = _read_vocabulary(state / "vocabulary", recipe)
    return Prepared(marked, pieces, tokens.read(state / "tokens"))


def _read_vocabulary(folder: Path, recipe: Recipe) -> Vocabulary:
    return vocabulary.from_folder(folder, recipe.vocabulary, recipe.model.positions)


def _vocabulary(
    folder: Path,
    found: list[files.TextFile],
    marked: Manifest,
    recipe: Recipe,
    given: Path | None,
    report: Report,
) -> Vocabulary:
    if given is not None:
        made = _read_vocabulary(given, recipe)
    elif folder.is_dir():
        return _read_vocabulary(folder, recipe)
    else:
        report("Training vocabulary", 0, 0)
        made = vocabulary.train(_sample(found, marked, recipe), recipe.vocabulary, recipe.model.positions)
    atomic.write_folder(folder, made.files)
    return made


def _sample(found: list[files.TextFile], marked: Manifest, recipe: Recipe) -> Iterator[Document]:
    """Documents drawn evenly over the corpus, about ``sample_bytes`` of them."""
    share = recipe.vocabulary.sample_bytes / max(marked.bytes, 1)
    for number, document in enumerate(corpus.documents(found, recipe.data.split_sentences)):
        if share >= 1 or draws.one(draws.fold(recipe.training.seed, number))[0] < share:
            yield document
