"""Values of any type as what a field wants: one of an odd type is as if it were not there."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.apis.coerce import next_link, progress, rfc3339, text
from jobdeck.apis.job_fields import job_error
from jobdeck.apis.spec import ProgressUnit
from jobdeck.domain.job import JobError
from jobdeck.http.json_text import json_text
from tests.cleanness import is_clean

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0.0),
        (66, 0.66),
        (100, 1.0),
        (12.5, 0.125),
        (-3, 0.0),
        (250, 1.0),
        (10**400, 1.0),
        (-(10**400), 0.0),
        (None, None),
        (True, None),
        (False, None),
        ("50", 0.5),
        ("50 %", 0.5),
        ("half", None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        ([50], None),
        ({}, None),
    ],
)
def test_a_percentage_becomes_a_fraction_or_nothing(value: object, expected: float | None) -> None:
    assert progress(ProgressUnit.PERCENT, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.82, 0.82), (1, 1.0), (1.2, 1.0), (82, None), (-0.1, 0.0), (math.nan, None)]
)
def test_a_fraction_stays_one(value: object, expected: float | None) -> None:
    assert progress(ProgressUnit.FRACTION, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-04-28T15:30:00.000Z", 1_777_390_200_000_000),
        ("2026-04-28T15:30:00Z", 1_777_390_200_000_000),
        ("2026-04-28T17:30:00.000001+02:00", 1_777_390_200_000_001),
        ("2026-04-28 15:30:00", 1_777_390_200_000_000),
        ("2026-04-28t15:30:00z", 1_777_390_200_000_000),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-04-28", None),
        ("yesterday", None),
        ("2026-04-28T15:30:00Z\n", None),
        ("٢٠٢٦-04-28T15:30:00Z", None),
        (1_777_390_200, None),
        (None, None),
    ],
)
def test_a_time_is_read_or_nothing(value: object, expected: int | None) -> None:
    assert rfc3339(value) == expected


@given(ANY_JSON | st.text(alphabet="0123456789-:TZ+. "))
def test_no_value_makes_a_field_raise_and_every_text_is_clean(value: object) -> None:
    rfc3339(value)
    for unit in ProgressUnit:
        found = progress(unit, value)
        assert found is None or 0 <= found <= 1
    said = text(value)
    assert said is None or is_clean(said)
    error = job_error(value)
    for part in (error.code, error.message, error.details) if error else ():
        assert part is None or is_clean(part)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (False, None),
        ("", None),
        ({}, None),
        ([], None),
        ({"code": None, "message": None}, None),
        ("late", JobError(message="late")),
        ({"code": 7, "message": "a\nb"}, JobError("7", "a b")),
        ({"code": "X", "message": {"a": 1}}, JobError("X", None, '{"message":{"a":1}}')),
        (["a", "b"], JobError(None, "a; b", '["a","b"]')),
        ([1], JobError(None, None, "[1]")),
        (True, JobError(details="true")),
    ],
)
def test_an_error_of_any_shape_is_kept(value: object, expected: JobError | None) -> None:
    assert job_error(value) == expected


@given(ANY_JSON)
def test_json_text_is_printable_ascii_and_says_the_same(value: object) -> None:
    def finite(part: object) -> object:
        match part:
            case float() if not math.isfinite(part):
                return None
            case list():
                return [finite(item) for item in part]
            case dict():
                return {key: finite(item) for key, item in part.items()}
            case _:
                return part

    shown = json_text(value)
    assert shown.isascii()
    assert shown.isprintable()
    assert json.loads(shown) == finite(value)


def test_json_text_escapes_del_and_pairs_of_surrogates() -> None:
    assert json_text("\x7f é 😀") == '"\\u007f \\u00e9 \\ud83d\\ude00"'


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a.example/x?page=2>; rel="next", <https://a.example/x?page=9>; rel="last"', "https://a.example/x?page=2"),
        ('<https://a.example/x?page=1>; rel="prev",<https://a.example/x?page=3>;rel=next', "https://a.example/x?page=3"),
        ('<https://a.example/x?ids=1,2;3&page=2>; title="a, b"; rel="Next"', "https://a.example/x?ids=1,2;3&page=2"),
        ('<https://a.example/x?page=1>; rel="last"', None),
        ('https://a.example/x; rel="next"', None),
        ("<" * 20_000, None),
        ("", None),
    ],
)  # fmt: skip
def test_the_next_page_of_a_link_header(header: str, target: str | None) -> None:
    assert next_link(header) == target
