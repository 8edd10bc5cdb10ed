"""What headers announce about rate limits: ``X-RateLimit-*`` of any dialect, and the fields of the IETF draft."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from jobdeck.domain.ratelimit import RateWindow
from jobdeck.domain.text import clean
from jobdeck.providers.http_date import parse_http_date

_FIELD = re.compile(r"(?:x-)?rate-?limit-(limit|remaining|reset)(?:-(.{1,64}))?", re.ASCII)
_NUMBER = re.compile(r"([0-9]{1,15})(?:\.[0-9]{0,9})?", re.ASCII)
_FIRST_NUMBER = re.compile(_NUMBER.pattern + r"(?=\s*(?:[,;]|$))", re.ASCII)
_ITEM = re.compile(r'(?:[^",;]|"(?:[^"\\]|\\.)*")+|[,;]')
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e12
_LONGEST = 86_400.0
_MAX_COUNT = 10**9
_MAX_WINDOWS = 16
_MAX_VALUE = 1_024


def parse_windows(headers: Iterable[tuple[str, str]], now: float) -> tuple[RateWindow, ...]:
    """Return the announced limits, one a name, of at most 16 names; never raises, whatever the headers hold.

    `now` is in seconds since the epoch. Resets may be seconds to go, or a moment as epoch seconds, epoch
    milliseconds or an HTTP date; a moment is measured against the answer's own ``Date`` header if there is one.
    """
    pairs = [(name.lower(), value.strip()) for name, value in headers if len(value) <= _MAX_VALUE]
    said = next((parse_http_date(value) for name, value in pairs if name == "date"), None)
    moment = said if said is not None else now
    found: dict[str, RateWindow] = {}
    for name, value in pairs:
        for window in _windows(name, value, moment):
            known = found.get(window.name)
            if known is not None:
                found[window.name] = _merged(known, window)
            elif len(found) < _MAX_WINDOWS:
                found[window.name] = window
    return tuple(found.values())


def _windows(name: str, value: str, now: float) -> Iterator[RateWindow]:
    if name in {"ratelimit", "ratelimit-policy"}:
        yield from _draft(value)
        return
    match = _FIELD.fullmatch(name)
    if match is None:
        return
    suffix = clean(match[2] or "")
    number = _FIRST_NUMBER.match(value)
    if match[1] == "reset":
        after = _reset(value, now)
        if after is not None:
            yield RateWindow(reset_after=after, name=suffix)
    elif number is not None:
        count = min(int(number[1]), _MAX_COUNT)
        if match[1] == "remaining":
            yield RateWindow(remaining=count, name=suffix)
        else:
            seconds = re.search(r";\s*w=([0-9]{1,9})", value, re.ASCII)
            yield RateWindow(limit=count, window=_capped(float(seconds[1])) if seconds else None, name=suffix)


def _draft(value: str) -> Iterator[RateWindow]:
    """Yield the windows of ``"poll";q=300;w=60``, ``"poll";r=38;t=12`` and ``limit=300, remaining=38, reset=12``."""
    plain: dict[str, str] = {}
    for item in _split(value):
        head, *rest = item
        params = dict(pair for pair in map(_pair, rest) if pair is not None)
        pair = _pair(head)
        if pair is not None:
            plain.setdefault(*pair)
        elif _NUMBER.fullmatch(head):
            yield _of({"q": head, **params}, "")
        elif head:
            yield _of(params, clean(head.strip('"')[:64]))
    if plain:
        names = {"limit": "q", "remaining": "r", "reset": "t"}
        yield _of({names[name]: text for name, text in plain.items() if name in names}, "")


def _split(value: str) -> Iterator[list[str]]:
    item = [""]
    for piece in _ITEM.findall(value):
        if piece == ",":
            yield item
            item = [""]
        elif piece == ";":
            item.append("")
        else:
            item[-1] += piece.strip()
    yield item


def _pair(text: str) -> tuple[str, str] | None:
    name, equals, value = text.partition("=")
    return (name.strip().lower(), value.strip().strip('"')) if equals and '"' not in name else None


def _of(params: dict[str, str], name: str) -> RateWindow:
    limit, remaining = _count(params.get("q")), _count(params.get("r"))
    return RateWindow(limit, remaining, _seconds(params.get("t")), _seconds(params.get("w")), name)


def _count(text: str | None) -> int | None:
    match = _NUMBER.fullmatch(text or "")
    return min(int(match[1]), _MAX_COUNT) if match else None


def _seconds(text: str | None) -> float | None:
    return _capped(float(text or "")) if _NUMBER.fullmatch(text or "") else None


def _reset(text: str, now: float) -> float | None:
    if not _NUMBER.fullmatch(text):
        date = parse_http_date(text)
        return None if date is None else _capped(date - now)
    value = float(text)
    if value >= _EPOCH_MILLISECONDS:
        return _capped(value / 1e3 - now)
    return _capped(value - now if value >= _EPOCH_SECONDS else value)


def _capped(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST)


def _merged(known: RateWindow, window: RateWindow) -> RateWindow:
    """Return both, the tighter limit and remainder of two that say different things."""
    return replace(
        known,
        limit=_tighter(known.limit, window.limit),
        remaining=_tighter(known.remaining, window.remaining),
        reset_after=known.reset_after if known.reset_after is not None else window.reset_after,
        window=known.window if known.window is not None else window.window,
    )


def _tighter(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
