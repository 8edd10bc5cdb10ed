"""How long a server asks to be left alone."""

import re
from dataclasses import dataclass

from jobdeck.providers.http_date import parse_http_date
from jobdeck.scheduling.delay import delay

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """`asked` is what the server said, in seconds from its answer; `seconds` the same within 0.2–900."""

    asked: float
    seconds: float

    @property
    def note(self) -> str | None:
        """What to say when the wait is not the one asked for."""
        if self.asked == self.seconds:
            return None
        return f"asks to wait {_words(self.asked)}, waiting {_words(self.seconds)}"


def parse_retry_after(value: str, date: str | None, now: float) -> RetryAfter | None:
    """Return what a ``Retry-After`` header asks for; None when it is neither digits nor an HTTP date.

    A date is measured against `date`, the answer's own ``Date`` header, because clocks differ; against `now`
    (seconds since the epoch) only when there is none. `int()` alone would take ``1_000`` and Arabic digits.
    """
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        asked = float(text)
    else:
        until = parse_http_date(text)
        if until is None:
            return None
        said = parse_http_date(date) if date is not None else None
        asked = until - (said if said is not None else now)
    return RetryAfter(asked, delay(asked))


def _words(seconds: float) -> str:
    return f"{seconds:.1f}".removesuffix(".0") + " s"
