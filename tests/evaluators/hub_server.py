"""A server that speaks the part of the Hub's HTTP API by which huggingface_hub looks up and downloads."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

#: Files that the Hub keeps as large ones: it tells their SHA-256.
LARGE = (".safetensors", ".bin")


class Hub:
    """Repositories, each a mapping revision → folder; and the faults that the next requests meet.

    ``faults``: path part → statuses to answer with first (0 drops the connection half way).
    """

    def __init__(self, repositories: Mapping[str, Mapping[str, Path]]) -> None:
        self.repositories = repositories
        self.faults: dict[str, list[int]] = {}
        self.asked: Counter[str] = Counter()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self, with_body=True)

            def do_HEAD(self) -> None:
                hub.answer(self, with_body=False)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, *, with_body: bool) -> None:
        split = urlsplit(request.path)
        path = unquote(split.path)
        self.asked[f"{request.command} {path}"] += 1
        fault = next((codes.pop(0) for part, codes in self.faults.items() if part in path and codes), None)
        if fault:
            return self._send(request, fault, b"{}", {"Retry-After": "0"}, with_body=with_body)
        headers, body, status = self._find(path, parse_qs(split.query))
        if fault == 0:
            request.send_response(200)
            request.send_header("Content-Length", str(len(body) + 1))
            request.end_headers()
            request.wfile.write(body[: len(body) // 2] if with_body else b"")
            request.wfile.flush()
            request.close_connection = True
            return None
        asked = request.headers.get("Range")
        if asked and status == 200:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            end = min(int(last) + 1, len(body)) if last else len(body)
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(body)}"
            body, status = body[int(first) : end], 206
        return self._send(request, status, body, headers, with_body=with_body)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: Mapping[str, str],
        *,
        with_body: bool,
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if with_body:
            request.wfile.write(body)

    def _find(self, path: str, query: Mapping[str, list[str]]) -> tuple[dict[str, str], bytes, int]:
        parts = path.strip("/").split("/")
        if path == "/api/models":
            author, search = query.get("author", [""])[0], query.get("search", [""])[0]
            names = [n for n in self.repositories if n.startswith(author + "/") and search in n]
            return {}, json.dumps([{"id": n, "modelId": n} for n in names]).encode(), 200
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        if name not in self.repositories:
            return {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}', 404
        revisions = self.repositories[name]
        if parts[-1] == "refs":
            refs = [
                {"name": r, "ref": f"refs/heads/{r}", "targetCommit": commit_of(name, r)} for r in revisions
            ]
            return {}, json.dumps({"branches": refs, "converts": [], "tags": []}).encode(), 200
        wanted = parts[3] if parts[0] != "api" else (parts[5] if len(parts) > 5 else "main")
        revision = next((r for r in revisions if wanted in (r, commit_of(name, r))), None)
        if revision is None:
            return {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}', 404
        folder = revisions[revision]
        if parts[0] == "api":
            return {}, json.dumps(_info(name, revision, folder)).encode(), 200
        file = folder / "/".join(parts[4:])
        headers = {"X-Repo-Commit": commit_of(name, revision)}
        if not file.is_file():
            return {**headers, "X-Error-Code": "EntryNotFound"}, b"{}", 404
        data = file.read_bytes()
        etag = hashlib.sha256(data).hexdigest() if file.suffix in LARGE else blob_of(data)
        return {**headers, "ETag": f'"{etag}"'}, data, 200


def commit_of(name: str, revision: str) -> str:
    return hashlib.sha1(f"{name}@{revision}".encode()).hexdigest()


def blob_of(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _info(name: str, revision: str, folder: Path) -> dict[str, object]:
    siblings = []
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = file.read_bytes()
        sibling: dict[str, object] = {
            "rfilename": str(file.relative_to(folder)),
            "size": len(data),
            "blobId": blob_of(data),
        }
        if file.suffix in LARGE:
            sibling["lfs"] = {
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
                "pointerSize": 130,
            }
        siblings.append(sibling)
    return {"id": name, "modelId": name, "sha": commit_of(name, revision), "siblings": siblings}
