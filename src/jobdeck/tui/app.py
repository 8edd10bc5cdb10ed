"""The Textual app: the deck, and one worker that runs the engine."""

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
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme
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
"""At most ten frames a second: nobody reads faster, and 500 changes a second then cost 13–15 % of a core."""

CLOSE_SECONDS = 2.0
"""Quitting takes at most this long, whatever a connection does."""

LOAD_SECONDS = 0.1
"""How long the first frame waits for the saved jobs, which take 30 ms to load: an empty frame would be styled, laid out
and painted for nothing, 50 ms. A slow team database does not hold it up."""

TICK_SECONDS = 1.0
ENGINE_GROUP = "engine"
INTERRUPTED = 130
_SIGNALS = {
    getattr(signal, name): code
    for name, code in (("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129))
    if sys.platform != "win32"
}
"""Exit codes of the signals that quit cleanly; on Windows an event loop handles none."""

_HANG_UP = getattr(signal, "SIGHUP", None)


WIDTHS = [(0, "-thin"), (40, "-narrow"), (ROOMY, "-medium"), (140, "-wide")]
HEIGHTS = [(0, "-flat"), (11, "-low"), (16, "-tall")]
"""Minimum cells for each class that the style sheets use."""


class JobdeckApp(TerminalApp):
    """The app on one session.

    `run` returns, and `return_code` is: 0 when the user quits, 1 after the engine failed or the screen crashed (`error`
    is then set; it was not printed), 130 after ctrl+c, 128 + n after signal n. `write_clipboard` replaces the
    terminal's clipboard. With `mouse` False the terminal keeps the mouse until ctrl+t is pressed.
    """

    TITLE = "jobdeck"
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    ENABLE_SELECT_AUTO_SCROLL = False
    ENABLE_COMMAND_PALETTE = False  # its ctrl+p would go before ours, in dialogs as well
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionCommands}
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "quit", show=False, priority=True),
        Binding("ctrl+t", "mouse", "mouse", show=False, priority=True),
        Binding("x", "dismiss_hint", "hide tip", show=False),
    ]

    # The theme from the start: a change of it parses every style sheet again, 10 ms of the first frame.
    theme: Reactive[str] = Reactive(DARK.name)

    def __init__(
        self,
        session: Session,
        *,
        theme: str = DARK.name,
        write_clipboard: ClipboardWriter | None = None,
        save: Save = save,
        frame_seconds: float = FRAME_SECONDS,
        driver_class: type[Driver] | None = None,
        playback: Playback | None = None,
        mouse: bool = True,
        hints: HintMemory | None = None,
    ) -> None:
        """Create the app; with `playback` the session is a recording that plays at its own pace.

        With `hints` a line suggests keys where they are useful, until they have been used.
        """
        super().__init__(css_path=style_sheets(), driver_class=driver_class)
        self._session = session
        self._frame_seconds = frame_seconds if playback is None else 0.0
        # A custom driver writes to a terminal of its own, which is UTF-8.
        encoding = "utf-8" if driver_class is not None else getattr(sys.__stderr__, "encoding", None) or "utf-8"
        self._output_filters: list[LineFilter] = [ControlCharFilter()]
        if not encoding.lower().startswith("utf"):
            self._output_filters.append(AsciiFallbackFilter(encoding))
        self._mouse_wanted, self._mouse_released = mouse, False
        self._engine_worker: Worker[None] | None = None
        self._engine_error: BaseException | None = None
        self.theme = theme
        services = write_clipboard or clipboard(self.write), self.write, save
        self._deck = Deck(session, *services) if playback is None else ReplayDeck(playback, session, *services)
        self._hints = HintLine(self._deck.deck_state, self._selected, hints) if hints is not None else None

    @property
    def mouse(self) -> bool:
        """Whether the user wants the mouse reported to jobdeck; a dialog may still release it to the terminal."""
        return self._mouse_wanted

    @property
    def deck(self) -> Deck:
        """The main screen."""
        return self._deck

    @property
    def error(self) -> BaseException | None:
        """The error that crashed the screen, or else the one that stopped the engine; None if neither happened."""
        error = self.crash or self._engine_error
        return error.error if isinstance(error, WorkerFailed) else error

    def get_default_screen(self) -> Screen[Any]:
        """Return the deck."""
        return self._deck

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Our themes beside Textual's, known before the first style sheet is read."""
        return {**super().available_themes, **{one.name: one for one in THEMES.values()}}

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our colors for themes that do not define them."""
        return (DARK if self.current_theme.dark else LIGHT).variables

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters, followed by the output filters."""
        return [*super().get_line_filters(), *self._output_filters]

    async def on_load(self) -> None:
        """Load the saved jobs; the first frame shows them unless that takes long."""
        self._loading = asyncio.create_task(self._session.load_saved_jobs())
        await asyncio.wait([self._loading], timeout=LOAD_SECONDS)
        if self._loading.done() and self._loading.exception() is None:
            self._deck.saved_jobs = self._loading.result()
            self._deck.set_class(not self._deck.saved_jobs, "-empty", update=False)  # before anything is styled by it

    def on_mount(self) -> None:
        """Install the signal handlers."""
        # Served to a browser, this process is not the screen's own.
        if not (self.is_headless or self.is_web):
            loop = asyncio.get_running_loop()
            for number in _SIGNALS:
                # An ignored signal stays ignored, except SIGHUP: the app must not outlive its terminal.
                if number is _HANG_UP or signal.getsignal(number) is not signal.SIG_IGN:
                    loop.add_signal_handler(number, self._on_signal, number)
            ignore_full_wakeup_pipe(loop)

    def on_ready(self) -> None:
        """Start the clock and open the engine, once the first frame is on the screen."""
        if self._hints is not None:
            self._deck.mount(self._hints, before=self._deck.query_one(Footer))
        self.set_interval(TICK_SECONDS, self._deck.tick)
        self._engine_worker = self.run_worker(
            self._run_engine(), name="engine", group=ENGINE_GROUP, exclusive=True, exit_on_error=False
        )

    def on_app_focus(self) -> None:
        """Poll at full speed while the terminal has the focus."""
        self._deck.set_user_present(present=True)

    def on_app_blur(self) -> None:
        """Poll less often while the terminal is in the background."""
        self._deck.set_user_present(present=False)

    def on_copied_text_screen_mouse_released(self, message: CopiedTextScreen.MouseReleased) -> None:
        """Release the mouse to the terminal, or take it back."""
        self._mouse_released = message.released
        self._update_mouse()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show that the engine failed; the screen stays open, because its IDs are still useful."""
        worker = event.worker
        if worker.group == ENGINE_GROUP and event.state is WorkerState.ERROR and worker.error is not None:
            self._engine_error = worker.error
            self.deck.fail(f"the engine stopped: {safe_error_message(worker.error)}")

    async def on_event(self, event: events.Event) -> None:
        """Process keys strictly in order: each is dispatched after the previous one was handled.

        Textual sends a whole burst to the widget that had the focus when its first key arrived: the letters of a
        `/text` from tmux or a macro would run as keys, and a key after an enter would go into the input that it closes.
        Priority bindings cure the first and not the second (`test_what_is_typed_in_one_burst_is_for_the_input_that_its_
        first_key_opens`, `test_a_long_text_and_the_keys_after_it_arrive_in_their_order`). See `keyboard` for the way of
        a key.
        """
        if isinstance(event, Burst):
            if self.screen_stack:
                for one in events_of_burst(event, self.focused or self.screen):
                    await self.on_event(one)
        elif not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self.screen_stack:  # empty while the app closes
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
        """Run the action of a key, a click or the palette on the job that is selected now."""
        name = (parse(action) if isinstance(action, str) else action)[1]
        self._deck.pin_selection(name)
        if self._hints is not None:
            self._hints.follow(name)
        return await super().run_action(action, default_namespace, namespaces)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let `x` through to other bindings while no hint is shown."""
        return action != "dismiss_hint" or (self._hints is not None and self._hints.shown is not None)

    def action_dismiss_hint(self) -> None:
        """Hide the current hint for good."""
        if self._hints is not None:
            self._hints.dismiss()

    def action_mouse(self) -> None:
        """Take the mouse, or leave it to the terminal for selecting text."""
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
        """Quit: close the engine and restore the terminal."""
        await self._shut_down(1 if self._engine_error else 0)

    def action_suspend(self) -> None:
        """Suspend to the shell until `fg`, or say why that is impossible.

        Textual's own action would stop a process that no shell can bring back (`why_not_suspended`), and leave a script
        that started jobdeck running (`stop_until_continued`).
        """
        reason = why_not_suspended(remote=self.is_headless or self.is_web)
        if reason:
            self.notify(reason, markup=False)
        else:
            with self.suspend():
                stop_until_continued()

    async def action_interrupt(self) -> None:
        """Quit with the exit code of an interrupt."""
        await self._shut_down(INTERRUPTED)

    def _selected(self) -> JobKey | None:
        return self._deck.query_one(JobList).selected

    async def _run_engine(self) -> None:
        jobs = await self._loading
        if self._deck.saved_jobs is None:
            self._deck.show_saved_jobs(jobs)
        await self._painted()
        engine = await self._session.open()
        changes = engine.view.subscribe()
        # A separate worker: an error here is a crash of the screen, not of the engine.
        drawing = self.run_worker(self._draw(engine, changes), name="draw", group="draw")
        try:
            if engine.run is not None:
                await engine.run()
            with suppress(WorkerCancelled):
                await drawing.wait()
        finally:
            changes.close()
            await _close(self._session)

    async def _painted(self) -> None:
        """Wait until what was drawn is on the screen: beside what `open` imports in a thread, that takes 20 ms more."""
        painted = asyncio.Event()
        self.call_after_refresh(painted.set)
        await painted.wait()

    async def _draw(self, engine: OpenEngine, changes: ChangeStream) -> None:
        """Draw each batch of changes; the stream merges batches that arrive between two frames."""
        self._deck.attach(engine)
        async for batch in changes:
            self._deck.draw(batch)
            await asyncio.sleep(self._frame_seconds)

    async def _shut_down(self, code: int) -> None:
        worker = self._engine_worker
        if worker is not None and not worker.is_finished:
            worker.cancel()
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await worker.wait()
        self.exit(code, return_code=code)

    def _on_signal(self, number: signal.Signals) -> None:
        # The handlers stay until the loop is closed: by default a second signal would leave the terminal in raw mode.
        if self.is_running:
            self.run_worker(self._shut_down(_SIGNALS[number]), name="signal", group="signal", exit_on_error=False)

    def _update_mouse(self) -> None:
        self.use_mouse(wanted=self._mouse_wanted and not self._mouse_released)


async def _close(session: Session) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await session.close()
