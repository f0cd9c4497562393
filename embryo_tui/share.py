"""What the user takes along: the SQL behind a panel, the command of a look, tables and looks as files.

Runs in worker threads; tells the app what came of it in one line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from embryo_tui.export import clipboard, files, looks
from embryo_tui.look import Look
from embryo_tui.questions import Behind
from embryo_tui.screens.view import Find
from embryo_tui.widgets.panel import Content

if TYPE_CHECKING:
    from embryo_tui.app import EmbryoApp


#: Letters of a panel's title in the name of its file.
TITLE = 48


@dataclass(frozen=True)
class Errand:
    """SQL that was asked for and is not here yet."""

    title: str
    questions: tuple[Behind, ...]

    def text(self, find: Find) -> str | None:
        """The statements under the panel's title; None until all have arrived."""
        found = [find(question) for question in self.questions]
        if any(answer is None for answer in found):
            return None
        statements = [statement for answer in found if answer is not None for statement in answer.value]
        return "\n\n".join([f"-- {self.title}", *dict.fromkeys(statements)]) + "\n"


def copy(app: EmbryoApp, text: str, stem: str, suffix: str, what: str) -> None:
    """Puts text on the clipboard or into a file, and says which."""

    def osc52(part: str) -> None:
        app.call_from_thread(app.copy_to_clipboard, part)

    def put() -> str:
        return f"{what}: {clipboard.copy(text, f'embryo-{stem}', suffix, osc52, Path.cwd())}"

    written(app, put)


def written(app: EmbryoApp, writer: Callable[..., str], *given: Any) -> None:
    """Runs a writer and says what it says, or what is in its way."""
    try:
        said = writer(*given)
    except OSError as error:
        said = f"not written: {error.strerror or error} ({Path.cwd()})"
    app.call_from_thread(app.say, said)


def command(look: Look, stores: Sequence[str | Path], low_bandwidth: bool) -> str:
    """The command line that shows a look again. ``stores``: files, or an option that stands for one."""
    named = [_near(store) if isinstance(store, Path) else store for store in stores]
    return looks.command(look, named, low_bandwidth=low_bandwidth)


def _near(path: Path) -> Path:
    """A path as it is written from here."""
    try:
        return Path(os.path.relpath(path))
    except ValueError:
        return path


def save_look(look: Look) -> str:
    """Writes a look beside where the app was started; says under which name."""
    path = files.write_new(Path.cwd(), f"look-{look.screen}-{look.step}", ".toml", looks.to_toml(look))
    return f"look written to {path.name}: open it with --look {path.name}"


def csv(look: Look, content: Content) -> str:
    """Writes a panel as CSV; says under which name."""
    return _table(look, content, ".csv", files.as_csv)


def latex(look: Look, content: Content) -> str:
    """Writes a panel as a LaTeX table; says under which name."""
    return _table(look, content, ".tex", files.as_latex)


def _table(look: Look, content: Content, suffix: str, form: Callable[[Content], str]) -> str:
    if not content.rows:
        return "nothing to write: this panel shows no numbers"
    # Cut where a word ends: a name that breaks off looks like a file that does.
    title = shorten(content.title, TITLE, placeholder="", break_on_hyphens=False)
    path = files.write_new(Path.cwd(), f"{look.screen}-{title}-{look.step}", suffix, form(content))
    every = files.stride(content) if form is files.as_latex else 1
    kept = "" if every == 1 else f", one of {every},"
    return f"{len(content.rows)} rows{kept} written to {path.name}"
