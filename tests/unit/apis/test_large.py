"""Large answers are parsed as small ones are, and hold nobody up."""

import gc
import json
from functools import partial

import pytest

from jobdeck.apis.client import parse_in_pieces
from jobdeck.apis.extract import Extractor, ParsedBody, ResponseBody
from jobdeck.domain.job import Part
from jobdeck.domain.problem import ProblemKind
from jobdeck.http.client import IN_THREAD
from jobdeck.http.json_text import json_text
from tests.builders import describe

PAGE = {
    "job": {"url": "/jobs/{id}"},
    "list": {"url": "/jobs", "items": "$.jobs[*]", "whole": True},
    "fields": {
        "id": "$.id",
        "status": "$.status",
        "result": {"rows": "$.rows", "note": "$.note"},
        "facts": {"words": {"count": "$.rows[*].word"}},
    },
    "stages": {"items": "$.steps[*]", "name": "$.name", "status": "$.status"},
    "result": {"url": "/jobs/{id}/result", "path": "$.rows"},
    "phases": {"succeeded": ["ok"], "running": ["busy"]},
}
EXTRACTOR = Extractor(describe("own", {"own": PAGE}))
ROWS = [{"n": n, "word": "even" if n % 2 == 0 else "odd", "text": "ü" * 200} for n in range(2_000)]
JOB = {"id": "1", "status": "ok", "rows": ROWS, "note": None, "steps": [{"name": "load", "status": "ok"}]}
BODIES = {"job": JOB, "page": {"jobs": [{**JOB, "rows": ROWS[:20], "id": str(n)} for n in range(150)]}}


def parse(what: str, body: ResponseBody) -> ParsedBody:
    match what:
        case "job":
            return EXTRACTOR.job("job", body, "1")
        case "page":
            return EXTRACTOR.page(EXTRACTOR.spec.lists[0], body)
        case _:
            return EXTRACTOR.part("job", Part.RESULT, body, "1", None)


@pytest.mark.parametrize("what", ["job", "page", "part"])
def test_a_large_answer_says_what_it_says_at_once(what: str) -> None:
    body = ResponseBody(json.dumps(BODIES.get(what, JOB)).encode())
    assert len(body.data) >= IN_THREAD
    parsed = parse_in_pieces(partial(parse, what), body)
    assert parsed == parse(what, body)
    assert parsed.problem is None
    if what == "part":
        assert parsed.observations[0].result == json_text(ROWS)
    assert gc.isenabled()


@pytest.mark.parametrize("end", [b"", b"]", b"}}"])
def test_a_large_answer_that_is_no_json_is_a_problem(end: bytes) -> None:
    body = ResponseBody(json.dumps(JOB).encode()[:-1] + end)
    parsed = parse_in_pieces(partial(parse, "job"), body)
    assert parsed.problem is not None
    assert parsed.problem.kind is ProblemKind.NOT_JSON
    assert gc.isenabled()
