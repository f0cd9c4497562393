"""Corpora for probing: targets of sentences, JSON lines in and out, folders recognised, parsing kept."""

import gzip
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zstandard

from evaluators.corpora import edge_cache, lines
from evaluators.corpora.annotated import AnnotatedSentence, Findings, LabelledSpan, Mention, Proposition
from evaluators.corpora.base import WordCorpus
from evaluators.corpora.edge_folder import look_for_edges, read_edge_folder
from evaluators.corpora.edge_jsonl import write_edges
from evaluators.corpora.edges import EDGE_TASKS, EdgeBuilder, EdgeCorpus, Target, targets_of
from evaluators.corpora.find import look
from evaluators.corpora.lines import numbered_lines
from evaluators.errors import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def line(text: str, *targets: dict[str, object]) -> str:
    return json.dumps({"text": text, "targets": list(targets), "info": {}}) + "\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_targets_are_words_constituents_arguments_and_all_pairs_of_mentions() -> None:
    found = targets_of(
        AnnotatedSentence(
            "d",
            1,
            ("Ann", "sees", "her", "dog"),
            ("NNP", "VBZ", "PRP$", "NN"),
            (LabelledSpan("S", 0, 4), LabelledSpan("NP", 2, 4)),
            (Proposition((1, 2), (LabelledSpan("ARG0", 0, 1), LabelledSpan("C-V", 3, 4))),),
            (Mention("b", 2, 4), Mention("a", 0, 1), Mention("a", 2, 3)),
        )
    )
    assert found == {
        "pos": [
            Target((0, 1), None, "NNP"),
            Target((1, 2), None, "VBZ"),
            Target((2, 3), None, "PRP$"),
            Target((3, 4), None, "NN"),
        ],
        "const": [Target((0, 4), None, "S"), Target((2, 4), None, "NP")],
        "srl": [Target((1, 2), (0, 1), "ARG0"), Target((1, 2), (3, 4), "C-V")],
        "coref": [
            Target((0, 1), (2, 3), "1"),
            Target((0, 1), (2, 4), "0"),
            Target((2, 3), (2, 4), "0"),
        ],
    }


def test_json_lines_come_back_as_they_went_out(tmp_path: Path) -> None:
    files = {
        f"{task}/{split}.jsonl": line(
            f"Ann sees her dog {split}",
            {"span1": [0, 1], **({"span2": [2, 4]} if paired else {}), "label": label},
            {"span1": [2, 4], **({"span2": [0, 2]} if paired else {}), "label": other},
        )
        for task, paired, label, other in (
            ("pos", False, "NNP", "NN"),
            ("coref", True, "0", "1"),
            ("srl", True, "ARG0", "ARG1"),
        )
        for split in ("train", "dev", "test")
    }
    corpus = read_edge_folder(write(tmp_path / "in", files), "small")
    assert {split: len(part) for split, part in corpus.splits.items()} == {"train": 1, "dev": 1, "test": 1}, (
        "a sentence that three tasks share is one sentence"
    )
    assert corpus.tasks == ("pos", "srl", "coref")
    write_edges(corpus, tmp_path / "out")
    again = read_edge_folder(tmp_path / "out", "small")
    for split in corpus.splits:
        for task in corpus.tasks:
            assert list(again.rows(split, task)) == list(corpus.rows(split, task))
            assert again.words(split, 0) == corpus.words(split, 0)
    written = json.loads((tmp_path / "out" / "srl" / "dev.jsonl").read_text())
    assert written["targets"] == [
        {"span1": [0, 1], "span2": [2, 4], "label": "ARG0"},
        {"span1": [2, 4], "span2": [0, 2], "label": "ARG1"},
    ]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            {"span1": [0, 5], "span2": [0, 1], "label": "ARG0"},
            "expected span1 within the sentence's 4 words, found [0, 5]",
        ),
        (
            {"span1": [0, 1], "span2": [2, 2], "label": "ARG0"},
            "expected span2 within the sentence's 4 words, found [2, 2]",
        ),
        ({"span1": [0, 1], "label": "ARG0"}, "found None"),
        ({"span1": [0, 1], "span2": [0, 1]}, "expected a label, found None"),
        ({"span1": [0, 1], "span2": [0, 1], "label": "\ud800"}, r"expected a label, found '\ud800'"),
        ("ARG0", "expected an object"),
    ],
)
def test_a_target_out_of_range_costs_itself_alone(
    tmp_path: Path, target: dict[str, object], said: str
) -> None:
    good = {"span1": [1, 2], "span2": [0, 1], "label": "ARG1"}
    files = {f"srl/{s}.jsonl": line("Ann sees her dog", target, good) for s in ("train", "dev", "test")}
    corpus = read_edge_folder(write(tmp_path / "c", files), "c")
    assert [len(part.targets["srl"]) for part in corpus.splits.values()] == [1, 1, 1]
    assert corpus.report["faults"] == {"target left out": 3}
    first = corpus.report["first_faults"]["target left out"]
    assert said in first[0]
    assert [place.split(": ")[0] for place in first] == [
        f"srl/{split}.jsonl, line 1" for split in ("dev", "test", "train")
    ]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"text": "a b"}', '{"text": 3, "targets": []}', "[" * 100_000, "9" * 5_000]
)
def test_a_line_that_is_no_example_is_refused(tmp_path: Path, text: str) -> None:
    root = write(tmp_path / "c", {"pos/train.jsonl": line("a b") + text + "\n"})
    with pytest.raises(InputError, match=r"train\.jsonl, line 2: expected"):
        read_edge_folder(root, "c")


def test_a_cache_that_can_only_be_read_serves(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_corpus(tmp_path / "c")
    parsed = read_edge_folder(root, "c")

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refused)
    assert edge_cache.load(parsed.data_hash, "c", str(root)) is not None


@pytest.mark.parametrize("text", ["", "a  b", " a", "half a \ud83d character"])
def test_text_that_is_no_sentence_costs_itself_alone(tmp_path: Path, text: str) -> None:
    target = {"span1": [0, 1], "label": "NN"}
    files = {f"pos/{s}.jsonl": line(text, target) + line("a b", target) for s in ("train", "dev", "test")}
    corpus = read_edge_folder(write(tmp_path / "c", files), "c")
    assert [len(part) for part in corpus.splits.values()] == [1, 1, 1]
    assert corpus.report["faults"] == {"sentence left out": 3}


def test_packed_files_are_read_whole_or_refused(tmp_path: Path) -> None:
    target = {"span1": [0, 1], "label": "NN"}
    text = "".join(line(f"word{i} {i * i}", target) for i in range(5_000)).encode()
    frame = (
        zstandard.ZstdCompressor().compress(text[:100_000]),
        zstandard.ZstdCompressor().compress(text[100_000:]),
    )
    path = tmp_path / "train.jsonl.zst"
    path.write_bytes(b"".join(frame))
    assert b"".join(one.encode() + b"\n" for _, one in numbered_lines(path)) == text
    for cut in (3, len(frame[0]) - 1, len(frame[0]) + 5, sum(map(len, frame)) - 1):
        path.write_bytes(b"".join(frame)[:cut])
        with pytest.raises(InputError, match=r"train\.jsonl\.zst cannot be read: it was cut short"):
            list(numbered_lines(path))


def test_a_file_without_line_ends_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST", 1 << 20)
    path = tmp_path / "zeros.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(b"short\n" + bytes(1 << 24))
    with pytest.raises(InputError, match="line 2: expected text, found a line beyond 1,048,576 bytes"):
        list(numbered_lines(path))


ONE = "#begin document (a); part 000\na 0 0 {} NN (TOP*) - - - - * -\n\n#end document\n"


def test_ontonotes_layout_gives_the_splits_and_other_languages_are_passed_by(tmp_path: Path) -> None:
    root = write(
        tmp_path / "ontonotes",
        {
            "v4/data/train/data/english/annotations/nw/a.v4_gold_conll": ONE.format("train"),
            "v4/data/train/data/chinese/annotations/nw/b.v4_gold_conll": ONE.format("chinese"),
            "v4/data/train/data/english/annotations/nw/a.v4_auto_conll": ONE.format("auto"),
            "v4/data/development/data/english/annotations/nw/a.v4_gold_conll": ONE.format("dev"),
            "v4/data/test/data/english/annotations/nw/a.v4_gold_conll": ONE.format("test"),
            "v4/data/conll-2012-test/data/english/annotations/nw/a.v4_gold_conll": ONE.format("later"),
        },
    )
    corpus = read_edge_folder(root, "ontonotes")
    assert {split: corpus.words(split, 0) for split in corpus.splits} == {
        "conll-2012-test": ("later",),
        "dev": ("dev",),
        "test": ("test",),
        "train": ("train",),
    }
    assert corpus.tasks == ("pos", "const")
    assert corpus.report["counts"]["documents"] == 4
    assert corpus.report["faults"] == {"document without coreference": 4}
    found = {(one.name, one.kind): one for one in look(tmp_path).corpora}
    assert set(found) == {("ontonotes", "edges"), ("ontonotes/conll-2012-test", "words")}
    words = found["ontonotes/conll-2012-test", "words"].read()
    assert isinstance(words, WordCorpus)
    assert (words.words, words.tags) == ((("later",),), (("NN",),)), "section 3 reads this split alone"


@pytest.mark.parametrize("text", ["", "#begin document (a); part 000\n#end document\n"])
def test_a_file_without_a_sentence_is_named(tmp_path: Path, text: str) -> None:
    """A copy that failed leaves such files: without a word the corpus would be smaller than it should be."""
    files = {f"{split}/a.gold_conll": ONE.format(split) for split in ("train", "dev", "test")}
    found = read_edge_folder(write(tmp_path / "c", {**files, "train/b.gold_conll": text}), "c")
    assert len(found.splits["train"]) == 1
    assert found.report["first_faults"]["file without a sentence"] == [
        "train/b.gold_conll, line 1: expected sentences of train, found none"
    ]
    lines = {f"pos/{split}.jsonl": line("a b") for split in ("train", "dev")}
    found = read_edge_folder(write(tmp_path / "j", {**lines, "pos/test.jsonl": ""}), "j")
    assert found.report["faults"] == {"file without a sentence": 1}


def test_files_that_name_no_split_are_no_corpus_to_probe_with(tmp_path: Path) -> None:
    assert look_for_edges(write(tmp_path / "c", {"heldout.conll": ONE.format("x"), "notes.txt": ""})) is None


def test_skeletons_without_a_list_of_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no list of their splits: expected files\.train"):
        look_for_edges(write(tmp_path / "c", {"a.xml.gold_skel": "a 0 0 [WORD] NN (TOP*) - -\n"}))


def test_a_corpus_is_parsed_once_and_again_when_a_file_changes(tmp_path: Path, cache: Path) -> None:
    files = {f"{s}.conll": ONE.format(s) for s in ("train", "dev", "test")}
    root = write(tmp_path / "c", files)
    first = read_edge_folder(root, "c")
    kept = {path: path.stat().st_ino for path in cache.rglob("*.npz")}
    assert len(kept) == 1
    again = read_edge_folder(root, "other name")
    assert {path: path.stat().st_ino for path in cache.rglob("*.npz")} == kept
    assert again.name == "other name"
    assert again.data_hash == first.data_hash
    assert again.forms == first.forms
    assert again.report == first.report
    assert again.labels == first.labels
    for split, part in first.splits.items():
        assert np.array_equal(again.splits[split].word, part.word)
        assert np.array_equal(again.splits[split].targets["const"].spans, part.targets["const"].spans)
    write(root, {"dev.conll": ONE.format("new")})
    changed = read_edge_folder(root, "c")
    assert changed.data_hash != first.data_hash
    assert changed.words("dev", 0) == ("new",)


def test_a_damaged_cache_is_parsed_anew_and_one_that_cannot_be_written_is_done_without(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "c", {f"{s}.conll": ONE.format(s) for s in ("train", "dev", "test")})
    first = read_edge_folder(root, "c")
    (kept,) = cache.rglob("*.npz")
    for damage in (b"", b"PK\x03\x04 and no more", kept.read_bytes()[:200]):
        kept.write_bytes(damage)
        assert read_edge_folder(root, "c").forms == first.forms
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert read_edge_folder(root, "c").data_hash == first.data_hash


def small_corpus(root: Path) -> Path:
    """Words with line ends and with what is no UTF-16 in them, pairs and single spans."""
    files = {}
    for split in ("train", "dev", "test"):
        text = f"Ann\nBell sees \U0001f600 {split}"
        files[f"pos/{split}.jsonl"] = line(
            text, {"span1": [0, 1], "label": "NNP"}, {"span1": [1, 2], "label": "VBZ"}
        )
        files[f"srl/{split}.jsonl"] = line(text, {"span1": [1, 2], "span2": [2, 4], "label": "ARG1"})
    return write(root, files)


def content(corpus: EdgeCorpus) -> object:
    """Everything but where it lies."""
    return (
        corpus.data_hash,
        corpus.report,
        corpus.labels,
        {
            split: (
                [corpus.words(split, i) for i in range(len(part))],
                {task: list(corpus.rows(split, task)) for task in part.targets},
            )
            for split, part in corpus.splits.items()
        },
    )


def test_a_kept_corpus_is_the_corpus_that_was_parsed(tmp_path: Path, cache: Path) -> None:
    root = small_corpus(tmp_path / "c")
    parsed = read_edge_folder(root, "c")
    kept = edge_cache.load(parsed.data_hash, "c", str(root))
    assert kept is not None
    assert content(kept) == content(parsed)
    assert kept.words("dev", 0) == ("Ann\nBell", "sees", "\U0001f600", "dev")


def test_no_damage_of_a_kept_corpus_changes_what_is_read(tmp_path: Path, cache: Path) -> None:
    root = small_corpus(tmp_path / "c")
    parsed = read_edge_folder(root, "c")
    (kept,) = cache.rglob("*.npz")
    whole = kept.read_bytes()
    chance = random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 4))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        kept.write_bytes(damaged[: chance.choice((len(damaged), chance.randrange(len(damaged))))])
        found = edge_cache.load(parsed.data_hash, "c", str(root))
        assert found is None or content(found) == content(parsed)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("train/word", np.array([0, 1, 2, 99], np.int32)),
        ("train/word", np.array([0, 1, 2, -1], np.int32)),
        ("train/word", np.array([0.0, 1, 2, 3])),
        ("train/word", np.array([{}, {}, {}, {}], dtype=object)),
        ("train/starts", np.array([0, 9], np.int64)),
        ("train/starts", np.array([0, 4, 2, 4], np.int64)),
        ("train/starts", np.array([], np.int64)),
        ("train/pos/sentence", np.array([0, 1], np.int32)),
        ("train/pos/label", np.array([0, 2], np.int32)),
        ("train/pos/label", np.array([0], np.int32)),
        ("train/pos/spans", np.array([[0, 5, -1, -1], [1, 2, -1, -1]], np.int32)),
        ("train/srl/spans", np.array([[1, 2, -1, -1]], np.int32)),
        ("train/srl/spans", np.array([[1, 2, 3, 3]], np.int32)),
        ("about", np.frombuffer(b"[" * 99_999, np.uint8)),
        ("about", np.frombuffer(b'{"forms": 3, "labels": {}, "report": {}, "splits": []}', np.uint8)),
    ],
)
def test_a_forged_corpus_in_the_cache_is_not_used(
    tmp_path: Path, cache: Path, place: str, value: np.ndarray
) -> None:
    root = small_corpus(tmp_path / "c")
    parsed = read_edge_folder(root, "c")
    (kept,) = cache.rglob("*.npz")
    with np.load(kept) as arrays:
        forged = {**dict(arrays), place: value}
    np.savez(kept, **forged)
    assert edge_cache.load(parsed.data_hash, "c", str(root)) is None
    assert content(read_edge_folder(root, "c")) == content(parsed)
    np.savez_compressed(kept, **dict(np.load(kept)))
    assert edge_cache.load(parsed.data_hash, "c", str(root)) is None, "packed: its size is not known"


def test_a_file_that_was_written_in_place_is_read_again_though_its_times_are_put_back(tmp_path: Path) -> None:
    root = write(tmp_path / "c", {f"{s}.conll": ONE.format(s) for s in ("train", "dev", "test")})
    first = read_edge_folder(root, "c")
    before = (root / "dev.conll").stat()
    (root / "dev.conll").write_text(ONE.format("new"))
    os.utime(root / "dev.conll", ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = read_edge_folder(root, "c")
    assert changed.words("dev", 0) == ("new",)
    assert changed.data_hash != first.data_hash


def test_a_folder_that_changes_while_it_is_read_is_refused(tmp_path: Path, cache: Path) -> None:
    root = write(tmp_path / "c", {f"{s}.conll": ONE.format(s) for s in ("train", "dev", "test")})
    found = look_for_edges(root)
    assert found is not None
    part = found.parts[-1]

    def read(builder: EdgeBuilder, findings: Findings) -> None:
        part.read(builder, findings)
        (root / "dev.conll").write_text(ONE.format("new"))

    changing = replace(found, parts=(*found.parts[:-1], replace(part, read=read)))
    with pytest.raises(InputError, match="was changed while it was read"):
        changing.read("c")
    assert not list(cache.rglob("*.npz"))


def test_processes_that_fill_the_cache_at_once_read_the_same(tmp_path: Path, cache: Path) -> None:
    root = small_corpus(tmp_path / "c")
    children = []
    for _ in range(6):
        child = os.fork()
        if not child:
            corpus = read_edge_folder(root, "c")
            os._exit(0 if corpus.words("test", 0)[-1] == "test" else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert sorted(path.suffix for path in (cache / "embryo" / "edges").iterdir()) == ["", ".npz"]


def test_the_cache_keeps_what_was_used_last_within_its_room(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_edge_folder(small_corpus(tmp_path / "a"), "a")
    (kept,) = cache.rglob("*.npz")
    abandoned = kept.with_name(".other.npz.x")
    abandoned.write_bytes(b"half")
    for path in (abandoned, *cache.rglob("*listing*")):
        os.utime(path, (0, 0))
    monkeypatch.setattr(edge_cache, "ROOM", 3 * kept.stat().st_size)
    for number in range(4):
        root = tmp_path / str(number)
        small_corpus(root)
        write(root, {"pos/train.jsonl": line(f"w{number}", {"span1": [0, 1], "label": "NN"})})
        read_edge_folder(root, "c")
        assert edge_cache.load(first.data_hash, "a", "a") is not None, "it is used, so it stays"
        os.utime(kept, ns=(10**18 * 2 + number, 10**18 * 2 + number))
    assert len(list(cache.rglob("*.npz"))) == 2
    assert not abandoned.exists()


@pytest.mark.skipif("EMBRYO_DATA" not in os.environ, reason="EMBRYO_DATA is not set: no real treebanks here")
@pytest.mark.slow
def test_real_corpora_have_the_published_counts(tmp_path: Path) -> None:
    import subprocess

    data = Path(os.environ["EMBRYO_DATA"])
    for name, archives in {
        "ewt": ("ewt/ud_ewt_sources.tar.zst", "ewt/propbank_ewt_gold_skel.tar.zst"),
        "gum": ("gum/gum_nonNC.tar.zst",),
    }.items():
        (tmp_path / name).mkdir()
        for archive in archives:
            subprocess.run(["tar", "--zstd", "-xf", data / archive, "-C", tmp_path / name], check=True)
    ewt = read_edge_folder(tmp_path / "ewt", "ewt")
    counts = ewt.report["counts"]
    assert counts["skeleton sentences"] == 16_579
    assert counts["aligned sentences"] == 16_552
    assert counts["skeleton words"] == 254_564
    assert counts["skeleton constituents"] == 236_977
    assert counts["skeleton arguments"] == 100_495
    assert round(100 * counts["words of one tag in both"] / counts["aligned words"], 2) == 99.37
    assert {split: len(part) for split, part in ewt.splits.items()} == {
        "dev": 1_968,
        "test": 2_058,
        "train": 12_526,
    }
    assert ewt.tasks == ("pos", "const", "srl")

    gum = read_edge_folder(tmp_path / "gum", "gum")
    assert sum(len(part.word) for part in gum.splits.values()) == 166_546
    assert sum(len(part) for part in gum.splits.values()) == 9_384
    assert gum.report["counts"]["mentions"] == 21_533
    assert gum.report["counts"]["clusters"] == 5_003
    assert gum.report["faults"] == {}
    assert gum.tasks == ("pos", "const", "coref")
    assert set(gum.tasks) | set(ewt.tasks) == set(EDGE_TASKS)
