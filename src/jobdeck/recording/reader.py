"""Reading a recording: hostile until proven otherwise, and never more of it in memory than it is allowed to be."""

import gc
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from jobdeck.domain.text import one_line
from jobdeck.files import open_regular
from jobdeck.recording.decoding import Decoder
from jobdeck.recording.errors import RecordingError
from jobdeck.recording.facts import Fact, Header
from jobdeck.recording.limits import MAX_LINE, ORDERED_SINCE, VERSION, Allowance
from jobdeck.recording.wire import LINE, HeaderWire

CHUNK = 64 * 1024
_WHERE = re.compile(r" at line 1 column (\d+)$")


@dataclass(frozen=True, slots=True)
class Placed:
    """A fact and where it stands: seconds since the recording began, never less than of the fact before it."""

    at: float
    fact: Fact


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, as far as it could be read.

    `fault` says in one line why that may not be all of it, or not all as it was written; it is empty for a sound one.
    With `damaged` it is not what its writer wrote; without, it was never ended: whoever wrote it was killed, or its
    disk was full.
    """

    header: Header
    facts: tuple[Placed, ...]
    seconds: float
    fault: str = ""
    damaged: bool = False

    @property
    def complete(self) -> bool:
        """Whether it is all there, as it was written."""
        return not self.fault


def read_recording(path: Path) -> Recording:
    """Read and check a whole recording; raises `RecordingError`.

    One that breaks off anywhere after its header, or that is damaged behind its first facts, is read as far as it
    goes.
    """
    name = one_line(str(path), 200)
    collecting = gc.isenabled()
    # All that is made here stays: looking through it for garbage, again and again, takes a quarter of the time.
    gc.disable()
    try:
        with open_regular(path) as file:
            return _read(name, file)
    except OSError as error:
        raise RecordingError(f"cannot read {name}: {error.strerror or type(error).__name__}") from None
    finally:
        if collecting:
            gc.enable()


def _read(name: str, file: BinaryIO) -> Recording:
    if file.read(2) != b"\x1f\x8b":
        raise RecordingError(f"{name} is no recording: it is not compressed as one")
    allowance = Allowance(os.fstat(file.fileno()).st_size)
    _measure(name, file, allowance)
    file.seek(0)
    lines, facts, reason = _Lines(file), list[Placed](), ""
    header, version = _header(name, lines)
    decoder = Decoder(header, allowance, by_clock=version < ORDERED_SINCE)
    try:
        for line in lines:
            told = decoder.facts(LINE.validate_json(line))
            at = decoder.position / 1e6
            facts.extend(Placed(at, fact) for fact in told)
    except ValidationError as error:
        reason = _complaint(error)
    except (ValueError, OverflowError) as error:
        reason = str(error)
    if reason and not facts:
        raise _bad_line(name, lines.number, reason)
    fault, damaged = "", bool(reason) or lines.damaged
    if reason:
        place = f"in line {lines.number} ({one_line(reason, 200)})"
        fault = f"the recording is damaged {place}: it is shown as far as that"
    elif damaged:
        fault = "the recording is damaged: what is shown may differ from what was"
    elif not decoder.ended:
        fault = "the recording breaks off: whoever made it was stopped"
    elif decoder.bodies_left_out:
        fault = "there are more bodies in the recording than are kept: the later ones are left out"
    return Recording(header, tuple(facts), decoder.position / 1e6, fault, damaged)


def _measure(name: str, file: BinaryIO, allowance: Allowance) -> None:
    """Refuse what unpacks to too much, before any of it is read: unpacking alone takes 2 ms a megabyte.

    A recording is packed in one piece. Of others, 4 MB are 200,000 empty ones, which take 25 µs each.
    """
    size = lines = 0
    file.seek(0)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    while not unpacker.eof and (packed := unpacker.unconsumed_tail or file.read(CHUNK)):
        try:
            chunk = unpacker.decompress(packed, CHUNK)
        except zlib.error:
            return  # what is damaged is shown as far as that
        size += len(chunk)
        lines += chunk.count(b"\n")
        if size > allowance.unpacked or lines > allowance.lines:
            limit = f"{allowance.unpacked // 1024 // 1024} MiB or {allowance.lines:,} lines"
            raise RecordingError(f"{name} is no recording: it unpacks to more than {limit}")
    behind = unpacker.unused_data.lstrip(b"\0")
    while not behind and (more := file.read(CHUNK)):
        behind = more.lstrip(b"\0")
    if behind.startswith(b"\x1f"):
        raise RecordingError(f"{name} is no recording: there is another one behind it")


def _header(name: str, lines: "_Lines") -> tuple[Header, int]:
    try:
        wire = HeaderWire.model_validate_json(next(lines, b""))
    except ValidationError:
        raise RecordingError(f"{name} is no recording: its first line is not that of one") from None
    except ValueError as error:
        raise _bad_line(name, lines.number, str(error)) from None
    if wire.version > VERSION:
        raise RecordingError(f"{name} was made by a newer jobdeck ({wire.jobdeck}): this one reads format {VERSION}")
    return Header(wire.jobdeck, wire.started_us, wire.profiles), wire.version


class _Lines(Iterator[bytes]):
    """The whole lines of a file, as far as it can be unpacked; raises ValueError for one longer than a recording has.

    `number` is that of the last line that was asked for, `damaged` whether the file is not what was packed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.number = 0
        self.damaged = False
        self._file = file
        self._lines = self._split()

    def __next__(self) -> bytes:
        """Return the next line."""
        self.number += 1
        return next(self._lines)

    def _split(self) -> Iterator[bytes]:
        rest = b""
        for chunk in self.unpacked():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > MAX_LINE:
                raise ValueError(f"it is longer than {MAX_LINE // 1024 // 1024} MiB")

    def unpacked(self) -> Iterator[bytes]:
        """Yield what a file unpacks to, in small pieces, until it ends or breaks off."""
        with gzip.GzipFile(fileobj=self._file, mode="rb") as packed:
            while True:
                try:
                    chunk = packed.read1(CHUNK)
                except EOFError:
                    return
                except (zlib.error, gzip.BadGzipFile):
                    # The sum at the end is of what was packed: where it is another, something in between is.
                    self.damaged = True
                    return
                if not chunk:
                    return
                yield chunk


def _bad_line(name: str, number: int, reason: str) -> RecordingError:
    return RecordingError(f"{name}, line {number}: {one_line(reason, 300)}")


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    # It counts lines of its own, of which there is one.
    said = _WHERE.sub(r" at character \1", first["msg"])
    return f"{where}: {said}" if where else said
