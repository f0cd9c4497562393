"""LAMA: relations.jsonl beside TREx/P*.jsonl (Petroni et al. 2019), and what else the folder offers.

Chosen are the relations of type 1-1 and N-1 (paper, appendix F.1); where a relation has no type, table 8
decides. On LAMA's own files both give the same 25.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embryo_store.records import Json, Relation
from evaluators.corpora.base import Fact, FactCorpus
from evaluators.corpora.files import decode, digest, json_lines, read_bytes
from evaluators.errors import InputError

_TABLE_8 = (
    "P103 P127 P131 P136 P1376 P138 P140 P159 P17 P176 P19 P20 P264 P276 P279 P30 P36 P361 P364 P37 P407 "
    "P413 P449 P495 P740"
)
#: The relations of the paper's table 8.
TABLE_8 = frozenset(_TABLE_8.split())
TYPES = ("1-1", "N-1")
ECHO_FILE = "echo.jsonl"
_COMMON = "common_vocab_cased.txt"


def relations_file(folder: Path) -> Path | None:
    """The file of relations and templates in ``folder``, by its name."""
    for name in ("relations.jsonl", "LAMA_relations.jsonl"):
        if (folder / name).is_file():
            return folder / name
    return None


def facts_folder(folder: Path) -> Path | None:
    """The folder of facts: TREx, or the first whose name starts so."""
    if (folder / "TREx").is_dir():
        return folder / "TREx"
    named = sorted(p for p in folder.iterdir() if p.is_dir() and p.name.lower().startswith("trex"))
    return named[0] if named else None


def read_lama(folder: Path, name: str) -> FactCorpus:
    """Reads relations, facts, and where there are any the common vocabulary and the facts to echo.

    Raises:
        InputError: a line does not hold to the format, or a field is missing; file and line are named.
    """
    relations_path, facts_path = relations_file(folder), facts_folder(folder)
    if relations_path is None or facts_path is None:
        raise InputError(
            f"{folder}: expected relations.jsonl and a folder TREx with one P*.jsonl a relation."
        )
    raw = read_bytes(relations_path)
    contents = [(relations_path.name, raw)]
    kept: list[Relation] = []
    facts: dict[tuple[str, str, str], Fact] = {}
    left_out: dict[str, Json] = {}
    stated: dict[str, Json] = {}
    for number, told in json_lines(raw, relations_path):
        relation = _relation(told, relations_path, number)
        path = facts_path / f"{relation.relation}.jsonl"
        reason = _why_not(relation, path)
        if reason:
            left_out[relation.relation] = reason
            continue
        data = read_bytes(path)
        contents.append((path.name, data))
        kept.append(relation)
        count = 0
        for line, entry in json_lines(data, path):
            fact = _fact(entry, relation.relation, path, line)
            key = (fact.relation, fact.subject, fact.object)
            known = facts.get(key)
            facts[key] = fact if known is None else Fact(*key, known.uuid, known.copies + 1)
            count += 1
        stated[relation.relation] = count
    if not kept:
        raise InputError(
            f"{relations_path}: no relation of type {' or '.join(TYPES)} has facts in {facts_path}; "
            f"left out: {left_out}."
        )
    rows = tuple(facts.values())
    common, common_bytes = _common_vocabulary(folder)
    echo, echo_bytes = _echo(folder, rows)
    contents += [(n, d) for n, d in (("common", common_bytes), ("echo", echo_bytes)) if d is not None]
    return FactCorpus(
        name=name,
        uri=str(folder),
        data_hash=digest(contents),
        relations=tuple(kept),
        facts=rows,
        common=common,
        echo=echo,
        report={
            "format": "LAMA",
            "relations": len(kept),
            "facts_stated": stated,
            "facts": len(rows),
            "relations_left_out": left_out,
            "common_vocabulary": len(common) if common is not None else None,
        },
    )


def _relation(told: dict[str, Any], path: Path, number: int) -> Relation:
    for key in ("relation", "template"):
        if not isinstance(told.get(key), str) or not told[key]:
            raise InputError(f"{path}, line {number}: expected a {key!r} in quotes, found {told.get(key)!r}.")
    template = told["template"]
    if template.count("[X]") != 1 or template.count("[Y]") != 1:
        raise InputError(
            f"{path}, line {number}: expected a template with one [X] and one [Y], found {template!r}."
        )
    kind, label = told.get("type"), told.get("label")
    return Relation(
        relation=told["relation"],
        template=template,
        type=kind if isinstance(kind, str) else None,
        name=label if isinstance(label, str) else None,
    )


def _why_not(relation: Relation, path: Path) -> str | None:
    if relation.type is not None and relation.type not in TYPES:
        return f"type {relation.type}"
    if relation.type is None and relation.relation not in TABLE_8:
        return "no type, and not in table 8"
    return None if path.is_file() else "no facts"


def _fact(entry: dict[str, Any], relation: str, path: Path, line: int) -> Fact:
    for key in ("sub_label", "obj_label"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise InputError(f"{path}, line {line}: expected a {key!r} in quotes, found {entry.get(key)!r}.")
    uuid = entry.get("uuid")
    return Fact(relation, entry["sub_label"], entry["obj_label"], uuid if isinstance(uuid, str) else None)


def _common_vocabulary(folder: Path) -> tuple[tuple[str, ...] | None, bytes | None]:
    """LAMA's own file where it lies there, else the only one of its kind."""
    found = sorted(folder.glob("common_vocab*.txt"))
    path = folder / _COMMON
    if not path.is_file():
        if len(found) > 1:
            names = ", ".join(p.name for p in found)
            raise InputError(
                f"{folder} holds several common vocabularies ({names}). Name one of them {_COMMON}."
            )
        if not found:
            return None, None
        path = found[0]
    data = read_bytes(path)
    return tuple(dict.fromkeys(word for word in map(str.strip, decode(data, path).split("\n")) if word)), data


def _echo(folder: Path, facts: tuple[Fact, ...]) -> tuple[frozenset[int], bytes | None]:
    """Rows of the facts that echo.jsonl lists by relation, sub_label and (where given) obj_label."""
    path = folder / ECHO_FILE
    if not path.is_file():
        return frozenset(), None
    data = read_bytes(path)
    rows: set[int] = set()
    for line, entry in json_lines(data, path):
        relation, subject, object_ = (entry.get(key) for key in ("relation", "sub_label", "obj_label"))
        met = {
            row
            for row, fact in enumerate(facts)
            if fact.relation == relation and fact.subject == subject and object_ in (None, fact.object)
        }
        if not met:
            raise InputError(
                f"{path}, line {line}: no fact of {relation!r} about {subject!r} is in {folder}."
            )
        rows |= met
    return frozenset(rows), data
