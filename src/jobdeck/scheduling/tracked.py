"""What the scheduler remembers of one job."""

from dataclasses import dataclass

from jobdeck.domain.job import JobKey

FLOORS = {"enrichment": 2.0, "search": 5.0, "operation": 10.0, "prospecting": 10.0}
"""Seconds between two looks at a job that is far from its end: the vendors' advised lower bounds.

`operation` may be anything, most often a deep research or a crawl, so it has the floor of those.
"""

DEFAULT_FLOOR = 5.0


def floor_of(kind: str) -> float:
    """Return the shortest advised interval, in seconds, for jobs of `kind`."""
    return FLOORS.get(kind, DEFAULT_FLOOR)


@dataclass(slots=True)
class Tracked:
    """One watched job. Times are monotonic seconds; `looked` is the last good look, `asked` when it was sent."""

    key: JobKey
    kind: str
    added: float
    looked: float | None = None
    asked: float | None = None
    progress: float | None = None
    terminal: bool = False
    failures: int = 0
    misses: int = 0
    shown: bool = False
