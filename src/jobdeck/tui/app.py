"""The application: the deck on one engine, in one worker that the app owns.

What the first frame does without is imported after it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from textual.actions import parse
from textual.app import App
from textual.binding import Binding, BindingType
from textual.worker import Worker, WorkerFailed, WorkerState

from jobdeck.tui.bridge import FRAME_SECONDS, bridge
from jobdeck.tui.failure import failure_text
from jobdeck.tui.in_turn import InTurnApp
from jobdeck.tui.messages import EngineOpened, FrameReady, MouseLent
from jobdeck.tui.multiplexer import in_gnu_screen
from jobdeck.tui.screens.opening import Opening
from jobdeck.tui.styles import FIRST, SHEETS, style_sheets
from jobdeck.tui.suspension import stop_until_continued, why_not_suspended
from jobdeck.tui.terminal import capture_mouse, is_backlogged, write_sequence
from jobdeck.tui.theme import DARK, LIGHT, THEMES
from jobdeck.tui.wall import Wall
from jobdeck.tui.widgets.palette import ROLE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import RenderableType
    from textual.actions import ActionParseResult
    from textual.command import Provider
    from textual.dom import DOMNode
    from textual.driver import Driver
    from textual.filter import LineFilter
    from textual.screen import Screen

    from jobdeck.engine.batch import Batch
    from jobdeck.tui.clipboard import Put
    from jobdeck.tui.saving import Save
    from jobdeck.tui.screens.deck import Deck
    from jobdeck.tui.session import Engine, Playback, Session

CLOSE_SECONDS = 2.0
"""Quitting takes at most this long, whatever a connection does."""

TICK_SECONDS = 1.0
ENGINE_GROUP = "engine"
INTERRUPTED = 130
_SIGNALS = {
    getattr(signal, name): code
    for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129))
    if sys.platform != "win32"
}
"""Signals that end the screen in order; on Windows an event loop takes none."""

_HANG_UP = getattr(signal, "SIGHUP", None)


def _commands() -> type[Provider]:
    from jobdeck.tui.commands import ActionCommands  # noqa: PLC0415 - when the palette is opened

    return ActionCommands


class JobdeckApp(InTurnApp):
    """The screen on a session.

    `run` returns, and `return_code` is: 0 when a person quits, 1 when the engine had failed or the screen crashed
    (`fault` then is the error, and nothing was printed of it), 130 after ctrl+c, 128 + n after signal n. `put` stands
    in for the way to the clipboard. Without `mouse` the mouse is left to the terminal until a key says otherwise.
    """

    TITLE = "jobdeck"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    ENABLE_SELECT_AUTO_SCROLL = False
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (40, "-narrow"), (140, "-wide")]  # noqa: RUF012 - as Textual types it
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (11, "-low"), (16, "-tall")]  # noqa: RUF012 - as Textual types it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True),
        Binding("ctrl+t", "mouse", "mouse", show=False, priority=True),
    ]

    def __init__(
        self,
        session: Session,
        *,
        theme: str = DARK.name,
        put: Put | None = None,
        save: Save | None = None,
        frame_seconds: float = FRAME_SECONDS,
        driver_class: type[Driver] | None = None,
        playback: Playback | None = None,
        mouse: bool = True,
    ) -> None:
        """Take the screen; with `playback` the session is a recording that is played back, at its own pace."""
        super().__init__(css_path=style_sheets(FIRST), driver_class=driver_class)
        self._session = session
        self._frame_seconds = frame_seconds if playback is None else 0.0
        # A driver of another kind has a terminal of its own kind at its other end.
        encoding = "utf-8" if driver_class is not None else getattr(sys.__stderr__, "encoding", None) or "utf-8"
        self._walls: list[LineFilter] = [Wall()]
        if not encoding.lower().startswith("utf"):
            from jobdeck.tui.signs import Signs  # noqa: PLC0415 - for few terminals

            self._walls.append(Signs(encoding))
        self._mouse_wanted, self._mouse_lent = mouse, False
        self._engine_worker: Worker[None] | None = None
        self._engine_fault: BaseException | None = None
        self._put, self._save, self._playback = put, save, playback
        self._deck: Deck | None = None
        for one in THEMES.values():
            self.register_theme(one)
        # The first, and no change: that would have every style sheet parsed again, 10 ms of the first frame.
        self.set_reactive(App.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())

    @property
    def mouse(self) -> bool:
        """Whether the mouse is used, as far as nothing lends it to the terminal."""
        return self._mouse_wanted

    @property
    def deck(self) -> Deck:
        """The main screen. It is made when it is asked for first."""
        if self._deck is None:
            self._deck = self._make_deck()
        return self._deck

    @property
    def fault(self) -> BaseException | None:
        """The error that made the screen crash, else the one that stopped the engine; None when nothing did."""
        error = self._exception or self._engine_fault
        return error.error if isinstance(error, WorkerFailed) else error

    def get_default_screen(self) -> Screen[Any]:
        """Return the deck; at first what looks like it, unless that is a replay's, which nobody waits for."""
        if self._playback is not None:
            return self._styled_deck()
        self.hold_keys()
        return Opening(self._session)

    def get_driver_class(self) -> type[Driver]:
        """Return Textual's choice, on Unix one that sleeps while nothing is typed."""
        chosen = super().get_driver_class()
        if sys.platform == "win32" or chosen.__name__ != "LinuxDriver":
            return chosen
        from jobdeck.tui.terminal import TerminalDriver  # noqa: PLC0415 - not there on Windows

        return TerminalDriver

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Draw, unless the terminal does not keep up: it gets the whole screen once it does, not what was missed."""
        if not is_backlogged(self):
            super()._display(screen, renderable)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our colours for themes that do not know them."""
        return (DARK if self.current_theme.dark else LIGHT).variables

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters with the wall behind them."""
        return [*super().get_line_filters(), *self._walls]

    def on_mount(self) -> None:
        """Answer to signals."""
        # In a browser the process is not this screen's own.
        if not (self.is_headless or self.is_web):
            loop = asyncio.get_running_loop()
            for number in _SIGNALS:
                # One that was ignored stays so, but for the hang-up: a screen does not outlive its terminal.
                if number is _HANG_UP or signal.getsignal(number) is not signal.SIG_IGN:
                    loop.add_signal_handler(number, self._on_signal, number)

    async def on_ready(self) -> None:
        """Go on, now that the first frame is on the screen."""
        await self.begin()

    async def begin(self) -> None:
        """Put the deck there, let time pass and open the engine."""
        if self.screen is not self.deck:
            await self.push_screen(self._styled_deck())
            self.deck.attend(present=self.app_focus)
            await self.give_keys()
        self.set_interval(TICK_SECONDS, self.deck.tick)
        self._engine_worker = self.run_worker(
            self._live(), name="engine", group=ENGINE_GROUP, exclusive=True, exit_on_error=False
        )

    def on_app_focus(self) -> None:
        """Ask as often as somebody who looks wants to know."""
        if self._deck is not None:
            self._deck.attend(present=True)

    def on_app_blur(self) -> None:
        """Ask less often while the terminal is in the background."""
        if self._deck is not None:
            self._deck.attend(present=False)

    def on_engine_opened(self, message: EngineOpened) -> None:
        """Give the engine to the deck."""
        self.deck.attach(message.engine)

    def on_frame_ready(self, message: FrameReady) -> None:
        """Draw a batch, and let the bridge send the next."""
        try:
            self.deck.draw(message.batch)
        finally:
            message.drawn.set()

    def on_mouse_lent(self, message: MouseLent) -> None:
        """Let the terminal have the mouse, or take it back."""
        self._mouse_lent = message.lent
        self._capture_mouse()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say on the screen that the engine has failed; what is there stays, for its IDs are still good."""
        worker = event.worker
        if worker.group == ENGINE_GROUP and event.state is WorkerState.ERROR and worker.error is not None:
            self._engine_fault = worker.error
            self.deck.fail(f"the engine stopped: {failure_text(worker.error)}")

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key, a click or the palette asks for: whoever asks means the job that is selected now."""
        if self._deck is not None:
            self._deck.hold((parse(action) if isinstance(action, str) else action)[1])
        return await super().run_action(action, default_namespace, namespaces)

    def action_command_palette(self) -> None:
        """Show the palette with a cursor that stands still: one that blinks draws for ever."""
        from textual.widgets import Input  # noqa: PLC0415 - when the palette is opened

        super().action_command_palette()
        palette = self.screen

        def hold_still() -> None:
            for one in palette.query(Input):
                one.cursor_blink = False

        palette.call_after_refresh(hold_still)

    def action_mouse(self) -> None:
        """Use the mouse, or leave it to the terminal, which can then select text with it."""
        self._mouse_wanted = not self._mouse_wanted
        self._capture_mouse()
        if not self._mouse_wanted:
            note = "mouse off: drag to select text"
        elif in_gnu_screen(os.environ):
            note = "mouse on: GNU screen passes esc on with the next key"
        else:
            note = "mouse on"
        self.notify(note, timeout=3, markup=False)

    async def action_quit(self) -> None:
        """Quit, with the engine closed and the terminal as it was."""
        await self._leave(1 if self._engine_fault else 0)

    def action_suspend(self) -> None:
        """Go back to the shell until it brings the screen back, or say why that cannot be."""
        reason = why_not_suspended(remote=self.is_headless or self.is_web)
        if reason:
            self.notify(reason, markup=False)
        else:
            with self.suspend():
                stop_until_continued()

    async def action_interrupt(self) -> None:
        """Quit as on an interrupt."""
        await self._leave(INTERRUPTED)

    def _styled_deck(self) -> Deck:
        for sheet in style_sheets(SHEETS[len(FIRST) :]):
            self.stylesheet.read(sheet)
        return self.deck

    def _make_deck(self) -> Deck:
        from jobdeck.tui.clipboard import clipboard  # noqa: PLC0415 - after the first frame
        from jobdeck.tui.saving import save  # noqa: PLC0415 - the same
        from jobdeck.tui.screens.deck import Deck  # noqa: PLC0415 - the same

        ways = self._put or clipboard(self._write), self._write, self._save or save
        if self._playback is None:
            return Deck(self._session, *ways)
        from jobdeck.tui.screens.replay import ReplayDeck  # noqa: PLC0415 - for a replay only

        return ReplayDeck(self._playback, self._session, *ways)

    async def _live(self) -> None:
        engine = await self._session.open()
        self.post_message(EngineOpened(engine))
        changes = engine.subscribe()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(engine.run(), name="engine")
                group.create_task(bridge(changes, self._draw, self._frame_seconds), name="bridge")
        finally:
            changes.close()
            await _close(self._session, engine)

    async def _draw(self, batch: Batch) -> None:
        message = FrameReady(batch)
        if self.post_message(message):
            await message.drawn.wait()

    async def _leave(self, code: int) -> None:
        worker = self._engine_worker
        if worker is not None and not worker.is_finished:
            worker.cancel()
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await worker.wait()
        self.exit(code, return_code=code)

    def _on_signal(self, number: signal.Signals) -> None:
        # The handlers stay until the loop is closed: by default a second signal would leave the terminal raw.
        if self.is_running:
            self.run_worker(self._leave(_SIGNALS[number]), name="signal", group="signal", exit_on_error=False)

    def _capture_mouse(self) -> None:
        capture_mouse(self, captured=self._mouse_wanted and not self._mouse_lent)

    def _write(self, sequence: str) -> None:
        write_sequence(self, sequence)

    def _fatal_error(self) -> None:
        """End without Textual's picture of the crash, which shows the values of variables: keys are among them."""
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Print nothing of a crash: whoever runs the app reports `fault`."""


async def _close(session: Session, engine: Engine) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await session.close()
            await engine.aclose()
