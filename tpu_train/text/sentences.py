"""Splitting a line of running text into sentences by rule. Knows English abbreviations, not files."""

from __future__ import annotations

import re

#: An end mark, closing quotes or brackets, white space, and something that can begin a sentence.
_BREAK = re.compile(r"""(?<=[.!?…])(["'”’)\]]*)\s+(?=["'“‘(\[]*[A-Z0-9À-ÖØ-Þ])""")
#: Words whose full stop does not end a sentence before a capital letter or digit.
_ABBREVIATED = """
mr mrs ms dr prof st jr sr rev hon gen col maj capt lt sgt gov sen rep pres messrs mme mlle vs etc no nos vol
vols pp fig figs ed eds op cit ca cf al approx inc ltd co corp bros jan feb mar apr jun jul aug sep sept oct
nov dec mt ft sq mi km u.s u.k e.g i.e b.c a.d
"""
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_LAST_WORD = re.compile(r"([^\s(\[\"'“‘]+)\.[\"'”’)\]]*$")


def split(line: str) -> list[str]:
    """The sentences of a line; a line without an inner sentence end comes back as it is.

    A full stop after an abbreviation or a single capital ("J. Smith") ends nothing.
    """
    sentences: list[str] = []
    start = 0
    for match in _BREAK.finditer(line):
        piece = line[start : match.end(1)]
        last = _LAST_WORD.search(piece)
        if last and (last[1].lower() in _ABBREVIATIONS or (len(last[1]) == 1 and last[1].isupper())):
            continue
        sentences.append(piece.strip())
        start = match.end()
    sentences.append(line[start:].strip())
    return [sentence for sentence in sentences if sentence]
