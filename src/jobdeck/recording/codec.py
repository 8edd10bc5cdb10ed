"""Encodes entries as lines of JSON and decodes them. A file may come from anyone: all input is checked and limited."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from operator import is_
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import from_json

from jobdeck.apis.url_template import is_id
from jobdeck.domain.events import OutageBegan, OutageEnded, ProfileHalted, SleepNoticed
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, JobKey, Observation
from jobdeck.domain.text import clean
from jobdeck.recording.entries import (
    Acknowledged,
    Added,
    BatchChanged,
    Entry,
    ForecastChanged,
    Header,
    HistoryLoaded,
    OutageChanged,
    PeerUpdate,
    PollingStatus,
    Removed,
    Replied,
    Restored,
)

FORMAT = "jobdeck-recording"
VERSION = 3
"""Incremented when an older jobdeck could not read the format."""

MAX_TEXT = 256 * 1024
"""Characters of one body or result: a larger one is replaced by a note."""

MAX_LINE = 8 * 1024 * 1024
"""Bytes of one line."""

MAX_BYTES = 256 * 1024 * 1024
"""Bytes of a whole recording, uncompressed."""

MAX_RESULTS = MAX_LINE // 4
"""Characters of all results in one list page; above it, only results up to `SHORT_RESULT` are recorded."""

SHORT_RESULT = 1_000
MAX_LABEL = 4_500
"""Characters of a text other than a result, body or error message; the rest is cut."""

_REPEATED_ROWS = 16
"""This many repeated rows count as one new row: they take 8 bytes of memory each."""

_EPOCH_US = 10**17
_MOST = 10**12
_MOMENT, _CLOCK = (-_EPOCH_US, _EPOCH_US), (-_MOST, _MOST)
_BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("us", "sequence", "disputed_end"), _MOMENT),
    **dict.fromkeys(("mono", "blocked_until", "resets", "eta"), _CLOCK),
    "progress": (0, 1),
    "blocked_asked": (0, math.inf),
}
"""The ranges of numbers by field name; other numbers are from 0 to 10¹²."""

_LINES = {JobError: ("message", "details"), Observation: ("result", "facts"), Job: ("result", "facts")}
"""Text fields that may contain several lines."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _HeaderLine:
    format: str
    version: int
    jobdeck: str
    started: Instant
    profiles: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: exactly one of the entries, or the time of the end."""

    added: Added | None = None
    restored: Restored | None = None
    removed: Removed | None = None
    batch: BatchChanged | None = None
    acknowledged: Acknowledged | None = None
    replied: Replied | None = None
    peer_update: PeerUpdate | None = None
    history: HistoryLoaded | None = None
    outage: OutageChanged | None = None
    forecast: ForecastChanged | None = None
    polling: PollingStatus | None = None
    halted: ProfileHalted | None = None
    outage_began: OutageBegan | None = None
    outage_ended: OutageEnded | None = None
    slept: SleepNoticed | None = None
    end: Instant | None = None
    rows: tuple[Observation | int, ...] = ()
    """The rows of a list. A row equal to an earlier one is written as that row's index: half of a recording is
    unchanged rows."""


_NAMES: dict[type, str] = {get_args(hint)[0]: name for name, hint in get_type_hints(_Line).items() if name != "rows"}
_HEADER = TypeAdapter(_HeaderLine)
_LINE = TypeAdapter(_Line)


class Encoder:
    """Turns the entries of one recording into lines, without line ends."""

    def __init__(self) -> None:
        self._rows: dict[JobKey, tuple[Observation, int]] = {}
        self._written = 0

    def header(self, header: Header) -> bytes:
        """Return the first line."""
        profiles = dict(header.profiles)
        return _HEADER.dump_json(_HeaderLine(FORMAT, VERSION, header.version, header.started, profiles))

    def line(self, entry: Entry | Instant) -> bytes:
        """Return the line of an entry, or of the end of a recording that was finished properly."""
        rows: tuple[Observation | int, ...] = ()
        if not isinstance(entry, Instant):
            entry = _shortened(entry)
        if isinstance(entry, Replied) and entry.asked is None:
            rows = tuple(self._row(entry.exchange.profile, row) for row in entry.observations)
            entry = replace(entry, observations=())
        fields: dict[str, Any] = {_NAMES[type(entry)]: entry}
        return _LINE.dump_json(_Line(**fields, rows=rows), exclude_defaults=True)

    def _row(self, profile: str, row: Observation) -> Observation | int:
        key = JobKey(profile, row.account_group, row.id)
        known = self._rows.get(key)
        if known is not None and known[0] == row:
            return known[1]
        self._rows[key] = row, self._written
        self._written += 1
        return row


class Decoder:
    """Turns the lines of one recording into entries: at most `allowed`, including new rows of lists."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._rows: list[Observation] = []

    def header(self, line: bytes) -> tuple[Header | None, int, str]:
        """Return the header (None for another format version), the version, and the jobdeck that wrote it.

        Raises ValueError if the line is not a header.
        """
        known = from_json(line)
        if not isinstance(known, dict) or known.get("format") != FORMAT or type(known.get("version")) is not int:
            raise ValueError("not a recording header")
        version, jobdeck = known["version"], clean(str(known.get("jobdeck")), limit=40)
        if version != VERSION:
            return None, version, jobdeck
        read = check(_HEADER.validate_json(line, strict=True))
        return Header(read.jobdeck, read.started, read.profiles), version, jobdeck

    def entry(self, line: bytes) -> Entry | Instant:
        """Return the entry of a line, or the time of the end for the last line; raises ValueError."""
        read = _LINE.validate_json(line, strict=True)
        found = [value for name in _NAMES.values() if (value := getattr(read, name)) is not None]
        if len(found) != 1:
            raise ValueError("it has no entry known to this version" if not found else "it has several entries")
        entry: Entry | Instant = check(found[0])
        if isinstance(entry, Replied) and entry.asked is None:
            entry = replace(entry, observations=self._read_rows(read.rows))
        self._count(1)
        return entry

    def _read_rows(self, rows: Sequence[Observation | int]) -> tuple[Observation, ...]:
        self._count(len(rows) // _REPEATED_ROWS)
        found = []
        for row in rows:
            if isinstance(row, Observation):
                self._rows.append(check(row))
                self._count(1)
                found.append(self._rows[-1])
            elif 0 <= row < len(self._rows):
                found.append(self._rows[row])
            else:
                raise ValueError("it repeats a missing row")
        return tuple(found)

    def _count(self, more: int) -> None:
        self._allowed -= more
        if self._allowed < 0:
            raise ValueError("it exceeds the size limits of a recording")


def check(value: _T) -> _T:
    """Return a value with all texts cleaned; raises ValueError for a number or ID out of range."""
    checked: _T = _check(value, "", lines=False)
    return checked


def _check(value: Any, name: str, *, lines: bool) -> Any:
    kind = type(value)
    if value is None or kind is bool or isinstance(value, Enum):
        return value
    if kind is str:
        return _check_text(value, name, lines=lines)
    if kind is int or kind is float:
        least, most = _MOMENT if name.endswith("_us") else _BOUNDS.get(name, (0, _MOST))
        if not least <= value <= most or value == math.inf:
            raise ValueError(f"{name}: no such number")
        return value
    if kind is tuple:
        if name == "facts":
            return tuple((clean(key, limit=MAX_LABEL), clean(text, lines=True)) for key, text in value)
        parts = [_check(one, name, lines=lines) for one in value]
        return value if all(map(is_, parts, value)) else tuple(parts)
    if kind is dict:
        return {clean(key, limit=MAX_LABEL): _check(one, name, lines=lines) for key, one in value.items()}
    changed = {}
    for field in kind.__slots__:
        old = getattr(value, field)
        new = _check(old, field, lines=field in _LINES.get(kind, ()))
        if new is not old:
            changed[field] = new
    return replace(value, **changed) if changed else value


def _check_text(text: str, name: str, *, lines: bool) -> str:
    if name == "body":
        return text  # as sent by the server: it is cleaned when it is drawn, as in a live session
    if (name == "id" and not is_id(text)) or (name == "account_group" and not all(map(is_id, text.split("/")))):
        raise ValueError(f"{name}: no such ID")
    return clean(text, lines=lines, limit=None if lines else MAX_LABEL)


def _shortened(entry: Entry) -> Entry:
    """Return an entry without texts too long for a recording."""
    match entry:
        case Replied(observations=rows):
            size = sum(len(row.result or "") for row in rows)
            limit = MAX_TEXT if entry.asked is not None or size <= MAX_RESULTS else SHORT_RESULT
            shortened = tuple(replace(row, result=_capped(row.result, "result", limit)) for row in rows)
            return replace(entry, observations=shortened, body=_capped(entry.body, "body"))
        case Restored(job=job) | PeerUpdate(job=job):
            return replace(entry, job=replace(job, result=_capped(job.result, "result")))
        case _:
            return entry


def _capped(text: str | None, what: str, limit: int = MAX_TEXT) -> str | None:
    if text is None or len(text) <= limit:
        return text
    return json.dumps(f"a {what} of {len(text):,} characters is not recorded")
