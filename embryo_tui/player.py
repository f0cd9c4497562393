"""Playing through the steps: when the next one is due, how fast, round and round or once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.timer import Timer

from embryo_tui.steps import move

if TYPE_CHECKING:
    from embryo_tui.app import EmbryoApp

#: Steps a second.
SPEEDS = (1, 2, 4, 8, 15, 30)


class Player:
    """Moves the app's cursor on, again and again."""

    def __init__(self, app: EmbryoApp) -> None:
        """At rest, at a middling speed."""
        self._app = app
        self._speed = 2
        self._timer: Timer | None = None

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._timer is not None

    @property
    def state(self) -> str:
        """What the track says at its right."""
        return f"■ {SPEEDS[self._speed]}/s" if self.playing else "▶ play"

    def toggle(self) -> None:
        """Plays, from the first step where the cursor stands on the last; or stops."""
        app = self._app
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        else:
            if len(app.world.steps) and app.look.step >= app.world.steps[-1]:
                app.turn(replace(app.look, step=int(app.world.steps[0])))
            self._timer = app.set_interval(1 / SPEEDS[self._speed], self.tick)
        app.paint()

    def tick(self) -> None:
        """One step further; stops at the last, or begins anew."""
        app, steps = self._app, self._app.world.steps
        if len(steps) and app.look.loop and app.look.step >= steps[-1]:
            app.turn(replace(app.look, step=int(steps[0])))
        elif not len(steps) or app.look.step >= steps[-1]:
            self.toggle()
        else:
            app.turn(replace(app.look, step=move(steps, app.look.step, 1)))

    def pace(self, by: int) -> None:
        """Plays faster or slower."""
        self._speed = min(max(self._speed + by, 0), len(SPEEDS) - 1)
        if self._timer is not None:
            self._timer.stop()
            self._timer = self._app.set_interval(1 / SPEEDS[self._speed], self.tick)
        self._app.paint()
