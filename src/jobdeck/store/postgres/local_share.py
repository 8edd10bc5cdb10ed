"""What a client may send on its own while the store is away: its share of the rate limit, recorded later."""

from collections import defaultdict
from collections.abc import Callable

from jobdeck.store.gcra import Admitted, Delayed, Rate, admit
from jobdeck.store.models import Answer, Denied, Grant, OutgoingRequest
from jobdeck.store.protocol import DEFAULT_PER_MINUTE

CHECK_SECONDS = 10.0
"""How often it is counted how many clients there are."""


class LocalShare:
    """Grants requests from 1/N of each limit, where N clients were seen last; keeps the answers to be recorded later.

    Everybody who was connected does the same, so that all together stay below the limit. Nothing keeps two clients from
    polling one job meanwhile.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.clients = 1
        self.limits: dict[tuple[str, str], int] = {}
        self.unrecorded: list[Answer] = []
        self._now_us = now_us
        self._states: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._newest = 0

    def note_sent(self, sequence: int) -> None:
        """Note the place in the order of sending of a request that the store granted: ours come after it."""
        self._newest = max(self._newest, sequence)

    def claim(self, request: OutgoingRequest) -> Grant | Denied:
        """Decide whether a request may be sent now."""
        bucket = (request.profile, request.bucket)
        limit = self.limits.get(bucket, DEFAULT_PER_MINUTE)
        now_us, rate = self._now_us(), Rate.of(max(1, limit // max(1, self.clients)))
        match admit(self._states[bucket], now_us, rate):
            case Delayed(until_us):
                return Denied("budget", until_us)
            case Admitted(state):
                self._states[bucket] = state
                self._newest += 1
                return Grant(request, self._newest)
