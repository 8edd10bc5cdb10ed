"""How many requests a profile may send, and when: polls and list pages, from one bucket or from two."""

from collections import deque
from collections.abc import Iterable

from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import ActionResult
from jobdeck.scheduling.backoff import clamp_delay
from jobdeck.scheduling.bucket import Bucket, Limit, LimitSource
from jobdeck.scheduling.outlook import QuotaSnapshot
from jobdeck.scheduling.server_window import MINUTE

COOLDOWN_SECONDS = 10.0
"""Seconds without a request after a 429 that names no Retry-After (the vendor's advice for polling)."""

MAX_COOLDOWN = 60.0
"""The same after several in a row: each waits twice as long as the one before."""

CONFIRMATIONS = 2
"""Answers in a row that must show two limits before we believe in two: a limit may just have been changed."""


class Budget:
    """A profile's requests. A list page is paid from the polls' bucket until headers show that it has its own.

    Vendors are vague about what counts against which limit, so it is measured: polls and pages whose answers
    announce different limits are metered apart. Never when the user configured the limit: that is the user's word
    for everything sent. Times are monotonic seconds.
    """

    def __init__(self, limit: Limit) -> None:
        self._configured = limit.source is LimitSource.CONFIGURED
        self._polls = Bucket(limit)
        self._lists: Bucket | None = None
        self._stated: dict[bool, tuple[str, float]] = {}
        self._differed = 0
        self._pages: deque[float] = deque()
        self._cooldown_until: float | None = None
        self._cooldown_cause: tuple[ProblemKind | None, float | None] = (None, None)
        self._rate_limited = 0

    @property
    def limit(self) -> float:
        """Polls a minute that hold now."""
        return self._polls.limit

    @property
    def list_limit(self) -> float | None:
        """List pages a minute that hold now; None while they are paid from the polls' bucket."""
        return None if self._lists is None else self._lists.limit

    @property
    def has_list_bucket(self) -> bool:
        """Whether list pages are paid from a bucket of their own."""
        return self._lists is not None

    def rate(self, now: float) -> float:
        """Polls a second that may be sent from `now` on."""
        return self._polls.rate(now)

    def cooldown_until(self, now: float) -> float | None:
        """Return until when nothing may be sent; None when something may."""
        return self._cooldown_until if self._cooldown_until is not None and self._cooldown_until > now else None

    def ready(self, now: float, *, page: bool = False) -> float:
        """Return when the next poll (or list page) may be sent: `now` or later."""
        return max(self._bucket(page=page).ready(now), self._cooldown_until or now)

    def acquire(self, now: float, *, page: bool = False) -> None:
        """Spend the token of a request sent at `now`."""
        self._bucket(page=page).acquire(now)
        if page:
            self._pages.append(now)

    def block(self, now: float, until: float, *, page: bool) -> None:
        """Send nothing from a bucket before `until`: those who share the budget have taken what was there."""
        self._bucket(page=page).block(now, until)

    def used(self, now: float) -> int:
        """Return how many requests were sent in the last minute from the polls' bucket."""
        return self._polls.used(now)

    def snapshot(self, now: float) -> QuotaSnapshot:
        """Return the budget for the screen; of jobs and of whether anything is sent at all it says nothing."""
        while self._pages and self._pages[0] <= now - MINUTE:
            self._pages.popleft()
        cooldown = self.cooldown_until(now)
        kind, asked = (None, None) if cooldown is None else self._cooldown_cause
        limit, seconds = self._polls.window() or (0, None)
        return QuotaSnapshot(
            limit=self._polls.limit,
            used=self._polls.used(now),
            blocked_until=cooldown,
            blocked_by=kind,
            blocked_asked=asked,
            resets=self._polls.resets(now),
            list_limit=self.list_limit,
            pages=len(self._pages),
            window=seconds,
            window_limit=limit,
            window_used=0 if seconds is None else self._polls.used_within(now, seconds),
        )

    def drop_burst(self, now: float) -> None:
        """Forbid a burst: what follows is paced from the first request on."""
        self._polls.drop_burst(now)
        if self._lists is not None:
            self._lists.drop_burst(now)

    def update_from_headers(self, now: float, windows: Iterable[RateWindow], in_flight: int, *, page: bool) -> None:
        """Apply the rate limit headers of an answer, in which `in_flight` requests may not be counted yet."""
        windows = tuple(windows)
        limits = [window for window in windows if window.limit]
        if limits:
            tightest = min(limits, key=_per_minute)
            self._stated[page] = tightest.name, _per_minute(tightest)
            self._update_list_bucket(now)
        if page and self._lists is None and self._stated.get(True) != self._stated.get(False):
            # Not yet known to be one limit: a page's headers must not speed up or slow down the polls.
            return
        self._bucket(page=page).update_from_headers(now, windows, in_flight)

    def on_result(self, now: float, sent: float, result: ActionResult, in_flight: int, *, page: bool) -> None:
        """Apply the headers of an answer, in which `in_flight` requests may not be counted yet, and a refusal."""
        self.update_from_headers(now, result.windows, in_flight, page=page)
        if result.problem is None:
            self._rate_limited = 0
            self._bucket(page=page).on_success(now)
        elif result.kind is ProblemKind.RATE_LIMIT:
            self._on_rate_limited(now, sent, result, page=page)

    def set_cooldown(
        self, now: float, seconds: float, kind: ProblemKind | None = None, asked: float | None = None
    ) -> None:
        """Send nothing for `seconds`, after a problem of that kind (None: somebody else's), as long as `asked`."""
        until = now + clamp_delay(seconds)
        if self.cooldown_until(now) is None or until > (self._cooldown_until or until):
            self._cooldown_until, self._cooldown_cause = until, (kind, asked)

    def _on_rate_limited(self, now: float, sent: float, result: ActionResult, *, page: bool) -> None:
        """Apply a 429: a cooldown, which is ours where the server names none, and half the pace once per round trip."""
        if sent >= (self._cooldown_until or sent):
            self._rate_limited += 1
        ours = min(MAX_COOLDOWN, COOLDOWN_SECONDS * 2.0 ** min(max(self._rate_limited - 1, 0), 10))
        quiet = ours if result.retry_after is None else clamp_delay(result.retry_after)
        self._bucket(page=page).on_rate_limited(now, sent, quiet)
        self.set_cooldown(now, quiet, ProblemKind.RATE_LIMIT, result.retry_asked)

    def _bucket(self, *, page: bool) -> Bucket:
        return self._lists if page and self._lists is not None else self._polls

    def _update_list_bucket(self, now: float) -> None:
        if self._configured or len(self._stated) < 2:
            return
        if self._stated[True] == self._stated[False]:
            self._differed = 0
            self._lists = None
            return
        self._differed += 1
        if self._differed >= CONFIRMATIONS and self._lists is None:
            self._lists = Bucket(Limit(self._stated[True][1]))
            self._lists.drop_burst(now)


def _per_minute(window: RateWindow) -> float:
    return (window.limit or 0) * MINUTE / (window.window or MINUTE)
