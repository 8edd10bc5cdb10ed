"""What a terminal says is no key: every sequence is taken whole, however it is cut, and an open one ends by time."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.tui.input_splitter import (
    CLOSING_SECONDS,
    ESCAPE_SECONDS,
    LONGEST_OPEN_SECONDS,
    MOST_KEPT,
    OPEN_SECONDS,
    EscapeSequence,
    InputSplitter,
    Pasted,
    Token,
    Typed,
)
from tests.support.examples import examples
from tests.tui.terminal_answers import ANSWERS

ESCAPE = EscapeSequence("\x1b")


class Line:
    """A terminal's line, on a clock of its own."""

    def __init__(self) -> None:
        self.splitter = InputSplitter()
        self.now = 100.0
        self.tokens: list[Token] = []

    def send(self, text: str) -> "Line":
        self.tokens += self.splitter.feed(text, self.now)
        return self

    def wait(self, seconds: float) -> "Line":
        """Let time pass, with a look whenever one is due."""
        end = self.now + seconds
        while (deadline := self.splitter.deadline) is not None and deadline <= end:
            self.now = deadline
            self.tokens += self.splitter.tick(self.now)
        self.now = end
        return self

    def typed(self) -> str:
        """What came as keys."""
        self.wait(60)
        return "".join(token.text for token in self.tokens if isinstance(token, Typed) or token == ESCAPE)


def split(*reads: str, apart: float = 0.0) -> list[Token]:
    line = Line()
    for text in reads:
        line.send(text).wait(apart)
    line.wait(60)
    return line.tokens


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
@pytest.mark.parametrize("apart", [0.0, 0.09, 0.7])
def test_an_answer_is_no_key_wherever_it_is_cut(answer: str, apart: float) -> None:
    for cut in range(1, len(answer)):
        line = Line().send("j").wait(1)
        line.send(answer[:cut]).wait(apart).send(answer[cut:] + "q")
        late_escape = "\x1b" if answer[:cut] == "\x1b" and apart > ESCAPE_SECONDS else ""
        assert line.typed() == f"j{late_escape}q", cut


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_an_answer_is_no_key_byte_by_byte(answer: str) -> None:
    assert not [token for token in split(*answer, apart=0.03) if isinstance(token, Typed)]


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=6), st.lists(st.integers(0, 200), max_size=8))
@examples(80)
def test_many_answers_at_once_are_no_keys_whatever_follows(answers: list[str], cuts: list[int]) -> None:
    text = "j".join(answers) + "q"
    line = Line()
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    for start, stop in itertools.pairwise(places):
        line.send(text[start:stop]).wait(0.05)
    assert line.typed() == "j" * (len(answers) - 1) + "q"


@given(st.text(alphabet=st.characters(codec=None)), st.integers(1, 5))
@examples(80)
def test_anything_is_split_and_leaves_the_line_free(text: str, size: int) -> None:
    line = Line()
    for at in range(0, len(text), size):
        line.send(text[at : at + size])
    line.wait(60)
    assert line.splitter.deadline is None
    before = len(line.tokens)
    assert line.send("q").wait(1).tokens[before:] == [Typed("q")]


@pytest.mark.parametrize(
    "begun",
    [
        "\x1b[",
        "\x1b[?",
        "\x1b[1;2",
        "\x1b]",
        "\x1b]11;rgb:00",
        "\x1bP",
        "\x1bP1+r",
        "\x1b_G",
        "\x1b^x",
        "\x1bX",
        "\x9d",
    ],
    ids=repr,
)
def test_a_sequence_without_an_end_ends_by_time(begun: str) -> None:
    assert split(begun, "q", apart=OPEN_SECONDS) == [Typed("q")]
    assert split(begun, "\x1b", "q", apart=0.5)[-1] == Typed("q"), "an escape frees the keys at once"
    line = Line().send(begun)
    while Typed("x") not in line.tokens and line.now < 100 + 2 * LONGEST_OPEN_SECONDS:
        line.send("x" if begun[-1] != "[" else ";").wait(0.1)
        line.send("x").wait(0.1)
    assert line.now < 100 + LONGEST_OPEN_SECONDS + 1, "also while somebody hammers on the keys"


def test_a_paste_without_an_end_is_pasted_and_frees_the_keys() -> None:
    assert split("\x1b[200~op_1\rop_2", "q", apart=OPEN_SECONDS) == [Pasted("op_1\rop_2"), Typed("q")]
    line = Line().send("\x1b[200~op_1")
    while not line.tokens:
        line.send("q").wait(0.2)
    assert line.now < 100 + LONGEST_OPEN_SECONDS + 1


def test_ctrl_c_does_not_wait_for_the_end_of_a_control_sequence() -> None:
    assert Line().send("\x1b[1").wait(0.01).send("\x03").tokens == [Typed("\x03")]


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("op_1\r\nop_2", "op_1\r\nop_2"),
        ("a\x1b[200~b", "a\x1b[200~b"),
        ("a\x1b[201~dmq", "admq"),
        ("a\x1b[201~\x1b[201~dmq\x1b[201~", "admq"),
        ("\x1b[201~q\x1b[200~d", "qd"),
        ("a\x9b201~q", "aq"),
        ("\x03\x1b[A\x1b]52;c;aGk=\x07\x1bPq\x1b\\", "\x03\x1b[A\x1b]52;c;aGk=\x07\x1bPq\x1b\\"),
        ("\x1b", "\x1b"),
        ("nul\x00", "nul"),
        ("", ""),
    ],
    ids=repr,
)
@pytest.mark.parametrize("size", [1, 3, 4096])
def test_what_is_pasted_stays_text_whatever_is_in_it(pasted: str, text: str, size: int) -> None:
    whole = f"\x1b[200~{pasted}\x1b[201~"
    line = Line()
    for at in range(0, len(whole), size):
        line.send(whole[at : at + size]).wait(0.001)
    line.wait(1)
    assert line.tokens == [Pasted(text)]


def test_two_pastes_are_two_and_a_key_after_one_is_a_key() -> None:
    one, two = "\x1b[200~a\x1b[201~", "\x1b[200~b\x1b[201~"
    assert split(one + two + "q") == [Pasted("a"), Pasted("b"), Typed("q")]
    line = Line().send(one + "q").wait(CLOSING_SECONDS)
    assert line.tokens[0] == Pasted("a")
    assert line.typed() == "q"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("\x1b", [ESCAPE]),
        ("\x1b\x1b", [ESCAPE, ESCAPE]),
        ("\x1bx", [EscapeSequence("\x1bx")]),
        ("\x1b(", [EscapeSequence("\x1b(")]),
        ("\x1bO", [EscapeSequence("\x1bO")]),
        ("\x1b[A\x1b[1;5B", [EscapeSequence("\x1b[A"), EscapeSequence("\x1b[1;5B")]),
        ("\x1bOP\x1b[[A\x1b[15~\x1b[3$", [EscapeSequence(key) for key in ("\x1bOP", "\x1b[[A", "\x1b[15~", "\x1b[3$")]),
        ("\x9bA\x8fP", [EscapeSequence("\x1b[A"), EscapeSequence("\x1bOP")]),
        ("\udc9bA", [EscapeSequence("\x1b[A")]),
        ("\x1b[97;5u", [EscapeSequence("\x1b[97;5u")]),
        ("\x1b[<0;3;4M", [EscapeSequence("\x1b[<0;3;4M")]),
        ("\x1b[M !!q", [EscapeSequence("\x1b[M !!"), Typed("q")]),
        ("\x1b[Iq", [EscapeSequence("\x1b[I"), Typed("q")]),
        ("\x1b[ITEq", [EscapeSequence("\x1b[I"), Typed("TEq")]),
        ("j\x03k", [Typed("j"), Typed("\x03"), Typed("k")]),
        ("Yy", [Typed("Yy")]),
        ("é\udce9世", [Typed("é世")]),
    ],
    ids=repr,
)
def test_keys_stay_keys(text: str, tokens: list[Token]) -> None:
    assert split(text) == tokens


def test_an_escape_is_the_key_after_a_tenth_of_a_second_and_an_arrow_is_at_once() -> None:
    line = Line().send("\x1b")
    assert line.splitter.deadline == pytest.approx(line.now + 0.1)
    assert Line().send("\x1b[A").tokens == [EscapeSequence("\x1b[A")]


def test_characters_that_come_together_stay_together_and_typed_ones_do_not() -> None:
    assert split(*"op_1\r", apart=0.001) == [Typed("op_1\r")]
    assert split(*"jjj", apart=0.03) == [Typed("j")] * 3


def test_a_long_answer_costs_no_memory_and_a_long_paste_is_kept() -> None:
    line = Line()
    line.send("\x1b]52;c;")
    for _ in range(100):
        line.send("A" * 4096).wait(0.1)
    assert len(line.splitter._sequence) <= MOST_KEPT + 1
    assert line.send("\x07q").typed() == "q"
    assert split("\x1b[200~" + "x" * 100_000 + "\x1b[201~") == [Pasted("x" * 100_000)]
