from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jobdeck.tui.cells import LINE_LIMIT, clip, fit, middle, wrap
from tests.cleanness import is_clean

ANY = st.text(alphabet=st.characters(codec=None), max_size=400)


@given(ANY, st.integers(0, 60), st.booleans())
def test_a_cell_has_exactly_its_width_whatever_the_text(text: str, width: int, right: bool) -> None:
    cell = fit(text, width, right=right)
    assert cell_len(cell) == width
    assert is_clean(cell)


@given(ANY, st.integers(1, 60))
def test_a_text_cut_in_the_middle_fits_and_is_clean(text: str, width: int) -> None:
    assert cell_len(middle(text, width)) <= width
    assert is_clean(middle(text, width))


@given(ANY, st.integers(8, 60))
def test_wrapped_lines_fit_and_are_clean(text: str, width: int) -> None:
    for line in wrap(text, width):
        assert cell_len(line) <= width
        assert is_clean(line)


def test_a_cut_is_shown() -> None:
    assert clip("abcdef", 4) == "abc…"
    assert middle("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", 13) == "op_01H…8R9S0T"
    assert clip("世界世界", 4) == "世 …"


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
