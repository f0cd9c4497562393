"""``embryo-eval data`` against a server of our own: whole or not at all, resumed, held against digests."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evaluators import data
from evaluators.corpora.find import look

Evaluate = Callable[..., tuple[int, str, str]]
TREEBANK = "".join(f"1\tword{i}\t_\tX\tNN\t_\t0\t_\t_\t_\n\n" for i in range(20_000)).encode()
FILES = {"/a/bank.conllu": TREEBANK, "/b/more.conllu": TREEBANK[:5000]}


class Server(ThreadingHTTPServer):
    """Serves FILES by range. ``breaks``: so many answers end half way; ``status``: what it says instead."""

    breaks = 0
    status = 200
    asked: list[tuple[str, str | None]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        content = FILES[self.path]
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        left = content[start:]
        if self.server.breaks:
            self.server.breaks -= 1
            left = left[: len(left) // 2]
        self.wfile.write(left)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.chdir(tmp_path)
    pinned = [
        data.PinnedFile(
            path.rpartition("/")[2], data.ORIGIN + path[1:], len(content), hashlib.sha256(content).hexdigest()
        )
        for path, content in FILES.items()
    ]
    corpus = data.OpenCorpus("bank", "a treebank", "CC0", "here", tuple(pinned))
    monkeypatch.setattr(data, "open_corpora", lambda: {"bank": corpus})
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    running = Server(("127.0.0.1", 0), Handler)
    running.asked = []
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


def mirror(server: Server) -> tuple[str, str]:
    return "--mirror", f"http://127.0.0.1:{server.server_port}/"


def test_a_corpus_is_fetched_whole_and_not_again(server: Server, evaluate: Evaluate) -> None:
    assert "no" in evaluate("data", "--list")[1]
    code, out, err = evaluate("data", *mirror(server))
    assert (code, "in data/bank (CC0, here)" in out) == (0, True), err
    assert Path("data/bank/bank.conllu").read_bytes() == TREEBANK
    assert {found.name for found in look(Path("data")).corpora} == {"bank", "bank/more"}
    server.asked.clear()
    assert evaluate("data", "bank", *mirror(server))[0] == 0
    assert not server.asked


def test_a_broken_transfer_is_gone_on_with(server: Server, evaluate: Evaluate) -> None:
    server.breaks = 100
    code, _, err = evaluate("data", *mirror(server))
    assert (code, "Traceback" in err) == (3, False)
    assert "the same command goes on from there" in err
    assert not look(Path("data")).corpora, "half a corpus is none"
    server.breaks = 0
    server.asked.clear()
    assert evaluate("data", *mirror(server))[0] == 0
    path, first = server.asked[0]
    assert (path, first is not None) == ("/a/bank.conllu", True), "a range, for most of it is there"
    assert Path("data/bank/bank.conllu").read_bytes() == TREEBANK


@pytest.mark.parametrize("status", [404, 429, 503])
def test_a_server_that_refuses(server: Server, evaluate: Evaluate, status: int) -> None:
    server.status = status
    code, _, err = evaluate("data", *mirror(server))
    assert (code, "Traceback" in err, "cannot be fetched" in err) == (3, False, True)
    assert f"{status}" in err
    assert not Path("data/bank").exists()


def test_another_content_than_the_pinned_one_is_not_kept(
    server: Server, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILES, "/a/bank.conllu", TREEBANK.replace(b"NN", b"VB"))
    code, _, err = evaluate("data", *mirror(server))
    assert (code, "is not what it was" in err) == (3, True)
    assert not list(Path("data").rglob("*.conllu"))


def test_a_file_of_the_users_own_is_left_alone(server: Server, evaluate: Evaluate) -> None:
    Path("data/bank").mkdir(parents=True)
    Path("data/bank/bank.conllu").write_text("mine")
    code, _, err = evaluate("data", *mirror(server))
    assert (code, "is not the file that is pinned" in err) == (2, True)
    assert Path("data/bank/bank.conllu").read_text() == "mine"
    assert evaluate("data", "nonsense")[0] == 2


def test_the_catalogue_names_every_file_by_commit_and_digest() -> None:
    for corpus in data.open_corpora().values():
        for file in corpus.files:
            assert file.url.startswith(data.ORIGIN)
            assert any(len(part) == 40 for part in file.url.split("/")), "a commit, which nobody can move"
            assert len(file.sha256) == 64
