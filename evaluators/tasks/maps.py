"""Statistics of attention maps (docs/evaluators.md). Tensors in, numbers out: no model, no sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

#: After Kovaleva et al. 2019; docs/evaluators.md has the rules. Each is a share of the sentences.
PATTERNS = ("vertical", "diagonal", "vertical+diagonal", "block", "heterogeneous")
#: A pattern is seen where it holds so much of the attention, beyond what uniform attention would put there.
_SEEN = 0.5
#: Of vertical and diagonal attention, one stands alone where its part of both is so large.
_ALONE = 0.75
#: Columns that make a vertical map: as many as there are special pieces in a row.
_COLUMNS = 2

#: Stands for 0 under a logarithm whose factor is 0.
_TINY = 1e-30

#: Each is a mean over query rows; the head axes are kept.
STATISTICS = ("diagonal", "previous", "next", "cls", "sep", "punctuation", "entropy", "distance")


def row_sums(maps: torch.Tensor, punctuation: npt.NDArray[np.bool_]) -> dict[str, tuple[torch.Tensor, int]]:
    """Sums every statistic over the query rows of a layer, or of several.

    ``maps``: (…, sentences, heads, n, n), ``punctuation``: (sentences, n). First comes [CLS], last [SEP].
    Returns by statistic the sums (…, heads) in float64 and the number of rows summed over: ``previous`` has
    no row for the first piece, ``next`` none for the last.
    """
    sentences, _, n, _ = maps.shape[-4:]
    rows = sentences * n
    information = _information(maps)
    mass = {
        "diagonal": maps.diagonal(dim1=-2, dim2=-1),
        "previous": maps.diagonal(offset=-1, dim1=-2, dim2=-1),
        "next": maps.diagonal(offset=1, dim1=-2, dim2=-1),
        "cls": maps[..., 0],
        "sep": maps[..., -1],
        "punctuation": maps.sum(-2) * maps.new_tensor(punctuation)[:, None, :],
        "entropy": -information,
        "distance": _distances(maps, information),
    }
    beside = {"previous": sentences, "next": sentences}
    return {name: (each.double().sum((-3, -1)), rows - beside.get(name, 0)) for name, each in mass.items()}


def patterns(maps: torch.Tensor) -> torch.Tensor:
    """Which of ``PATTERNS`` each map shows: (…, n, n) to indices (…)."""
    import torch

    n = maps.shape[-1]
    columns = maps.mean(-2)
    vertical = _beyond(columns.topk(min(_COLUMNS, n), dim=-1).values.sum(-1), min(_COLUMNS, n) / n)
    lines = sum(maps.diagonal(offset, -2, -1).sum(-1) for offset in (-1, 0, 1))
    diagonal = _beyond(lines / n, (3 * n - 2) / n**2)
    both = vertical + diagonal
    found = torch.full(both.shape, PATTERNS.index("heterogeneous"), device=maps.device)
    found[_blocks(maps) >= _SEEN] = PATTERNS.index("block")
    seen = both >= _SEEN
    found[seen] = PATTERNS.index("vertical+diagonal")
    found[seen & (vertical >= _ALONE * both)] = PATTERNS.index("vertical")
    found[seen & (diagonal >= _ALONE * both)] = PATTERNS.index("diagonal")
    return found


def _blocks(maps: torch.Tensor) -> torch.Tensor:
    """How much more than by chance stays within two blocks, at the best cut: at least a quarter of the
    pieces on each side.
    """
    import torch

    n = maps.shape[-1]
    rows, columns = maps.sum(-1).cumsum(-1), maps.sum(-2).cumsum(-1)
    # What the first k pieces hold of one another grows by the k-th row up to its k-th column, and by the k-th
    # column above.
    inner = (maps.tril().sum(-1) + maps.triu(1).sum(-2)).cumsum(-1)
    within = (2 * inner + rows[..., -1:] - rows - columns) / n
    cuts = torch.arange(1, n + 1, device=maps.device, dtype=maps.dtype)
    chance = (cuts**2 + (n - cuts) ** 2) / n**2
    first, last = max(-(-n // 4), 1), min(n - -(-n // 4), n - 1)
    if first > last:
        return maps.new_zeros(maps.shape[:-2])
    here = slice(first - 1, last)
    found: torch.Tensor = ((within[..., here] - chance[here]) / (1 - chance[here])).amax(-1)
    return found


def _beyond(share: torch.Tensor, chance: float) -> torch.Tensor:
    """What a share has beyond that of uniform attention, of all that it could have; at least 0."""
    if chance >= 1:
        return share * 0
    return ((share - chance) / (1 - chance)).clamp(0, 1)


def _information(p: torch.Tensor) -> torch.Tensor:
    """Σ p ln p of every row, over the last axis: what is left of the entropy in nats without its sign."""
    return p.clamp_min(_TINY).log_().mul_(p).sum(-1)


def _distances(p: torch.Tensor, information: torch.Tensor) -> torch.Tensor:
    """Mean Jensen-Shannon distance (base 2, 0..1) to the layer's other heads; last two axes: head, row.

    The divergence is H((p+q)/2) - (H(p)+H(q))/2: one logarithm a pair, just 0 where p is q, and right to some
    1e-7 where they are near each other. The distance is 0 where there is no other head.
    """
    heads = p.shape[-3]
    total = p[..., 0] * 0
    for one in range(heads - 1):
        others = slice(one + 1, None)
        both = _information((p[..., one, None, :, :] + p[..., others, :, :]).mul_(0.5))
        divergence = (information[..., one, None, :] + information[..., others, :]) / 2 - both
        distance = (divergence / math.log(2)).clamp_(0, 1).sqrt_()
        total[..., one, :] += distance.sum(-2)
        total[..., others, :] += distance
    return total / max(heads - 1, 1)
