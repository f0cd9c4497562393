"""The small store that comes with the app, copied to where it can be opened."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

NAME = "sample.duckdb"


@contextmanager
def sample() -> Iterator[Path | None]:
    """A temporary copy of the sample store, or None where this installation has none.

    A copy, since the installed folder may be read-only, and two users may look at it at once.
    """
    shipped = resources.files("embryo_tui") / NAME
    if not shipped.is_file():
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="embryo-") as folder:
        path = Path(folder) / NAME
        with resources.as_file(shipped) as source:
            shutil.copyfile(source, path)
        yield path
