"""Recordings for tests, written by the real encoder."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from jobdeck.domain.instant import Instant
from jobdeck.recording.encoding import Encoder
from jobdeck.recording.facts import Fact, Header

ZERO = Instant(1_780_000_000_000_000, 0.0)
"""The start of a recording on its own clock, which counts from there."""

HEADER = Header("1.2.3", ZERO.us, {"hog": "thehog", "sonarly": "sonarly"})


def at(seconds: float) -> Instant:
    us = round(seconds * 1e6)
    return Instant(ZERO.us + us, us / 1e6)


def lines_of(facts: Iterable[Fact], *, end: Instant | None = None) -> list[str]:
    encoder = Encoder(ZERO)
    lines = [encoder.header(HEADER)]
    for fact in facts:
        lines.extend(encoder.lines(fact))
    lines.extend(encoder.rest())
    if end is not None:
        lines.extend(encoder.end(end))
    return lines


def write_lines(path: Path, lines: Iterable[str | Mapping[str, object]]) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_bytes(gzip.compress("".join(f"{text}\n" for text in texts).encode("utf-8", "surrogatepass")))
    return path


def write(path: Path, facts: Iterable[Fact], *, end: Instant | None = None) -> Path:
    return write_lines(path, lines_of(facts, end=end))
