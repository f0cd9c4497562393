"""Inputs in batches: rows of one length, under a budget of pieces. A function of the inputs alone, so that a
stored number never depends on what was evaluated beside it. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

#: Pieces in a batch; a longer row is a batch of its own. Activations of this size stay near the processor.
BUDGET = 2048


@dataclass(frozen=True)
class Batch:
    """Rows of equal length: ``ids`` (rows, length), and ``item``, the input's index, of every row."""

    ids: Ints
    item: Ints


@dataclass(frozen=True)
class Stream:
    """Everything one forward pass reads. One pass serves all streams of equal ``key``.

    ``attentions``: the pass yields attention maps. That is part of a stream, not of a request, for it changes
    the order of additions and with it the last bits. ``layers``: the pass yields the states of every layer,
    for all who share it where one asks.
    ``places``: by batch rows (ascending) and columns of the pieces whose last states are read, where that is
    not all of them: the pass yields these alone.
    """

    key: tuple[str, ...]
    batches: tuple[Batch, ...]
    attentions: bool = False
    layers: bool = False
    places: tuple[tuple[Ints, Ints], ...] = ()

    @property
    def pieces(self) -> int:
        """The number of pieces that the pass reads."""
        return sum(batch.ids.size for batch in self.batches)


def together(batches: Sequence[Batch], budget: int) -> Iterator[slice]:
    """Neighbours of one length, under a larger ``budget`` of pieces: where each such group stands."""
    start = 0
    while start < len(batches):
        length, pieces, end = batches[start].ids.shape[1], 0, start
        while end < len(batches) and batches[end].ids.shape[1] == length:
            pieces += batches[end].ids.size
            if pieces > budget and end > start:
                break
            end += 1
        yield slice(start, end)
        start = end


def by_length(rows: Sequence[Ints], budget: int = BUDGET) -> tuple[Batch, ...]:
    """Puts rows of equal length together, shortest first, at most ``budget`` pieces a batch."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        length = int(lengths[order[start]])
        end = int(np.searchsorted(lengths[order], length, side="right"))
        end = min(end, start + max(budget // length, 1))
        items = order[start:end]
        batches.append(Batch(np.stack([rows[i] for i in items]), items))
        start = end
    return tuple(batches)
