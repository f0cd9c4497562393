"""The vocabulary: Kudo's definition on small words, the same every time, and the same ids in transformers."""

import itertools
import math
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from tpu_train import recipe, unigram, vocabulary
from tpu_train.errors import InputError

WORDS = {"▁the": 50, "▁then": 9, "▁there": 12, "▁hen": 7, "▁other": 11, "▁to": 30, "▁tot": 4, "▁re": 3}
UNIGRAM, MORE = recipe.Vocabulary(size=200), recipe.Vocabulary(size=300)
STRANGE = [
    "Hello world, it's a ``test''.",
    "Ünïcödé  and\ttabs… “quotes” — dashes",
    "ﬁgure ½ Ⅳ １２３ 東京 Москва",
    "a\u00a0b\u200bc ▁already▁spaced",
    "",
    "x" * 200,
]


def segmentations(word: str, pieces: set[str]) -> list[list[str]]:
    found = []
    for cuts in itertools.product([False, True], repeat=len(word) - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(word)]
        parts = [word[a:b] for a, b in itertools.pairwise(edges)]
        if set(parts) <= pieces:
            found.append(parts)
    return found


def test_expected_counts_are_sums_over_all_segmentations() -> None:
    lattice, weights = unigram._seeds(sorted(WORDS.items()), 30)
    scores = np.log(weights / weights.sum())
    chance = dict(zip(lattice.texts, np.exp(scores), strict=True))
    expected: Counter[str] = Counter()
    for word, count in WORDS.items():
        ways = segmentations(word, set(chance))
        likely = [math.prod(chance[part] for part in way) for way in ways]
        for way, share in zip(ways, likely, strict=True):
            for part in way:
                expected[part] += count * share / sum(likely)  # type: ignore[assignment]
    found = dict(zip(lattice.texts, unigram._expected_counts(lattice, scores), strict=True))
    for piece in chance:
        assert found[piece] == pytest.approx(expected[piece], rel=1e-9), piece


def test_every_best_path_is_the_best_of_all() -> None:
    lattice, weights = unigram._seeds(sorted(WORDS.items()), 30)
    scores = np.log(weights / weights.sum())
    score = dict(zip(lattice.texts, scores, strict=True))
    for length, starts, _ in lattice.groups:
        best, _ = unigram._best_paths(lattice, scores, starts, length, whole=True)
        for row, start in enumerate(starts):
            word = "".join(lattice.texts[lattice.at[1, c]] for c in range(start, start + length))
            ways = segmentations(word, set(score))
            assert best[length, row] == pytest.approx(max(sum(score[p] for p in way) for way in ways))


def test_digamma_has_its_known_values() -> None:
    known = {1.0: -0.5772156649015329, 0.5: -1.9635100260214235, 10.0: 2.251752589066721}
    np.testing.assert_allclose(unigram._digamma(np.array(list(known))), list(known.values()), rtol=1e-9)


def test_frequent_words_become_pieces_and_marks_stay_apart() -> None:
    draw = random.Random(1)
    words = Counter(
        {
            f"▁{''.join(draw.choices('abcdefgh', k=6))}{draw.choice(['', ',', '.', '2'])}": 1
            for _ in range(300)
        }
    )
    words.update({"▁where": 500, "▁where,": 100, "▁1999": 80, "▁don't": 60, "▁...": 40})
    pieces = [piece for piece, _ in unigram.train(words, 120, coverage=1.0)]
    assert {"▁where", ",", "▁1999"} <= set(pieces)
    for piece in pieces:
        body = piece.lstrip("▁")
        assert not body or body.isalpha() or body.isdigit() or len(set(body)) == 1


def test_rare_characters_are_left_out_and_all_others_are_pieces() -> None:
    words = {"▁abc": 1000, "▁cab": 1000, "▁ab∰": 1}
    assert "∰" not in {piece for piece, _ in unigram.train(words, 10, coverage=0.999)}
    assert {"a", "b", "c", "▁", "∰"} <= {piece for piece, _ in unigram.train(words, 10, coverage=1.0)}


def test_another_process_trains_the_same_vocabulary(template: object) -> None:
    text = template.root / "text" / "a.txt"  # type: ignore[attr-defined]
    script = (
        "import sys; from tpu_train import recipe, vocabulary; from tpu_train.text import corpus\n"
        "from pathlib import Path\n"
        "docs = corpus.documents_of_file(Path(sys.argv[1]))\n"
        "print(vocabulary.train(docs, recipe.Vocabulary(size=200), 32).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script, str(text)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_transformers_gives_the_trainers_ids(finished: Path) -> None:
    loaded = AutoTokenizer.from_pretrained(finished / "step-00000120")
    mine = vocabulary.from_folder(finished / "step-00000120", UNIGRAM, 32)
    sentences = [*STRANGE, *(finished.parent / "text" / "a.txt").read_text("utf-8").splitlines()[:50]]
    theirs = loaded(sentences, add_special_tokens=False)["input_ids"]
    assert mine.encoder()(sentences) == theirs
    assert loaded.convert_ids_to_tokens(range(200)) == list(mine.pieces)
    pair = loaded("Hello world.", "Second one.")
    assert pair["token_type_ids"] == [0] * pair["input_ids"].index(3) + [0] + [1] * (
        len(pair["input_ids"]) - pair["input_ids"].index(3) - 1
    )
    specials = (loaded.pad_token_id, loaded.unk_token_id, loaded.cls_token_id, loaded.sep_token_id)
    assert (*specials, loaded.mask_token_id) == (0, 1, 2, 3, 4)


def test_too_little_text_is_said_with_the_number_that_it_gives() -> None:
    with pytest.raises(InputError, match=r"gives only \d+ pieces for vocabulary\.size = 5,000"):
        vocabulary.train([["a few words", "no more"]], recipe.Vocabulary(size=5000), 32)


def test_another_vocabulary_is_checked(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds 200 pieces, the recipe says vocabulary\.size = 300"):
        vocabulary.from_folder(finished / "step-00000000", MORE, 32)
    with pytest.raises(InputError, match="No vocabulary in"):
        vocabulary.from_folder(tmp_path, MORE, 32)
    for name, content in (("tokenizer.json", '{"model": {"type": "WordPiece", "vocab": {"a": 0}}}'),):
        (tmp_path / name).write_text(content, "utf-8")
        (tmp_path / "tokenizer_config.json").write_text("{}", "utf-8")
    with pytest.raises(InputError, match="does not hold a Unigram vocabulary"):
        vocabulary.from_folder(tmp_path, MORE, 32)
