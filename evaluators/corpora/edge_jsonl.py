"""Edge-probing JSON lines (Tenney et al. 2018), in and out: one file a task and split, ``TASK/SPLIT.jsonl``.

A line is ``{"text": "words with spaces between", "targets": [{"span1": [i, j], "span2": [i, j], "label": …}],
"info": {…}}``; ends are exclusive. Words are split at single spaces, as they were joined.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.corpora.annotated import Findings
from evaluators.corpora.edges import PAIRED, EdgeBuilder, EdgeCorpus, EdgeTask, Target
from evaluators.corpora.lines import numbered_lines
from evaluators.errors import InputError

#: Half a character, which JSON can spell and no tokenizer reads.
_SURROGATE = re.compile("[\ud800-\udfff]")


class TargetError(ValueError):
    """A target is not written as one, or does not fit its sentence."""


def read_edges_file(
    path: Path, task: EdgeTask, split: str, seen: dict[str, int], builder: EdgeBuilder, findings: Findings
) -> None:
    """Adds a file's sentences and targets to ``builder``. ``seen`` maps the split's texts to their numbers,
    so that a sentence that several tasks (or several lines) share is one sentence.

    Raises:
        InputError: a line is no JSON object with a text and a list of targets.
    """
    line = 0
    for line, entry in _objects(path):
        text = entry["text"]
        words = text.split(" ")
        if "" in words or _SURROGATE.search(text):
            detail = f"expected words with single spaces between, found {text[:60]!r}"
            findings.fault(path, line, "sentence left out", detail)
            continue
        found = []
        for told in entry["targets"]:
            try:
                found.append(_target(told, task, len(words)))
            except TargetError as error:
                findings.fault(path, line, "target left out", str(error))
        if text not in seen:
            seen[text] = builder.sentence(split, words)
        builder.targets(split, task, seen[text], found)
    if not line:
        findings.fault(path, 1, "file without a sentence", f"expected examples of {split}, found none")


def _objects(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, text in numbered_lines(path):
        if not text.strip():
            continue
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {line}: expected a JSON object, found {text[:60]!r}.") from error
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("text"), str)
            or not isinstance(entry.get("targets"), list)
        ):
            raise InputError(
                f'{path}, line {line}: expected {{"text": "…", "targets": […]}}, found {text[:60]!r}.'
            )
        yield line, entry


def _target(told: Any, task: EdgeTask, words: int) -> Target:
    if not isinstance(told, dict):
        raise TargetError(f"expected an object, found {told!r}")
    label = told.get("label")
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    if not isinstance(label, str) or not label or _SURROGATE.search(label):
        raise TargetError(f"expected a label, found {label!r}")
    second = _span(told, "span2", words) if task in PAIRED else None
    return Target(_span(told, "span1", words), second, label)


def _span(told: Mapping[str, Any], name: str, words: int) -> tuple[int, int]:
    match told.get(name):
        case [int(start), int(end)] if 0 <= start < end <= words:
            return start, end
        case found:
            raise TargetError(f"expected {name} within the sentence's {words} words, found {found!r}")


def write_edges(corpus: EdgeCorpus, folder: Path) -> list[Path]:
    """Writes ``corpus`` under ``folder``, one file a task and split; returns the files. A sentence without
    targets has no line.
    """
    written = []
    for split, part in corpus.splits.items():
        for task in part.targets:
            path = folder / task / f"{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8") as out:
                for sentence, targets in corpus.rows(split, task):
                    out.write(
                        _line(corpus.words(split, sentence), targets, f"{corpus.name}/{split}/{sentence}")
                    )
            written.append(path)
    return written


def _line(words: tuple[str, ...], targets: list[Target], source: str) -> str:
    told = [
        {"span1": list(t.span1), **({"span2": list(t.span2)} if t.span2 else {}), "label": t.label}
        for t in targets
    ]
    return (
        json.dumps({"text": " ".join(words), "targets": told, "info": {"source": source}}, ensure_ascii=False)
        + "\n"
    )
