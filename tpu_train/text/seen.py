"""Which documents have been there before: 64-bit digests in one flat table.

At ten million documents two different ones meet with a probability of 3 in a million. Sixteen to thirty-two
bytes a document, against more than a hundred in a set.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from tpu_train.text.plain import Document

_FIRST_SLOTS = 1 << 16
#: Stands for an empty slot; the digest 0 counts as 1.
_EMPTY = 0


def digest(document: Document) -> int:
    """64 bits of a document's text, without regard to case and line ends."""
    text = " ".join(document).lower()
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") or 1


class Seen:
    """A set of digests: open addressing, half empty at least."""

    def __init__(self) -> None:
        """An empty set."""
        self._slots: npt.NDArray[np.uint64] = np.full(_FIRST_SLOTS, _EMPTY, dtype=np.uint64)
        self._count = 0

    def __len__(self) -> int:
        """How many digests are there."""
        return self._count

    def add(self, value: int) -> bool:
        """Adds a digest; False if it was there."""
        if 2 * self._count >= len(self._slots):
            self._grow()
        place = value % len(self._slots)
        while (found := int(self._slots[place])) != _EMPTY:
            if found == value:
                return False
            place = (place + 1) % len(self._slots)
        self._slots[place] = value
        self._count += 1
        return True

    def _grow(self) -> None:
        values = self._slots[self._slots != _EMPTY]
        self._slots = np.full(2 * len(self._slots), _EMPTY, dtype=np.uint64)
        self._count = 0
        for value in values.tolist():
            self.add(value)
