"""The selected job: looked at more often than its turn, but never at the cost of more than a third of the rest."""

from jobdeck.domain.job import JobKey

FOCUS_SECONDS = 2.0
FOCUS_SHARE = 1 / 3
CROWDED_SHARE = 1 / 6
"""When the others wait long: with a third, 60 jobs at 30 a minute are learnt of after 24 s in the mean, with a sixth
after 15 s."""


class Focus:
    """Which job is selected, and what may be spent on it. Times are monotonic seconds, rates requests a second."""

    def __init__(self) -> None:
        self.key: JobKey | None = None
        self._credit = 1.0
        self._share = FOCUS_SHARE

    def pass_time(self, seconds: float, rate: float, *, crowded: bool) -> None:
        """Earn a share of what `rate` gives in `seconds`, less when the budget is `crowded`.

        No more than one request is saved up.
        """
        self._share = CROWDED_SHARE if crowded else FOCUS_SHARE
        self._credit = min(1.0, self._credit + seconds * rate * self._share)

    def due(self, now: float, looked: float | None, rate: float, pace: float) -> float:
        """Return when the selected job may be asked next, given its last look."""
        missing = 1.0 - self._credit
        paid = now if missing <= 1e-9 else now + missing / max(rate * self._share, 1e-6)
        return paid if looked is None else max(paid, looked + FOCUS_SECONDS * pace)

    def earn_back(self) -> None:
        """Get back what was paid for a request that was not sent."""
        self._credit = min(1.0, self._credit + 1.0)

    def spend(self) -> None:
        """Pay for one request."""
        self._credit = max(0.0, self._credit - 1.0)
