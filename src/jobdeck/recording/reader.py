"""Reading a recording: hostile until proven otherwise, and never more of it in memory than it is allowed to be."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from jobdeck.domain.text import one_line
from jobdeck.recording.decoding import Decoder, DecodingError
from jobdeck.recording.errors import RecordingError
from jobdeck.recording.facts import Fact, Header
from jobdeck.recording.limits import MAX_BYTES, MAX_LINE, VERSION
from jobdeck.recording.patch import PatchError
from jobdeck.recording.wire import LINE, HeaderWire

CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Placed:
    """A fact and where it stands: seconds since the recording began, never less than of the fact before it."""

    at: float
    fact: Fact


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording. `complete` is False for one that breaks off: its writer was killed, or its disk was full."""

    header: Header
    facts: tuple[Placed, ...]
    seconds: float
    complete: bool


def read_recording(path: Path) -> Recording:
    """Read and check a whole recording; raises `RecordingError`.

    One that breaks off anywhere after its header is read as far as it goes.
    """
    name = one_line(str(path), 200)
    try:
        with path.open("rb") as file:
            return _read(name, file)
    except OSError as error:
        raise RecordingError(f"cannot read {name}: {error.strerror or type(error).__name__}") from None


def _read(name: str, file: BinaryIO) -> Recording:
    if file.read(2) != b"\x1f\x8b":
        raise RecordingError(f"{name} is no recording: it is not compressed as one")
    file.seek(0)
    lines = _Lines(name, file)
    header = _header(name, next(iter(lines), b""))
    decoder = Decoder(header)
    facts: list[Placed] = []
    for number, line in enumerate(lines, 2):
        try:
            told = decoder.facts(LINE.validate_json(line))
        except ValidationError as error:
            raise _bad_line(name, number, _complaint(error)) from None
        except (DecodingError, PatchError, ValueError, OverflowError) as error:
            raise _bad_line(name, number, str(error)) from None
        at = decoder.position / 1e6
        facts.extend(Placed(at, fact) for fact in told)
    return Recording(header, tuple(facts), decoder.position / 1e6, decoder.ended)


def _header(name: str, line: bytes) -> Header:
    try:
        wire = HeaderWire.model_validate_json(line)
    except ValidationError:
        raise RecordingError(f"{name} is no recording: its first line is not that of one") from None
    if wire.version > VERSION:
        raise RecordingError(f"{name} was made by a newer jobdeck ({wire.jobdeck}): this one reads format {VERSION}")
    return Header(wire.jobdeck, wire.started_us, wire.profiles)


class _Lines:
    """The whole lines of a file, as far as it can be unpacked; `__iter__` goes on where the last one stopped."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._lines = self._split(file)

    def __iter__(self) -> Iterator[bytes]:
        return self._lines

    def _split(self, file: BinaryIO) -> Iterator[bytes]:
        rest, number, size = b"", 1, 0
        for chunk in _unpacked(file):
            size += len(chunk)
            if size > MAX_BYTES:
                raise _bad_line(self._name, number, "there is more in it than a recording holds")
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line
                number += 1
            if len(rest) > MAX_LINE:
                raise _bad_line(self._name, number, f"it is longer than {MAX_LINE // 1024 // 1024} MiB")


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield what a file unpacks to, in small pieces, until it ends or breaks off."""
    with gzip.GzipFile(fileobj=file, mode="rb") as packed:
        while True:
            try:
                chunk = packed.read1(CHUNK)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return
            if not chunk:
                return
            yield chunk


def _bad_line(name: str, number: int, reason: str) -> RecordingError:
    return RecordingError(f"{name}, line {number}: {one_line(reason, 300)}")


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
