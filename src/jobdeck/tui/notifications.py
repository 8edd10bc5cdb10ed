"""Being called back to the screen when jobs end: for which, and by bell, terminal or desktop."""

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
from jobdeck.domain.ending import describe_ends
from jobdeck.domain.humanize import pluralize
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.text import one_line
from jobdeck.tui.cell_text import middle
from jobdeck.tui.clipboard import Say, over_ssh
from jobdeck.tui.multiplexer import passed_through

NOTICE_CELLS = 200
TITLE = "jobdeck"
DESKTOP_SECONDS = 5.0
SESSION_SECONDS = 10.0
"""So long what a session says at its start stays on the screen."""


class DesktopError(Exception):
    """The desktop did not take a notice."""


class Notifier:
    """Tells by every way there is that needs no answer; a way that fails is passed over, for others are left.

    `on_error` hears once in a line that the desktop takes no notices.
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
        """Ring the bell and give one notice."""
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
    """Return the sequence that asks a terminal for a notice.

    Of the two there are, terminals that know both would show both, so each gets one: OSC 777 what comes from rxvt,
    foot and VTE, OSC 9 everything else. A text beginning with a digit and a semicolon would be a progress bar.
    """
    words = one_line(text, NOTICE_CELLS).replace(";", ",")
    knows_777 = environ.get("TERM", "").startswith(("rxvt", "foot")) or bool(environ.get("VTE_VERSION"))
    sequence = f"\x1b]777;notify;{TITLE};{words}\a" if knows_777 else f"\x1b]9;{TITLE}: {words}\a"
    return passed_through(sequence, environ)


def desktop_at_hand(environ: Mapping[str, str]) -> bool:
    """Whether there is a desktop in front of the person, and the library that speaks to it (the extra ``notify``)."""
    return not over_ssh(environ) and importlib.util.find_spec("desktop_notifier") is not None


def described(environ: Mapping[str, str]) -> str:
    """Return in words how a person would be called."""
    if desktop_at_hand(environ):
        return "bell and desktop notification; terminal notification as a fallback"
    return "bell and terminal notification, where supported (install the notify extra for desktop notifications)"


class Desktop:
    """The desktop's notices, through one connection to it that is made with the first."""

    def __init__(self) -> None:
        self._notifier: Any = None

    async def show(self, text: str) -> None:
        """Show a notice; raises `DesktopError` when it was not taken, and whatever else the library raises."""
        if self._notifier is None:
            for name in ("desktop_notifier", "dbus_fast"):
                # What has no handler is written to standard error, where the screen is drawn.
                logging.getLogger(name).addHandler(logging.NullHandler())
            library = await asyncio.to_thread(importlib.import_module, "desktop_notifier")
            self._notifier = library.DesktopNotifier(app_name=TITLE)
        taken: list[bool] = []
        await self._notifier.send(
            title=TITLE, message=one_line(text, NOTICE_CELLS), on_dispatched=lambda: taken.append(True)
        )
        # The library only logs that there is no bus, or nobody on it who shows notices.
        if not taken:
            raise DesktopError


@dataclass(frozen=True, slots=True)
class NotifyState:
    """Which jobs a person is notified of, and whether of all of them."""

    wanted: frozenset[JobKey] = frozenset()
    all: bool = False


class EndNotifications:
    """Keeps what `w` and `W` asked for, and notifies."""

    def __init__(self, write: Callable[[str], object], say: Say) -> None:
        self._notifier = Notifier(write, on_error=lambda fault: say(fault, True))
        self._say = say
        self.state = NotifyState()

    @property
    def wanted(self) -> Collection[JobKey] | None:
        """The jobs to notify of; None is all of them."""
        return None if self.state.all else self.state.wanted

    def wants(self, key: JobKey) -> bool:
        """Whether a person is notified when a job ends."""
        return self.state.all or key in self.state.wanted

    def toggle(self, keys: Sequence[JobKey]) -> str:
        """Notify when jobs end, or no more if all of them were asked for; returns what a person is told of it."""
        if self.state.all:
            return "already notifying for every job (W turns it off)"
        subject = middle(keys[0].id, 40) if len(keys) == 1 else pluralize(len(keys), "job")
        chosen = set(keys)
        if chosen <= self.state.wanted:
            self.state = replace(self.state, wanted=self.state.wanted - chosen)
            return f"no longer notifying when {subject} finishes"
        self.state = replace(self.state, wanted=self.state.wanted | chosen)
        return f"you'll be notified when {subject} finishes"

    def toggle_all(self) -> bool:
        """Notify of every job that ends, or no more."""
        self.state = replace(self.state, all=not self.state.all)
        return self.state.all

    def on_jobs_ended(self, jobs: Sequence[Job]) -> None:
        """Notify: jobs have ended."""
        text = describe_ends(jobs)
        self.state = replace(self.state, wanted=self.state.wanted - {job.key for job in jobs})
        self._notifier.send(text)
        self._say(text, False)


class SessionNotices:
    """Shows what a session has to say, each line once."""

    def __init__(self, screen: Screen[None], session: Session) -> None:
        self._screen = screen
        self._session = session
        self._shown = 0

    def show(self) -> None:
        """Show what is new."""
        notices = self._session.notices
        for notice in notices[self._shown :]:
            self._screen.notify(one_line(notice), markup=False, timeout=SESSION_SECONDS)
        self._shown = len(notices)
