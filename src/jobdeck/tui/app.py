"""The application: the deck on one engine, in one worker that the app owns."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from textual import events
from textual.actions import ActionParseResult, parse
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.dom import DOMNode
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen
from textual.worker import Worker, WorkerCancelled, WorkerFailed, WorkerState

from jobdeck.app.session import ChangeStream, HintMemory, OpenEngine, Playback, Session, safe_error_message
from jobdeck.domain.job import JobKey
from jobdeck.tui.clipboard import ClipboardWriter, clipboard
from jobdeck.tui.export import Save, save
from jobdeck.tui.keyboard import events_of_burst, settled, takes_text
from jobdeck.tui.multiplexer import in_gnu_screen
from jobdeck.tui.output_filters import AsciiFallbackFilter, ControlCharFilter
from jobdeck.tui.palette import ActionCommands
from jobdeck.tui.screens.deck import Deck
from jobdeck.tui.screens.dialogs import ROOMY, CopiedTextScreen
from jobdeck.tui.screens.replay import ReplayDeck
from jobdeck.tui.terminal import Burst, TerminalApp, ignore_full_wakeup_pipe, stop_until_continued, why_not_suspended
from jobdeck.tui.theme import DARK, LIGHT, THEMES, style_sheets
from jobdeck.tui.widgets.hints import HintLine
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.painted import ROLE_CLASSES
from jobdeck.tui.widgets.static import Footer

FRAME_SECONDS = 0.1
"""At most ten frames a second: a person reads no more, and 500 changes a second then cost 13–15 % of a core."""

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


WIDTHS = [(0, "-thin"), (40, "-narrow"), (ROOMY, "-medium"), (140, "-wide")]
HEIGHTS = [(0, "-flat"), (11, "-low"), (16, "-tall")]
"""Cells from which on the styles know a screen by these classes."""


class JobdeckApp(TerminalApp):
    """The screen on a session.

    `run` returns, and `return_code` is: 0 when a person quits, 1 when the engine had failed or the screen crashed
    (`fault` then is the error, and nothing was printed of it), 130 after ctrl+c, 128 + n after signal n. `put` stands
    in for the way to the clipboard. Without `mouse` the mouse is left to the terminal until a key says otherwise.
    """

    TITLE = "jobdeck"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    ENABLE_SELECT_AUTO_SCROLL = False
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionCommands}
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True),
        Binding("ctrl+t", "mouse", "mouse", show=False, priority=True),
        Binding("x", "dismiss_hint", "hide tip", show=False),
    ]

    def __init__(
        self,
        session: Session,
        *,
        theme: str = DARK.name,
        put: ClipboardWriter | None = None,
        save: Save = save,
        frame_seconds: float = FRAME_SECONDS,
        driver_class: type[Driver] | None = None,
        playback: Playback | None = None,
        mouse: bool = True,
        hints: HintMemory | None = None,
    ) -> None:
        """Take the screen; with `playback` the session is a recording that is played back, at its own pace.

        With `hints` a line names keys when there is use for them, until they have been used.
        """
        super().__init__(css_path=style_sheets(), driver_class=driver_class)
        self._session = session
        self._frame_seconds = frame_seconds if playback is None else 0.0
        # A driver of another kind has a terminal of its own kind at its other end.
        encoding = "utf-8" if driver_class is not None else getattr(sys.__stderr__, "encoding", None) or "utf-8"
        self._walls: list[LineFilter] = [ControlCharFilter()]
        if not encoding.lower().startswith("utf"):
            self._walls.append(AsciiFallbackFilter(encoding))
        self._mouse_wanted, self._mouse_released = mouse, False
        self._engine_worker: Worker[None] | None = None
        self._engine_fault: BaseException | None = None
        for one in THEMES.values():
            self.register_theme(one)
        self.theme = theme
        ways = put or clipboard(self.write), self.write, save
        self._deck = Deck(session, *ways) if playback is None else ReplayDeck(playback, session, *ways)
        self._hints = HintLine(self._deck.deck_state, self._selected, hints) if hints is not None else None

    @property
    def mouse(self) -> bool:
        """Whether the mouse is used, as far as nothing lends it to the terminal."""
        return self._mouse_wanted

    @property
    def deck(self) -> Deck:
        """The main screen."""
        return self._deck

    @property
    def fault(self) -> BaseException | None:
        """The error that made the screen crash, else the one that stopped the engine; None when nothing did."""
        error = self.crash or self._engine_fault
        return error.error if isinstance(error, WorkerFailed) else error

    def get_default_screen(self) -> Screen[Any]:
        """Return the deck."""
        return self._deck

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
            ignore_full_wakeup_pipe(loop)

    def on_ready(self) -> None:
        """Let time pass and open the engine, now that the first frame is on the screen."""
        if self._hints is not None:
            self._deck.mount(self._hints, before=self._deck.query_one(Footer))
        self.set_interval(TICK_SECONDS, self._deck.tick)
        self._engine_worker = self.run_worker(
            self._run_engine(), name="engine", group=ENGINE_GROUP, exclusive=True, exit_on_error=False
        )

    def on_app_focus(self) -> None:
        """Poll as often as somebody who looks wants to know."""
        self._deck.attend(present=True)

    def on_app_blur(self) -> None:
        """Poll less often while the terminal is in the background."""
        self._deck.attend(present=False)

    def on_copied_text_screen_mouse_released(self, message: CopiedTextScreen.MouseReleased) -> None:
        """Let the terminal have the mouse, or take it back."""
        self._mouse_released = message.released
        self._update_mouse()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say on the screen that the engine has failed; what is there stays, for its IDs are still good."""
        worker = event.worker
        if worker.group == ENGINE_GROUP and event.state is WorkerState.ERROR and worker.error is not None:
            self._engine_fault = worker.error
            self.deck.fail(f"the engine stopped: {safe_error_message(worker.error)}")

    async def on_event(self, event: events.Event) -> None:
        """Carry out what is typed in the order in which it came: no key is looked at before the last is done.

        Textual gives all that comes in one burst to whoever has the focus when the first of it comes.
        """
        if isinstance(event, Burst):
            if self.screen_stack:
                for one in events_of_burst(event, self.focused or self.screen):
                    await self.on_event(one)
        elif not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self.screen_stack:  # none: the app is being closed
            await self._type(event)

    async def _type(self, event: events.Key | events.Paste) -> None:
        target = self.focused or self.screen
        into_text = takes_text(target)
        if into_text and (isinstance(event, events.Paste) or event.is_printable):
            await super().on_event(event)
            return
        if into_text:
            await settled(target)
        bound = self.screen.active_bindings.get(event.key) if isinstance(event, events.Key) else None
        if bound is None or not await self.run_action(bound.binding.action, bound.node):
            await super().on_event(event)
        else:
            self.app_focus = True
        if into_text:
            await settled(target)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key, a click or the palette asks for: whoever asks means the job that is selected now."""
        name = (parse(action) if isinstance(action, str) else action)[1]
        self._deck.pin_selection(name)
        if self._hints is not None:
            self._hints.follow(name)
        return await super().run_action(action, default_namespace, namespaces)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the key that hides a hint to others where no hint is shown."""
        return action != "dismiss_hint" or (self._hints is not None and self._hints.shown is not None)

    def action_dismiss_hint(self) -> None:
        """Take the hint on the screen away for good."""
        if self._hints is not None:
            self._hints.dismiss()

    def action_mouse(self) -> None:
        """Use the mouse, or leave it to the terminal, which can then select text with it."""
        self._mouse_wanted = not self._mouse_wanted
        self._update_mouse()
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

    def _selected(self) -> JobKey | None:
        return self._deck.query_one(JobList).selected

    async def _run_engine(self) -> None:
        self._deck.show_remembered(await self._session.recall())
        engine = await self._session.open()
        changes = engine.view.subscribe()
        # In a worker of its own: what fails there is a crash of the screen, and no fault of the engine.
        drawing = self.run_worker(self._draw(engine, changes), name="draw", group="draw")
        try:
            if engine.run is not None:
                await engine.run()
            with suppress(WorkerCancelled):
                await drawing.wait()
        finally:
            changes.close()
            await _close(self._session)

    async def _draw(self, engine: OpenEngine, changes: ChangeStream) -> None:
        """Draw every batch of changes; the stream merges those that come in between two frames."""
        self._deck.attach(engine)
        async for batch in changes:
            self._deck.draw(batch)
            await asyncio.sleep(self._frame_seconds)

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

    def _update_mouse(self) -> None:
        self.use_mouse(wanted=self._mouse_wanted and not self._mouse_released)


async def _close(session: Session) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await session.close()
