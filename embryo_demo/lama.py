"""Writes facts in LAMA's form: relations, facts, the common vocabulary. Knows no wording."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from embryo_demo.facts import RELATIONS, Fact


def relation_lines() -> Iterator[str]:
    """One JSON object a relation."""
    for relation in RELATIONS:
        yield json.dumps(
            {
                "relation": relation.id,
                "template": relation.template,
                "label": relation.label,
                "type": relation.type,
            }
        )


def fact_lines(facts: Iterable[Fact]) -> Iterator[str]:
    """One JSON object a fact."""
    for fact in facts:
        yield json.dumps(
            {
                "uuid": fact.uuid,
                "predicate_id": fact.relation,
                "sub_label": fact.subject,
                "obj_label": fact.object,
            }
        )


def common_vocabulary(counts: dict[str, int], least: int) -> Iterator[str]:
    """The words of letters alone that stand in the text at least so often, in alphabetical order."""
    yield from sorted(word for word, count in counts.items() if word.isalpha() and count >= least)
