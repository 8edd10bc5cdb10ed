"""What a front end renders from: changes, merged while it was busy."""

from dataclasses import dataclass

from jobdeck.domain.events import Event
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey


@dataclass(frozen=True, slots=True)
class Batch:
    """All that changed since the last batch: each changed job once, in its newest state.

    A subscriber's first batch holds every job that is watched. One that is `fresh` does so, too: nothing that came
    before it holds any more.
    """

    jobs: tuple[Job, ...] = ()
    removed: tuple[JobKey, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    events: tuple[Event, ...] = ()
    fresh: bool = False
