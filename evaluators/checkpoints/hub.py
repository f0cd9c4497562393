"""Runs on the Hugging Face Hub: a repository with a revision a step, or a repository a step.

Files come through huggingface_hub and stay in its cache. Digests are the Hub's own (large files) or
remembered by git's (small ones): planning downloads configurations, never weights.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from embryo_store.records import Run
from evaluators.checkpoints.base import CheckpointSource, SavedStep
from evaluators.checkpoints.layouts import step_of
from evaluators.checkpoints.memory import recall, remember
from evaluators.checkpoints.model_folder import Listing, describe, find_model
from evaluators.checkpoints.trees import Entry, Tree
from evaluators.errors import InputError

_SHAPE = (
    "expected hub:ORGANISATION/NAME (a revision a step) or hub:ORGANISATION/NAME-step_* (a repository a step)"
)
_STEP_PART = re.compile(r"[-_.]?(?:step|checkpoint|ckpt)[-_]?\d+[kKmM]?$")
#: Tries of one request, and seconds before the second; the wait doubles, and the Hub's own wish goes first.
TRIES = 5
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
#: Small files are kept in memory by their git digest: a vocabulary is the same in a thousand revisions.
_SMALL = 1 << 22

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class HubTree(Tree):
    """The files of one repository at one commit."""

    repo: str
    revision: str
    commit: str
    blobs: Mapping[str, str] = field(compare=False, repr=False, default_factory=dict)

    @property
    def uri(self) -> str:
        """As a user would write it."""
        return f"hub:{self.repo}@{self.revision}"

    @property
    def name(self) -> str:
        """The repository's name without its organisation."""
        return self.repo.rpartition("/")[2]

    def folders(self) -> tuple[str, ...]:
        """Folders of the repository."""
        return tuple(sorted({path.partition("/")[0] for path in self.blobs if "/" in path}))

    def files(self, depth: int) -> Mapping[str, Entry]:
        """Its files; sizes are not known here."""
        return {path: Entry(0, blob) for path, blob in self.blobs.items() if path.count("/") < depth}

    def child(self, name: str) -> Tree:
        """Not needed: a commit is one listing."""
        raise NotImplementedError(name)

    def read(self, path: str, most: int | None = None) -> bytes:
        """The file from the Hub's cache, downloaded where it is not there; the start of a file by itself."""
        if most is not None:
            return _start(self.repo, self.commit, path, most)
        blob = self.blobs.get(path, "")
        if blob and blob in _small_files():
            return _small_files()[blob]
        data = Path(_download(self.repo, self.commit, path)).read_bytes()
        if blob and len(data) <= _SMALL:
            _small_files()[blob] = data
        return data

    def stamp(self, path: str) -> str:
        """A commit never changes."""
        return self.blobs.get(path, "")

    def at(self, path: str) -> str:
        """As a user would write it."""
        return f"{self.uri}/{path}"

    def lasting(self, path: str) -> str:
        """A git digest names a content, wherever it lies."""
        return "git"


@lru_cache(maxsize=1)
def _small_files() -> dict[str, bytes]:
    return {}


@dataclass
class HubRuns(CheckpointSource):
    """What ``named`` (ORGANISATION/NAME, with * for a repository a step) means on the Hub."""

    named: str
    _found: dict[str, dict[int, tuple[str, str, str]]] = field(default_factory=dict)

    def runs(self) -> tuple[str, ...]:
        """The runs' names: the repository's, or the part that the repositories of a run share.

        Raises:
            InputError: the Hub has no such repository or no steps in it, or cannot be asked.
        """
        if not self._found:
            self._look()
        return tuple(sorted(self._found))

    def steps(self, run: str) -> tuple[int, ...]:
        """The steps that the Hub has now."""
        self._look()
        return tuple(sorted(self._found[run]))

    def describe(self, run: str) -> Run:
        """Family and shape of the last step."""
        self.runs()
        return describe(run, self.open(run, max(self._found[run])), f"hub:{self.named}")

    def open(self, run: str, step: int) -> SavedStep:
        """One step by the Hub's metadata, and its config.json.

        Raises:
            InputError: there is no such step, or the Hub cannot be asked.
        """
        self.runs()
        if step not in self._found[run]:
            raise InputError(f"hub:{self.named} has no step {step:,}.")
        return find_model(_listing(*self._found[run][step]), "", run, step)

    def train_log(self, run: str) -> Path | None:
        """The Hub keeps none in a known form."""
        return None

    def _look(self) -> None:
        organisation, slash, name = self.named.partition("/")
        if not (organisation and slash and name) or "/" in name:
            raise InputError(f"hub:{self.named}: {_SHAPE}.")
        found = _repositories(organisation, name) if "*" in name else _revisions(self.named)
        if not found:
            what = "no repository whose name tells a step" if "*" in name else "no revision that names a step"
            raise InputError(f"hub:{self.named} has {what} (step1000, step_20k, checkpoint-500): {_SHAPE}.")
        self._found = found


def _revisions(repo: str) -> dict[str, dict[int, tuple[str, str, str]]]:
    refs = _patiently(f"hub:{repo}", lambda: _api().list_repo_refs(repo))
    steps = {
        step: (repo, ref.name, ref.target_commit)
        for ref in (*refs.branches, *refs.tags)
        if (step := step_of(ref.name)) is not None
    }
    return {repo.rpartition("/")[2]: steps} if steps else {}


def _repositories(organisation: str, pattern: str) -> dict[str, dict[int, tuple[str, str, str]]]:
    search = max(pattern.split("*"), key=len)
    listed = _patiently(
        f"hub:{organisation}/{pattern}",
        lambda: list(_api().list_models(author=organisation, search=search or None)),
    )
    found: dict[str, dict[int, tuple[str, str, str]]] = {}
    for repo in sorted(model.id for model in listed):
        name = repo.rpartition("/")[2]
        step = step_of(name)
        if step is not None and fnmatch.fnmatchcase(name, pattern):
            found.setdefault(_STEP_PART.sub("", name), {})[step] = (repo, "main", "")
    return found


def _listing(repo: str, revision: str, commit: str) -> Listing:
    """The files of a commit: listed once, then remembered, for a commit never changes."""
    known = recall(f"hub:{repo}", commit)
    if known is None:
        told = _patiently(
            f"hub:{repo}@{revision}",
            lambda: _api().model_info(repo, revision=commit or revision, files_metadata=True),
        )
        commit = str(told.sha)
        files = {
            f.rfilename: [f.size or 0, f.blob_id or "", f.lfs.sha256 if f.lfs else ""]
            for f in told.siblings or ()
        }
        known = json.dumps(files)
        remember(f"hub:{repo}", commit, known)
    files = json.loads(known)
    blobs = {path: blob for path, (_, blob, _) in files.items()}
    return Listing(
        tree=HubTree(repo, revision, commit, blobs),
        files={path: Entry(size, blob) for path, (size, blob, _) in files.items()},
        told={path: digest for path, (_, _, digest) in files.items() if digest},
    )


def _api() -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    return HfApi(endpoint=_endpoint(), library_name="lm-embryology")


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _download(repo: str, commit: str, path: str) -> str:
    api = _api()
    try:
        # The library itself tries again, and goes on where a download broke off.
        ask = partial(api.hf_hub_download, repo, path, revision=commit)
        return str(_patiently(f"hub:{repo}/{path}", ask, tries=3))
    except InputError as error:
        raise OSError(str(error)) from error


def _start(repo: str, commit: str, path: str, most: int) -> bytes:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    url = hf_hub_url(repo, path, revision=commit, endpoint=_endpoint())
    headers = {**build_hf_headers(), "Range": f"bytes=0-{most - 1}"}

    def ask() -> bytes:
        response = get_session().get(url, headers=headers, follow_redirects=True)
        hf_raise_for_status(response)
        return bytes(response.content[:most])

    try:
        return _patiently(f"hub:{repo}/{path}", ask)
    except InputError as error:
        raise OSError(str(error)) from error


def _patiently(where: str, ask: Callable[[], _Result], tries: int = TRIES) -> _Result:
    """Asks again while the Hub is busy or the connection drops, a few times.

    Raises:
        InputError: the Hub answers no, or still not at all.
    """
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    wait = FIRST_WAIT
    for attempt in range(tries):
        try:
            return ask()
        except HFValidationError as error:
            raise InputError(f"{where}: {_SHAPE} ({error}).") from error
        except (EntryNotFoundError, HfHubHTTPError, OSError) as error:
            status = _status(error)
            if (status is not None and status not in _AGAIN) or attempt == tries - 1:
                raise InputError(_explain(where, error, status)) from error
            wish = _wish(error)
        except Exception as error:  # the HTTP library's own: a dropped connection, a time-out
            if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "httpcore2"):
                raise
            if attempt == tries - 1:
                raise InputError(_explain(where, error, None)) from error
            wish = None
        time.sleep(min(wish if wish is not None else wait, LONGEST_WAIT))
        wait *= 2
    raise AssertionError("every try returns or raises")


def _response(error: BaseException | None) -> Any:
    """The Hub's answer behind an error, or behind the one that led to it."""
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            return response
        error = error.__cause__ or error.__context__
    return None


def _status(error: BaseException) -> int | None:
    response = _response(error)
    return int(response.status_code) if response is not None else None


def _wish(error: BaseException) -> float | None:
    response = _response(error)
    told = response.headers.get("Retry-After", "") if response is not None else ""
    return float(told) if told.isdigit() else None


def _explain(where: str, error: Exception, status: int | None) -> str:
    if status in (401, 403):
        return (
            f"{where}: the Hub asks who you are ({status}). Check the name; for a private one: hf auth login."
        )
    if status == 404:
        return f"{where}: the Hub has nothing of that name (404). Check it on the Hub's page; {_SHAPE}."
    if status == 429:
        return f"{where}: the Hub is asked too often (429). Wait, or hf auth login."
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
    return f"{where}: the Hub cannot be reached: {line}. Check the connection and HF_ENDPOINT; try again."
