"""Two small worlds of the same seed, and what their files say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embryo_demo.world import Size, write_world

SMALL = Size(sentences=6_000, heldout=300)


@dataclass(frozen=True)
class World:
    """A written world and its manifest."""

    root: Path
    manifest: dict[str, Any]

    @property
    def text(self) -> str:
        """The training text."""
        return (self.root / "text" / "world.txt").read_text("utf-8")

    @property
    def sentences(self) -> list[str]:
        """The training text without blank lines."""
        return [line for line in self.text.split("\n") if line]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("world")
    write_world(root, 0, SMALL)
    return World(root, json.loads((root / "world.json").read_text("utf-8")))
