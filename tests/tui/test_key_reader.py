"""Keys, the mouse and pastes as events."""

import time
from collections.abc import Callable

import pytest
from textual import events, messages
from textual.message import Message

from jobdeck.tui.terminal import Burst, KeyReader
from tests.tui.terminal_answers import ANSWERS


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Message]]:
    def read(*texts: str, escape_apart: bool = False) -> list[Message]:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        reader = KeyReader(escape_apart=escape_apart)
        found: list[Message] = []
        for text in texts:
            found += reader.feed(text)
            while (wait := reader.wait) is not None:
                now += wait
                found += reader.tick()
        return found

    return read


def names(found: list[Message]) -> list[str]:
    return [event.key if isinstance(event, events.Key) else type(event).__name__ for event in found]


@pytest.mark.parametrize(
    ("sequence", "key"),
    [
        ("q", "q"),
        ("Y", "Y"),
        ("?", "question_mark"),
        ("\r", "enter"),
        ("\t", "tab"),
        ("\x7f", "backspace"),
        ("\x03", "ctrl+c"),
        ("\x1b", "escape"),
        ("\x1bx", "alt+x"),
        ("\x1b[A", "up"),
        ("\x1bOB", "down"),
        ("\x1b[1;5C", "ctrl+right"),
        ("\x1b[1;2D", "shift+left"),
        ("\x1b[Z", "shift+tab"),
        ("\x1b[5~", "pageup"),
        ("\x1bOP", "f1"),
        ("\x1b[[A", "f1"),
        ("\x1b[15~", "f5"),
        ("\x1b[24;5~", "ctrl+f12"),
        ("\x1b[3$", "shift+delete"),
        # the kitty protocol: a letter, one with its text, with Ctrl, with other layouts' keys, kinds of events
        ("\x1b[113u", "q"),
        ("\x1b[113;;113u", "q"),
        ("\x1b[99;5u", "ctrl+c"),
        ("\x1b[97:65;2;65u", "A"),
        ("\x1b[1089::99;5u", "ctrl+с"),
        ("\x1b[106;1:1u", "j"),
        ("\x1b[106;1:2u", "j"),
        ("\x1b[27u", "escape"),
        ("\x1b[1;1:1A", "up"),
        ("\x1b[27;5;106~", "ctrl+j"),
    ],
)
def test_keys_are_what_they_were(read: Callable[..., list[Message]], sequence: str, key: str) -> None:
    assert names(read(sequence)) == [key]


@pytest.mark.parametrize(
    "sequence",
    [
        *ANSWERS,
        "\x1b[106;1:3u",
        "\x1b[1;1:3A",
        "\x1b[9999999999u",
        "\x1b[55296u",
        "\x1b[1114112u",
        "\x1b[0;1;2;3;4;5;6;7u",
        "\x1b[<0;999999;1M",
        "\x1b[<65535;1;1M",
        "\x1b[M !!",
        "\x1b\\",
        "\udcff\udc80",
    ],
    ids=repr,
)
def test_the_rest_is_swallowed(read: Callable[..., list[Message]], sequence: str) -> None:
    allowed = {"AppFocus"} if "ITERM2" in sequence else set()
    assert set(names(read(sequence))) <= allowed


def test_what_is_no_key_but_means_something(read: Callable[..., list[Message]]) -> None:
    found = read("\x1b[O", "\x1b[I", "\x1b[?2026;2$y", "\x1b[<0;3;4M", "\x1b[<64;3;4M", "\x1b[200~a\rb\x1b[201~")
    assert names(found) == [
        "AppBlur",
        "AppFocus",
        messages.TerminalSupportsSynchronizedOutput.__name__,
        "MouseDown",
        "MouseScrollUp",
        "Paste",
    ]
    assert isinstance(found[3], events.MouseDown)
    assert (found[3].x, found[3].y) == (2, 3)
    assert isinstance(found[5], events.Paste)
    assert found[5].text == "a\nb"


def test_what_comes_together_is_one_event_with_its_keys(read: Callable[..., list[Message]]) -> None:
    (burst,) = read("Yy")
    assert isinstance(burst, Burst)
    assert (burst.text, names(list(burst.keys))) == ("Yy", ["Y", "y"])


def test_an_escape_that_came_late_is_the_key_where_a_program_between_keeps_it(
    read: Callable[..., list[Message]],
) -> None:
    assert names(read("\x1bj", escape_apart=True)) == ["escape", "j"]
