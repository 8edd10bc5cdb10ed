"""Renews the leases of requests that take long, so that a short lease is enough for every request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from jobdeck.store.errors import StoreClosedError, StoreError
from jobdeck.store.models import Grant
from jobdeck.store.protocol import RENEW_SECONDS

_log = logging.getLogger(__name__)


class LeaseRenewal:
    """Calls `renew` with the held leases every `RENEW_SECONDS`, while there are any.

    A client that dies renews nothing: its leases are its sign of life. Most requests are answered before the first
    renewal, and an idle client writes nothing.
    """

    def __init__(self, renew: Callable[[Sequence[Grant]], Awaitable[None]]) -> None:
        self._renew = renew
        self._held: dict[int, Grant] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, grants: Iterable[Grant]) -> None:
        """Renew the leases of these grants from now on."""
        self._held.update((grant.sequence, grant) for grant in grants if grant.fence is not None)
        if self._held and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(RENEW_SECONDS, self._start)

    def remove(self, grants: Iterable[Grant]) -> None:
        """Stop renewing the leases of these grants."""
        for grant in grants:
            self._held.pop(grant.sequence, None)

    def close(self) -> None:
        """Stop renewing."""
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _start(self) -> None:
        self._timer = None
        if self._held:
            self._task = asyncio.get_running_loop().create_task(self._renew_all(tuple(self._held.values())))
            self.add(())

    async def _renew_all(self, grants: Sequence[Grant]) -> None:
        with suppress(StoreClosedError):
            try:
                await self._renew(grants)
            except StoreError:
                _log.exception("leases were not renewed")
