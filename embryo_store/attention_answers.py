"""Attention maps as they are stored, a byte a probability, decoded where they are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embryo_store import sql
from embryo_store.dense import by_head
from embryo_store.query import Reader


@dataclass(frozen=True)
class AttentionBytes:
    """Every head's map of one sentence at one step: ``(layers, heads, size, size)``, round(255 * sqrt(p))."""

    run: str
    step: int
    sentence_id: int
    bytes: npt.NDArray[np.uint8]

    @classmethod
    def made(
        cls,
        run: str,
        step: int,
        sentence_id: int,
        layer: npt.NDArray[Any],
        head: npt.NDArray[Any],
        size: npt.NDArray[Any],
        maps: npt.NDArray[Any],
    ) -> AttentionBytes | None:
        """From rows of the table, where there are any."""
        found = by_head(layer, head, size, maps)
        return cls(run, step, sentence_id, found) if found.size else None

    def layer(self, layer: int) -> npt.NDArray[np.float32]:
        """The probabilities of one layer (from 1; at most the last): ``(heads, size, size)``."""
        part = self.bytes[min(layer, len(self.bytes)) - 1]
        found: npt.NDArray[np.float32] = _PROBABILITY[part]
        return found


_PROBABILITY = np.square(np.arange(256, dtype=np.float32) / np.float32(255))


def attention_bytes(reader: Reader, run: str, step: int, sentence_id: int) -> AttentionBytes | None:
    """The maps at a step or, without them, the nearest earlier one; None without any."""
    shown = reader.sql(sql.ATTENTION_SHOWN, [run, step, None]).rows
    if not shown:
        return None
    dataset, seed, at = shown[0]
    rows = reader.arrays(sql.ATTENTION_AT, [run, at, dataset, seed, sentence_id])
    columns = (rows[name] for name in ("layer", "head", "size", "map"))
    return AttentionBytes.made(run, at, sentence_id, *columns)
