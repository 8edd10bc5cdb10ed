"""What a person has picked out, in the order of picking, and what keys did that can be undone."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jobdeck.domain.job import JobKey


class MarkedJobs:
    """A set of keys that remembers its order."""

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
        """Mark a job, or take its mark away."""
        if key in self._keys:
            del self._keys[key]
        else:
            self._keys[key] = None

    def replace(self, keys: Iterable[JobKey]) -> None:
        """Mark these jobs and no others."""
        self._keys = dict.fromkeys(keys)

    def drop(self, keys: Iterable[JobKey]) -> None:
        """Take marks away."""
        for key in keys:
            self._keys.pop(key, None)


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
