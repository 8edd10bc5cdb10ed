"""The head of an HTTP answer: reading it as ``curl -i`` prints it, and selecting the headers worth keeping.

An accepted job is often named only in a header.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern

from jobdeck.domain.text import clean

_HEAD = re.compile(rb"HTTP/[0-9.]{1,4} ([0-9]{3})[^\r\n]{0,1000}(?:\r?\n|\Z)")
_LINE = re.compile(rb"([A-Za-z0-9_-]{1,100}):[ \t]*([^\r\n]{0,16384})(?:\r?\n|\Z)")
_BLANK = re.compile(rb"\r?\n")
MAX_HEADERS = 200
MAX_SKIPPED = 50
"""Most heads before the last one: curl follows as many redirects."""

_EXACT = frozenset({"content-type", "date", "server", "retry-after", "retry-after-ms", "cf-ray", "via"})
_PARTS = ("ratelimit", "rate-limit", "quota", "request-id", "requestid", "correlation-id", "trace")
MOST_KEPT = 24
LONGEST_KEPT = 256


@dataclass(frozen=True, slots=True)
class Head:
    """A status and its headers, names in lower case; of a repeated header, the last counts."""

    status: int
    headers: Mapping[str, str]


def read_head(data: bytes, position: int = 0) -> tuple[Head, int] | None:
    """Return the head at `position`, and the position of its body; None if there is no head.

    Heads that another one follows (``100 Continue``, a redirect that was followed, a proxy's ``200``) are skipped.
    """
    found = _one_head(data, position)
    for _ in range(MAX_SKIPPED):
        if found is None or (200 <= found[0].status < 300 and found[0].headers) or found[0].status >= 400:
            break
        found = _one_head(data, found[1]) or found
    return found


def _one_head(data: bytes, position: int) -> tuple[Head, int] | None:
    match = _HEAD.match(data, position)
    if match is None:
        return None
    position = match.end()
    headers: dict[str, str] = {}
    while len(headers) < MAX_HEADERS and (line := _LINE.match(data, position)) is not None:
        headers[line[1].decode("ascii").lower()] = line[2].decode("latin-1").strip()
        position = line.end()
    blank = _BLANK.match(data, position)
    return Head(int(match[1]), headers), blank.end() if blank else position


def headers_that_matter(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer that are kept in memory; `headers` must be without credentials.

    Names are in lower case, values cut at `LONGEST_KEPT` characters, and nothing in them can control a terminal. Only
    headers known to be useful are kept, so no cookies.
    """
    kept = [(intern(clean(name)), clean(value[:LONGEST_KEPT])) for name, value in headers if _matters(name)]
    return tuple(kept[:MOST_KEPT])


def _matters(name: str) -> bool:
    return name in _EXACT or (len(name) <= 64 and any(part in name for part in _PARTS))
