"""What is gone past of a document: where it ends, whatever is in it, and that damage in it is met."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.http.skip import NotJsonError, Skipper, StringSkipper
from tests.support.examples import examples

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.sampled_from(['\\"', "{[,:", "\\\\"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=6),
    max_leaves=30,
)


def skipped(text: bytes, size: int, skipper: Skipper | StringSkipper) -> int | None:
    """How many bytes are gone past, in slices of that size; None when the end is not there."""
    for start in range(0, len(text), size):
        end = skipper.feed(text[start : start + size])
        if end is not None:
            assert skipper.size == start + end
            return skipper.size
    return None


@given(st.lists(VALUES, max_size=6), st.booleans(), st.sampled_from([None, 1]), st.sampled_from([1, 2, 7, 1_000]))
@examples(25)
def test_the_end_of_any_value_is_found(value: list[object], ascii_only: bool, indent: int | None, size: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    behind = b', "x": [1}'
    assert skipped(text[1:] + behind, size, Skipper(b"[")) == len(text) - 1
    assert skipped(text[1:-1], size, Skipper(b"[")) is None
    quoted = json.dumps(text.decode(), ensure_ascii=ascii_only).encode()
    assert skipped(quoted[1:] + behind, size, StringSkipper()) == len(quoted) - 1


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    "text",
    [
        b"1 2]",
        b"1}",
        b'{"a" 1}]',
        b'{"a":}]',
        b"{1:2}]",
        b",]",
        b'"a" "b"]',
        b'{"a":1 "b":2}]',
        b"1,,2]",
        b'1"a"]',
    ],
)
def test_damage_is_met_wherever_it_is(text: bytes, size: int) -> None:
    for raw in (text, b"1,[[2]," + text, b'{"x":[' + text + b"}]"):
        with pytest.raises(NotJsonError):
            skipped(raw + b"]]]", size, Skipper(b"["))


def test_a_value_nested_deeper_than_any_parser_reads_is_refused() -> None:
    assert skipped(b"[" * 150 + b"]" * 151, 16_384, Skipper(b"[")) == 301
    for text in (b"[" * 8_000 + b"]" * 8_001, b"[" * 500):
        with pytest.raises(NotJsonError):
            skipped(text, 16_384, Skipper(b"["))
