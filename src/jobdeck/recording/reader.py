"""Reads recordings, which may be malicious: never more is in memory than allowed."""

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

from jobdeck.domain.instant import Instant
from jobdeck.domain.text import one_line
from jobdeck.files import open_regular
from jobdeck.recording.codec import MAX_BYTES, MAX_LINE, VERSION, Decoder
from jobdeck.recording.entries import Header, Recording, RecordingError, TimedEntry

MAX_ENTRIES = 2_000_000
"""Entries of a whole recording, including list rows that do not repeat an earlier one."""

MAX_SECONDS = 400 * 86_400.0
CHUNK = 64 * 1024
_WHERE = re.compile(r" at line 1 column (\d+)$")


@dataclass(frozen=True, slots=True)
class Allowance:
    """Limits for a recording by file size: a small file must not take the time and memory of a large one.

    Real recordings unpack to 10 to 20 times their size, with a line for every 70 bytes of it; a malicious file of 145
    kB took 18 s and 614 MB.
    """

    size: int
    """Bytes of the file."""

    @property
    def unpacked(self) -> int:
        """The limit of uncompressed bytes."""
        return min(MAX_BYTES, 8 * 1024 * 1024 + 100 * self.size)

    @property
    def lines(self) -> int:
        """The limit of lines."""
        return 20_000 + self.size // 2

    @property
    def entries(self) -> int:
        """The limit of entries and rows."""
        return min(MAX_ENTRIES, 50_000 + 2 * self.size)


def read_recording(path: Path) -> Recording:
    """Read and check a whole recording; raises `RecordingError`.

    A recording that is cut off after its header, or damaged after its first entry, is read as far as possible.
    """
    name = one_line(str(path), 200)
    collecting = gc.isenabled()
    # Everything created here is kept: garbage collections would scan it repeatedly, for a quarter of the time.
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
        raise RecordingError(f"{name} is not a recording: not compressed")
    allowance = Allowance(os.fstat(file.fileno()).st_size)
    _measure(name, file, allowance)
    file.seek(0)
    lines, entries, reason = _Lines(file), list[TimedEntry](), ""
    decoder, finished, seconds = Decoder(allowance.entries), False, 0.0
    header = _header(name, decoder, lines)
    try:
        for line in lines:
            entry = decoder.entry(line)
            finished = isinstance(entry, Instant)
            at = entry if isinstance(entry, Instant) else entry.at
            seconds = max(seconds, _position(at, header.started))
            if not isinstance(entry, Instant):
                entries.append(TimedEntry(seconds, entry))
    except ValidationError as error:
        reason = _reason(error)
    except ValueError as error:
        reason = str(error)
    if reason and not entries:
        raise RecordingError(f"{name}, line {lines.number}: {one_line(reason, 300)}")
    fault, damaged = "", bool(reason) or lines.damaged
    if reason:
        where = f"in line {lines.number} ({one_line(reason, 200)})"
        fault = f"the recording is damaged {where}: playing up to that point"
    elif damaged:
        fault = "the recording is damaged: what you see may differ from what happened"
    elif not finished:
        fault = "the recording is incomplete: jobdeck was stopped while recording"
    return Recording(header, tuple(entries), seconds, fault, damaged)


def _position(at: Instant, started: Instant) -> float:
    """Return the seconds from the start to a time; raises ValueError if they are out of range."""
    seconds = at.mono - started.mono
    if max(seconds, abs(at.us - started.us) / 1e6) > MAX_SECONDS:
        raise ValueError("it exceeds the maximum length of a recording")
    return seconds


def _measure(name: str, file: BinaryIO, allowance: Allowance) -> None:
    """Reject a file that unpacks to too much before it is read: unpacking alone takes 2 ms per megabyte.

    A recording is one gzip member. Otherwise 4 MB could contain 200,000 empty ones, which take 25 µs each.
    """
    size = lines = 0
    file.seek(0)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    while not unpacker.eof and (packed := unpacker.unconsumed_tail or file.read(CHUNK)):
        try:
            chunk = unpacker.decompress(packed, CHUNK)
        except zlib.error:
            return  # a damaged recording is shown up to the damage
        size += len(chunk)
        lines += chunk.count(b"\n")
        if size > allowance.unpacked or lines > allowance.lines:
            limit = f"{allowance.unpacked // 1024 // 1024} MiB or {allowance.lines:,} lines"
            raise RecordingError(f"{name} is not a valid recording: it unpacks to more than {limit}")
    behind = unpacker.unused_data.lstrip(b"\0")
    while not behind and (more := file.read(CHUNK)):
        behind = more.lstrip(b"\0")
    if behind.startswith(b"\x1f"):
        raise RecordingError(f"{name} is not a valid recording: it contains more than one")


def _header(name: str, decoder: Decoder, lines: "_Lines") -> Header:
    try:
        header, version, jobdeck = decoder.header(next(lines, b""))
    except ValueError:
        raise RecordingError(f"{name} is not a recording: invalid first line") from None
    if header is None:
        by = f"made by jobdeck {jobdeck} in format {version}"
        raise RecordingError(f"cannot read {name}: it was {by}, but this version reads format {VERSION}")
    return header


class _Lines(Iterator[bytes]):
    """The complete lines of a file, as far as it can be unpacked; raises ValueError for a line that is too long.

    `number` is that of the last line, `damaged` whether the file was altered.
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
        """Yield the uncompressed content in small pieces, until it ends or is cut off."""
        with gzip.GzipFile(fileobj=self._file, mode="rb") as packed:
            while True:
                try:
                    chunk = packed.read1(CHUNK)
                except EOFError:
                    return
                except (zlib.error, gzip.BadGzipFile):
                    # The checksum at the end does not match: something before it was altered.
                    self.damaged = True
                    return
                if not chunk:
                    return
                yield chunk


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    # pydantic counts lines within the one line that it gets.
    said = _WHERE.sub(r" at character \1", first["msg"])
    return f"{where}: {said}" if where else said
