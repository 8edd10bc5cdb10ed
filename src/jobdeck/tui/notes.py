"""What each exchange changed in each job, in words."""

from collections.abc import Mapping

from jobdeck.domain.events import AnomalyMet, PhaseChanged, Recovered, StageChanged
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.engine.batch import Batch

KEPT = 200
"""Notes kept for each job: as many as the engine keeps exchanges."""


class Notes:
    """Words by job, and by the request or trace ID of the exchange that brought the change."""

    def __init__(self) -> None:
        self._notes: dict[JobKey, dict[str, str]] = {}

    def of(self, key: JobKey) -> Mapping[str, str]:
        """Return the notes about one job by support ID."""
        return self._notes.get(key, {})

    def take(self, batch: Batch) -> None:
        """Take down what the exchanges of a batch changed.

        An event without a request ID goes to the newest exchange about its job in the batch, else to the newest
        list of its profile: a frame is shorter than the shortest interval between two looks at one job.
        """
        looks: dict[JobKey, str] = {}
        lists: dict[str, str] = {}
        for exchange in batch.exchanges:
            if exchange.support_id is None:
                continue
            if exchange.job is not None:
                looks[exchange.job] = exchange.support_id
            else:
                lists[exchange.profile] = exchange.support_id
        for event in batch.events:
            match event:
                case PhaseChanged():
                    began = event.before is Phase.UNKNOWN
                    words = event.status if began else f"{event.before.value} → {event.status}"
                    self._add(event.key, event.request_id, looks, lists, words)
                case StageChanged():
                    words = f"{event.stage} {event.after.value}"
                    self._add(event.key, event.request_id, looks, lists, words)
                case AnomalyMet():
                    self._add(event.key, None, looks, lists, event.message)
                case Recovered():
                    self._add(event.key, None, looks, lists, f"seen again after {event.failures}")
                case _:
                    pass
        for key in batch.removed:
            self._notes.pop(key, None)

    def _add(
        self, key: JobKey, request_id: str | None, looks: Mapping[JobKey, str], lists: Mapping[str, str], words: str
    ) -> None:
        support_id = request_id or looks.get(key) or lists.get(key.profile)
        if support_id is None:
            return
        notes = self._notes.setdefault(key, {})
        known = notes.get(support_id)
        notes[support_id] = f"{known}, {words}" if known else words
        if len(notes) > KEPT:
            del notes[next(iter(notes))]
