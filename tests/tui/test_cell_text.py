import unicodedata

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jobdeck.tui.cell_text import LINE_LIMIT, elide_middle, pad, truncate, wrap
from jobdeck.tui.terminal import pin_clusters
from tests.cleanness import is_clean

PARTS = (
    "⚠",
    "\ufe0f",
    "👩",
    "\u200d",
    "🏽",
    "1",
    "\u20e3",
    "🇩",
    "क",
    "\u094d",
    "ष",
    "म",
    "ی",
    "\u200c",
    "e",
    "\u0301",
    " ",
    "世",
)
ANY = st.one_of(
    st.text(alphabet=st.characters(codec=None), max_size=400),
    st.lists(st.sampled_from(PARTS), max_size=60).map("".join),
)


@given(ANY, st.integers(0, 60), st.booleans())
def test_a_cell_has_exactly_its_width_whatever_the_text(text: str, width: int, right: bool) -> None:
    cell = pad(text, width, right=right)
    assert cell_len(cell) == width
    assert is_clean(cell)


@given(ANY, st.integers(1, 60))
def test_a_text_cut_in_the_middle_fits_and_is_clean(text: str, width: int) -> None:
    assert cell_len(elide_middle(text, width)) <= width
    assert is_clean(elide_middle(text, width))


@given(ANY, st.integers(8, 60))
def test_wrapped_lines_fit_and_are_clean(text: str, width: int) -> None:
    for line in wrap(text, width):
        assert cell_len(line) <= width
        assert is_clean(line)


def test_a_cut_is_shown() -> None:
    assert truncate("abcdef", 4) == "abc…"
    assert elide_middle("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", 13) == "op_01H…8R9S0T"
    assert truncate("世界世界", 4) == "世 …"


def test_a_wrapped_line_keeps_its_indent() -> None:
    assert wrap('     "type": "prospecting and more"', 24) == ['     "type":', '     "prospecting and', '     more"']
    assert all(len(line) <= 20 for line in wrap(" " * 300 + "x" * 300, 20))


def test_words_are_not_broken_where_they_fit() -> None:
    assert wrap("The enrichment provider did not answer", 16) == ["The enrichment", "provider did not", "answer"]


def test_a_megabyte_is_cut_and_its_size_said() -> None:
    lines = wrap("x" * 1_000_000, 80)
    assert len(lines) <= LINE_LIMIT
    assert lines[-1] == "… (truncated, 1000000 bytes)"


def test_ten_thousand_lines_are_cut_and_the_size_said() -> None:
    lines = wrap("ä\n" * 10_000, 80)
    assert len(lines) == LINE_LIMIT
    assert lines[-1] == "… (truncated, 30000 bytes)"


@pytest.mark.parametrize(
    "text", ["⚠️", "👨‍👩‍👧‍👦", "1️⃣", "🇩🇪", "👍🏽", "☺️", "🫩", "हिन्दी में", "क्‍ष", "می‌خواهم", "cafe\u0301"]
)
@pytest.mark.parametrize("drawn", [None, 0, 1, 2])
def test_what_follows_a_text_is_where_it_is_counted_whatever_a_terminal_makes_of_it(
    text: str, drawn: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pyte.screens.wcwidth
    if drawn is not None:
        # Terminals disagree on what is new or joined, on nothing else.
        monkeypatch.setattr(pyte.screens, "wcwidth", lambda char: drawn if ord(char) > 0x1F000 else real(char))
    screen = pyte.Screen(40, 1)
    screen.reset_mode(pyte.modes.DECAWM)
    stream = pyte.Stream(screen)
    stream.feed("." * 40 + "\r")
    stream.feed(pin_clusters(pad(f"ab {text} x", 20) + "|"))
    assert screen.buffer[0][20].data == "|"
    assert screen.buffer[0][21].data == "."
    assert "." not in "".join(screen.buffer[0][column].data for column in range(20))
    assert unicodedata.normalize("NFC", text)[0] in screen.display[0] or drawn == 0


@pytest.mark.parametrize("end", ["\a", "\x1b\\"])
def test_what_a_terminal_is_told_in_a_string_is_left_whole(end: str) -> None:
    notice = f"\x1b]9;jobdeck: ⚠️ failed{end}"
    assert pin_clusters(notice) == notice
    assert pin_clusters(f"⚠️{notice}⚠️") == pin_clusters("⚠️") + notice + pin_clusters("⚠️")
