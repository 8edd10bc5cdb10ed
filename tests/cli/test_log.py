"""Standard error as a person sees it."""

import io
from contextlib import redirect_stderr

import pytest

from jobdeck.cli.log import STATUS_LINE, log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_takes_the_place_of_the_one_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Terminal()) as terminal:
        log("first")
        STATUS_LINE.show("1 of 2 looked at")
        log("second")
        STATUS_LINE.show("x" * 200)
        STATUS_LINE.clear()
        STATUS_LINE.clear()
    over = "\r\x1b[K"
    told = f"jobdeck: first\n{over}1 of 2 looked at{over}jobdeck: second\n{over}{'x' * 79}{over}"
    assert terminal.getvalue() == told


def test_a_terminal_that_cannot_write_over_gets_lines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stderr(Terminal()) as terminal:
        STATUS_LINE.show("1 of 2 looked at")
        log("a line")
        STATUS_LINE.clear()
    assert terminal.getvalue() == "jobdeck: a line\n"
