"""Words in the place of an ID that are none."""

import pytest

from jobdeck.apis.targets import TargetError, parse_target
from jobdeck.app.context import AppContext

REGISTRY = AppContext({"THE_HOG_API_KEY": "hog_live_0123456789", "SONARLY_API_KEY": "sk_live_0123456789"}).registry

DECORATED = ['"op_1"', "'op_1',", "[op_1]", "(op_1)", "`op_1`", "op_1.", "op_1;", "op_1?", "“op_1”", "<op_1>,", "op_1!"]
ASSIGNED = ["job_id=op_1", "id = op_1", '"operationId":"op_1"', "'id': 'op_1',"]
EMPTY = ["null", "None", "undefined", "NaN", "nil", "NULL"]
PLACEHOLDERS = ["<id>", "{id}", "{{ job_id }}", "$ID", "${ID}", "%ID%", "$(cat id)", "ID", "JOB_ID", "[ID]", "<job id>"]
SHORTENED = ["op_01HZ…", "op_01HZ...", "op_01J2…6AVQ93TJ"]
NO_SCHEME = [
    "developer.thehog.ai/api/operations/op_1",
    "localhost:8080/api/operations/op_1",
    "127.0.0.1:8080",
    "api.sonarly.com/v1/accounts/x/prospecting/y",
]
SEVERAL = ["op_1 op_2", "op_1,op_2", "op_1\nop_2", "job op_1"]


def refusal(text: str) -> str:
    with pytest.raises(TargetError) as caught:
        parse_target(text, REGISTRY)
    return str(caught.value)


@pytest.mark.parametrize("text", [*DECORATED, *ASSIGNED])
def test_an_id_with_signs_around_it_is_named(text: str) -> None:
    assert "did you mean op_1?" in refusal(text)


def test_a_poll_url_and_a_profile_with_signs_around_them_are_named() -> None:
    assert "did you mean thehog:op_1?" in refusal('"thehog:op_1"')
    assert "did you mean https://x.y/z?" in refusal("<https://x.y/z>")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (EMPTY, "a missing value"),
        (PLACEHOLDERS, "an unfilled placeholder"),
        (SHORTENED, "truncated"),
        (NO_SCHEME, "scheme missing: https://"),
        (SEVERAL, "contains spaces"),
        (["ids.txt", "@ids.json", "incident.jobdeck"], "a file name"),
        (["–json", "—json"], "ASCII hyphens"),
        (["op_*"], "no files match"),
        (['{"id": "op_1"}', '["op_1"]'], "pass JSON in a file"),
    ],
)
def test_what_cannot_be_meant_as_an_id_is_called_by_its_name(texts: list[str], said: str) -> None:
    for text in texts:
        assert said in refusal(text)


def test_a_key_among_such_signs_is_not_repeated() -> None:
    assert "0123456789" not in refusal('"sk_live_0123456789ab"')


@pytest.mark.parametrize("text", ["op_1", "a.b", "x~y", "a-b_c", "nullable", "op_1.v2", "7", "Nonesuch", "target"])
def test_whatever_may_be_an_id_is_one(text: str) -> None:
    assert str(parse_target(text, REGISTRY).key) == f"thehog:{text}"


@pytest.mark.parametrize("text", ["null", "ids.txt", "op_1.", "ID", "op_01HZ..."])
def test_behind_a_profile_it_is_an_id(text: str) -> None:
    assert parse_target(f"thehog:{text}", REGISTRY).key.id == text
