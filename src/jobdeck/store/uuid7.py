"""UUIDs of version 7 (RFC 9562): they sort by the time they were made."""

import os
import threading
from uuid import UUID

_COUNTER_BITS = 12
_RANDOM_BITS = 62


class Uuid7:
    """Makes UUIDv7s that grow strictly within one process, whatever the clock does.

    The twelve bits after the milliseconds count; when they overflow, the milliseconds run ahead of the clock.
    The last 62 bits are random in every ID, so that a forked process makes others. Safe to call from threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def new(self, now_us: int) -> UUID:
        """Return a new ID for the moment `now_us` (microseconds since the epoch)."""
        with self._lock:
            stamp = (now_us // 1_000) << _COUNTER_BITS
            self._last = stamp = max(stamp, self._last + 1)
        milliseconds, count = stamp >> _COUNTER_BITS, stamp & ((1 << _COUNTER_BITS) - 1)
        random = int.from_bytes(os.urandom(8)) >> (64 - _RANDOM_BITS)
        return UUID(int=milliseconds << 80 | 7 << 76 | count << 64 | 2 << _RANDOM_BITS | random)
