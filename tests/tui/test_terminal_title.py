"""The terminal's title, and its own progress bar."""

import pytest

from jobdeck.tui.terminal_title import NO_PROGRESS, TerminalTitle, end_sequence, has_progress, start_sequence

GHOSTTY = {"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}


def test_title_and_progress_follow_the_jobs_and_are_written_when_they_differ() -> None:
    written: list[str] = []
    title = TerminalTitle(written.append, GHOSTTY)
    title.show(0, 0, 0, paused=False)
    title.show(1, 4, 0, paused=False)
    title.show(1, 4, 0, paused=False)
    title.show(2, 4, 1, paused=False)
    title.show(2, 4, 1, paused=True)
    title.show(4, 4, 1, paused=False)
    assert written == [
        "\x1b]2;jobdeck\x07" + NO_PROGRESS,
        "\x1b]2;jobdeck 1/4\x07\x1b]9;4;1;25\x07",
        "\x1b]2;jobdeck 2/4, 1 failed\x07\x1b]9;4;2;50\x07",
        "\x1b]2;jobdeck 2/4, 1 failed\x07\x1b]9;4;4;50\x07",
        "\x1b]2;jobdeck 4/4, 1 failed\x07" + NO_PROGRESS,
    ]


@pytest.mark.parametrize(
    ("environ", "progress"),
    [
        (GHOSTTY, True),
        ({"TERM": "xterm-256color", "WT_SESSION": "1"}, True),
        ({"TERM": "xterm-256color", "ConEmuANSI": "ON"}, True),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/x", "WT_SESSION": "1"}, False),
        ({"TERM": "screen", "STY": "1.x", "WT_SESSION": "1"}, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, False),
    ],
)
def test_progress_is_for_terminals_that_do_not_take_it_for_a_notice(environ: dict[str, str], progress: bool) -> None:
    assert has_progress(environ) is progress


def test_a_console_without_a_title_is_sent_none() -> None:
    written: list[str] = []
    TerminalTitle(written.append, {"TERM": "linux"}).show(1, 4, 0, paused=False)
    assert written == []
    assert start_sequence({"TERM": "linux"}) == end_sequence({"TERM": "linux"}) == ""
    assert start_sequence(GHOSTTY) == "\x1b[22;2t"
    assert end_sequence(GHOSTTY) == NO_PROGRESS + "\x1b[23;2t"
