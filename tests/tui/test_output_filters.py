from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from jobdeck.tui.output_filters import AsciiFallbackFilter, ControlCharFilter

BLACK = Color(0, 0, 0)


def test_nothing_that_acts_on_a_terminal_gets_through() -> None:
    nasty = "a\x1b]52;c;aGk=\x07b\x9b2Jc\x7f\u202e\u200b\u2066d\ud800"
    (segment,) = ControlCharFilter().apply([Segment(nasty, Style(bold=True))], BLACK)
    assert segment.text == "a]52;c;aGk=b2Jcd"
    assert segment.style == Style(bold=True)


def test_a_clean_line_is_passed_on_as_it_is() -> None:
    segments = [Segment("● run  世界 👍"), Segment("━━╸──")]
    assert ControlCharFilter().apply(segments, BLACK) is segments


def test_a_terminal_without_our_signs_gets_others_of_the_same_width() -> None:
    (segment,) = AsciiFallbackFilter("ascii").apply([Segment("✗ naïve 世 ━━╸── …")], BLACK)
    assert segment.text == "x na?ve ?? ==>-- *"
    (segment,) = AsciiFallbackFilter("latin-1").apply([Segment("✗ naïve ·")], BLACK)
    assert segment.text == "x naïve ·"
