"""Standard error as a person sees it."""

import io
from contextlib import redirect_stderr

import pytest

from jobdeck.cli.narration import LINE, narrate


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_takes_the_place_of_the_one_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Terminal()) as terminal:
        narrate("first")
        LINE.show("1 of 2 looked at")
        narrate("second")
        LINE.show("x" * 200)
        LINE.clear()
        LINE.clear()
    over = "\r\x1b[K"
    told = f"jobdeck: first\n{over}1 of 2 looked at{over}jobdeck: second\n{over}{'x' * 79}{over}"
    assert terminal.getvalue() == told


def test_a_terminal_that_cannot_write_over_gets_lines_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stderr(Terminal()) as terminal:
        LINE.show("1 of 2 looked at")
        narrate("a line")
        LINE.clear()
    assert terminal.getvalue() == "jobdeck: a line\n"
