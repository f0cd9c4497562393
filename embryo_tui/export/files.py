"""Panels as CSV and as LaTeX tables, each written whole to a new file."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embryo_tui.widgets.panel import Content

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "→": r"$\to$", "✓": r"\checkmark{}",
    "·": r"$\cdot$", "●": "", "○": "", "▁": "",
}  # fmt: skip
#: A LaTeX table of so many rows takes every n-th one: what does not fit a page is no table.
LATEX_ROWS = 60


def as_csv(content: Content) -> str:
    """Comma-separated values with a head; numbers in full, nothing where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(content.columns)
    writer.writerows([_plain(value) for value in row] for row in content.rows)
    return text.getvalue()


def as_latex(content: Content) -> str:
    """A table with the rules of booktabs; numbers flush right and rounded to three decimals."""
    every = stride(content)
    rows = content.rows[::every]
    if len(content.rows) and (len(content.rows) - 1) % every:
        rows = (*rows, content.rows[-1])
    shape = "".join("r" if _numbers(rows, column) else "l" for column in range(len(content.columns)))
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \begin{{tabular}}{{{shape}}}",
        r"    \toprule",
        f"    {_row(content.columns)}",
        r"    \midrule",
        *(f"    {_row(row)}" for row in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        rf"  \caption{{{escaped(content.title)}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def stride(content: Content) -> int:
    """A LaTeX table takes one of so many rows; and the last."""
    return max(1, -(-len(content.rows) // LATEX_ROWS))


def escaped(text: str) -> str:
    """Text in which LaTeX reads no command."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def write_new(folder: Path, stem: str, suffix: str, text: str) -> Path:
    """Writes a file that was not there: ``stem.csv``, else ``stem-2.csv`` …; whole, or not at all.

    Raises:
        OSError: the folder cannot be written to.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-").lower() or "embryo"
    for number in range(1, 10_000):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}{suffix}"
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        if path.exists():
            continue
        try:
            draft.write_text(text, encoding="utf-8")
            # A link fails where the name has been taken meanwhile: nothing of anybody's is overwritten.
            os.link(draft, path)
        except FileExistsError:
            continue
        finally:
            draft.unlink(missing_ok=True)
        return path
    raise FileExistsError(f"{folder} holds 10,000 files named {name}{suffix}")


def _plain(value: Any) -> Any:
    return "" if value is None or value != value else value


def _numbers(rows: Sequence[Sequence[Any]], column: int) -> bool:
    cells = [row[column] for row in rows if column < len(row)]
    return bool(cells) and all(
        cell is None
        or isinstance(cell, int | float)
        or re.fullmatch(r"[-+−]?[\d.,]*[kMG%]?|–", cell) is not None
        for cell in cells
    )


def _row(values: Sequence[Any]) -> str:
    return " & ".join(_latex(value) for value in values) + r" \\"


def _latex(value: Any) -> str:
    if value is None or value != value:
        return "--"
    if isinstance(value, float):
        return f"{value:.3f}".replace("-", "$-$")
    return escaped(str(value))
