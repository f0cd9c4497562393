"""Which statistics there are to choose from, before any of them is read."""

from __future__ import annotations

from pathlib import Path

import embryo_store


def test_the_statistics_of_a_run_are_listed_by_name(store: Path) -> None:
    with embryo_store.read(store) as reader:
        assert reader.head_statistics("small") == ("diagonal",)
        assert reader.head_statistics("another run") == ()
