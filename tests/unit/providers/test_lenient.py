import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.job import JobError, Resource
from jobdeck.providers.json_text import json_text
from jobdeck.providers.lenient import fraction, job_error, moment, percent, text
from jobdeck.providers.sonarly.mapping import read_groups, read_job, read_jobs
from jobdeck.providers.thehog.mapping import read_operation, read_operations, read_search, read_searches
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
        ("50", None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        ([50], None),
        ({}, None),
    ],
)
def test_a_percentage_becomes_a_fraction_or_nothing(value: object, expected: float | None) -> None:
    assert percent(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.82, 0.82), (1, 1.0), (82, 1.0), (-0.1, 0.0), (math.nan, None)])
def test_a_fraction_stays_one(value: object, expected: float | None) -> None:
    assert fraction(value) == expected


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
    assert moment(value) == expected


@given(ANY_JSON | st.text(alphabet="0123456789-:TZ+. "))
def test_no_value_makes_a_field_raise_and_every_text_is_clean(value: object) -> None:
    for read in (percent, fraction, moment):
        read(value)
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


OPTIONAL = (
    "progress",
    "result",
    "results",
    "error",
    "meta",
    "stages",
    "type",
    "kind",
    "query",
    "total_results",
    "name",
)
TIMES = ("created_at", "completed_at", "createdAt", "updatedAt")
FIELDS = st.sampled_from(("id", "jobId", "status", "requestId", "next_cursor", *OPTIONAL, *TIMES))
BODY = st.dictionaries(FIELDS, ANY_JSON | st.sampled_from(["op_1", "queued", "failed"]), max_size=12)


@given(BODY | ANY_JSON, st.sampled_from(["bare", "data", "items", "data.items"]), st.booleans())
def test_any_json_gives_a_reading_of_clean_facts(body: object, wrap: str, listed: bool) -> None:
    inner = [body] if listed else body
    wrapped = {
        "bare": inner,
        "data": {"data": inner},
        "items": {"items": inner},
        "data.items": {"data": {"items": inner}},
    }
    raw = json.dumps(wrapped[wrap]).encode("utf-8", "surrogatepass")
    readings = [
        read_operation(raw, 200, "op_1", Resource.OPERATION),
        read_search(raw, 200, "op_1"),
        read_operations(raw, 200),
        read_searches(raw, 200),
        read_job(raw, 200, "op_1", "g"),
        read_jobs(raw, 200, "g"),
        read_groups(raw, 200)[1],
    ]
    for reading in readings:
        for seen in reading.observations:
            words = [seen.id, seen.status, seen.kind, seen.result, *(stage.name for stage in seen.stages)]
            words += [part for fact in seen.facts for part in fact] + [stage.status for stage in seen.stages]
            assert all(is_clean(word) for word in words if word is not None)
            assert reading.fault is None
