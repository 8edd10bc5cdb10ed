"""Parts of answers that have a URL of their own: when they are fetched."""

from jobdeck.domain.job import JobKey, MissingPart
from jobdeck.scheduling.actions import FetchPart
from jobdeck.scheduling.queue import DueQueue

PART_SECONDS = 10.0
"""Between two requests for a part of the selected job while it goes on."""

RETRY_SECONDS = 2.0


class PartQueue:
    """The parts that jobs miss. Those of ended jobs are due at once, others while their job is selected.

    Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._missing: dict[JobKey, tuple[MissingPart, ...]] = {}
        self._ended: DueQueue[JobKey] = DueQueue()
        self._fetched: dict[JobKey, float] = {}
        self._in_flight: set[JobKey] = set()

    def put(self, key: JobKey, missing: tuple[MissingPart, ...], now: float, *, ended: bool) -> None:
        """Queue the parts that a job misses after an answer; one that failed before is due a little later."""
        self._in_flight.discard(key)
        self._ended.drop(key)
        if not missing:
            self._missing.pop(key, None)
            return
        self._missing[key] = missing
        if ended:
            self._fetched.pop(key, None)
            self._ended.put(key, now + RETRY_SECONDS * missing[0].tries)

    def defer(self, key: JobKey, until: float) -> None:
        """Leave the parts of a job alone until then."""
        if key in self._ended:
            self._ended.put(key, until)
        else:
            self._fetched[key] = until - PART_SECONDS

    def drop(self, key: JobKey) -> None:
        """Forget a job."""
        self._in_flight.discard(key)
        self._ended.drop(key)
        self._missing.pop(key, None)
        self._fetched.pop(key, None)

    def first(self, key: JobKey) -> FetchPart:
        """Return the request for a job's first part."""
        return FetchPart(key, self._missing[key][0])

    def mark_sent(self, key: JobKey, now: float) -> None:
        """Note that a part of a job was requested."""
        self._ended.drop(key)
        self._fetched[key] = now
        self._in_flight.add(key)

    def due_selected(self, selected: JobKey | None) -> float | None:
        """Return when a part of the selected job is due; None when it misses none, or one is on its way."""
        if selected is None or selected not in self._missing or selected in self._in_flight:
            return None
        if selected in self._ended:
            return self._ended.due(selected)
        return self._fetched.get(selected, float("-inf")) + PART_SECONDS

    def due_ended(self) -> float | None:
        """Return when the first part of an ended job is due; None when there is none."""
        return self._ended.first_due()

    def first_ended(self) -> JobKey:
        """Return the ended job whose part is due first; raises IndexError when there is none."""
        return self._ended.earliest(1)[0]

    def has_ended(self, key: JobKey) -> bool:
        """Whether a part is awaited of a job that has ended."""
        return key in self._ended
