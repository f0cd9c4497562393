"""What actions do that touch the app itself: jumps, lists, exports, help. Each method is an action's id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from embryo_tui import questions as q
from embryo_tui.events import beyond
from embryo_tui.screens.registry import SCREENS
from embryo_tui.steps import settle
from embryo_tui.widgets.bars import Footer
from embryo_tui.widgets.ink import DARK, LIGHT
from embryo_tui.widgets.prompt import Prompt
from embryo_tui.widgets.table import Table

if TYPE_CHECKING:
    from embryo_tui.app import EmbryoApp
    from embryo_tui.questions import Question
    from embryo_tui.share import Errand


class Deeds:
    """Carries out actions on an app. What few need is loaded when it is needed."""

    def __init__(self, app: EmbryoApp) -> None:
        """``app``: what they are carried out on."""
        self._app = app
        self._errand: Errand | None = None

    @property
    def questions(self) -> tuple[Question[Any], ...]:
        """What must be asked of the store to carry out what was wanted."""
        return self._errand.questions if self._errand is not None else ()

    def play(self) -> None:
        """Plays, or stops."""
        self._app.player.toggle()

    def faster(self) -> None:
        """Plays faster."""
        self._app.player.pace(1)

    def slower(self) -> None:
        """Plays slower."""
        self._app.player.pace(-1)

    def event_next(self) -> None:
        """To the next event of this screen."""
        self._jump(1)

    def event_back(self) -> None:
        """To the event before."""
        self._jump(-1)

    def _jump(self, by: int) -> None:
        """To the next step at which something happened in the curves of this screen."""
        events = self._app.view.events if self._app.view is not None else ()
        found = beyond(events, self._app.look.step, by)
        if found is None:
            self._app.say(
                "no event " + ("after" if by > 0 else "before") + " this step: E lists all of this screen"
            )
            return
        step = settle(self._app.world.steps, found.step)
        self._app.turn(replace(self._app.look, step=step))
        there = [event for event in events if event.step == found.step]
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        self._app.say(f"{found.step:,}: {found.kind} · {found.name}{more}")

    def events(self) -> None:
        """All events of this screen, to choose from."""
        from embryo_tui import lists

        events = self._app.view.events if self._app.view is not None else ()
        self._app.push_screen(lists.events(events, self._app.look.step), self._take_event)

    def _take_event(self, key: object) -> None:
        if isinstance(key, tuple):
            self._app.turn(replace(self._app.look, step=settle(self._app.world.steps, int(key[0]))))

    def curves(self) -> None:
        """All curves of this screen, to choose from."""
        from embryo_tui import lists

        view = self._app.view
        if view is not None:
            self._app.push_screen(lists.curves(lambda: view.plots, lambda: self._app.look, self._app.turn))

    def toggle(self) -> None:
        """Hides or shows the chosen row's curve."""
        focused = self._app.focused
        if self._app.view is None or not isinstance(focused, Table):
            self._app.say("tab to a table and choose a row, or f to choose among curves")
            return
        label = self._app.view.label_of(focused.chosen)
        if label is not None and any(
            label == series.switch for plot in self._app.view.plots for series in plot.series
        ):
            self._app.turn(replace(self._app.look, hidden=self._app.look.hidden ^ {label}))

    def filter(self) -> None:
        """Opens the line into which a search is typed."""
        prompt = self._app.query_one(Prompt)
        prompt.value = self._app.look.filter
        prompt.display, self._app.query_one(Footer).display = True, False
        # Not by and by: what is typed next is meant for it.
        self._app.screen_stack[0].set_focus(prompt)

    def copy_sql(self) -> None:
        """Asks for the SQL behind the panel in focus; it is copied when it has arrived."""
        from embryo_tui import share

        panel, view = self._app.panel, self._app.view
        if panel is None or view is None or panel.id is None:
            return
        asked = view.sources(self._app.look, self._app.world, self._app.desk.find).get(panel.id, ())
        if not asked:
            self._app.say("there is no query behind this panel yet")
            return
        self._errand = share.Errand(
            panel.heading or str(panel.id), tuple(q.behind(question) for question in asked)
        )
        self.run_errand()
        self._app.paint()

    def run_errand(self) -> None:
        """Copies the SQL as soon as all of it has arrived."""
        errand = self._errand
        text = None if errand is None else errand.text(self._app.desk.find)
        if errand is not None and text is not None:
            self._errand = None
            self._copy(text, "query", ".sql", "SQL")

    def _copy(self, text: str, stem: str, suffix: str, what: str) -> None:
        from embryo_tui import share

        self._app.run_worker(
            partial(share.copy, self._app, text, stem, suffix, what),
            thread=True,
            exclusive=False,
            group="copy",
        )

    def copy_command(self) -> None:
        """Copies the command that shows this again."""
        from embryo_tui import share

        self._copy(
            share.command(self._app.look, self._app.named or self._app.stores, self._app.low_bandwidth),
            "look",
            ".sh",
            "the command",
        )

    def save_look(self) -> None:
        """Writes the look to a file."""
        from embryo_tui import share

        self._write(share.save_look, self._app.look)

    def export_csv(self) -> None:
        """Writes the panel in focus as CSV."""
        from embryo_tui import share

        if self._app.panel is not None:
            self._write(share.csv, self._app.look, self._app.panel.content())

    def export_latex(self) -> None:
        """Writes the panel in focus as a LaTeX table."""
        from embryo_tui import share

        if self._app.panel is not None:
            self._write(share.latex, self._app.look, self._app.panel.content())

    def _write(self, writer: Callable[..., str], *given: Any) -> None:
        from embryo_tui import share

        self._app.run_worker(
            partial(share.written, self._app, writer, *given), thread=True, exclusive=False, group="copy"
        )

    def theme(self) -> None:
        """Light or dark."""
        self._app.theme = LIGHT.name if self._app.current_theme.dark else DARK.name

    def help(self) -> None:
        """All keys."""
        from embryo_tui.help import Help

        self._app.push_screen(Help(tuple((view.key, view.title) for view in SCREENS), self._app.look.screen))

    def quit(self) -> None:
        """Ends the app."""
        self._app.exit()
