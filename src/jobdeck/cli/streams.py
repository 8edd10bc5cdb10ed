"""Standard streams in whatever state the caller left them."""

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import Literal, TextIO

from jobdeck.domain.ascii_fallback import to_ascii

SIGNS = "jobdeck.signs"
"""The name under which Python knows how to write what a stream's encoding does not."""


def prepare_streams() -> None:
    """Make the three standard streams usable: none is closed, and no character is too much for one.

    A closed one reads and writes nothing. Where the locale knows no glyphs, there are some of ASCII in their place, and
    escapes for other characters: a question mark would be the glyph for what is not known.
    """
    codecs.register_error(SIGNS, _spelled)
    _occupy()
    sys.stdin = sys.stdin or _stream(0, "r")
    sys.stdout = sys.stdout or _stream(1, "w")
    sys.stderr = sys.stderr or _stream(2, "w")
    sys.stdout, sys.stderr = _buffered(sys.stdout), _buffered(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SIGNS)


def _stream(descriptor: int, mode: Literal["r", "w"]) -> TextIO:
    return open(descriptor, mode, encoding="utf-8", closefd=False)


def is_piped(argument: str) -> bool:
    """Whether an argument stands for standard input: ``-`` or ``PROFILE:-``."""
    return argument == "-" or argument.endswith(":-")


def _buffered(stream: TextIO) -> TextIO:
    """Return a stream that PYTHONUNBUFFERED has left without a buffer with one.

    What a short write left over would be lost without, and no later flush could tell which stream has failed.
    """
    if isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.RawIOBase):
        return open(stream.fileno(), "w", encoding=stream.encoding, closefd=False)
    return stream


def silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush cannot fail as the one before did."""
    # In a process that has put something else in its place, there is nothing that could fail.
    with suppress(OSError):
        descriptor = sys.stdout.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(to_ascii(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end


def _occupy() -> None:
    """Fill closed descriptors, else the next file that is opened, the database perhaps, would become one of them."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return
