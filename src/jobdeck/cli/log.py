"""Standard error is narration: lines for a person, and on a terminal one that is written over."""

import os
import sys
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class StatusLine:
    """The last line of the terminal while a command works; nothing where it cannot be written over.

    In the background of a shell it is not drawn: it would erase what is being typed. It comes back with `refresh`.
    """

    def __init__(self) -> None:
        self._text = ""
        self._stands = False

    @property
    def possible(self) -> bool:
        """Whether standard error is a terminal that can do so, and one whose shell says when it is ours to draw on."""
        return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb" and _foreground() is not None

    def show(self, text: str) -> None:
        """Put a text in the place of the one before, as much of it as fits."""
        if self.possible:
            self._text = text
            self.refresh()

    def refresh(self) -> None:
        """Draw the text again, should it have been hidden; nothing in the background."""
        if self._text and self._may_draw():
            sys.stderr.write(f"\r\x1b[K{self._text[: _columns() - 1]}")
            sys.stderr.flush()
            self._stands = True

    def clear(self) -> None:
        """Take the text away."""
        self._text = ""
        if self._may_draw() and self._stands:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._stands = False

    def _may_draw(self) -> bool:
        foreground = bool(_foreground())
        # Since it was drawn, the shell has written its own lines below.
        self._stands = self._stands and foreground
        return foreground


STATUS_LINE = StatusLine()


def log(line: str) -> None:
    """Write a line to standard error, never behind the one that is written over."""
    STATUS_LINE.clear()
    sys.stderr.write(f"jobdeck: {line}\n")
    sys.stderr.flush()


def truncate_with_notice(found: Sequence[_T], limit: int) -> Sequence[_T]:
    """Return the first `limit` of what was found, and say so when there is more: asked for was one more than that."""
    if len(found) > limit:
        log(f"showing the newest {limit}; use --limit N for more")
    return found[:limit]


def _foreground() -> bool | None:
    """Whether we are in the foreground of the terminal on standard error; None where it is not our controlling one."""
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError):
        return True  # a stand-in for a terminal, which has no shell
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return None


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80
