"""Text as it comes: formats, compression, sentences, and what is said of broken files."""

import bz2
import gzip
import tracemalloc
from pathlib import Path

import pytest
import zstandard

from tpu_train.errors import InputError
from tpu_train.text import corpus, files, sentences

PLAIN = "The first sentence.\nA second one! And a third?\n\n\n  Another document.  \n"
WIKI = """\
<doc id="7" url="?curid=7" title="Anna &amp; Bob">
Anna &amp; Bob

Dr. Smith met Anna in 1990. She was late.
A list:

</doc>
<doc id="8" url="?curid=8" title="Nothing">
Nothing


</doc>
<doc id="9" url="?curid=9" title="Cats">
Cats are animals.
They sleep.
</doc>
"""


def read(path: Path, split: bool = True) -> list[list[str]]:
    return list(corpus.documents_of_file(path, split))


def test_a_blank_line_ends_a_document_and_a_line_ends_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(PLAIN, "utf-8")
    first = ["The first sentence.", "A second one!", "And a third?"]
    assert read(path) == [first, ["Another document."]]
    assert read(path, split=False)[0] == ["The first sentence.", "A second one! And a third?"]


def test_wikiextractor_pages_lose_title_and_empty_pages(tmp_path: Path) -> None:
    path = tmp_path / "wiki_00"
    path.write_text(WIKI, "utf-8")
    assert read(path) == [
        ["Dr. Smith met Anna in 1990.", "She was late.", "A list:"],
        ["Cats are animals.", "They sleep."],
    ]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("He came. He saw.", 2),
        ('"Go!" "Why?" he asked.', 2),
        ("Mr. J. Smith of the U.S. Senate spoke.", 1),
        ("It cost 3.5 million. In 1999, prices fell.", 2),
        ("See fig. 3 for details.", 1),
        ("He paid (in full.) Then he left.", 2),
        ("no capital. after the stop", 1),
        ("", 0),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(line: str, count: int) -> None:
    found = sentences.split(line)
    assert len(found) == count
    assert "".join(found).replace(" ", "") == line.replace(" ", "")


def test_compressed_files_hold_the_same_text(tmp_path: Path) -> None:
    raw = PLAIN.encode()
    (tmp_path / "a.txt").write_bytes(raw)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(raw))
    (tmp_path / "c.txt.bz2").write_bytes(bz2.compress(raw))
    frames = zstandard.compress(raw[:30]) + zstandard.compress(raw[30:])
    (tmp_path / "d.txt.zst").write_bytes(frames)
    found = files.find([tmp_path])
    assert [file.name for file in found] == ["a.txt", "b.txt.gz", "c.txt.bz2", "d.txt.zst"]
    texts = [read(file.path) for file in found]
    assert texts == [texts[0]] * 4


def test_a_folder_is_searched_in_one_order_and_other_files_are_left(tmp_path: Path) -> None:
    for name in ("b/wiki_01", "b/wiki_00", "a.txt", "notes.md", "wiki_00.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("Some text.\n", "utf-8")
    assert [file.name for file in files.find([tmp_path])] == ["a.txt", "b/wiki_00", "b/wiki_01"]


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"fine\nalso fine\ncaf\xe9\n")
    with pytest.raises(InputError, match=r"latin\.txt, line 3: not UTF-8 \(byte 0xe9 at column 4\)"):
        read(path)


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2"])
def test_a_broken_archive_is_named(tmp_path: Path, suffix: str) -> None:
    whole = {".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress}[suffix](
        PLAIN.encode() * 500
    )
    path = tmp_path / f"cut.txt{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.txt"):
        read(path)
    path.write_bytes(b"this is no archive at all")
    with pytest.raises(InputError, match=r"cut\.txt"):
        read(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('<doc id="1" title="A">\nA\n\ntext\n', "the page of line 1 is not closed"),
        ('<doc id="1" title="A">\nA\n<doc id="2" title="B">\n', "line 3: the page of line 1 is not closed"),
        ('<doc id="1" title="A">\nA\n</doc>\nloose text\n', "line 4: text outside"),
    ],
)
def test_a_broken_wikiextractor_file_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "wiki_00"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=told):
        read(path)


def test_the_digest_is_of_names_and_contents_not_of_times(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(PLAIN, "utf-8")
    first = corpus.manifest(files.find([tmp_path]))
    path.touch()
    assert corpus.manifest(files.find([tmp_path]), first).digest == first.digest
    path.write_text(PLAIN.replace("third", "fourth"), "utf-8")
    assert corpus.manifest(files.find([tmp_path]), first).digest != first.digest


def test_reading_needs_the_memory_of_a_document_not_of_the_corpus(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_text(
        ("A sentence of some length that stands here. Another one.\n" * 20 + "\n") * 1000, "utf-8"
    )
    tracemalloc.start()
    count = sum(1 for _ in corpus.documents_of_file(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 1000
    assert peak < path.stat().st_size / 10
