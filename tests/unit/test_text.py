import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.text import clean, mask_keys, one_line, without_unsafe
from tests.cleanness import is_clean


@given(st.text(alphabet=st.characters(codec=None)))
def test_clean_leaves_nothing_that_could_drive_a_terminal(text: str) -> None:
    assert is_clean(clean(text))
    assert is_clean(clean(text, lines=True), lines=True)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"),
        ("a\x9bb\x7f", "a\\x9bb\\x7f"),
        ("\u202eevil\u2069", "\\u202eevil\\u2069"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\udc80", "\\udc80"),
        ("Grüße, 世界 ✓", "Grüße, 世界 ✓"),
        ("one\ntwo", "one\\x0atwo"),
    ],
)
def test_clean_shows_what_it_takes_out(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize(
    "text",
    [
        "⚠️ quota",
        "👨‍👩‍👧‍👦",
        "👩🏽‍💻 and 🏳️‍🌈 and ❤️‍🔥",
        "🇩🇪 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "press 1️⃣ or #️⃣",
        "❤︎ in black and white",
        "cafe\u0301 naı\u0308ve",
        "می\u200cخواهم",
        "क्\u200dष, हिन्दी",
        "葛\U000e0100飾区",
        "ᠠ\u180b",
        "∩\ufe00",
    ],
)
def test_what_belongs_to_a_word_stays(text: str) -> None:
    assert clean(text) == text
    assert without_unsafe(text) == text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("op\u200d_1", "op\\u200d_1"),
        ("pay\u200cpal", "pay\\u200cpal"),
        ("op_1\ufe0f", "op_1\\ufe0f"),
        ("a\ufe0e", "a\\ufe0e"),
        ("\u200d👩", "\\u200d👩"),
        ("👩\u200d", "👩\\u200d"),
        ("a\ufe0f\u200d👩", "a\\ufe0f\\u200d👩"),
        ("⚠️\ufe0f", "⚠️\\ufe0f"),
        ("می\u200c\u200cخ", "می\\u200c\\u200cخ"),
        ("क\u200d", "क\\u200d"),
        ("🏴\U000e0041\U000e007f", "🏴\\U000e0041\\U000e007f"),
        ("\u0301a \u0302b", "\\u0301a \\u0302b"),
        ("a\u034fb\u00adc\u3164", "a\\u034fb\\xadc\\u3164"),
        ("a\U000e0100", "a\\U000e0100"),
    ],
)
def test_what_is_invisible_by_itself_is_shown(raw: str, shown: str) -> None:
    assert clean(raw) == shown
    assert clean(shown) == shown


def test_lines_stay_only_where_lines_are_meant() -> None:
    assert clean("one\ntwo\x1b", lines=True) == "one\ntwo\\x1b"
    assert one_line(" one\n\t two ") == "one two"


def test_a_cut_is_said_with_the_size_of_the_whole() -> None:
    assert clean("ä" * 10, limit=3) == "äää… (truncated, 20 bytes)"
    assert one_line("ä" * 10, limit=3, size=99) == "äää… (truncated, 99 bytes)"


@given(st.text(alphabet=" a\n"), st.integers(1, 8))
def test_no_more_words_are_folded_than_are_kept(text: str, limit: int) -> None:
    folded = " ".join(text.split())
    shown, _, cut = one_line(text, limit).partition("… (truncated")
    assert (shown, bool(cut)) == (folded[:limit], len(folded) > limit)


@pytest.mark.parametrize("key", ["ak_0123456789", "sk_live_abc/+0123", "hog_live_x9x9x9x9x", "hog_test_12345678"])
def test_what_looks_like_a_key_is_cut_to_its_head(key: str) -> None:
    masked = mask_keys(f"not found: {key}; there are: hog_production, sk_something, THE_HOG_ACCESS_KEY1")
    assert key not in masked
    assert masked.endswith("; there are: hog_production, sk_something, THE_HOG_ACCESS_KEY1")
