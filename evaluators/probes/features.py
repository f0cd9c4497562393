"""The vectors of all spans at every layer, gathered batch by batch: in memory, or in a file that has no name.

A span's vector is the mean over its pieces (paper, appendix D.1). Knows neither labels nor classifiers.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from evaluators.batches import Batch
from evaluators.errors import CheckpointError
from evaluators.probes.spans import TaskSpans

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pooling:
    """Spans ``first`` and following, of one batch.

    ``pieces``: the spans' pieces, one span after another, as indices into the batch's pieces row by row.
    ``offsets``: where each span's begin in ``pieces``.
    """

    first: int
    pieces: torch.Tensor
    offsets: torch.Tensor

    def means(self, states: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """The spans' vectors of one layer after another, (spans, width) in fp32 and on the states' device,
        from the ``states`` of every layer, (rows, length, width).
        """
        pieces, offsets = self.pieces.to(states[0].device), self.offsets.to(states[0].device)
        for state in states:
            flat = state.reshape(-1, state.shape[-1]).float()
            yield torch.nn.functional.embedding_bag(pieces, flat, offsets, mode="mean")


def poolings(spans: TaskSpans, batches: Sequence[Batch]) -> tuple[Pooling, ...]:
    """How the spans lie in ``batches``, whose items are the spans' rows in ascending order."""
    found = []
    for batch in batches:
        first, last = np.searchsorted(spans.row, [batch.item[0], batch.item[-1] + 1])
        row = spans.row[first:last] - batch.item[0]
        length = spans.end[first:last] - spans.start[first:last]
        offsets = np.cumsum(length) - length
        within = np.arange(int(length.sum())) - np.repeat(offsets, length)
        pieces = np.repeat(row * batch.ids.shape[1] + spans.start[first:last], length) + within
        found.append(Pooling(int(first), torch.from_numpy(pieces), torch.from_numpy(offsets)))
    return tuple(found)


class FeatureBank:
    """Room for ``spans`` vectors of ``width`` numbers at each of ``layers`` layers, fp32, layer by layer.

    It lies on the GPU that makes the states, where that has twice the room. Else, up to ``budget`` bytes, in
    memory; beyond, in a memory-mapped file under the folder for temporary files. The file is unlinked as soon
    as it is open, so that nothing is left of it, however the process ends.
    """

    def __init__(
        self, layers: int, spans: int, width: int, budget: float, device: torch.device | None = None
    ) -> None:
        """Takes the room. ``device``: where the states are made.

        Raises:
            CheckpointError: the disk has not enough of it.
        """
        shape = (layers, spans, width)
        size = 4 * layers * spans * width
        on_gpu = (
            device is not None and device.type == "cuda" and 2 * size <= torch.cuda.mem_get_info(device)[0]
        )
        self._budget, self._touched = budget, 0
        self._map = _mapped(size) if not on_gpu and size > budget else None
        self._vectors = (
            torch.empty(shape, dtype=torch.float32, device=device if on_gpu else None)
            if self._map is None
            else torch.frombuffer(self._map, dtype=torch.float32).view(shape)
        )

    @property
    def on_disk(self) -> bool:
        """Does it lie in a file?"""
        return self._map is not None

    @property
    def layers(self) -> int:
        """The number of layers, the embeddings among them."""
        return len(self._vectors)

    def fill(self, pooling: Pooling, states: Sequence[torch.Tensor]) -> None:
        """Pools one batch: ``states``, one a layer, (rows, length, width)."""
        if len(pooling.offsets):
            last = pooling.first + len(pooling.offsets)
            for layer, vectors in zip(self._vectors, pooling.means(states), strict=True):
                layer[pooling.first : last] = vectors
                self._touch(4 * vectors.numel())

    def layer(self, number: int) -> torch.Tensor:
        """All vectors of one layer: (spans, width), sharing the bank's memory."""
        vectors = self._vectors[number]
        self._touch(4 * vectors.numel())
        return vectors

    def _touch(self, size: int) -> None:
        """So many bytes are used next: if they become too many, the pages used before go back to the file."""
        self._touched += size
        if self._map is not None and self._touched > self._budget:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = size


def _mapped(size: int) -> mmap.mmap:
    folder = Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder, prefix="embryo-features-") as file:
            if hasattr(os, "posix_fallocate"):
                # Writing to a mapped page for which the disk has no room would kill the process.
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return mmap.mmap(file.fileno(), size)
    except OSError as error:
        free = shutil.disk_usage(folder).free
        raise CheckpointError(
            f"The probes' features need {size / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB free "
            f"({error.strerror}). Set TMPDIR to a larger disk, lower max_targets, or raise memory."
        ) from error
