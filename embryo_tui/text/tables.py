"""Tables and numbers as plain text. Knows rows of strings alone."""

from __future__ import annotations

from collections.abc import Sequence

from embryo_tui.harmless import harmless

#: What stands for characters that an output without Unicode cannot show.
PLAIN = str.maketrans("→·–…─│┤┬└┘┌┐┼├┴▁×", ">--.-||-++++-|-_x")

CONTROL = {code: "?" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}

#: No column of text is cut to less.
NARROWEST = 8


def table(
    rows: Sequence[Sequence[str]], right: Sequence[int] = (), *, width: int = 0, indent: int = 2
) -> str:
    """Rows in columns as wide as they need; ``right``: columns that end flush. Where ``width`` is given, the
    widest columns of text are cut until all fit, as far as that goes: numbers are never cut.
    """
    if not rows:
        return ""
    count = max(len(row) for row in rows)
    filled = [[*map(harmless, row), *[""] * (count - len(row))] for row in rows]
    widths = [max(len(row[column]) for row in filled) for column in range(count)]
    text = [column for column in range(count) if column not in right]
    while width and text and sum(widths) + 2 * (count - 1) + indent > width:
        widest = max(text, key=lambda column: widths[column])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
    lines = []
    for row in filled:
        cells = [
            cell.rjust(size) if column in right else _cut(cell, size).ljust(size)
            for column, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((" " * indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def title(text: str, width: int) -> str:
    """A heading with a rule to its right."""
    text = harmless(text)
    return f"{_cut(text, width)} {'─' * max(0, width - len(text) - 1)}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def showable(text: str, encoding: str | None) -> str:
    """Text that an output of this encoding can show: ASCII stands in where it cannot, and for control codes,
    which a foreign store's names may hold.
    """
    text = text.translate(CONTROL)
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return text.translate(PLAIN).encode("ascii", "replace").decode("ascii")
    return text
