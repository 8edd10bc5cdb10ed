"""Notifications when jobs finish: of which jobs, and by bell, terminal or desktop."""

import asyncio
import importlib
import importlib.util
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from textual.screen import Screen

from jobdeck.app.session import Session
from jobdeck.domain.events import describe_ends
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.text import one_line
from jobdeck.tui.cell_text import describe_jobs
from jobdeck.tui.clipboard import Say, over_ssh
from jobdeck.tui.multiplexer import passed_through

NOTICE_CELLS = 200
TITLE = "jobdeck"
DESKTOP_SECONDS = 5.0
SESSION_SECONDS = 10.0
"""How long a notice of the session stays on the screen."""


class DesktopError(Exception):
    """The desktop did not accept a notification."""


class Notifier:
    """Sends notifications by bell, and by desktop or terminal; a way that fails is skipped.

    `on_error` is called once, with a line for the user, if the desktop accepts no notifications.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        environ: Mapping[str, str] | None = None,
        on_error: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._write = write
        self._environ = os.environ if environ is None else environ
        self._on_error = on_error
        self._reported = False
        self._show = Desktop().show
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, text: str) -> None:
        """Ring the bell and send one notification."""
        self._write("\a")
        if desktop_at_hand(self._environ):
            task = asyncio.get_running_loop().create_task(self._desktop(text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._write(notification_sequence(text, self._environ))

    async def _desktop(self, text: str) -> None:
        try:
            async with asyncio.timeout(DESKTOP_SECONDS):
                await self._show(text)
        except Exception:  # noqa: BLE001 - a library on a message bus may raise anything; the terminal is left
            self._write(notification_sequence(text, self._environ))
            if not self._reported:
                self._reported = True
                self._on_error("desktop notification failed: sent through the terminal instead")


def notification_sequence(text: str, environ: Mapping[str, str]) -> str:
    """Return the sequence for a terminal's notification.

    Terminals that support both sequences would show both, so each gets one: OSC 777 for rxvt, foot and VTE, OSC 9 for
    the others. A text that begins with a digit and a semicolon would be a progress bar.
    """
    words = one_line(text, NOTICE_CELLS).replace(";", ",")
    knows_777 = environ.get("TERM", "").startswith(("rxvt", "foot")) or bool(environ.get("VTE_VERSION"))
    sequence = f"\x1b]777;notify;{TITLE};{words}\a" if knows_777 else f"\x1b]9;{TITLE}: {words}\a"
    return passed_through(sequence, environ)


def desktop_at_hand(environ: Mapping[str, str]) -> bool:
    """Whether the user is at this desktop and the library for it is installed (the extra ``notify``)."""
    return not over_ssh(environ) and importlib.util.find_spec("desktop_notifier") is not None


def describe_notifications(environ: Mapping[str, str]) -> str:
    """Return a description of how the user would be notified."""
    if desktop_at_hand(environ):
        return "bell and desktop notification; terminal notification as a fallback"
    return "bell and terminal notification, where supported (install the notify extra for desktop notifications)"


class Desktop:
    """Desktop notifications, over one connection that the first one opens."""

    def __init__(self) -> None:
        self._notifier: Any = None

    async def show(self, text: str) -> None:
        """Show a notification; raises `DesktopError` if it was not accepted, and whatever the library raises."""
        if self._notifier is None:
            for name in ("desktop_notifier", "dbus_fast"):
                # Without a handler the library's log goes to stderr, where the screen is drawn.
                logging.getLogger(name).addHandler(logging.NullHandler())
            library = await asyncio.to_thread(importlib.import_module, "desktop_notifier")
            self._notifier = library.DesktopNotifier(app_name=TITLE)
        taken: list[bool] = []
        await self._notifier.send(
            title=TITLE, message=one_line(text, NOTICE_CELLS), on_dispatched=lambda: taken.append(True)
        )
        # The library only logs that there is no bus or no notification service.
        if not taken:
            raise DesktopError


@dataclass(frozen=True, slots=True)
class NotifyState:
    """Which jobs the user is notified of."""

    wanted: frozenset[JobKey] = frozenset()
    all: bool = False
    """Of every job."""


class EndNotifications:
    """Remembers the choices made with `w` and `W`, and notifies."""

    def __init__(self, write: Callable[[str], object], say: Say) -> None:
        self._notifier = Notifier(write, on_error=lambda fault: say(fault, True))
        self._say = say
        self.state = NotifyState()

    @property
    def wanted(self) -> Collection[JobKey] | None:
        """The jobs to notify of; None means all."""
        return None if self.state.all else self.state.wanted

    def wants(self, key: JobKey) -> bool:
        """Whether the user is notified when a job finishes."""
        return self.state.all or key in self.state.wanted

    def toggle(self, keys: Sequence[JobKey]) -> str:
        """Toggle notifications of these jobs, off if they are on for all of them; returns the message to show."""
        if self.state.all:
            return "already notifying for every job (W turns it off)"
        when = f"when {describe_jobs(keys)} {'finishes' if len(keys) == 1 else 'finish'}"
        chosen = set(keys)
        if chosen <= self.state.wanted:
            self.state = replace(self.state, wanted=self.state.wanted - chosen)
            return f"no longer notifying {when}"
        self.state = replace(self.state, wanted=self.state.wanted | chosen)
        return f"you'll be notified {when}"

    def toggle_all(self) -> bool:
        """Toggle notifications of every job; returns whether they are on."""
        self.state = replace(self.state, all=not self.state.all)
        return self.state.all

    def on_jobs_ended(self, jobs: Sequence[Job]) -> None:
        """Notify that jobs finished."""
        text = describe_ends(jobs)
        self.state = replace(self.state, wanted=self.state.wanted - {job.key for job in jobs})
        self._notifier.send(text)
        self._say(text, False)


class SessionNotices:
    """Shows each of the session's notices once."""

    def __init__(self, screen: Screen[None], session: Session) -> None:
        self._screen = screen
        self._session = session
        self._shown = 0

    def show(self) -> None:
        """Show new notices."""
        notices = self._session.notices
        for notice in notices[self._shown :]:
            self._screen.notify(one_line(notice), markup=False, timeout=SESSION_SECONDS)
        self._shown = len(notices)
