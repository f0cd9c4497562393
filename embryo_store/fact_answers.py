"""One fact, asked for by what it says: its number is another in every store."""

from __future__ import annotations

from embryo_store.answers import Biography
from embryo_store.query import Reader

_NUMBER = "SELECT fact_id FROM facts WHERE relation = $1 AND subject = $2 AND object = $3"


def biography(reader: Reader, run: str, fact: tuple[str, str, str], *, top: int = 5) -> Biography | None:
    """``Reader.biography`` of a fact by relation, subject and object; None where there is no answer to it."""
    found = reader.sql(_NUMBER, list(fact)).rows
    return reader.biography(run, found[0][0], top=top) if found else None
