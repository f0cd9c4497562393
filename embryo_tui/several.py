"""Several stores seen as one: names for files, names for runs that two of them share, answers joined.

Knows answers and names; no files, no threads, no questions. Where one store is open, nothing here has an
effect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any


def labels(paths: Sequence[Path]) -> tuple[str, ...]:
    """A short name for each of several files: its stem, with as many folders before it as tell it apart."""
    places = [path.absolute().with_suffix("").parts for path in paths]
    found = []
    for parts in places:
        depth = next(
            (
                size
                for size in range(1, len(parts))
                if sum(other[-size:] == parts[-size:] for other in places) < 2
            ),
            len(parts),
        )
        found.append("/".join(parts[-depth:]))
    return tuple(found)


def aliases(runs: Sequence[Sequence[str]], files: Sequence[str]) -> tuple[dict[str, str], ...]:
    """For each store: by which name each of its runs goes, where that is not its own. Runs whose name several
    stores hold are told apart by their files.
    """
    count = Counter(run for held in runs for run in held)
    return tuple(
        {run: f"{file}:{run}" for run in held if count[run] > 1}
        for held, file in zip(runs, files, strict=True)
    )


def renamed(answer: Any, names: Mapping[str, str]) -> Any:
    """An answer with its runs' names replaced."""
    if not names:
        return answer
    if isinstance(answer, tuple):
        return tuple(renamed(part, names) for part in answer)
    name = names.get(getattr(answer, "run", ""))
    return answer if name is None else replace(answer, run=name)


def joined(answers: Sequence[Any]) -> Any:
    """Several stores' answers to a question about all runs as one: in their order; what says nothing of a run
    is there once.
    """
    if len(answers) == 1:
        return answers[0]
    parts = [part for answer in answers for part in answer]
    if parts and hasattr(parts[0], "run"):
        return tuple(parts)
    return tuple(dict.fromkeys(parts))
