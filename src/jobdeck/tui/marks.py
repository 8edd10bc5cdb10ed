"""The marked jobs, in the order of marking, and the undo stack."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jobdeck.domain.job import JobKey


class MarkedJobs:
    """An ordered set of job keys."""

    def __init__(self) -> None:
        self._keys: dict[JobKey, None] = {}

    def __len__(self) -> int:
        """Return the number of marked jobs."""
        return len(self._keys)

    def __iter__(self) -> Iterator[JobKey]:
        """Return the marked keys in the order of marking."""
        return iter(tuple(self._keys))

    def __contains__(self, key: object) -> bool:
        """Whether a job is marked."""
        return key in self._keys

    def toggle(self, key: JobKey) -> None:
        """Mark or unmark a job."""
        if key in self._keys:
            del self._keys[key]
        else:
            self._keys[key] = None

    def replace(self, keys: Iterable[JobKey]) -> None:
        """Mark exactly these jobs."""
        self._keys = dict.fromkeys(keys)

    def drop(self, keys: Iterable[JobKey]) -> None:
        """Unmark jobs."""
        for key in keys:
            self._keys.pop(key, None)


MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One change that can be undone: the message after undoing it, and the function that does it."""

    undone: str
    undo: Callable[[], None]


class UndoStack:
    """The newest changes."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=MOST_KEPT)

    def push(self, undone: str, undo: Callable[[], None]) -> None:
        """Add a change."""
        self._changes.append(Change(undone, undo))

    def pop(self) -> Change | None:
        """Remove and return the newest change, or None."""
        return self._changes.pop() if self._changes else None
