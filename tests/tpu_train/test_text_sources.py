"""Dumps, archives and books: what is kept of them, every document once, restartable, in bounded memory."""

import bz2
import io
import itertools
import json
import lzma
import os
import random
import subprocess
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tpu_train import tokens
from tpu_train.cli import main
from tpu_train.errors import InputError
from tpu_train.text import books, build, corpus, files, markup, seen

PAGE = """  <page>
    <title>{title}</title>
    <ns>{ns}</ns>
    {redirect}
    <revision><id>1</id><text xml:space="preserve">{text}</text></revision>
  </page>
"""
SITE = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">\n  <siteinfo/>\n'


def dump(*pages: str) -> bytes:
    return (SITE + "".join(pages) + "</mediawiki>\n").encode()


def page(title: str, text: str, ns: int = 0, redirect: str = "") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return PAGE.format(title=title, ns=ns, text=escaped, redirect=redirect)


def read(path: Path) -> list[list[str]]:
    return list(corpus.documents_of_file(path))


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''Anna''' is a [[Town|small town]] in [[Ohio]].", ["Anna is a small town in Ohio."]),
        ("It grew.<ref name=a>Source, 1999.</ref> Then it fell.<ref name=a/>", ["It grew. Then it fell."]),
        ("{{Infobox|a=1|b={{nested|2}}}}\nText ({{IPA|x}}; born 1900) here.", ["Text (born 1900) here."]),
        ("A {{lang|de|''Wort''}} of {{convert|5|km|mi}}.", ["A Wort of 5 km."]),
        ("[[File:a.jpg|thumb|A ''caption'' with [[link]].]]Text.", ["Text."]),
        ("Text.\n[[Category:Towns]]\n[[de:Anna]]", ["Text."]),
        ("{| class=x\n| cell || cell\n|}\nAfter the table.", ["After the table."]),
        ("One.\n== History ==\nTwo.\n== References ==\n* A book.\n=== More ===\nx.\n== Later ==\nThree.",
         ["One.", "Two.", "Three."]),
        ("* first item\n* second [http://x.org item]", ["first item", "second item"]),
        ("5 &lt; 6 &amp;ndash; <!-- hidden -->yes&nbsp;sir", ["5 < 6 &ndash; yes sir"]),
        ("<math>x^2</math> {{stub}}\n\n", []),
    ],
)  # fmt: skip
def test_markup_goes_and_running_text_stays(wikitext: str, text: list[str]) -> None:
    assert markup.paragraphs(wikitext) == text


@pytest.mark.parametrize("suffix", ["", ".bz2", ".xz", ".zst"])
def test_a_dump_gives_its_articles_alone(tmp_path: Path, suffix: str) -> None:
    pack: Callable[[bytes], bytes] = {
        "": bytes,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.compress,
    }[suffix]
    path = tmp_path / f"enwiki-pages-articles.xml{suffix}"
    path.write_bytes(
        pack(
            dump(
                page("Old name", "#REDIRECT [[Anna]]", redirect='<redirect title="Anna" />'),
                page("Other", "  #redirect [[Anna]]"),
                page("Anna", "'''Anna''' is a town. It is old.\n\nIt has a river."),
                page("Talk:Anna", "I think that...", ns=1),
                page("Nothing", "{{stub}}"),
                page("Empty", " "),
            )
        )
    )
    assert [file.path for file in files.find([tmp_path])] == [path]
    assert read(path) == [["Anna is a town.", "It is old.", "It has a river."]]


def test_gutenbergs_licence_and_line_breaks_go(tmp_path: Path) -> None:
    licence = "This eBook is for the use of anyone anywhere."
    body = "It was the best of times, it was the worst of times, it was the age of\nwisdom. "
    body += "It was the age of folly."
    marks = [f"*** {edge} OF THE PROJECT GUTENBERG EBOOK A TALE ***" for edge in ("START", "END")]
    text = (
        f"\ufeffThe Project Gutenberg eBook of A Tale\n\n{licence}\n\n{marks[0]}\n\n\nCHAPTER I\n\n{body}\n\n"
        f"Second paragraph\nof two lines.\n\n{marks[1]}\n\n{licence}\n"
    )
    path = tmp_path / "book.txt"
    path.write_text(text.replace("\n", "\r\n"), "utf-8")
    assert read(path) == [
        [
            "CHAPTER I",
            "It was the best of times, it was the worst of times, it was the age of wisdom.",
            "It was the age of folly.",
            "Second paragraph of two lines.",
        ]
    ]


def wrapped(paragraphs: int, width: int = 68) -> tuple[str, list[str]]:
    """Paragraphs of several sentences, without blank lines, and the same unwrapped."""
    import textwrap

    draw, vocabulary = random.Random(4), ["river", "town", "a", "their", "went", "under"]
    whole = [
        " ".join(
            f"{' '.join(draw.choices(vocabulary, k=draw.randint(5, 15)))}.".capitalize() for _ in range(4)
        )
        + " Here it ends."
        for _ in range(paragraphs)
    ]
    lines = [textwrap.wrap(one, width) for one in whole]
    short = [(one, part) for one, part in zip(whole, lines, strict=True) if len(part[-1]) < 0.6 * width]
    return "\n".join("\n".join(part) for _, part in short), [one for one, _ in short]


def test_lines_of_one_width_are_joined_and_short_ones_end_a_paragraph() -> None:
    text, whole = wrapped(60)
    lines = text.split("\n")
    assert books.is_book(lines[:300])
    assert list(books.documents(enumerate(lines, 1))) == [whole]
    sentences = [sentence for one in whole for sentence in one.replace(". ", ".\n").split("\n")]
    assert not books.is_book(sentences)


def openwebtext(path: Path) -> list[str]:
    """OpenWebText's layout: an archive of archives that are called ``.xz``."""
    texts = [f"Page {n} says something.\n\nAnd something else {n}.\n" for n in range(6)]
    with tarfile.open(path, "w:xz") as outer:
        for part in range(2):
            inside = io.BytesIO()
            with tarfile.open(fileobj=inside, mode="w:xz") as inner:
                for number in range(3 * part, 3 * part + 3):
                    add(inner, f"{number:07d}-ab.txt", texts[number].encode())
            add(outer, f"openwebtext/urlsf_subset{part:02d}_data.xz", inside.getvalue())
        add(outer, "openwebtext/README.md", b"not text")
    return texts


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def test_archives_in_archives_are_read_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "openwebtext.tar.xz"
    openwebtext(path)
    assert read(path) == [[f"Page {n} says something.", f"And something else {n}."] for n in range(6)]
    packed = tmp_path / "wiki.tar.zst"
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        add(archive, "AA/wiki_00", b'<doc id="1" title="Anna">\nAnna\n\nAnna is a town.\n</doc>\n')
    packed.write_bytes(zstandard.compress(plain.getvalue()))
    assert read(packed) == [["Anna is a town."]]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.xml.bz2", bz2.compress(dump(page("A", "Text. " * 9000)))[:-60], "cut-off file"),
        ("a.xml.bz2", b"this is no bzip2", "cannot be read"),
        ("a.xml", dump(page("A", "Some text."))[:-40], r"line \d+, column \d+: the dump is broken"),
        ("a.xml", b"<html></html>", "expected a MediaWiki dump"),
        ("a.tar.xz", lzma.compress(b"no archive" * 99), "cut-off file"),
        ("a.tgz", b"no gzip", "cut-off file"),
    ],
)  # fmt: skip
def test_broken_sources_are_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{name}.*{told}"):
        read(path)


def test_every_document_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_WAITING", 7000)
    known = seen.Seen()
    draw = random.Random(0)
    values = [draw.randrange(1 << 64) for _ in range(60_000)] + [0, (1 << 64) - 1, 1 << 63]
    assert all(known.add(value) for value in values)
    assert not any(known.add(value) for value in values)
    assert len(known) == len(values)
    assert seen.digest(["A town.", "Old."]) == seen.digest(["a town. old."]) != seen.digest(["A town."])


def sources(folder: Path) -> Path:
    """A dump, an archive and a plain file, with documents that come again."""
    folder.mkdir()
    pages = [page(f"P{n}", f"Page {n % 40} is here. It has text {n % 40}.") for n in range(60)]
    (folder / "x-pages-articles.xml.bz2").write_bytes(bz2.compress(dump(*pages, page("E", "{{stub}}"))))
    openwebtext(folder / "openwebtext.tar.xz")
    (folder / "more.txt").write_text("Page 3 is here.\nIt has text 3.\n\nA new one.\n", "utf-8")
    return folder


def test_text_is_built_once_and_the_same_in_any_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = sources(tmp_path / "raw")
    monkeypatch.setattr(build, "_BATCH", 300)
    monkeypatch.setattr(build, "_PART", 400)
    command = ["text", "--corpus", str(raw), "--quiet", "--out"]
    assert main([*command, str(tmp_path / "one"), "--processes", "1"]) == 0
    about = json.loads((tmp_path / "one" / "manifest.json").read_text("utf-8"))
    counts = about["counts"]
    assert counts["documents"] == 40 + 6 + 1
    assert (counts["duplicates"], counts["empty"]) == (20 + 1, 1)
    assert counts["sentences"] == 40 * 2 + 6 * 2 + 1
    text = [" ".join(one) for one in corpus.documents(files.find([tmp_path / "one"]))]
    assert len(text) == len(set(text)) == 47
    assert sum(len(one.split()) for one in text) == counts["words"]
    assert len(about["parts"]) > 2
    assert {file["name"] for file in about["sources"]["files"]} == {path.name for path in raw.iterdir()}

    # Stopped after any part, and gone on with: the same bytes.
    report = itertools.count()

    def stop(*_: object) -> None:
        if next(report) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.build([raw], tmp_path / "two", 1, stop)
    parts = len(list((tmp_path / "two").glob("part-*.json")))
    assert 0 < parts < len(about["parts"])
    assert main([*command, str(tmp_path / "two"), "--processes", "2"]) == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name

    assert main([*command, str(tmp_path / "one")]) == 0
    (raw / "more.txt").write_text("Other text.\n", "utf-8")
    assert main([*command, str(tmp_path / "one")]) == 2
    assert "was begun from other sources" in capsys.readouterr().err


def test_building_and_encoding_hold_a_batch_of_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_BATCH", 100_000)
    monkeypatch.setattr(tokens, "_CHARACTERS_A_CALL", 100_000)
    source = tmp_path / "a.txt"
    documents = [f"Document {n} tells of {n * n} things.\n" * (1 + n % 2 * 1000) for n in range(160)]
    source.write_text("\n".join(documents), "utf-8")
    assert source.stat().st_size > 2_500_000

    def encode(sentences: list[str]) -> list[list[int]]:
        return [[len(word) for word in sentence.split()] for sentence in sentences]

    def write() -> None:
        tokens.write(tmp_path / "tokens", corpus.documents(files.find([source])), encode, 50, lambda _: None)

    def built() -> None:
        build.build([source], tmp_path / "text", 1, lambda *_: None)

    for work in (built, write):
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000_000


def test_a_build_that_is_killed_goes_on_and_leaves_no_process(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    pages = [
        page(f"P{n}", " ".join(f"'''Word''' {n * k} in [[a]] sentence." for k in range(400)))
        for n in range(300)
    ]
    (raw / "x-pages-articles.xml").write_bytes(dump(*pages))
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, "text", "--corpus", str(raw), "--out", str(out), "--quiet"]
    process = subprocess.Popen([*command, "--processes", "2"])
    while process.poll() is None and not (out / "part-00001.json").exists():
        time.sleep(0.01)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    process.kill()
    process.wait()
    assert main([*command[3:], "--processes", "1"]) == 0
    documents = list(corpus.documents(files.find([out])))
    assert len(documents) == 300
    assert documents[7][1].startswith("Word 7 in a")
    deadline = time.monotonic() + 20
    while any(alive(int(child)) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(int(child)) for child in children)


#: The command with parts small enough to be killed between two.
KILLED = """
import sys
from tpu_train.text import build
from tpu_train.cli import main
if __name__ == "__main__":
    build._BATCH, build._PART = 50_000, 200_000
    sys.exit(main())
"""


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True


def test_nothing_is_built_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.xml").write_bytes(dump(page("A", "{{stub}}")))
    assert main(["text", "--corpus", str(tmp_path / "a.xml"), "--out", str(tmp_path / "out"), "--quiet"]) == 2
    assert "The sources are empty" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_real_dump_and_novels_give_known_counts(tmp_path: Path) -> None:
    if "EMBRYO_DATA" not in os.environ:
        pytest.skip("EMBRYO_DATA is not set")
    data = Path(os.environ["EMBRYO_DATA"])
    dumped = list(corpus.documents_of_file(next((data / "wiki").glob("*.xml.bz2"))))
    # 206 pages, of which 100 are redirects.
    assert len(dumped) == 106
    assert sum(map(len, dumped)) == pytest.approx(21_780, rel=0.02)
    text = " ".join(sentence for document in dumped for sentence in document)
    assert len(text.split()) == pytest.approx(438_000, rel=0.02)
    for mark in ("[[", "{{", "<ref", "File:", "|-"):
        assert text.count(mark) < 12, mark
    novels = itertools.islice(corpus.documents_of_file(data / "books" / "100_english_novels.tar.zst"), 8)
    for novel in novels:
        assert len(novel) > 1000
        words = sum(len(sentence.split()) for sentence in novel) / len(novel)
        assert 8 < words < 40  # lines that were wrapped would make "sentences" of eleven words, cut anywhere
        assert sum(sentence[-1] in ".!?\"'”’:;)" for sentence in novel) > 0.8 * len(novel)
