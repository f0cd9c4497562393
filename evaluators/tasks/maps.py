"""Statistics of attention maps (docs/evaluators.md). Tensors in, numbers out: no model, no sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

#: Stands for 0 under a logarithm whose factor is 0.
_TINY = 1e-30

#: Each is a mean over query rows; the head axes are kept.
STATISTICS = ("diagonal", "previous", "next", "cls", "sep", "punctuation", "entropy", "distance")


def row_sums(maps: torch.Tensor, punctuation: npt.NDArray[np.bool_]) -> dict[str, tuple[torch.Tensor, int]]:
    """Sums every statistic over the query rows of one layer.

    ``maps``: (sentences, heads, n, n), ``punctuation``: (sentences, n). First comes [CLS], last [SEP].
    Returns by statistic the sums (heads,) in float64 and the number of rows summed over: ``previous`` has no
    row for the first piece, ``next`` none for the last.
    """
    sentences, _, n, _ = maps.shape
    rows = sentences * n
    mass = {
        "diagonal": maps.diagonal(dim1=-2, dim2=-1),
        "previous": maps.diagonal(offset=-1, dim1=-2, dim2=-1),
        "next": maps.diagonal(offset=1, dim1=-2, dim2=-1),
        "cls": maps[..., 0],
        "sep": maps[..., -1],
        "punctuation": maps.sum(-2) * maps.new_tensor(punctuation)[:, None, :],
        "entropy": _entropy(maps),
        "distance": _distances(maps),
    }
    beside = {"previous": sentences, "next": sentences}
    return {name: (each.double().sum((0, 2)), rows - beside.get(name, 0)) for name, each in mass.items()}


def _entropy(p: torch.Tensor) -> torch.Tensor:
    """Entropy of every row in nats, over the last axis."""
    found: torch.Tensor = -(p * p.clamp_min(_TINY).log()).sum(-1)
    return found


def _distances(p: torch.Tensor) -> torch.Tensor:
    """Mean Jensen-Shannon distance (base 2, 0..1) to the layer's other heads, by sentence, head, row.

    It is 0 where there is no other head.
    """
    heads = p.shape[1]
    total = p[..., 0] * 0
    for one in range(heads):
        for other in range(one + 1, heads):
            distance = (_divergence(p[:, one], p[:, other]) / math.log(2)).clamp(0, 1).sqrt()
            total[:, one] += distance
            total[:, other] += distance
    return total / max(heads - 1, 1)


def _divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Jensen-Shannon divergence of rows in nats. Logarithms of ratios are exact where p is near q."""
    both = (p + q).clamp_min(_TINY)
    found: torch.Tensor = (_relative(p, both) + _relative(q, both)).sum(-1) / 2
    return found


def _relative(p: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = p * (2 * p / both).clamp_min(_TINY).log()
    return found
