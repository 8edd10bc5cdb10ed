"""A client's own share of the rate limit while the store is away, with its answers to be recorded later."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from jobdeck.store.gcra import Admitted, Delayed, Rate, admit
from jobdeck.store.models import Answer, Denied, Grant, OutgoingRequest
from jobdeck.store.protocol import DEFAULT_PER_MINUTE

CHECK_SECONDS = 10.0
"""Time between two counts of the clients."""

RECORD_SENT = (
    "INSERT INTO jobdeck.exchanges (scope, profile, client, job, bucket, state, sent_us, method, url)"
    " SELECT $1, $4, $5, (SELECT id FROM jobdeck.jobs WHERE scope = $1 AND account_group = $2 AND job_id = $3), $6,"
    " 'sent', $7, $8, $9"
    " RETURNING seq"
)
"""Adds the record of a request that a share granted, and returns its number."""


@dataclass(frozen=True, slots=True)
class LocalGrant(Grant):
    """A grant of a share: the store has no record of its request, and may give its number to another."""


class LocalShare:
    """Grants requests from 1/N of each limit, for N clients at the last count, and keeps the answers to be recorded.

    All clients that were connected do the same, so that together they stay below the limit. Two of them may poll the
    same job meanwhile.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.clients = 1
        self.limits: dict[tuple[str, str], int] = {}
        self.unrecorded: list[Answer] = []
        self.recording = asyncio.Lock()
        self._now_us = now_us
        self._states: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._newest = 0

    def note_sent(self, sequence: int) -> None:
        """Note the sequence of a request that the store granted: those granted here come after it."""
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
                return LocalGrant(request, self._newest)
