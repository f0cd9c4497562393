"""Names that people give to runs and corpora: they go into rows, messages and terminals."""

from __future__ import annotations

import re
from collections.abc import Iterable

from embryo_store.errors import BadName

#: Control codes, which would move the cursor or colour a terminal, and bytes of file names that are no UTF-8.
_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_name(text: str) -> bool:
    """Whether ``text`` can be stored and shown as a name."""
    return bool(text.strip()) and _UNSHOWABLE.search(text) is None


def refuse_no_names(names: Iterable[str]) -> None:
    """Raises BadName where one could not be shown."""
    for name in names:
        if not is_name(name):
            raise BadName(f"{name!a} is no name for a run. Expected one line of text that can be shown.")
