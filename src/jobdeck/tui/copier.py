"""Sending texts to the clipboard: what is said about it, and what is kept of it for those it did not reach."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobdeck.domain import words
from jobdeck.domain.instant import Clock
from jobdeck.tui.cells import clip
from jobdeck.tui.clipboard import ClipboardError, Put, TooBigError
from jobdeck.tui.saving import Save, save
from jobdeck.wiring.private_file import PrivateFileError

SHOWN = 160
"""Characters of a text that are repeated when it has been sent."""

_READABLE = "" if sys.platform == "win32" else ", readable by you alone"
"""On Windows the folder decides who reads its files."""

Say = Callable[[str, bool], None]
"""Tells a person something, as a warning or not."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A text that was meant for the clipboard, and what it is."""

    text: str
    what: str


class Copier:
    """Puts texts on the clipboard and says so: "sent", because a terminal never tells whether it took one."""

    def __init__(self, put: Put, clock: Clock, say: Say, save: Save = save) -> None:
        self._put = put
        self._save = save
        self._clock = clock
        self._say = say
        self._busy = asyncio.Lock()
        self.last: Sent | None = None

    async def send(self, text: str, what: str) -> bool:
        """Send a text; one that is too big for the clipboard becomes a file. Returns whether it was sent.

        Those that are asked for meanwhile follow in their order.
        """
        self.last = Sent(text, what)
        async with self._busy:
            return await self._send(text, what)

    async def _send(self, text: str, what: str) -> bool:
        try:
            way = await self._put(text)
        except TooBigError as error:
            self._say(f"{what} not sent to the clipboard: {error}", True)
            await self.keep(text, what)
            return False
        except ClipboardError as error:
            self._say(f"{what} not sent to the clipboard: {error}\n{_shown(text)}\nC shows it to select by hand", True)
            return False
        self._say(f"{_shown(text)}\n{what} sent to the clipboard by {way}; C shows it", False)
        return True

    async def keep(self, text: str, what: str) -> Path | None:
        """Write a text to a file, and say where it is."""
        try:
            path = await self._save(text, what, self._clock.now().us)
        except PrivateFileError as error:
            self._say(str(error), True)
            return None
        self._say(f"{path}\n{what} saved, {words.size(len(text.encode()))}{_READABLE}", False)
        return path


def _shown(text: str) -> str:
    first, *rest = text.strip().split("\n", 1)
    return f"{clip(first.lstrip('# '), 60)} … {words.size(len(text.encode()))}" if rest else clip(first, SHOWN)
