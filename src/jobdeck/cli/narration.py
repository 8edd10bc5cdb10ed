"""Standard error is narration: lines for a person, and on a terminal one that is written over."""

import os
import sys
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class OverwrittenLine:
    """The last line of the terminal while a command works; nothing where it cannot be written over."""

    def __init__(self) -> None:
        self._stands = False

    @property
    def possible(self) -> bool:
        """Whether standard error is a terminal that can do so."""
        return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def show(self, text: str) -> None:
        """Put a text in the place of the one before, as much of it as fits."""
        if self.possible:
            sys.stderr.write(f"\r\x1b[K{text[: _columns() - 1]}")
            sys.stderr.flush()
            self._stands = True

    def clear(self) -> None:
        """Take the text away."""
        if self._stands:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._stands = False


LINE = OverwrittenLine()


def narrate(line: str) -> None:
    """Write a line to standard error, never behind the one that is written over."""
    LINE.clear()
    sys.stderr.write(f"jobdeck: {line}\n")
    sys.stderr.flush()


def newest(found: Sequence[_T], limit: int) -> Sequence[_T]:
    """Return the first `limit` of what was found, and say so when there is more: asked for was one more than that."""
    if len(found) > limit:
        narrate(f"these are the newest {limit}: --limit N shows more")
    return found[:limit]


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80
