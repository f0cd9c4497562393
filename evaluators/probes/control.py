"""The control task of part-of-speech probing (Hewitt and Liang 2019): every word type has one tag, drawn
at random.

A probe can do well on it only by memorising word types; *selectivity* is accuracy minus control accuracy.
Tags are drawn from the training targets' own distribution, each type by itself, so that no other word
moves its tag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def control_labels(forms: Sequence[str], train: Ints, seed: int) -> Ints:
    """The control label of every form; ``train``: the real labels of the training targets."""
    shares = np.cumsum(np.bincount(train) / len(train))
    draws = np.array([_uniform(form, seed) for form in forms])
    return np.minimum(np.searchsorted(shares, draws, side="right"), len(shares) - 1)


def _uniform(form: str, seed: int) -> float:
    """A number in [0, 1) that ``form`` and ``seed`` decide."""
    digest = hashlib.blake2b(form.encode(), digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)
