"""Sentences that a user put to a run with ``embryo-eval cloze``, and what it answered at every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embryo_store.answers import Floats, Ints
from embryo_store.query import Reader

_ASKED = """
SELECT text, position, step,
       list(coalesce(token, '?') ORDER BY place) AS tokens, list(logp ORDER BY place) AS logps
FROM cloze_top WHERE run = $1 AND place <= $2
GROUP BY text, position, step ORDER BY text, position, step
"""


@dataclass(frozen=True)
class AskedSentence:
    """One mask (from 1) of a sentence: words and log-probabilities, best first, at every step asked."""

    run: str
    text: str
    mask: int
    step: Ints
    tokens: tuple[tuple[str, ...], ...]
    logps: tuple[Floats, ...]


def asked_sentences(reader: Reader, run: str, *, top: int = 10) -> tuple[AskedSentence, ...]:
    """Every sentence that a run was asked, by text and mask; ``top`` answers, ten at most."""
    found: dict[tuple[str, int], list[tuple[int, tuple[str, ...], Floats]]] = {}
    for text, mask, step, tokens, logps in reader.sql(_ASKED, [run, top]).rows:
        found.setdefault((text, mask), []).append((step, tuple(tokens), np.array(logps, dtype=np.float64)))
    return tuple(
        AskedSentence(
            run,
            text,
            mask,
            np.array([step for step, _, _ in answers], dtype=np.int64),
            tuple(tokens for _, tokens, _ in answers),
            tuple(logps for _, _, logps in answers),
        )
        for (text, mask), answers in found.items()
    )
