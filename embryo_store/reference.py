"""Rows that results refer to: runs, checkpoints, datasets, vocabularies, facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from embryo_store.insert import Column, incoming, insert
from embryo_store.records import Checkpoint, Dataset, Facts, Json, Run, Sentence, Vocabulary, Words

FACT_IDS_SQL = """
SELECT fact_id FROM incoming LEFT JOIN facts USING (relation, subject, object) ORDER BY place
"""

NEW_FACTS_SQL = """
INSERT INTO facts (fact_id, relation, subject, object, uuid)
SELECT (SELECT coalesce(max(fact_id), 0) FROM facts) + row_number() OVER (ORDER BY place), * EXCLUDE (place)
FROM (SELECT relation, subject, object, first(uuid ORDER BY place) AS uuid, min(place) AS place
      FROM incoming ANTI JOIN facts USING (relation, subject, object)
      GROUP BY relation, subject, object)
"""


def as_json(value: Json) -> str:
    """JSON text that depends on the content alone."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def write_run(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """Writes a run, or what has changed of it."""
    row = {
        "run": run.run,
        "family": run.family,
        "objective": run.objective,
        "total_steps": run.total_steps,
        "layers": run.layers,
        "heads": run.heads,
        "hidden": run.hidden,
        "parameters": run.parameters,
        "recipe": as_json(run.recipe),
        "corpus": run.corpus,
        "source": run.source,
    }
    _put(connection, "runs", {"run": run.run}, row)


def write_checkpoint(connection: duckdb.DuckDBPyConnection, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint, or what has changed of it."""
    row = {
        "run": checkpoint.run,
        "step": checkpoint.step,
        "uri": checkpoint.uri,
        "weights_hash": checkpoint.weights_hash,
        "vocab": checkpoint.vocab,
        "bytes": checkpoint.bytes,
    }
    _put(connection, "checkpoints", {"run": checkpoint.run, "step": checkpoint.step}, row)


def write_vocabulary(connection: duckdb.DuckDBPyConnection, vocabulary: Vocabulary) -> None:
    """Writes the tokens, unless the store knows the vocabulary."""
    if not _known(connection, "vocabularies", {"vocab": vocabulary.vocab}):
        columns = {"token_id": range(len(vocabulary.tokens)), "token": vocabulary.tokens}
        insert(connection, "vocabularies", {"vocab": vocabulary.vocab}, columns)


def write_dataset(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Writes a dataset with its words, relations and sentences, where the store lacks them. Words that are
    ranked by other counts than before take their new ranks.
    """
    version = {"dataset": dataset.dataset, "data_hash": dataset.data_hash}
    if not _known(connection, "datasets", version):
        row = {
            "kind": dataset.kind,
            "uri": dataset.uri,
            "sentences": dataset.sentences,
            "items": dataset.items,
            "report": as_json(dataset.report),
        }
        insert(connection, "datasets", version | row)
    if dataset.words is not None and not _same_ranks(connection, version, dataset.words):
        connection.execute("DELETE FROM words WHERE dataset = ? AND data_hash = ?", list(version.values()))
        _write_words(connection, version, dataset.words)
    for relation in dataset.relations:
        key = {"dataset": dataset.dataset, "relation": relation.relation}
        row = {"template": relation.template, "type": relation.type, "name": relation.name}
        _put(connection, "relations", key, key | row)
    for sentence in dataset.attention_sentences:
        _write_sentence(connection, version, sentence)


def fact_ids(connection: duckdb.DuckDBPyConnection, facts: Facts) -> npt.NDArray[np.int64]:
    """The number of every fact; those that the store doesn't know get the next ones, in their order."""
    columns: dict[str, Column] = {
        "relation": facts.relation,
        "subject": facts.subject,
        "object": facts.object,
        "uuid": facts.uuid,
        "place": np.arange(len(facts.relation)),
    }
    with incoming(connection, columns):
        known = connection.execute(FACT_IDS_SQL).fetchnumpy()["fact_id"]
        if np.ma.is_masked(known):
            connection.execute(NEW_FACTS_SQL)
            known = connection.execute(FACT_IDS_SQL).fetchnumpy()["fact_id"]
    return np.asarray(known, dtype=np.int64)


def _write_words(connection: duckdb.DuckDBPyConnection, version: Mapping[str, str], words: Words) -> None:
    columns: dict[str, Column] = {
        "word_id": range(len(words.form)),
        "sentence_id": words.sentence_id,
        "position": words.position,
        "form": words.form,
        "tag": words.tag,
        "rank": words.rank,
    }
    insert(connection, "words", version, columns)


def _same_ranks(connection: duckdb.DuckDBPyConnection, version: Mapping[str, str], words: Words) -> bool:
    sql = "SELECT rank FROM words WHERE dataset = ? AND data_hash = ? ORDER BY word_id"
    return np.array_equal(connection.execute(sql, list(version.values())).fetchnumpy()["rank"], words.rank)


def _write_sentence(
    connection: duckdb.DuckDBPyConnection, version: Mapping[str, str], sentence: Sentence
) -> None:
    key = {**version, "vocab": sentence.vocab, "sentence_id": sentence.sentence_id}
    if not _known(connection, "sentences", key):
        row = {"text": sentence.text, "pieces": list(sentence.pieces)}
        insert(connection, "sentences", key | row)


def _known(connection: duckdb.DuckDBPyConnection, table: str, key: Mapping[str, Any]) -> bool:
    where = " AND ".join(f"{name} = ?" for name in key)
    found = connection.execute(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1", list(key.values()))
    return found.fetchone() is not None


def _put(
    connection: duckdb.DuckDBPyConnection, table: str, key: Mapping[str, Any], row: Mapping[str, Any]
) -> None:
    """Inserts a row, or replaces the one under the same primary key where they differ."""
    where = " AND ".join(f"{name} = ?" for name in key)
    stored = connection.execute(f"SELECT {', '.join(row)} FROM {table} WHERE {where}", list(key.values()))
    if stored.fetchone() != tuple(row.values()):
        marks = ", ".join("?" * len(row))
        connection.execute(
            f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
        )
