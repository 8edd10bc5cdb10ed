"""Standard streams in whatever state the caller left them."""

import io
import os
import sys
from contextlib import suppress


def prepare_streams() -> None:
    """Make the three standard streams usable: none is closed, and no character is too much for one.

    A closed one reads and writes nothing. Where the locale knows no glyphs, they are written as escapes: a question
    mark in their place would be the glyph for what is not known.
    """
    _occupy()
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as we run
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush cannot fail as the one before did."""
    # In a process that has put something else in its place, there is nothing that could fail.
    with suppress(OSError):
        descriptor = sys.stdout.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)


def _occupy() -> None:
    """Fill closed descriptors, else the next file that is opened, the database perhaps, would become one of them."""
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return
