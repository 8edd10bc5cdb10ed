"""What a front end renders from: changes, merged while it was busy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobdeck.domain.attention import Rank
from jobdeck.domain.events import Event
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobKey


@dataclass(frozen=True, slots=True)
class Batch:
    """All that changed since the last batch: each changed job once, in its newest state.

    A subscriber's first batch holds every job that is watched. One that is `fresh` does so, too: nothing that came
    before it holds any more. `ranks` has where jobs stand in the order of need, for those of which that is known: what
    a batch merges is not all that they went through.
    """

    jobs: tuple[Job, ...] = ()
    removed: tuple[JobKey, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    events: tuple[Event, ...] = ()
    fresh: bool = False
    ranks: Mapping[JobKey, Rank] = field(default_factory=dict)
