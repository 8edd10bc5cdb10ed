"""Messages on stderr, and on a terminal a status line that is overwritten."""

import os
import sys
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class StatusLine:
    """The last line of the terminal while a command works; does nothing where it cannot be overwritten.

    It is not drawn while the shell runs jobdeck in the background, where it would erase what the user types; `refresh`
    brings it back.
    """

    def __init__(self) -> None:
        self._text = ""
        self._stands = False

    @property
    def possible(self) -> bool:
        """Whether stderr is a terminal that supports it, and one that can tell whether jobdeck is in the foreground."""
        return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb" and _foreground() is not None

    def show(self, text: str) -> None:
        """Replace the text, truncated to the width."""
        if self.possible:
            self._text = text
            self.refresh()

    def refresh(self) -> None:
        """Redraw the text if it was hidden; does nothing in the background."""
        if self._text and self._may_draw():
            sys.stderr.write(f"\r\x1b[K{self._text[: _columns() - 1]}")
            sys.stderr.flush()
            self._stands = True

    def clear(self) -> None:
        """Remove the text."""
        self._text = ""
        if self._may_draw() and self._stands:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._stands = False

    def _may_draw(self) -> bool:
        foreground = bool(_foreground())
        # The shell has written its own lines below it.
        self._stands = self._stands and foreground
        return foreground


STATUS_LINE = StatusLine()


def log(line: str) -> None:
    """Write a line to stderr, clearing the status line first."""
    STATUS_LINE.clear()
    sys.stderr.write(f"jobdeck: {line}\n")
    sys.stderr.flush()


def truncate_with_notice(found: Sequence[_T], limit: int) -> Sequence[_T]:
    """Return the first `limit` items; log a notice if there are more (callers fetch limit + 1)."""
    if len(found) > limit:
        log(f"showing the newest {limit}; use --limit N for more")
    return found[:limit]


def _foreground() -> bool | None:
    """Whether jobdeck is in the foreground of the terminal on stderr; None if that is not its controlling terminal."""
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError):
        return True  # a stand-in for a terminal, without a shell
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
