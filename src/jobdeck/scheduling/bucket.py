"""One limit's worth of requests: a token bucket that only ever gets more careful."""

from collections import deque
from collections.abc import Iterable
from itertools import chain

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.delay import LONGEST
from jobdeck.scheduling.inferred import InferredLimit
from jobdeck.scheduling.limits import Limit, LimitSource
from jobdeck.scheduling.windows import MINUTE, PACE, Announced

BURST = 0.15
BLIND_PACE = 0.65
"""Part of a documented limit used while no answer tells what is left of it.

With a quarter of the limit taken by others, 80 % overdraws it: two refusals in each run of 300 jobs at 300 a minute.
"""

INFERRED_PACE = 0.90
INFERRED_PART = 0.95
"""Parts of an inferred limit that are used, evenly and in any minute: it is known exactly, and may be chance."""

USED_UP = 0.56
"""Part of a limit that must have been used in the last minute before more is tried, while nobody states one."""

BLIND_AFTER = 3
"""Answers in a row that must say nothing of the limit."""

SMALLEST_SHARE = 1 / 16
RECOVERY_SECONDS = 10.0
RECOVERY_STEP = 0.10
DEBT = 0.05
"""Part of the limit that must come in after a 429 before the next request, which then goes alone, as a probe."""

OLD_NEWS = 5.0
"""Seconds after which what an answer said of others' use is too old to send more than one request on it."""

FEW = 10
"""Requests in a minute after which a first refusal is others' doing rather than so low a limit."""

NEWS_COMES = 1.0
"""Seconds to wait for the answer to that one."""

TRIED_FOR_ANOTHER = 120
"""While no header tells what is left, and a minute has never seen so many before, one request is under way at once (two
of the first few), and another for each so many that a minute has seen: each may be one more that is refused."""

FORGET_SECONDS = 600.0
MOST_WINDOWS = 16
MOST_REMEMBERED = 5_000
"""Requests older than a minute that are remembered, for windows that are longer: GitHub's hour."""

_ALMOST_ONE = 1.0 - 1e-9


class Bucket:
    """Tokens at 80 % of the limit with a burst of 15 %, so that no window of a minute ever sees more than 95 %.

    A documented limit of which no answer says what is left may be shared: 65 % of it then.
    Announced windows slow it down (the tightest wins) and never speed it past the limit; a 429 halves it once per
    round trip, after which it recovers by a tenth every ten seconds. A 429 that no header explains may be that of a
    limit nobody told (`InferredLimit`). Times are monotonic seconds.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._own = limit.requests_per_minute
        self._inferred = InferredLimit()
        self._share = 1.0
        self._cut_at = float("-inf")
        self._grown_at: float | None = None
        self._windows: dict[str, Announced] = {}
        self._tokens = self._burst
        self._filled_at: float | None = None
        self._sent: deque[float] = deque()
        self._older: deque[float] = deque(maxlen=MOST_REMEMBERED)
        self._last: float | None = None
        self._record = 0
        self._flying = 0
        self._silent = 0
        self._heard_at = float("-inf")
        self._held_until = float("-inf")
        self._held_at = float("-inf")

    @property
    def limit(self) -> float:
        """Requests a minute that hold now: ours, corrected by what was announced."""
        return min(self._stated_limit, self._inferred.limit)

    @property
    def _stated_limit(self) -> float:
        announced = [window.per_minute for window in self._windows.values() if window.limit]
        if not announced:
            return self._own
        lowest = min(announced)
        return min(lowest, self._own) if self._limit.source is LimitSource.CONFIGURED else lowest

    def window(self) -> tuple[int, float] | None:
        """Return the announced limit that holds and the seconds that it is told for; None when that is a minute."""
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
        pace = BLIND_PACE if self._blind else PACE
        stated = self._share * pace * self._stated_limit
        most = min(stated, INFERRED_PACE * self._inferred.limit) / MINUTE
        return min([most, *(window.rate(now) for window in self._live(now))])

    def ready(self, now: float) -> float:
        """Return when the next request may be sent: `now` or later.

        No header silences us for more than 15 minutes since the last request: it may be wrong, or not honest.
        """
        latest = max(now, (self._last if self._last is not None else now) + LONGEST)
        return max(self._held_until, min(self._allowed(now), latest))

    def _allowed(self, now: float) -> float:
        self._fill(now)
        live = self._live(now)
        opens = max([now, self._held_until, *(window.opens(now) for window in live)])
        if opens > now:
            # What comes after a silence is a probe, not a burst: nobody knows how much others have left us.
            self._tokens = min(self._tokens, 1.0)
        if self._sent and self._flying >= self._at_once(now):
            opens = max(opens, self._sent[-1] + NEWS_COMES)
        if self._inferred.active and (over := self.used(now) - max(1, int(INFERRED_PART * self.limit))) >= 0:
            opens = max(opens, self._sent[over] + MINUTE)
        if self._tokens >= _ALMOST_ONE:
            return opens
        rate = self.rate(now)
        needed = (1.0 - self._tokens) / rate if rate > 0 else float("inf")
        # A window that ends before the token is due may let us go sooner.
        resets = [window.resets for window in live if window.fixed]
        return max(opens, min([max(now, self._filled_at or now) + needed, *resets]))

    def take(self, now: float) -> None:
        """Spend the token of a request sent at `now`."""
        self._fill(now)
        self._tokens -= 1.0
        self._sent.append(now)
        self._record = max(self._record, self.used(now))
        self._flying += 1
        self._last = now
        for window in self._windows.values():
            if window.left is not None:
                window.left -= 1.0

    def give_back(self, now: float) -> None:
        """Take back the token of the newest request, which was not sent after all."""
        self._fill(now)
        self._tokens = min(self._burst, self._tokens + 1.0)
        self._flying = max(0, self._flying - 1)
        if self._sent:
            self._sent.pop()
        for window in self._windows.values():
            if window.left is not None:
                window.left += 1.0

    def hold(self, now: float, until: float) -> None:
        """Take back the token of the newest request, refused by those who share the budget; none before `until`.

        What we thought was saved up is not there: requests go on one at a time.
        """
        self.give_back(now)
        self._held_until = max(self._held_until, until)
        self._held_at = now
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
        """Return when the tightest announced window begins anew; None while none tells, or none ever does at once."""
        known = [window for window in self._live(now) if window.fixed is not False and window.resets > now]
        return min(known, key=lambda window: window.left or 0.0).resets if known else None

    def drain(self, now: float) -> None:
        """Keep at most one token, so that what follows is paced from the first request on."""
        self._fill(now)
        self._tokens = min(self._tokens, 1.0)

    def announce(self, now: float, windows: Iterable[RateWindow], in_flight: int) -> None:
        """Take over what an answer's headers said; `in_flight` requests may not be counted in them yet.

        What those who share the budget refused under a lower limit is theirs to be asked again at once.
        """
        self._fill(now)
        before = self.limit
        windows = tuple(windows)
        if windows and not self._windows:
            self._inferred.drop()
        self._heard_at = now
        self._flying = in_flight
        self._silent += 1
        self._windows = {name: w for name, w in self._windows.items() if now - w.at < max(FORGET_SECONDS, 2 * w.length)}
        for window in windows:
            self._silent = 0
            known = self._windows.get(window.name)
            if known is not None or len(self._windows) < MOST_WINDOWS:
                self._windows[window.name] = Announced.of(window, known, now, in_flight, self._sent_since(known))
        if self.limit > before:
            self._let_go(now)
        self._tokens = min([self._tokens, self._burst, *(max(0.0, w.left or 0.0) / 2 for w in self._live(now))])

    def _sent_since(self, known: Announced | None) -> Iterable[float]:
        return chain(self._older, self._sent) if known is not None and known.length > MINUTE else self._sent

    def _let_go(self, now: float) -> None:
        """Hold no longer, and with one token, unless a refusal of the server's has come since."""
        if self._held_until > now and self._cut_at < self._held_at:
            self._held_until = now
            self._tokens = max(self._tokens, 1.0)

    def let_through(self, now: float) -> None:
        """Note that a request was not refused."""
        self._inferred.let_through(now)

    def refuse(self, now: float, sent: float, quiet: float = 0.0) -> None:
        """Note a 429 to a request sent at `sent`, after which nothing is sent for `quiet` seconds.

        Refusals of requests already on the way when we slowed down change no pace.
        """
        self._fill(now)
        self._filled_at = max(self._filled_at or now, now + quiet)
        if sent < self._cut_at:
            return
        live = bool(self._live(now))
        if self._explained(now) or not self._inferred.refuse(now, room=live):
            self._share = max(SMALLEST_SHARE, self._share / 2)
        self._cut_at = now
        self._grown_at = now
        self._tokens = min(self._tokens, 1.0 - max(1.0, DEBT * self.limit))

    @property
    def _burst(self) -> float:
        # At least one, or a limit below seven a minute would never let anything through. While the limit is unknown,
        # each refused request in a burst would be one more 429 of our own making.
        if self._searching:
            return 1.0
        fewest = min((window.limit for window in self._windows.values() if window.limit), default=float("inf"))
        return max(1.0, BURST * min(self.limit, fewest))

    @property
    def _searching(self) -> bool:
        """Whether nothing but refusals tells the limit."""
        return self._inferred.active or (self._limit.source is LimitSource.UNKNOWN and not self._windows)

    def _explained(self, now: float) -> bool:
        """Whether a refusal tells nothing of the limit: what is left was told, or others took more than we did."""
        since = now - self._cut_at
        few = self.used(now) <= FEW and since > FORGET_SECONDS
        return few or any(window.opens(now) > now for window in self._live(now))

    def _at_once(self, now: float) -> float:
        """Return how many requests may be under way, since any of them may be the one that is refused."""
        if self._windows:
            return 1 if now - self._heard_at > OLD_NEWS else float("inf")
        if self._searching and not self._inferred.active:
            return 1
        if self.used(now) < self._record:
            return float("inf")
        return 2 if self._record < FEW else 1 + self._record // TRIED_FOR_ANOTHER

    @property
    def _blind(self) -> bool:
        return self._limit.source is LimitSource.DOCUMENTED and not self._windows and self._silent >= BLIND_AFTER

    def _live(self, now: float) -> list[Announced]:
        return [window for window in self._windows.values() if window.live(now)]

    def _fill(self, now: float) -> None:
        if self._filled_at is None:
            self._filled_at = now
            self._grown_at = now
            return
        if now <= self._filled_at:
            return
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.rate(self._filled_at))
        self._filled_at = now
        self._recover(now)

    def _recover(self, now: float) -> None:
        if self._grown_at is None or now - self._grown_at < RECOVERY_SECONDS:
            return
        steps = int((now - self._grown_at) / RECOVERY_SECONDS)
        self._grown_at += steps * RECOVERY_SECONDS
        self._share = min(1.0, self._share + RECOVERY_STEP * steps)
        if self._searching and not self._inferred.active and self.used(now) >= USED_UP * self.limit:
            # Only what was tried is known to be allowed.
            self._own *= 1.0 + RECOVERY_STEP
