"""Rule 3: what an ID may be, and that none can be more than one path segment."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.apis.url_template import is_id
from jobdeck.domain.job import JobKey, Target
from jobdeck.http.client import path_of
from tests.unit.http.wire import answer, serve, sonarly, the_hog
from tests.unit.test_targets import BOTH, parse_target, refusal

AIRFLOW = "manual__2026-11-28T09:40:00.745000+00:00"
GOOD = [
    *("a", "0", "op_1", "a.b", "a..", "...", "a~b", "a:b", "a-b", "_a", "-a", ":a", "~a", "a%", "a?b", "a#b", "é"),
    *("x" * 200, AIRFLOW, "{5fd8cd9e-b3a4-4e4a-a2c2-0a3f6a1a7d55}", "T3BlcmF0aW9uOjQyNw=="),
]
BAD = ["", ".", "..", "a/b", "a\\b", "a b", "a\n", "x" * 201, "a\x00", "a\x7f", "a\u202eb", "\ud800", "a\u00a0b"]
NO_PLACE = [*BAD, "a%", "a?b", "a#b", "é"]


@pytest.mark.parametrize("text", GOOD)
def test_what_can_be_one_segment_of_a_path_is_an_id(text: str) -> None:
    assert is_id(text)
    assert parse_target(f"hog:{text}", BOTH).key.id == text
    assert parse_target(f"sonarly:g/{text}", BOTH).key.id == text


@pytest.mark.parametrize("text", BAD)
def test_all_else_is_none(text: str) -> None:
    assert not is_id(text)
    assert refusal(f"hog:{text}")
    assert refusal(f"sonarly:g/{text}")


@pytest.mark.parametrize("text", NO_PLACE)
def test_a_place_is_plainer_than_an_id(text: str) -> None:
    assert refusal(f"sonarly:{text}/j")


@pytest.mark.parametrize(
    "piece",
    ["%2e", "%2e%2e", "%2E%2e", "..", ".", "a%2fb", "a%5cb", "a%00", "a%0a", "a%", "a%4", "a%zz", "a%20", "%ff", ""],
)
def test_an_id_in_a_poll_url_is_decoded_once_and_then_checked(piece: str) -> None:
    assert "is neither an ID nor a path segment" in refusal(f"https://developer.thehog.ai/api/operations/{piece}")
    assert "is neither an ID nor a path segment" in refusal(f"/v1/accounts/{piece}/prospecting/j")


@pytest.mark.parametrize(
    ("piece", "job_id"),
    [("%252e%252e", "%2e%2e"), ("a%252fb", "a%2fb"), ("%2561", "%61"), ("%c3%a9", "é"), ("op_1;a=b", "op_1;a=b")],
)
def test_what_is_escaped_twice_keeps_an_escape_and_stays_one_segment(piece: str, job_id: str) -> None:
    assert parse_target(f"https://developer.thehog.ai/api/operations/{piece}", BOTH).key.id == job_id
    assert path_of(job_id).count("/") == 1


@pytest.mark.parametrize("text", [":a", "::", ":", "a b:c"])
def test_what_has_a_colon_and_names_no_profile_is_refused(text: str) -> None:
    assert refusal(text)


def test_a_decoded_id_is_the_same_job_as_the_plain_one() -> None:
    assert parse_target("/api/operations/o%70%5F1%3a2", BOTH).key.id == "op_1:2"


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_no_piece_adds_a_segment_a_query_or_a_fragment(pieces: list[str]) -> None:
    try:
        path = path_of(*pieces)
    except UnicodeEncodeError:
        return
    assert path.count("/") == len(pieces)
    assert not set(path) & set("?#\\@: ")
    assert [unquote(piece) for piece in path.split("/")[1:]] == pieces


async def test_ids_go_out_with_nothing_safe() -> None:
    async with serve(answer()) as wire, the_hog(wire.base_url) as hog, sonarly(wire.base_url) as other:
        await hog.poll(Target(JobKey("hog", None, "a:b~c"), "thehog", "operation"))
        nowhere = await other.poll(Target(JobKey("sonarly", "g/?#%", "x"), "sonarly", "prospecting"))
        await other.poll(Target(JobKey("sonarly", "g", "../x?#%"), "sonarly", "prospecting"))
    assert wire.requests[0].startswith(b"GET /api/operations/a%3Ab~c HTTP/1.1\r\n")
    assert wire.requests[1].startswith(b"GET /v1/accounts/g/prospecting/..%2Fx%3F%23%25 HTTP/1.1\r\n")
    assert nowhere.problem is not None
    assert len(wire.requests) == 2
