"""Everything that differs from Textual's terminal handling; its private parts are used only here.

Each part prevents a measured harm that no public API does; `tests/tui/test_textual.py` names what breaks when Textual
changes:

- `KeyReader`: Textual replays an unknown sequence letter by letter as keys. One late reply to a query (XTGETTCAP)
  unwatched three of five jobs, acknowledged a failure and put a curl line on the clipboard; a paste that lost its end,
  or a byte that is not UTF-8, made every key ineffective.
- `NonBlockingWriter`: Textual's blocks the event loop after 30 writes, and with it every poll and every signal, for as
  long as the terminal is stuck.
- `TerminalDriver`: Textual's takes the size from COLUMNS and LINES, and draws for any reported size: one of 65,535
  columns hangs it.
- `TerminalApp`: Textual's crash report shows the values of variables, which include API keys.
- `set_virtual_height`: the reactive lays out and paints the whole screen, 20 ms each time the cursor moves to a job
  with more or fewer lines.
- `release_painted_lines`: Textual keeps the lines of its widgets as keys of a cache for all screens. 50 views of
  500×200 cells, one after another, left 55 MB behind.
"""

import asyncio
import os
import re
import select
import selectors
import signal
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Queue
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import RenderableType
from textual import events, messages
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._styles_cache import StylesCache
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.drivers._writer_thread import WriterThread
from textual.geometry import Size
from textual.keys import Keys
from textual.message import Message
from textual.notifications import Notifications
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.widget import Widget
from textual.widgets._toast import ToastRack

from jobdeck.tui.input_splitter import EscapeSequence, InputSplitter, Pasted, Token, Typed
from jobdeck.tui.multiplexer import in_gnu_screen
from jobdeck.tui.terminal_title import end_sequence, start_sequence

DRAIN_SECONDS = 0.1
"""How long the terminal's last replies are read at the end: the shell would take them as typed."""

WAKE_SECONDS = 0.1
"""How often the input thread checks whether it should end."""

READ_BYTES = 4_096
BACKLOG_WRITES = 30
"""This many unread writes mean that the terminal does not keep up: about three seconds of frames."""

LEAVE_SECONDS = 0.5
"""How long the end waits for the last frame to be written."""

RESIZE_SECONDS = 0.05
"""How long to wait for further resizes: dragging a window's edge causes dozens a second."""

DEFAULT_SIZE = (80, 24)
"""The size to draw for if a terminal does not know its own and reports 0 × 0."""

MOST_COLUMNS, MOST_LINES = 500, 200
"""The largest size to draw for, whatever the terminal reports: one frame of it takes 0.5 s of CPU."""

MOUSE_MODES = (1000, 1003, 1015, 1006)
"""The mouse modes that Textual turns on."""

_MODE_REPORT = re.compile(r"\x1b\[\?2026;[123]\$y")
_MOUSE = re.compile(r"\x1b\[<\d{1,3};-?\d{1,5};-?\d{1,5}[Mm]")
_KEY = re.compile(r"\x1b\[(\d{1,8})(?::\d*)*(?:;(\d{0,3})(?::(\d))?(?:;([\d:]{0,64}))?)?([u~A-S])")
"""A key with modifiers, as xterm or kitty sends it: number (and alternate keys of other layouts), modifiers, event
type, text."""

_RELEASE = "3"

_CLUSTER = re.compile(
    "[0-9#*]\ufe0f?\u20e3"  # keycaps
    "|[\U0001f1e6-\U0001f1ff]{2}"  # flags
    "|(?:[\U0001f000-\U0001faff]|[\u00a9\u00ae\u2000-\u3300](?=[\ufe0e\ufe0f\u200d]))"
    "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0061-\U000e007f]*"
    "(?:\u200d[\u2000-\u3300\U0001f000-\U0001faff][\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*)*"
    "|[\u0600-\u109f\u1780-\u18af\u1a20-\u1cff\u200c\u200d\ua840-\uabff]+ *"  # words with marks that may take a cell
)
"""Text whose width differs between terminals."""

_STRINGS = re.compile(r"(\x1b[\]PX^_].*?(?:\a|\x1b\\))", re.DOTALL)
"""Sequences that are not drawn, such as titles; an ESC within one would end it."""


SUSPENSION_IGNORED = sys.platform != "win32" and signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
"""Whether jobdeck was started with SIGTSTP ignored; Textual's driver replaces the handler."""


def why_not_suspended(*, remote: bool) -> str:
    """Return in one line why nobody could resume a suspended screen; empty if a shell can."""
    if remote:
        return "not suspended: not running in its own terminal"
    if sys.platform == "win32":
        return "not suspended: not supported on Windows"
    if SUSPENSION_IGNORED:
        return "not suspended: ctrl+z is ignored by the process that started jobdeck"
    if os.getpgrp() == os.getsid(0):
        # The program that opened this terminal runs only jobdeck in it, and would wait for ever.
        return "not suspended: not started from a shell with job control"
    return ""


def stop_until_continued() -> None:
    """Stop the process group, as ctrl+z does elsewhere; returns after `fg`.

    A `make` or a script that waits for jobdeck would otherwise keep the shell waiting.
    """
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGTSTP)


class Burst(events.Event, bubble=False):
    """Characters that arrived faster than a hand types: an unbracketed paste, or keys that a slow line held back."""

    def __init__(self, text: str, keys: tuple[events.Key, ...]) -> None:
        super().__init__()
        self.text = text
        self.keys = keys


class KeyReader:
    """Turns terminal input into events: keys, mouse, pastes. Other sequences are dropped.

    After `wait` seconds without input, `tick` must be called. With `escape_apart`, ESC together with a character is the
    escape key and then the character, not Alt: GNU screen holds ESC back until the next key while the mouse is on.
    """

    def __init__(self, *, escape_apart: bool = False) -> None:
        self._escape_apart = escape_apart
        self._splitter = InputSplitter()
        self._textual = XTermParser()

    @property
    def wait(self) -> float | None:
        """Seconds until the pending input is decided by time; None if nothing is pending."""
        deadline = self._splitter.deadline
        return None if deadline is None else max(deadline - time.monotonic(), 0.0)

    def feed(self, text: str) -> Iterator[Message]:
        """Process what was read."""
        for token in self._splitter.feed(text, time.monotonic()):
            yield from self._events(token)

    def tick(self) -> Iterator[Message]:
        """Process the passing of time."""
        for token in self._splitter.tick(time.monotonic()):
            yield from self._events(token)

    def _events(self, token: Token) -> Iterator[Message]:
        match token:
            case Typed(text):
                keys = tuple(key for character in text for key in self._keys(character))
                if len(keys) > 1:
                    yield Burst(text, keys)
                else:
                    yield from keys
            case Pasted(text):
                yield events.Paste(text.replace("\r\n", "\n").replace("\r", "\n"))
            case EscapeSequence("\x1b"):
                yield events.Key("escape", "\x1b")
            case EscapeSequence("\x1b[I"):
                yield events.AppFocus()
            case EscapeSequence("\x1b[O"):
                yield events.AppBlur()
            case EscapeSequence(text) if _MOUSE.fullmatch(text):
                report = self._textual.parse_mouse_code(text)
                if report is not None:
                    yield report
            case EscapeSequence(text) if _MODE_REPORT.fullmatch(text):
                yield messages.TerminalSupportsSynchronizedOutput()
            case EscapeSequence(text):
                yield from self._sequence_keys(text)

    def _sequence_keys(self, sequence: str) -> Iterator[events.Key]:
        if sequence in ANSI_SEQUENCES_KEYS:
            yield from self._keys(sequence)
        elif len(sequence) == 2 and sequence != "\x1b\\":
            if self._escape_apart:
                yield events.Key("escape", "\x1b")
                yield from self._keys(sequence[1])
                return
            yield from self._textual._sequence_to_key_events(sequence[1], alt=True)
        elif (parts := _KEY.fullmatch(sequence)) is not None:
            number, modifiers, kind, text, end = parts.groups(default="")
            # A number that is not a key would be taken for a character: CSI 113 ; 1 S for a q.
            known = end == "u" or f"{number}{end}" in FUNCTIONAL_KEYS or f"{number}{end}" == "27~"
            # CSI R with two numbers is a cursor position. Textual fails on event types and alternate keys.
            if known and kind != _RELEASE and not (end == "R" and modifiers):
                rest = f";{text}" if text else ""
                yield from self._keys(f"\x1b[{number}{f';{modifiers}' if modifiers or rest else ''}{rest}{end}")

    def _keys(self, sequence: str) -> Iterator[events.Key]:
        try:
            keys = list(self._textual._sequence_to_key_events(sequence))
        except (ValueError, OverflowError):
            # The number is not a character.
            return
        for key in keys:
            surrogate = key.character is not None and "\ud800" <= key.character <= "\udfff"
            if key.key != Keys.Ignore and not surrogate:
                yield key


def pin_clusters(text: str) -> str:
    """Reposition the cursor after each emoji, and each word of a joined script, whose width differs between terminals.

    The width depends on the terminal and its version: "⚠️" is one cell in xterm and tmux 3.3, two in kitty; a family is
    two or eight, "हिन्दी" three to five. The cells are blanked first, and what follows goes where it was measured to
    go. Sequences that are not drawn, such as notifications and titles, are left unchanged.
    """
    parts = _STRINGS.split(text)
    parts[::2] = [_CLUSTER.sub(_pin, part) for part in parts[::2]]
    return "".join(parts)


def _pin(found: re.Match[str]) -> str:
    width = cell_len(found[0])
    if not width:
        return found[0]
    # Saved twice: some emulators forget a saved position once it was restored.
    return f"\x1b7{' ' * width}\x1b8\x1b7{found[0].rstrip(' ')}\x1b8\x1b[{width}C"


class NonBlockingWriter(WriterThread):
    """Accepts writes at once, and never blocks the event loop.

    The app checks `backlogged` before drawing, and redraws the whole screen after `caught_up`, which is called in the
    writer's thread.
    """

    def __init__(self, file: TextIO, caught_up: Callable[[], object]) -> None:
        super().__init__(file)
        self._queue: Queue[str | None] = Queue()
        self._terminal = file
        self._caught_up = caught_up
        self._backlogged = False

    @property
    def backlogged(self) -> bool:
        """Whether the terminal does not keep up, so that nothing more should be drawn."""
        if not self._backlogged and self._queue.qsize() > BACKLOG_WRITES:
            self._backlogged = True
            # The writer may have finished before it could see the flag: another item makes it check again.
            self._queue.put("")
        return self._backlogged

    def run(self) -> None:
        """Write until `stop`, or until the terminal is gone."""
        with suppress(OSError):
            while (text := self._queue.get()) is not None:
                self._write_all(pin_clusters(text))
                if self._backlogged and self._queue.empty():
                    self._backlogged = False
                    self._caught_up()

    def stop(self) -> None:
        """Write the rest, for at most `LEAVE_SECONDS`."""
        self._queue.put(None)
        self.join(LEAVE_SECONDS)

    def _write_all(self, text: str) -> None:
        # Straight to the descriptor: a stream with a write in progress cannot be flushed at exit.
        data = memoryview(text.encode(self._terminal.encoding, self._terminal.errors or "backslashreplace"))
        while data:
            try:
                data = data[os.write(self._terminal.fileno(), data) :]
            except BlockingIOError:
                # Another program has made this terminal non-blocking, which affects everyone who shares it.
                select.select([], [self._terminal], [])


def ignore_full_wakeup_pipe(loop: asyncio.AbstractEventLoop) -> None:
    """Silence the warning about asyncio's full wakeup pipe; call this again after each `add_signal_handler`.

    To print the warning, Python takes a lock in the signal handler, and deadlocks if the signal interrupted the holder
    of that lock: 300 resizes during one stall of the loop hung the screen in one of four runs.
    """
    if sys.platform != "win32":
        signal.set_wakeup_fd(loop._csock.fileno(), warn_on_full_buffer=False)  # type: ignore[attr-defined]  # asyncio's own


def usable_size(columns: int, lines: int) -> tuple[int, int]:
    """Return the size to draw for, given the size that the terminal reports."""
    return min(columns or DEFAULT_SIZE[0], MOST_COLUMNS), min(lines or DEFAULT_SIZE[1], MOST_LINES)


def set_virtual_height(view: ScrollView, lines: int) -> None:
    """Set the number of lines to scroll through; only the scrollbar is updated."""
    size = Size(view.scrollable_content_region.width, lines)
    if size != view.virtual_size:
        view.set_reactive(Widget.virtual_size, size)
        view._scroll_update(size)


def release_painted_lines() -> None:
    """Clear Textual's cache of painted lines; lines that are on a screen are painted again."""
    StylesCache.get_inner_outer.cache_clear()


TOASTS_OVER_DIALOG = 2
"""More toasts would hide the dialog."""


class TerminalApp(App[int]):
    """An app on a terminal that may be slow, and that never shows the details of a crash."""

    SUSPENDED_SCREEN_CLASS = "-behind"
    """A screen's class while another is in front, which then shows its toasts."""

    @property
    def crash(self) -> Exception | None:
        """The error that ended the app, or None."""
        return self._exception

    @property
    def running_driver(self) -> Driver | None:
        """The driver while the app processes its input."""
        return self._driver if self._running else None

    def get_driver_class(self) -> type[Driver]:
        """Return Textual's choice, replaced by `TerminalDriver` on Unix."""
        chosen = super().get_driver_class()
        return TerminalDriver if sys.platform != "win32" and chosen.__name__ == "LinuxDriver" else chosen

    def write(self, sequence: str) -> None:
        """Send a sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(sequence)

    def use_mouse(self, *, wanted: bool) -> None:
        """Turn mouse reports on, or leave the mouse to the terminal for selecting text."""
        if self._driver is not None:
            self._driver._mouse = wanted
            self.write("".join(f"\x1b[?{mode}{'h' if wanted else 'l'}" for mode in MOUSE_MODES))

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Draw, unless the terminal does not keep up: it then gets the whole screen later, not the missed frames."""
        writer = getattr(self._driver, "_writer_thread", None)
        if not (isinstance(writer, NonBlockingWriter) and writer.backlogged):
            super()._display(screen, renderable)

    def _refresh_notifications(self) -> None:
        """Draw the notifications on the front screen; on a dialog, only the newest few."""
        if len(self.screen_stack) < 2:
            super()._refresh_notifications()
        else:
            self.call_later(self._draw_newest_notices, self.screen)

    def _draw_newest_notices(self, dialog: Screen[Any]) -> None:
        newest = Notifications()
        for notification in list(self._notifications)[-TOASTS_OVER_DIALOG:]:
            newest.add(notification)
        for rack in dialog.query_children(ToastRack):
            shown = {rack._toast_id(notification) for notification in newest}
            # The rack itself would leave gaps for older ones.
            rack.remove_children([holder for holder in rack.children if holder.id not in shown])
            rack.show(newest)

    def _fatal_error(self) -> None:
        """End without Textual's crash report."""
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Print nothing about a crash: the caller reports it."""


if sys.platform != "win32":
    from textual.drivers.linux_driver import LinuxDriver

    class TerminalDriver(LinuxDriver):
        """Draws only as much as the terminal accepts, and only for a plausible size."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if SUSPENSION_IGNORED:
                signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            self._resizing = False
            # The app takes its first size from here, or from COLUMNS and LINES if it is missing.
            self._size = self._size or self._get_terminal_size()

        def start_application_mode(self) -> None:
            """Set up the terminal."""
            super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's has no annotations
            if self._writer_thread is None or self._file is None:
                return
            loop = asyncio.get_running_loop()
            self._writer_thread.stop()
            self._writer_thread = NonBlockingWriter(self._file, lambda: loop.call_soon_threadsafe(self._app.refresh))
            self._writer_thread.start()
            loop.add_signal_handler(signal.SIGWINCH, self._on_resize_signal)
            ignore_full_wakeup_pipe(loop)
            self.write(start_sequence(os.environ))

        def stop_application_mode(self) -> None:
            """Restore the terminal."""
            self.write(end_sequence(os.environ))
            super().stop_application_mode()

        def run_input_thread(self) -> None:
            """Read input and post events, until the input is disabled."""
            reader = KeyReader(escape_apart=in_gnu_screen(os.environ))
            decode = getincrementaldecoder("utf-8")("surrogateescape").decode

            def take(seconds: float) -> None:
                ready = {key.fileobj for key, _ in selector.select(seconds)}
                if self.fileno not in ready:
                    found = reader.tick()
                elif data := self._read():
                    found = reader.feed(decode(data))
                else:
                    found = reader.tick()
                    selector.unregister(self.fileno)
                    if not self.exit_event.is_set():
                        # The system sends SIGHUP only to processes on their controlling terminal.
                        os.kill(os.getpid(), signal.SIGHUP)
                for event in found:
                    self.process_message(event)

            with selectors.SelectSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    take(WAKE_SECONDS if reader.wait is None else min(reader.wait, WAKE_SECONDS))
                take(DRAIN_SECONDS)

        def _read(self) -> bytes:
            try:
                return os.read(self.fileno, READ_BYTES)
            except OSError:
                return b""

        def disable_input(self) -> None:
            """Stop reading."""
            with suppress(RuntimeError):
                asyncio.get_running_loop().remove_signal_handler(signal.SIGWINCH)
            super().disable_input()

        def _get_terminal_size(self) -> tuple[int, int]:
            # The terminal's size, not COLUMNS and LINES: a shell exports them once, perhaps for another size.
            for stream in (sys.__stderr__, sys.__stdin__, sys.__stdout__):
                with suppress(OSError, AttributeError, ValueError):
                    return usable_size(*os.get_terminal_size(stream.fileno()))  # type: ignore[union-attr]
            return DEFAULT_SIZE

        def _on_resize_signal(self) -> None:
            """Draw for the new size once it is stable: drawing takes up to half a second per size."""
            if not self._resizing:
                self._resizing = True
                asyncio.get_running_loop().call_later(RESIZE_SECONDS, self._resize)

        def _resize(self) -> None:
            self._resizing = False
            size = Size(*self._get_terminal_size())
            self.send_message(events.Resize(size, size))

        def _query_in_band_window_resize(self) -> None:
            """Do not ask: a reply would report sizes, and mouse positions in pixels, and neither is used."""
