"""A priority queue whose entries can be moved and dropped."""

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

K = TypeVar("K")


class DueQueue(Generic[K]):
    """Keys by due time; moving or dropping one is O(log n), or free until the old entry surfaces.

    Entries are never searched for: a superseded one is recognised by its number when it comes up, and the heap is
    rebuilt once more than half of it is superseded.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._entry: dict[K, tuple[float, int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._entry)

    def __contains__(self, key: object) -> bool:
        return key in self._entry

    def __iter__(self) -> Iterator[K]:
        return iter(self._entry)

    def due(self, key: K) -> float | None:
        """Return when `key` is due; None when it is not queued."""
        entry = self._entry.get(key)
        return None if entry is None else entry[0]

    def put(self, key: K, due: float) -> None:
        """Queue `key` for `due`, wherever it was before; among equals the first put comes first."""
        self._count += 1
        self._entry[key] = (due, self._count)
        heapq.heappush(self._heap, (due, self._count, key))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._entry):
            self._heap = [(at, number, key) for key, (at, number) in self._entry.items()]
            heapq.heapify(self._heap)

    def drop(self, key: K) -> None:
        """Take `key` out; harmless when it is not queued."""
        self._entry.pop(key, None)

    def first_due(self) -> float | None:
        """Return when the earliest key is due; None when nothing is queued."""
        self._settle()
        return self._heap[0][0] if self._heap else None

    def pop(self) -> K:
        """Take the earliest key out and return it; raises IndexError when nothing is queued."""
        self._settle()
        key = heapq.heappop(self._heap)[2]
        del self._entry[key]
        return key

    def _settle(self) -> None:
        while self._heap and self._entry.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)

    def earliest(self, count: int) -> list[K]:
        """Return up to `count` keys in due order, leaving them queued."""
        taken: list[tuple[float, int, K]] = []
        while self._heap and len(taken) < count:
            item = heapq.heappop(self._heap)
            if self._entry.get(item[2]) == item[:2]:
                taken.append(item)
        for item in taken:
            heapq.heappush(self._heap, item)
        return [key for _, _, key in taken]
