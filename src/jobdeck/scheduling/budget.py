"""How many requests a profile may send, and when: polls and list pages, from one bucket or from two."""

from collections import deque
from collections.abc import Iterable

from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.bucket import Bucket
from jobdeck.scheduling.delay import delay
from jobdeck.scheduling.limits import Limit, LimitSource
from jobdeck.scheduling.windows import MINUTE

__all__ = ["QUIET_AFTER_REFUSAL", "Budget", "Limit", "LimitSource"]

QUIET_AFTER_REFUSAL = 10.0
"""Seconds without a request after a 429 that names no Retry-After (the vendor's advice for polling)."""

LONGEST_QUIET = 60.0
"""The same after several in a row: each waits twice as long as the one before."""

SIGHTINGS = 2
"""Answers in a row that must tell of two limits before we believe in two: a limit may just have been changed."""


class Budget:
    """A profile's requests. A list page is paid from the polls' bucket until headers show that it has its own.

    Vendors are vague about what counts against which limit, so it is learnt: polls and pages whose answers
    announce different limits are metered apart. Never when the user configured the limit: that is the user's word
    for everything sent. Times are monotonic seconds.
    """

    def __init__(self, limit: Limit) -> None:
        self._configured = limit.source is LimitSource.CONFIGURED
        self._polls = Bucket(limit)
        self._lists: Bucket | None = None
        self._announced: dict[bool, tuple[str, float]] = {}
        self._differed = 0
        self._pages: deque[float] = deque()
        self._quiet_until: float | None = None
        self._cause: tuple[ProblemKind | None, float | None] = (None, None)
        self._refused = 0

    @property
    def limit(self) -> float:
        """Polls a minute that hold now."""
        return self._polls.limit

    @property
    def list_limit(self) -> float | None:
        """List pages a minute that hold now, None while they are paid from the polls' bucket."""
        return self._lists.limit if self._lists is not None else None

    @property
    def apart(self) -> bool:
        """Whether list pages are paid from a bucket of their own."""
        return self._lists is not None

    @property
    def curious(self) -> bool:
        """Whether one poll would tell if pages, whose limit is known, are metered apart."""
        return not self._configured and True in self._announced and False not in self._announced

    def rate(self, now: float) -> float:
        """Polls a second that may be sent from `now` on."""
        return self._polls.rate(now)

    def quiet_until(self, now: float) -> float | None:
        """Return until when nothing may be sent; None when something may."""
        return self._quiet_until if self._quiet_until is not None and self._quiet_until > now else None

    def ready(self, now: float, *, page: bool = False) -> float:
        """Return when the next poll (or list page) may be sent: `now` or later."""
        return max(self._bucket(page=page).ready(now), self._quiet_until or now)

    def take(self, now: float, *, page: bool = False) -> None:
        """Spend the token of a request sent at `now`."""
        self._bucket(page=page).take(now)
        if page:
            self._pages.append(now)

    def give_back(self, now: float, *, page: bool) -> None:
        """Take back the token of a request that was not sent after all."""
        self._bucket(page=page).give_back(now)
        if page and self._pages:
            self._pages.pop()

    def hold(self, now: float, until: float, *, page: bool) -> None:
        """Take back the token of a request that those who share the budget refused; none is sent before `until`."""
        self._bucket(page=page).hold(now, until)
        if page and self._pages:
            self._pages.pop()

    def window(self, now: float) -> tuple[int, float, int] | None:
        """Return the polls' limit as the server tells it, the seconds that it is for, and how many were sent in those.

        None when that is a minute, like all else here.
        """
        found = self._polls.window()
        return None if found is None else (*found, self._polls.used_within(now, found[1]))

    def used(self, now: float) -> int:
        """Return how many requests were sent in the last minute from the polls' bucket."""
        return self._polls.used(now)

    def resets(self, now: float) -> float | None:
        """Return when the polls' budget is whole again, as the server told it; None when that is not known."""
        return self._polls.resets(now)

    def pages(self, now: float) -> int:
        """Return how many list pages were sent in the last minute, from whichever bucket."""
        while self._pages and self._pages[0] <= now - 60.0:
            self._pages.popleft()
        return len(self._pages)

    def drain(self, now: float) -> None:
        """Forbid a burst: what follows is paced from the first request on."""
        self._polls.drain(now)
        if self._lists is not None:
            self._lists.drain(now)

    def announce(self, now: float, windows: Iterable[RateWindow], in_flight: int, *, page: bool) -> None:
        """Take over what an answer's headers said, of which `in_flight` requests may not be part yet."""
        windows = tuple(windows)
        limits = [window for window in windows if window.limit]
        if limits:
            tightest = min(limits, key=_per_minute)
            self._announced[page] = tightest.name, _per_minute(tightest)
            self._tell_apart(now)
        if page and self._lists is None and self._announced.get(True) != self._announced.get(False):
            # Not yet known to be one limit: what a page's answer says must not speed up or slow down the polls.
            return
        self._bucket(page=page).announce(now, windows, in_flight)

    def let_through(self, now: float, *, page: bool) -> None:
        """Note that a request was not refused."""
        self._refused = 0
        self._bucket(page=page).let_through(now)

    def refuse(
        self, now: float, sent: float, retry_after: float | None, *, page: bool, asked: float | None = None
    ) -> None:
        """Note a 429: silence until `retry_after` seconds from now, and half the pace once per round trip.

        `asked` is what the server said before that was clamped; where it said nothing, the silence is ours.
        """
        if sent >= (self._quiet_until or sent):
            self._refused += 1
        ours = min(LONGEST_QUIET, QUIET_AFTER_REFUSAL * 2.0 ** min(max(self._refused - 1, 0), 10))
        quiet = ours if retry_after is None else delay(retry_after)
        self._bucket(page=page).refuse(now, sent, quiet)
        self.be_quiet(now, quiet, ProblemKind.RATE_LIMIT, retry_after if asked is None else asked)

    def be_quiet(self, now: float, seconds: float, kind: ProblemKind | None = None, asked: float | None = None) -> None:
        """Send nothing for `seconds`, after a problem of that kind (None: somebody else's), as long as `asked`."""
        until = now + delay(seconds)
        if self.quiet_until(now) is None or until > (self._quiet_until or until):
            self._quiet_until, self._cause = until, (kind, asked)

    def quiet_cause(self, now: float) -> tuple[ProblemKind | None, float | None]:
        """Return the kind of problem that forbids requests now, and the seconds that the server asked for."""
        return (None, None) if self.quiet_until(now) is None else self._cause

    def _bucket(self, *, page: bool) -> Bucket:
        return self._lists if page and self._lists is not None else self._polls

    def _tell_apart(self, now: float) -> None:
        if self._configured or len(self._announced) < 2:
            return
        if self._announced[True] == self._announced[False]:
            self._differed = 0
            self._lists = None
            return
        self._differed += 1
        if self._differed >= SIGHTINGS and self._lists is None:
            self._lists = Bucket(Limit(self._announced[True][1]))
            self._lists.drain(now)


def _per_minute(window: RateWindow) -> float:
    return (window.limit or 0) * MINUTE / (window.window or MINUTE)
