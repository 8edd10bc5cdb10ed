"""What each exchange changed, in words, by the ID it is known under."""

from collections.abc import Iterator, Mapping

from jobdeck.domain.events import AnomalyMet, PhaseChanged, Recovered, StageChanged
from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.engine.batch import Batch

KEPT = 5_000


class Notes(Mapping[str, str]):
    """Words by request or trace ID, for the trace; the newest `KEPT` of them."""

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}

    def __getitem__(self, support_id: str) -> str:
        return self._notes[support_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._notes)

    def __len__(self) -> int:
        return len(self._notes)

    def take(self, batch: Batch) -> None:
        """Take down what the exchanges of a batch changed.

        An event without a request ID goes to the newest exchange about its job in the batch: a frame is shorter
        than the shortest interval between two looks at one job.
        """
        ids: dict[JobKey | None, str] = {}
        for exchange in batch.exchanges:
            if exchange.support_id is not None:
                ids[exchange.job] = exchange.support_id
        for event in batch.events:
            match event:
                case PhaseChanged():
                    words = (
                        f"{event.before.value} → {event.status}" if event.before is not Phase.UNKNOWN else event.status
                    )
                    self._add(event.request_id or ids.get(event.key), words)
                case StageChanged():
                    self._add(event.request_id or ids.get(event.key), f"{event.stage} {event.after.value}")
                case AnomalyMet():
                    self._add(ids.get(event.key), event.message)
                case Recovered():
                    self._add(ids.get(event.key), f"seen again after {event.failures}")
                case _:
                    pass

    def _add(self, support_id: str | None, words: str) -> None:
        if support_id is None:
            return
        known = self._notes.get(support_id)
        self._notes[support_id] = f"{known}, {words}" if known else words
        while len(self._notes) > KEPT:
            del self._notes[next(iter(self._notes))]
