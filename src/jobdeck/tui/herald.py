"""Calling a person back to the screen: the bell, the terminal's own notices, the desktop's."""

import asyncio
import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from typing import Any

from jobdeck.domain.text import one_line

NOTICE_CELLS = 200
TITLE = "jobdeck"
DESKTOP_SECONDS = 5.0


class Herald:
    """Tells by every way there is that needs no answer; a way that fails is passed over, for others are left."""

    def __init__(self, write: Callable[[str], object], environ: Mapping[str, str] | None = None) -> None:
        self._write = write
        self._environ = os.environ if environ is None else environ
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, text: str) -> None:
        """Ring the bell and give one notice."""
        self._write("\a")
        if desktop_at_hand(self._environ):
            task = asyncio.get_running_loop().create_task(self._desktop(text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._write(terminal_notice(text, self._environ))

    async def _desktop(self, text: str) -> None:
        try:
            async with asyncio.timeout(DESKTOP_SECONDS):
                await show_on_desktop(text)
        except Exception:  # noqa: BLE001 - a library on a message bus may raise anything; the terminal is left
            self._write(terminal_notice(text, self._environ))


def terminal_notice(text: str, environ: Mapping[str, str]) -> str:
    """Return the sequence that asks a terminal for a notice.

    Of the two there are, terminals that know both would show both, so each gets one: OSC 777 what comes from rxvt,
    foot and VTE, OSC 9 everything else. A text beginning with a digit and a semicolon would be a progress bar.
    """
    words = one_line(text, NOTICE_CELLS).replace(";", ",")
    knows_777 = environ.get("TERM", "").startswith(("rxvt", "foot")) or bool(environ.get("VTE_VERSION"))
    sequence = f"\x1b]777;notify;{TITLE};{words}\a" if knows_777 else f"\x1b]9;{TITLE}: {words}\a"
    if environ.get("TMUX"):
        return f"\x1bPtmux;{sequence.replace(chr(27), chr(27) * 2)}\x1b\\"
    return sequence


def desktop_at_hand(environ: Mapping[str, str]) -> bool:
    """Whether there is a desktop in front of the person, and the library that speaks to it (the extra ``notify``)."""
    if any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")):
        return False
    return importlib.util.find_spec("desktop_notifier") is not None


async def show_on_desktop(text: str) -> None:
    """Show a notice on the desktop; raises whatever the library raises."""
    library: Any = await asyncio.to_thread(importlib.import_module, "desktop_notifier")
    await library.DesktopNotifier(app_name=TITLE).send(title=TITLE, message=one_line(text, NOTICE_CELLS))
