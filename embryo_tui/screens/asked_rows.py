"""Sentences that users asked (``embryo-eval cloze``) as rows of a table, and one's answers as curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from embryo_tui.filters import Matcher
from embryo_tui.raster.axes import short
from embryo_tui.screens import names
from embryo_tui.screens.fact_rows import predicted
from embryo_tui.steps import position
from embryo_tui.widgets.series import Series
from embryo_tui.widgets.table import Cell, Column, Row

if TYPE_CHECKING:
    from embryo_store.cloze_answers import AskedSentence

ASKED_COLUMNS = (
    Column("sentence", 14, flex=1),
    Column("mask", 4, right=True, keep=2),
    Column("answers", 14, flex=1),
    Column("at", 6, right=True, keep=1),
)
#: Answers that are named, and words whose probability is drawn.
ANSWERS, WORDS = 5, 8
#: What an empty table says.
NOTHING = 'no sentence was asked of this run: embryo-eval cloze "The capital of France is [MASK] ."'


def matching(asked: Sequence[AskedSentence], wanted: Matcher) -> list[AskedSentence]:
    """The sentences that are let through, by their text or by what was ever the first answer."""
    return [
        sentence
        for sentence in asked
        if wanted(sentence.text) or any(wanted(names.spoken(word)) for word in _firsts(sentence))
    ]


def asked_rows(asked: Sequence[AskedSentence], step: int) -> list[Row]:
    """A row a mask: the likeliest words at a step, or at the nearest earlier one that was asked."""
    rows = []
    for sentence in asked:
        index = position(sentence.step, step)
        said, at = Cell("not asked yet", "faint"), None
        if index is not None:
            chances = np.exp(sentence.logps[index][:ANSWERS])
            said = predicted(sentence.tokens[index][:ANSWERS], chances, "strong")
            at = int(sentence.step[index])
        cells = (
            Cell(sentence.text, "text"),
            Cell.number(str(sentence.mask), sentence.mask, "faint"),
            said,
            Cell.number("" if at is None else short(at), at, "faint"),
        )
        rows.append(Row((sentence.text, sentence.mask), cells))
    return rows


def asked_curves(sentence: AskedSentence) -> list[Series]:
    """Every word that was the answer at some step, the last one first: its probability wherever it was among
    the ten likeliest.
    """
    made = []
    for tint, word in enumerate(_firsts(sentence)[:WORDS]):
        values = np.full(len(sentence.step), np.nan)
        for index, tokens in enumerate(sentence.tokens):
            if word in tokens:
                values[index] = np.exp(sentence.logps[index][tokens.index(word)])
        made.append(Series(names.spoken(word) or word, sentence.step, values, tint))
    return made


def _firsts(sentence: AskedSentence) -> list[str]:
    return list(dict.fromkeys(tokens[0] for tokens in reversed(sentence.tokens) if tokens))
