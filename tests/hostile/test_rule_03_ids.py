"""Rule 3: what an ID may be, and that none can be more than one path segment."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.job import JobKey, Resource, Target
from jobdeck.providers.http import path_of
from jobdeck.providers.ids import is_id
from tests.unit.providers.wire import answer, serve, sonarly, the_hog
from tests.unit.test_targets import BOTH, parse_target, refusal

GOOD = ["a", "0", "op_1", "a.b", "a..", "a~b", "a:b", "a-b", "x" * 200]
BAD = ["", ".", "..", "...", "_a", "-a", ":a", "~a", "a/b", "a b", "a\n", "a%", "a?b", "a#b", "é", "x" * 201, "a\x00"]


@pytest.mark.parametrize("text", GOOD)
def test_an_id_of_the_pattern_is_one(text: str) -> None:
    assert is_id(text)
    assert parse_target(f"hog:{text}", BOTH).key.id == text


@pytest.mark.parametrize("text", BAD)
def test_all_else_is_none(text: str) -> None:
    assert not is_id(text)
    assert refusal(f"hog:{text}")
    assert refusal(f"sonarly:{text}/j")
    assert refusal(f"sonarly:g/{text}")


@pytest.mark.parametrize(
    "piece",
    [
        "%2e",
        "%2e%2e",
        "%2E%2e",
        "..",
        ".",
        "%252e%252e",
        "a%2fb",
        "a%252fb",
        "a%5cb",
        "a%00",
        "a%0a",
        "a%",
        "a%4",
        "a%zz",
        "%c3%a9",
        "a%20",
        "%2561",
    ],
)
def test_an_id_in_a_poll_url_is_decoded_once_and_then_checked(piece: str) -> None:
    assert "is not an ID" in refusal(f"https://developer.thehog.ai/api/operations/{piece}")
    assert "is not an ID" in refusal(f"/v1/accounts/{piece}/prospecting/j")


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
        await hog.poll(Target(JobKey("hog", None, "a:b~c"), "thehog", Resource.OPERATION))
        await other.poll(Target(JobKey("sonarly", "g/?#%", "../x"), "sonarly", Resource.PROSPECTING))
    assert wire.requests[0].startswith(b"GET /api/operations/a%3Ab~c HTTP/1.1\r\n")
    assert wire.requests[1].startswith(b"GET /v1/accounts/g%2F%3F%23%25/prospecting/..%2Fx HTTP/1.1\r\n")
