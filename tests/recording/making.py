"""Recordings for tests, written by the real encoder."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from jobdeck.domain.instant import Instant
from jobdeck.recording.codec import Encoder
from jobdeck.recording.entries import Entry, Header

ZERO = Instant(1_780_000_000_000_000, 0.0)
"""The start of a recording on its own clock, which counts from there."""

HEADER = Header("1.2.3", ZERO, {"hog": "thehog", "sonarly": "sonarly"})


def at(seconds: float) -> Instant:
    us = round(seconds * 1e6)
    return Instant(ZERO.us + us, us / 1e6)


def lines_of(entries: Iterable[Entry], *, end: Instant | None = None) -> list[str]:
    encoder = Encoder()
    lines = [encoder.header(HEADER), *map(encoder.line, entries)]
    if end is not None:
        lines.append(encoder.line(end))
    return [line.decode() for line in lines]


def write_lines(path: Path, lines: Iterable[str | Mapping[str, object]]) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_bytes(gzip.compress("".join(f"{text}\n" for text in texts).encode("utf-8", "surrogatepass")))
    return path


def write(path: Path, entries: Iterable[Entry], *, end: Instant | None = None) -> Path:
    return write_lines(path, lines_of(entries, end=end))
