"""Attention statistics on constructed maps whose values are known in closed form."""

import math

import numpy as np
import pytest
import torch

from evaluators.tasks.maps import PATTERNS, STATISTICS, patterns, row_sums

N = 8


def statistics(
    *heads: torch.Tensor, punctuation: tuple[int, ...] = (), sentences: int = 3
) -> list[dict[str, float]]:
    """Statistic → value, a head; ``heads`` are maps (N, N), the same in every sentence."""
    maps = torch.stack(heads).expand(sentences, -1, -1, -1)
    marks = np.zeros((sentences, N), dtype=np.bool_)
    marks[:, list(punctuation)] = True
    found = row_sums(maps, marks)
    assert set(found) == set(STATISTICS)
    return [
        {name: float(total[head]) / rows for name, (total, rows) in found.items()}
        for head in range(len(heads))
    ]


def shifted(by: int) -> torch.Tensor:
    """All mass on the piece ``by`` to the right, at the borders on the piece itself."""
    return torch.stack([torch.eye(N)[min(max(row + by, 0), N - 1)] for row in range(N)])


UNIFORM = torch.full((N, N), 1 / N)
FIRST = torch.eye(N)[0].expand(N, N)
LAST = torch.eye(N)[-1].expand(N, N)


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        (UNIFORM, {"diagonal": 1 / N, "previous": 1 / N, "next": 1 / N, "cls": 1 / N, "sep": 1 / N}),
        (shifted(0), {"diagonal": 1, "previous": 0, "next": 0, "cls": 1 / N, "sep": 1 / N, "entropy": 0}),
        (shifted(-1), {"diagonal": 1 / N, "previous": 1, "next": 0, "cls": 2 / N, "sep": 0, "entropy": 0}),
        (shifted(1), {"diagonal": 1 / N, "previous": 0, "next": 1, "cls": 0, "sep": 2 / N, "entropy": 0}),
        (FIRST, {"diagonal": 1 / N, "previous": 1 / (N - 1), "next": 0, "cls": 1, "sep": 0, "entropy": 0}),
        (LAST, {"diagonal": 1 / N, "previous": 0, "next": 1 / (N - 1), "cls": 0, "sep": 1, "entropy": 0}),
    ],
)
def test_mass_where_it_was_put(maps: torch.Tensor, expected: dict[str, float]) -> None:
    (found,) = statistics(maps)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_entropy_of_rows_in_nats() -> None:
    halves = torch.zeros(N, N)
    halves[:, 2] = halves[:, 5] = 0.5
    uniform, two = statistics(UNIFORM, halves)
    assert uniform["entropy"] == pytest.approx(math.log(N), abs=1e-6)
    assert two["entropy"] == pytest.approx(math.log(2), abs=1e-6)


def test_mass_on_punctuation_is_summed_over_its_pieces() -> None:
    (found,) = statistics(UNIFORM, punctuation=(3, 6))
    assert found["punctuation"] == pytest.approx(2 / N, abs=1e-6)


def test_distance_between_heads() -> None:
    apart = statistics(FIRST, LAST)
    assert [head["distance"] for head in apart] == pytest.approx([1, 1], abs=1e-6)
    same = statistics(UNIFORM, UNIFORM.clone())
    assert [head["distance"] for head in same] == [0, 0]
    assert statistics(UNIFORM)[0]["distance"] == 0
    # JSD = H(M) - (H(P) + H(Q)) / 2 with M = (3/4, 1/4), H(P) = 0 and H(Q) = 1 bit.
    one, both = torch.zeros(N, N), torch.zeros(N, N)
    one[:, 0] = 1
    both[:, 0] = both[:, 1] = 0.5
    mixed = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert statistics(one, both)[0]["distance"] == pytest.approx(math.sqrt(mixed - 0.5), abs=1e-6)


def test_distance_is_the_mean_over_the_other_heads() -> None:
    first, last, also_first = statistics(FIRST, LAST, FIRST)
    assert first["distance"] == pytest.approx(0.5, abs=1e-6)
    assert last["distance"] == pytest.approx(1, abs=1e-6)
    assert also_first["distance"] == pytest.approx(0.5, abs=1e-6)


SIDE = 32
EYE = torch.eye(SIDE)
STRIPES = torch.zeros(SIDE, SIDE)
STRIPES[:, 0] = STRIPES[:, -1] = 0.5
EVEN = torch.full((SIDE, SIDE), 1 / SIDE)
BLOCKS = torch.block_diag(torch.full((12, 12), 1 / 12), torch.full((20, 20), 1 / 20))
CORNER = torch.block_diag(torch.full((4, 4), 1 / 4), torch.full((28, 28), 1 / 28))
BESIDE = torch.stack([EYE[min(row + 1, SIDE - 1)] for row in range(SIDE)])


def test_patterns_of_heads() -> None:
    shown = {
        "identity": (EYE, "diagonal"),
        "the next word": (BESIDE, "diagonal"),
        "first and last piece": (STRIPES, "vertical"),
        "one column in the middle": (EYE[7].expand(SIDE, SIDE), "vertical"),
        "half and half": (0.5 * EYE + 0.5 * STRIPES, "vertical+diagonal"),
        "two sentences": (BLOCKS, "block"),
        "less than a quarter apart": (CORNER, "heterogeneous"),
        "even": (EVEN, "heterogeneous"),
        "even with a diagonal below a half": (0.55 * EVEN + 0.45 * EYE, "heterogeneous"),
        "even with a diagonal above a half": (0.45 * EVEN + 0.55 * EYE, "diagonal"),
    }
    maps = torch.stack([each for each, _ in shown.values()])[None]
    found = [PATTERNS[int(index)] for index in patterns(maps)[0]]
    assert dict(zip(shown, found, strict=True)) == {name: pattern for name, (_, pattern) in shown.items()}


def test_one_of_two_lines_stands_alone_from_three_quarters_on() -> None:
    # Beyond chance the stripes have just what was given them, the diagonal a little less than that.
    seen = [
        PATTERNS[int(patterns((part * EYE + (1 - part) * STRIPES)[None, None])[0, 0])]
        for part in (0.76, 0.70)
    ]
    assert seen == ["diagonal", "vertical+diagonal"]


@pytest.mark.parametrize("side", [2, 3, 4])
def test_the_smallest_maps_have_a_pattern_too(side: int) -> None:
    found = patterns(torch.eye(side).expand(2, 3, side, side))
    assert found.shape == (2, 3)
    assert set(found.flatten().tolist()) <= set(range(len(PATTERNS)))


def test_several_layers_at_once_are_what_each_is_alone() -> None:
    maps = torch.randn(3, 2, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).mul(3).softmax(-1)
    maps[1, 0, 1], maps[2, 1, 3] = EYE, STRIPES
    marks = np.arange(2 * SIDE).reshape(2, SIDE) % 5 == 0
    together = row_sums(maps, marks)
    for layer, alone in enumerate(maps):
        for name, (total, rows) in row_sums(alone, marks).items():
            assert together[name][1] == rows
            torch.testing.assert_close(together[name][0][layer], total, rtol=1e-12, atol=0)
        assert torch.equal(patterns(maps)[layer], patterns(alone))
