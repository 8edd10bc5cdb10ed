"""A large JSON text that is read and written a piece at a time is what a parser makes of it at once."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobdeck.http.json_pieces import LargeJson
from jobdeck.http.json_text import json_text, read_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["a,b", "}", ']"', "\\", "é", "[{", "\x7f", "😀" * 9]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=6),
    max_leaves=40,
)
PIECES = st.sampled_from([4, 8, 16, 32, 64, 200])
FORMS = st.sampled_from([(None, (",", ":")), (1, (", ", ": ")), (None, (" ,", " : "))])
MARKS = st.sampled_from([b",", b"]", b"}", b"[", b"{", b'"', b"\\", b" ", b":", b"1", b"", b"\xff", b"\\ud800"])


def check(body: bytes, piece: int) -> None:
    """The same value and text as at once, or no value for both."""
    try:
        expected = read_json(body)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - a parser words it otherwise
            LargeJson(body, piece)
        return
    read = LargeJson(body, piece)
    assert json_text(read.value) == json_text(expected)
    assert read.text(read.value) == json_text(expected)
    read.close()
    assert read.value is None


@given(VALUES, FORMS, PIECES, st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_value_in_any_form(
    value: object, form: tuple[int | None, tuple[str, str]], piece: int, escaped: bool
) -> None:
    check(json.dumps(value, indent=form[0], separators=form[1], ensure_ascii=escaped).encode(), piece)


@given(VALUES, PIECES, st.integers(0, 10**6), MARKS)
@settings(max_examples=120, deadline=None)
def test_a_value_with_one_byte_gone_wrong(value: object, piece: int, at: int, mark: bytes) -> None:
    body = json.dumps(value).encode()
    at %= len(body) + 1
    check(body[:at] + mark + body[at + 1 :], piece)


@given(st.binary(max_size=60) | st.text(alphabet='[]{},:"\\ 1tn', max_size=40).map(str.encode), PIECES)
@settings(max_examples=120, deadline=None)
def test_any_bytes(body: bytes, piece: int) -> None:
    check(body, piece)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 300 + b"]" * 300,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b'{"a": 1, "b": [1, 2, 3, 4, 5], "a": [6, 7, 8, 9]}',
        b'["' + b"\\\\" * 100 + b'", "' + b'\\"' * 100 + b'"]',
        b'["' + "ü".encode() * 100 + b'", 1]',
        b"[1, 2, 3, 4, 5, 6, ]",
        b"[1, 2, 3, 4, , 5, 6]",
        b'{"aaaa": 1, "bbbb" 2}',
        b'"' + b"x" * 100,
        b"  [1]  2",
        b"",
    ],
)
@pytest.mark.parametrize("piece", [4, 16])
def test_texts_that_are_easily_taken_for_others(body: bytes, piece: int) -> None:
    check(body, piece)


def test_parts_of_a_text_are_written_as_they_are_at_once() -> None:
    value = {"id": "1", "result": {"rows": [{"n": n, "name": "ü" * 20} for n in range(50)], "of": [[1, [2, 3]] * 20]}}
    read = LargeJson(json.dumps(value).encode(), 64)
    assert isinstance(read.value, dict)
    result = read.value["result"]
    for part in (result, result["rows"], result["rows"][3], result["of"], read.value["id"]):
        assert read.text(part) == json_text(part)
