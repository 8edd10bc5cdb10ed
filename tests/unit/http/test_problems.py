"""What an error body says, in the shapes that APIs have for it."""

import json

import pytest

from jobdeck.http.problems import read_error


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"code": "NOT_FOUND", "message": "no such job"}}, "NOT_FOUND: no such job"),
        ({"error": {"type": "invalid_request_error", "message": "no such job", "code": None}}, "no such job"),
        ({"error": {"type": "index_not_found_exception", "reason": "no such index"}, "status": 404},
         "index_not_found_exception: no such index"),
        ({"title": "Not Found", "detail": "No prediction has this ID.", "status": 404}, "No prediction has this ID."),
        ({"type": "about:blank", "title": "Not Found"}, "Not Found"),
        ({"error": "invalid_token", "error_description": "it has expired"}, "it has expired"),
        ([{"errorCode": "NOT_FOUND", "message": "The resource does not exist"}], "The resource does not exist"),
        ({"kind": "Status", "reason": "NotFound", "message": 'jobs "x" not found'}, 'jobs "x" not found'),
        ({"message": ["a", "b"], "error": "Bad Request"}, "a; b"),
        ({"errors": [{"title": "Forbidden", "detail": "not yours"}]}, "not yours"),
        ({"error": "Not Found"}, "Not Found"),
        ({"error": {"detail": {"a": 1}}}, None),
        ([], None),
        ([["no"]], None),
        ({"detail": 7}, None),
    ],
)  # fmt: skip
def test_what_was_wrong_is_found_in_each_shape(body: object, said: str | None) -> None:
    assert read_error(json.dumps(body).encode()).message == said
