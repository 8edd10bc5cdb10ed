"""One limit's worth of requests: a token bucket that only ever gets more careful."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.backoff import MAX_DELAY
from jobdeck.scheduling.inferred_limit import INFINITE, InferredLimit
from jobdeck.scheduling.server_window import MINUTE, TARGET_UTILIZATION, ServerWindow

BURST = 0.15
NO_HEADER_UTILIZATION = 0.65
"""Part of a documented limit used while no header shows what is left of it.

With a quarter of the limit taken by others, 80 % overdraws it: two refusals in each run of 300 jobs at 300 a minute.
"""

INFERRED_UTILIZATION = 0.90
INFERRED_MINUTE_PART = 0.95
"""Parts of an inferred limit that are used, evenly and in any minute: it is known exactly, and may be chance."""

USED_UP = 0.56
"""Part of a limit that must have been used in the last minute before more is tried, while nobody states one."""

NO_HEADER_ANSWERS = 3
"""Answers in a row that must say nothing of the limit."""

MIN_FACTOR = 1 / 16
RECOVERY_SECONDS = 10.0
RECOVERY_STEP = 0.10
LEAST_SHARE, MORE_SHARE = 1 / 8, 0.005
"""The least share of a budget that one of several clients assumes, and what each request that the store grants adds.

When the store denies a request, a share s becomes s · (1 − s/2): the large ones lose most, and all become equal. Of 300
jobs at 300 a minute, five clients are denied one request for each twelve that they send, and two for each one that they
send without learning their shares. After the others have left, some 160 requests pass until one client uses all.
"""

DEBT = 0.05
"""Part of the limit that must come in after a 429 before the next request, which then goes alone, as a probe."""

STALE_HEADERS_SECONDS = 5.0
"""Age after which a header is too old to allow more than one request under way.

Without it, a list of three jobs that do nothing is requested 26 times in 100 s, not 12.
"""

FEW_REQUESTS = 10
"""Requests in a minute after which a first refusal is others' doing rather than so low a limit."""

ANSWER_WAIT_SECONDS = 1.0
"""The longest wait for an answer before another request is under way."""

SENT_PER_EXTRA_IN_FLIGHT = 120
"""Without headers, one request is under way at once (two of the very first), and one more for each 120 that the busiest
minute has had: each may be refused. With no such limit 60 jobs at 60, 300 believed, have 3.75 refusals a run, not 2."""

FORGET_SECONDS = 600.0
MAX_WINDOWS = 16
MAX_REMEMBERED = 5_000
"""Requests older than a minute that are remembered, for windows that are longer: GitHub's hour."""

_ALMOST_ONE = 1.0 - 1e-9


class LimitSource(StrEnum):
    """Who said so: the user, whose word is a ceiling; the vendor's pages, which headers correct; nobody."""

    CONFIGURED = "configured"
    DOCUMENTED = "documented"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit in requests a minute (greater than 0, else ValueError), and where it comes from.

    With `UNKNOWN` it is where the search from below begins.
    """

    requests_per_minute: float
    source: LimitSource = LimitSource.DOCUMENTED

    def __post_init__(self) -> None:
        """Refuse what is no rate (a NaN is none)."""
        if not 0.0 < self.requests_per_minute < float("inf"):
            message = f"a limit is a positive number of requests a minute, not {self.requests_per_minute!r}"
            raise ValueError(message)


class Bucket:
    """Tokens at 80 % of the limit with a burst of 15 %, so that no window of a minute ever sees more than 95 %.

    A documented limit of which no header shows what is left may be shared: 65 % of it then.
    Announced windows slow it down (the tightest wins) and never speed it past the limit; a 429 halves it once per
    round trip, after which it recovers by a tenth every ten seconds. A 429 that no header explains may be that of a
    limit that nobody stated (`InferredLimit`). Times are monotonic seconds.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._own_limit = limit.requests_per_minute
        self._inferred = InferredLimit()
        self._factor = 1.0
        self._share = 1.0
        self._reduced_at = float("-inf")
        self._recovered_at: float | None = None
        self._windows: dict[str, ServerWindow] = {}
        self._tokens = self._burst
        self._filled_at: float | None = None
        self._sent: deque[float] = deque()
        self._older: deque[float] = deque(maxlen=MAX_REMEMBERED)
        self._last_sent: float | None = None
        self._peak = 0
        self._in_flight = 0
        self._answers_without_headers = 0
        self._headers_at = float("-inf")
        self._blocked_until = float("-inf")
        self._blocked_at = float("-inf")

    @property
    def limit(self) -> float:
        """Requests a minute that hold now: ours, corrected by headers."""
        return min(self._stated_limit, self._inferred.limit)

    @property
    def _stated_limit(self) -> float:
        announced = min([window.per_minute for window in self._windows.values()], default=INFINITE)
        if announced == INFINITE:
            return self._own_limit
        return min(announced, self._own_limit) if self._limit.source is LimitSource.CONFIGURED else announced

    def window(self) -> tuple[int, float] | None:
        """Return the stated limit that holds and the seconds that it is for; None when that is a minute."""
        tightest = min(self._windows.values(), key=lambda window: window.per_minute, default=None)
        if (
            tightest is None
            or not tightest.limit
            or tightest.per_minute > self.limit
            or tightest.unit in {None, MINUTE}
        ):
            return None
        return tightest.limit, tightest.unit or MINUTE

    def rate(self, now: float) -> float:
        """Requests a second that may be sent from `now` on."""
        pace = NO_HEADER_UTILIZATION if self._lacks_headers else TARGET_UTILIZATION
        stated = self._factor * self._share * pace * self._stated_limit
        rate = min(stated, INFERRED_UTILIZATION * self._inferred.limit) / MINUTE
        for window in self._windows.values():
            if window.is_live(now):
                rate = min(rate, window.rate(now))
        return rate

    def ready(self, now: float) -> float:
        """Return when the next request may be sent: `now` or later.

        No header silences us for more than 15 minutes since the last request: it may be wrong, or not honest.
        """
        latest = max(now, (self._last_sent if self._last_sent is not None else now) + MAX_DELAY)
        return max(self._blocked_until, min(self._allowed(now), latest))

    def _allowed(self, now: float) -> float:
        self._fill(now)
        live = self._live_windows(now)
        opens = max([now, self._blocked_until, *(window.opens_at(now) for window in live)])
        if opens > now:
            # What comes after a cooldown is a probe, not a burst: nobody knows how much others have left us.
            self._tokens = min(self._tokens, 1.0)
        if self._sent and self._in_flight >= self._max_in_flight(now):
            opens = max(opens, self._sent[-1] + ANSWER_WAIT_SECONDS)
        if self._inferred.active and (over := self.used(now) - max(1, int(INFERRED_MINUTE_PART * self.limit))) >= 0:
            opens = max(opens, self._sent[over] + MINUTE)
        if self._tokens >= _ALMOST_ONE:
            return opens
        rate = self.rate(now)
        needed = (1.0 - self._tokens) / rate if rate > 0 else float("inf")
        # A window that ends before the token is due may let us go sooner.
        resets = [window.resets for window in live if window.fixed]
        return max(opens, min([max(now, self._filled_at or now) + needed, *resets]))

    def acquire(self, now: float) -> None:
        """Spend the token of a request sent at `now`."""
        self._fill(now)
        self._tokens -= 1.0
        self._share = min(1.0, self._share + MORE_SHARE)
        self._sent.append(now)
        self._peak = max(self._peak, self.used(now))
        self._in_flight += 1
        self._last_sent = now
        for window in self._windows.values():
            if window.left is not None:
                window.left -= 1.0

    def block(self, now: float, until: float) -> None:
        """Send nothing before `until`: those who share the budget have taken what we thought was there.

        Nor is anything saved up: requests go on one at a time, and our share is smaller unless this was a burst.
        """
        self._fill(now)
        if self._last_sent is not None and (now - self._last_sent) * self.rate(now) >= 0.9:
            self._share = max(LEAST_SHARE, self._share * (1.0 - self._share / 2))
        self._blocked_until = max(self._blocked_until, until)
        self._blocked_at = now
        self._tokens = min(self._tokens, 1.0 - self.rate(now) * max(0.0, until - now))

    def used(self, now: float) -> int:
        """Return how many requests were sent in the last minute."""
        while self._sent and self._sent[0] <= now - MINUTE:
            self._older.append(self._sent.popleft())
        return len(self._sent)

    def used_within(self, now: float, seconds: float) -> int:
        """Return how many requests were sent in the last `seconds`, of the last thousands."""
        return sum(at > now - seconds for at in chain(self._older, self._sent))

    def resets(self, now: float) -> float | None:
        """Return when the tightest stated window begins anew.

        None while that is not known, or none ever does at once.
        """
        known = [window for window in self._live_windows(now) if window.fixed is not False and window.resets > now]
        return min(known, key=lambda window: window.left or 0.0).resets if known else None

    def drop_burst(self, now: float) -> None:
        """Keep at most one token, so that what follows is paced from the first request on."""
        self._fill(now)
        self._tokens = min(self._tokens, 1.0)

    def update_from_headers(self, now: float, windows: Iterable[RateWindow], in_flight: int) -> None:
        """Apply the rate limit headers of an answer; `in_flight` requests may not be counted in them yet.

        If the limit rose, the shared budget is asked again at once for what it denied.
        """
        self._fill(now)
        before = self.limit
        windows = tuple(windows)
        if windows and not self._windows:
            self._inferred.clear()
        self._headers_at = now
        self._in_flight = in_flight
        self._answers_without_headers += 1
        self._windows = {name: w for name, w in self._windows.items() if now - w.at < max(FORGET_SECONDS, 2 * w.length)}
        for window in windows:
            self._answers_without_headers = 0
            known = self._windows.get(window.name)
            if known is not None or len(self._windows) < MAX_WINDOWS:
                self._windows[window.name] = ServerWindow.from_headers(
                    window, known, now, in_flight, self._sent_since(known)
                )
        if self.limit > before:
            self._unblock(now)
        self._tokens = min([self._tokens, self._burst, *(max(0.0, w.left or 0.0) / 2 for w in self._live_windows(now))])

    def _sent_since(self, known: ServerWindow | None) -> Iterable[float]:
        return chain(self._older, self._sent) if known is not None and known.length > MINUTE else self._sent

    def _unblock(self, now: float) -> None:
        """End a block by the shared budget, with one token, unless the server has answered 429 since."""
        if self._blocked_until > now and self._reduced_at < self._blocked_at:
            self._blocked_until = now
            self._tokens = max(self._tokens, 1.0)

    def on_success(self, now: float) -> None:
        """Note that a request was not refused."""
        self._inferred.on_success(now)

    def on_rate_limited(self, now: float, sent: float, quiet: float = 0.0) -> None:
        """Note a 429 to a request sent at `sent`, after which nothing is sent for `quiet` seconds.

        Refusals of requests already on the way when we slowed down change no pace.
        """
        self._fill(now)
        self._filled_at = max(self._filled_at or now, now + quiet)
        if sent < self._reduced_at:
            return
        live = bool(self._live_windows(now))
        if self._is_explained(now) or not self._inferred.on_rate_limited(now, room=live):
            self._factor = max(MIN_FACTOR, self._factor / 2)
        self._reduced_at = now
        self._recovered_at = now
        self._tokens = min(self._tokens, 1.0 - max(1.0, DEBT * self.limit))

    @property
    def _burst(self) -> float:
        # At least one, or a limit below seven a minute would never let anything through. While the limit is unknown,
        # each refused request in a burst would be one more 429 of our own making.
        if self._is_searching:
            return 1.0
        fewest = min((window.limit for window in self._windows.values() if window.limit), default=float("inf"))
        return max(1.0, BURST * min(self.limit, fewest))

    @property
    def _is_searching(self) -> bool:
        """Whether nothing but refusals shows the limit."""
        return self._inferred.active or (self._limit.source is LimitSource.UNKNOWN and not self._windows)

    def _is_explained(self, now: float) -> bool:
        """Whether a refusal shows nothing of the limit: a header had announced it, or others took more than we did."""
        since = now - self._reduced_at
        few = self.used(now) <= FEW_REQUESTS and since > FORGET_SECONDS
        return few or any(window.opens_at(now) > now for window in self._live_windows(now))

    def _max_in_flight(self, now: float) -> float:
        """Return how many requests may be under way, since any of them may be the one that is refused."""
        if self._windows:
            return 1 if now - self._headers_at > STALE_HEADERS_SECONDS else float("inf")
        if self._is_searching and not self._inferred.active:
            return 1
        # Where one was refused, what went through before is no proof: a bucket may have been fuller then.
        if self.used(now) < self._peak and now - self._reduced_at > FORGET_SECONDS:
            return float("inf")
        return 2 if self._peak < FEW_REQUESTS else 1 + self._peak // SENT_PER_EXTRA_IN_FLIGHT

    @property
    def _lacks_headers(self) -> bool:
        return (
            self._limit.source is LimitSource.DOCUMENTED
            and not self._windows
            and self._answers_without_headers >= NO_HEADER_ANSWERS
        )

    def _live_windows(self, now: float) -> list[ServerWindow]:
        return [window for window in self._windows.values() if window.is_live(now)]

    def _fill(self, now: float) -> None:
        if self._filled_at is None:
            self._filled_at = now
            self._recovered_at = now
            return
        if now <= self._filled_at:
            return
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.rate(self._filled_at))
        self._filled_at = now
        self._recover(now)

    def _recover(self, now: float) -> None:
        if self._recovered_at is None or now - self._recovered_at < RECOVERY_SECONDS:
            return
        steps = int((now - self._recovered_at) / RECOVERY_SECONDS)
        self._recovered_at += steps * RECOVERY_SECONDS
        self._factor = min(1.0, self._factor + RECOVERY_STEP * steps)
        if self._is_searching and not self._inferred.active and self.used(now) >= USED_UP * self.limit:
            # Only what was tried is known to be allowed.
            self._own_limit *= 1.0 + RECOVERY_STEP
