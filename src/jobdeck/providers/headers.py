"""Which headers of an answer are worth keeping: what support and a person behind a rate limit ask for."""

from collections.abc import Iterable
from sys import intern

from jobdeck.domain.text import clean

_EXACT = frozenset({"content-type", "date", "server", "retry-after", "retry-after-ms", "cf-ray", "via"})
_PARTS = ("ratelimit", "rate-limit", "quota", "request-id", "requestid", "correlation-id", "trace")
MOST = 24
LONGEST = 256


def headers_that_matter(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer that are kept with it, of those that are given without credentials.

    Names are in lower case, values cut at `LONGEST` characters, and nothing in them can drive a terminal; cookies and
    whatever is not known to matter are left out.
    """
    kept = [(intern(clean(name)), clean(value[:LONGEST])) for name, value in headers if _matters(name)]
    return tuple(kept[:MOST])


def _matters(name: str) -> bool:
    return name in _EXACT or (len(name) <= 64 and any(part in name for part in _PARTS))
