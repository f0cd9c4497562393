"""The app: one look, one cursor; keys change the look, screens show it, the desk answers for it.

Knows screens, actions and the desk; draws nothing itself and asks the store nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen

from embryo_tui import actions, world
from embryo_tui import questions as q
from embryo_tui.actions import ACTIONS, EVERYWHERE, Action
from embryo_tui.data import Desk, Notice
from embryo_tui.deeds import Deeds
from embryo_tui.filters import matcher
from embryo_tui.look import Look, World
from embryo_tui.player import Player
from embryo_tui.screens.names import READING
from embryo_tui.screens.registry import SCREENS, view_of
from embryo_tui.screens.view import Turned, View
from embryo_tui.sight import following, in_sight
from embryo_tui.steps import settle
from embryo_tui.widgets.bars import Bar, Chip, Footer
from embryo_tui.widgets.ink import DARK, LIGHT
from embryo_tui.widgets.panel import Panel
from embryo_tui.widgets.plot import Plot
from embryo_tui.widgets.prompt import Prompt
from embryo_tui.widgets.scrubber import Scrubber
from embryo_tui.widgets.table import Table

#: Keys that no panel wants, as a terminal names them: those that move the cursor, and the one that opens the
#: line into which the next ones are typed.
AT_ONCE = {
    key: key for name in ("back", "forward", "back_ten", "forward_ten") for key in actions.find(name).keys
} | {"slash": "/"}
#: How long a notice is shown that needs nothing done.
NOTICE_SECONDS = 5.0


class Arrived(Message):
    """The desk has new answers."""

    def can_replace(self, message: Message) -> bool:
        """One of several is enough."""
        return isinstance(message, Arrived)


class Noticed(Message):
    """The desk has something to say about the store."""

    def __init__(self, notice: Notice) -> None:
        """``notice`` as the desk gave it."""
        super().__init__()
        self.notice = notice


class Failed(Message):
    """The desk's thread met a fault."""

    def __init__(self, error: BaseException) -> None:
        """``error`` is raised again where the app sees it."""
        super().__init__()
        self.error = error


class EmbryoApp(App[None]):
    """Looks at one results store, or several beside one another."""

    TITLE = "embryo"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"press('{key}')", show=False)
            for key in dict.fromkeys(key for action in ACTIONS for key in action.keys)
        ),
        *(Binding(str(number), f"show('{view.key}')", show=False) for number, view in enumerate(SCREENS, 1)),
    ]

    def __init__(
        self,
        stores: Sequence[Path],
        look: Look | None = None,
        *,
        title: str | None = None,
        named: Sequence[str] = (),
        low_bandwidth: bool = False,
        began: Callable[[], None] = lambda: None,
    ) -> None:
        """``look`` says where to begin (step -1: the last one); ``title`` is shown for the files' names, and
        ``named`` stands for them on a command line; ``low_bandwidth``: fewer colours, and small pictures only
        while the cursor rests; ``began`` is called after the first frame.
        """
        # Without colour Textual must write the terminal's own: it would turn the theme's into greys.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (36, "-tall")]
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.stores = tuple(stores)
        self.named = tuple(named)
        self.sub_title = title or " + ".join(path.name for path in self.stores)
        self.look = look or Look(step=-1)
        self.world = World()
        self.problem: Notice | None = None
        self.desk = Desk(
            self.stores,
            arrived=lambda: self._post(Arrived()),
            noticed=lambda notice: self._post(Noticed(notice)),
            failed=lambda error: self._post(Failed(error)),
        )
        self._views: dict[str, View] = {}
        self._told = False
        self.low_bandwidth = low_bandwidth
        self._began = began
        self.player = Player(self)
        self.deeds = Deeds(self)

    def compose(self) -> ComposeResult:
        """Bar, screen, cursor, keys."""
        yield Bar("top")
        yield Container(id="body")
        yield Scrubber()
        yield Prompt()
        yield Footer()

    async def on_mount(self) -> None:
        """Shows the first screen, then begins to ask: loading DuckDB would hold up the first frame."""
        await self._enter(self.look.screen)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.desk.start()
        self._began()

    def on_unmount(self) -> None:
        """Ends the desk's thread."""
        self.desk.stop()

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def turn(self, look: Look) -> None:
        """Looks at something else."""
        look = following(look, self.world)
        if look != self.look:
            other = (look.runs, look.run, look.screen) != (self.look.runs, self.look.run, self.look.screen)
            self.look = look
            if other:
                self._settle()
            self.paint()

    def paint(self) -> None:
        """Shows the look as far as it is known, and asks for the rest."""
        view = self._views.get(self.look.screen)
        look, find = self.look, self.desk.find
        # Answers still arrive while the app ends and takes its widgets down.
        if view is None or not view.is_mounted or not self.is_running:
            return
        view.show(look, self.world, find)
        state = self.player.state + (" ↻" if look.loop else "")
        if not len(self.world.steps):
            state = READING if find(q.runs()) is None else "no saved steps yet"
        self.query_one(Scrubber).place(self.world.steps, look.step, look.mark, state)
        self.query_one("#top", Bar).fill(self._screens(), self._runs())
        self.query_one(Footer).fill(self._keys())
        wishes = view.wishes(look, self.world, find)
        # Suspect checkpoints are looked for when all else is on the screen: every curve is read for them.
        later = tuple(q.suspects(run) for run in look.runs)
        self.desk.want((*world.questions(look), *wishes.now, *self.deeds.questions), wishes.ahead, later)

    def _screens(self) -> list[Chip]:
        return [
            Chip(view.title, f"show:{view.key}", view.key == self.look.screen, key=str(number))
            for number, view in enumerate(SCREENS, 1)
        ]

    def _runs(self) -> list[Chip]:
        chips = [
            Chip(run, f"run:{run}", run in self.look.runs, tint=tint)
            for tint, run in enumerate(self.world.runs)
        ]
        return [Chip(str(self.sub_title)), *chips]

    def _keys(self) -> list[Chip]:
        hints = [action for action in actions.for_screen(self.look.screen) if action.hint]
        keys = [
            Chip(action.hint, f"do:{action.id}", key=actions.key_name(action.keys[0])) for action in hints
        ]
        last = [chip for chip in keys if chip.does in ("do:help", "do:quit")]
        return [*last, *(chip for chip in keys if chip not in last)]

    async def _enter(self, key: str) -> None:
        if key not in self._views:
            view = self._views[key] = view_of(key)()
            await self.query_one("#body").mount(view)
        for name, view in self._views.items():
            view.display = name == key
        self.turn(replace(self.look, screen=key))
        self.paint()
        self._focus_first()

    def _focus_first(self) -> None:
        """The first table of the screen has the focus, else its first panel."""
        if self.view is not None:
            panels = [panel for panel in self.view.query(Panel) if panel.display]
            first = next((panel for panel in panels if isinstance(panel, Table)), next(iter(panels), None))
            self.screen_stack[0].set_focus(first)

    async def on_event(self, event: events.Event) -> None:
        """Carries out some keys at once: asking all panels takes longer than a move, and keys that come in a
        burst would arrive before the line that they are meant for has opened.
        """
        if (
            isinstance(event, events.Key)
            and event.key in AT_ONCE
            and not event.is_forwarded
            and len(self.screen_stack) == 1
            and not isinstance(self.focused, Prompt)
        ):
            self.action_press(AT_ONCE[event.key])
        else:
            await super().on_event(event)

    async def action_show(self, key: str) -> None:
        """Shows a screen."""
        await self._enter(key)

    def action_press(self, key: str) -> None:
        """Carries out what a key means on this screen."""
        for action in actions.for_screen(self.look.screen):
            if key in action.keys:
                self._do(action)
                return

    def _do(self, action: Action) -> None:
        if not self.screen_stack:
            # A key on its way while the app ends.
            return
        if action.change is not None:
            self.turn(action.change(self.look, self.world))
        elif action.where != EVERYWHERE:
            if action.where in self._views:
                self.turn(self._views[action.where].act(action.id, self.look))
        else:
            getattr(self.deeds, action.id)()

    @property
    def view(self) -> View | None:
        """The screen that is shown."""
        return self._views.get(self.look.screen)

    @property
    def panel(self) -> Panel | None:
        """The panel in focus, else the first of the screen."""
        if isinstance(self.focused, Panel):
            return self.focused
        return next(iter(self.view.query(Panel)), None) if self.view is not None else None

    @property
    def _footer(self) -> Footer | None:
        """The last line; none while the app ends, when answers still arrive."""
        return next(iter(self.screen_stack[0].query(Footer)), None) if self.screen_stack else None

    def say(self, text: str) -> None:
        """A line in the footer's place for a few seconds."""
        footer = self._footer
        if footer is None or footer.urgent or not text:
            return
        footer.say(text)
        self.set_timer(NOTICE_SECONDS, partial(footer.take_back, text))

    @on(Prompt.Changed)
    def _take_typing(self, message: Prompt.Changed) -> None:
        if not self.query_one(Prompt).display:
            return
        try:
            matcher(message.value)
        except ValueError:
            self.query_one(Prompt).add_class("-invalid")
            return
        self.query_one(Prompt).remove_class("-invalid")
        self.turn(replace(self.look, filter=message.value))

    @on(Prompt.Submitted)
    def _take_search(self) -> None:
        self._close_prompt()

    @on(Prompt.Closed)
    def _take_close(self, message: Prompt.Closed) -> None:
        if not message.kept:
            self.turn(replace(self.look, filter=""))
        self._close_prompt()

    def _close_prompt(self) -> None:
        prompt = self.query_one(Prompt)
        text = prompt.value
        prompt.display, self.query_one(Footer).display = False, True
        self._focus_first()
        try:
            matcher(text)
        except ValueError as error:
            self.say(f"{text}: {error}")
            return
        if self.look.filter:
            self.say(f"only what matches {self.look.filter}: a shows everything again")

    def action_command_palette(self) -> None:
        """Opens the palette."""
        from embryo_tui.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: the screens, then what can be done here."""
        for view in SCREENS:
            yield SystemCommand(f"Screen: {view.title}", "", partial(self.run_action, f"show('{view.key}')"))
        for action in actions.for_screen(self.look.screen):
            keys = " ".join(actions.key_name(key) for key in action.keys)
            yield SystemCommand(action.description, f"key {keys}", partial(self._do, action))

    @on(Arrived)
    def _take_answers(self) -> None:
        self._settle()
        self.deeds.run_errand()
        self.paint()

    def _settle(self) -> None:
        """Takes in what there is to choose from. Which runs are shown decides which steps there are."""
        self.world = world.build(self.look, self.desk.find)
        look = world.settled(self.look, self.world)
        if look.runs != self.look.runs:
            self.world = world.build(look, self.desk.find)
            look = world.settled(look, self.world)
        asked, self.look = self.look, look
        if self.world.runs and not self._told:
            self._told = True
            self.say(world.moved(asked, look, self.world))

    @on(Noticed)
    def _take_notice(self, message: Noticed) -> None:
        if message.notice.code and not self.world.runs:
            self.problem = message.notice
            self.exit(return_code=message.notice.code)
            return
        footer = self._footer
        if footer is None:
            return
        if message.notice.kind == "replaced":
            self.say(message.notice.text)
        elif message.notice.kind != "fine" or footer.urgent:
            footer.say(message.notice.text, urgent=message.notice.kind != "fine")

    @on(Failed)
    def _take_fault(self, message: Failed) -> None:
        raise message.error

    @on(Turned)
    def _take_turn(self, message: Turned) -> None:
        self.turn(message.change(self.look))

    @on(Table.Activated)
    def _take_row(self) -> None:
        self.action_press("enter")

    @on(Scrubber.Moved)
    def _take_step(self, message: Scrubber.Moved) -> None:
        self.turn(replace(self.look, step=message.step))

    @on(Scrubber.PlayAsked)
    def _take_play(self) -> None:
        self.player.toggle()

    @on(Plot.Switched)
    def _take_switch(self, message: Plot.Switched) -> None:
        self.turn(replace(self.look, hidden=self.look.hidden ^ {message.label}))

    @on(Plot.Zoomed)
    def _take_zoom(self, message: Plot.Zoomed) -> None:
        self.turn(in_sight(self.look, self.world, message.low, message.high))

    @on(Plot.StepPicked)
    def _take_place(self, message: Plot.StepPicked) -> None:
        self.turn(replace(self.look, step=settle(self.world.steps, round(message.step))))

    @on(Bar.Asked)
    async def _take_click(self, message: Bar.Asked) -> None:
        what, _, which = message.does.partition(":")
        if what == "show":
            await self._enter(which)
        elif what == "do":
            self._do(actions.find(which))
        elif which == self.look.run:
            self._do(actions.find("overlay"))
        else:
            self.turn(replace(self.look, run=which, runs=tuple(dict.fromkeys((*self.look.runs, which)))))
