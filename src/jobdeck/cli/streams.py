"""Makes the standard streams usable, in whatever state the caller left them."""

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import Literal, TextIO

from jobdeck.domain.text import to_ascii

ERROR_HANDLER = "jobdeck.signs"
"""The name of the codec error handler for characters outside of a stream's encoding."""


def prepare_streams() -> None:
    """Make the three standard streams usable: none is closed, and every character can be written.

    A closed stream reads and writes nothing. Characters outside of the locale's encoding are replaced by ASCII
    equivalents or escapes: a question mark would be the glyph of an unreachable job.
    """
    codecs.register_error(ERROR_HANDLER, _ascii_fallback)
    _fill_closed_descriptors()
    sys.stdin = sys.stdin or _stream(0, "r")
    sys.stdout = sys.stdout or _stream(1, "w")
    sys.stderr = sys.stderr or _stream(2, "w")
    sys.stdout, sys.stderr = _buffered(sys.stdout), _buffered(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERROR_HANDLER)


def _stream(descriptor: int, mode: Literal["r", "w"]) -> TextIO:
    return open(descriptor, mode, encoding="utf-8", closefd=False)


def is_piped(argument: str) -> bool:
    """Whether an argument stands for stdin: ``-`` or ``PROFILE:-``."""
    return argument == "-" or argument.endswith(":-")


def _buffered(stream: TextIO) -> TextIO:
    """Return a buffered stream, even if PYTHONUNBUFFERED has removed the buffer.

    Without a buffer the rest of a short write would be lost, and a later flush could not tell which stream failed.
    """
    if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.RawIOBase):
        return open(stream.fileno(), "w", encoding=stream.encoding, closefd=False)
    return stream


def silence_stdout() -> None:
    """Point stdout at /dev/null, so that the interpreter's final flush cannot fail again."""
    # A process that has replaced stdout has nothing that could fail.
    with suppress(OSError):
        descriptor = sys.stdout.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)


def _ascii_fallback(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(to_ascii(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end


def _fill_closed_descriptors() -> None:
    """Fill closed descriptors, because the next file opened, perhaps the database, would get the number of a stream."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return
