"""What keys did that can be undone, the newest first."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a key did: what is said when it is undone, and what undoes it."""

    undone: str
    undo: Callable[[], None]


class UndoStack:
    """Keeps the newest changes."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=MOST_KEPT)

    def push(self, undone: str, undo: Callable[[], None]) -> None:
        """Keep a change."""
        self._changes.append(Change(undone, undo))

    def pop(self) -> Change | None:
        """Return the newest change and forget it; None when there is none."""
        return self._changes.pop() if self._changes else None
