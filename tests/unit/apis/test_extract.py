import json

import pytest

from jobdeck.apis.extract import Extractor, ParsedBody, ResponseBody
from jobdeck.apis.job_fields import MAX_STAGES
from jobdeck.apis.spec import ApiSpec
from jobdeck.domain.job import JobError, Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.http.prune import SLICE, Pruner
from tests.builders import APIS, describe
from tests.unit.http.shapes import AZURE, AZURE_ID, GITHUB, GOOGLE, OPERATION_ID, azure, operation, run


def read_job(
    spec: ApiSpec, body: bytes, status: int, wanted: str | None, scope: str | None, *, record: bool = False
) -> ParsedBody:
    return Extractor(spec).job(
        spec.default_resource.name, ResponseBody(body, status), wanted, scope, keep_matches=record
    )


def read_jobs(spec: ApiSpec, body: bytes, status: int, scope: str | None) -> ParsedBody:
    return Extractor(spec).page(spec.lists[0], ResponseBody(body, status), scope)


GOOGLE_LRO, AZURE_ASYNC, ACTIONS = APIS.spec("google-lro"), APIS.spec("azure-async"), APIS.spec("github-actions")


def observed(described: ApiSpec, body: object, wanted: str | None = None) -> Observation:
    reading = read_job(described, json.dumps(body).encode(), 200, wanted, "here")
    assert reading.problem is None, reading.problem
    (observation,) = reading.observations
    assert observation.account_group == "here"
    return observation


def refused(described: ApiSpec, body: object, wanted: str | None = None) -> str:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reading = read_job(described, raw, 200, wanted, None)
    assert reading.observations == ()
    assert reading.problem is not None
    assert reading.problem.kind in {ProblemKind.PROTOCOL, ProblemKind.NOT_JSON}
    return reading.problem.message


def acme(**tables: object) -> ApiSpec:
    raw = {
        "job": {"url": "/jobs/{id}"},
        "fields": {"id": "$.id", "status": "$.status"},
        "phases": {"running": ["busy"], "succeeded": ["ok"], "failed": ["bad"]},
    }
    for name, table in tables.items():
        raw[name] = {**raw.get(name, {}), **table}  # type: ignore[dict-item]
    return describe("acme", {"acme": raw}, "config.toml")


CASES = [
    *((GOOGLE_LRO, OPERATION_ID, *case) for case in GOOGLE),
    *((AZURE_ASYNC, AZURE_ID, *case) for case in AZURE),
    *((ACTIONS, "30433642", *case) for case in GITHUB),
]


@pytest.mark.parametrize(
    ("described", "wanted", "body", "status", "phase"),
    [pytest.param(d, w, b, s, p, id=f"{d.name}: {name}") for d, w, name, b, s, p in CASES],
)
def test_each_state_of_the_three_shapes(
    described: ApiSpec, wanted: str, body: dict[str, object], status: str, phase: Phase
) -> None:
    observation = observed(described, body, wanted)
    assert (observation.id, observation.status, observation.phase) == (wanted, status, phase)


def test_an_operation_of_google_tells_progress_times_result_and_error() -> None:
    seen = observed(GOOGLE_LRO, operation(done=True, response={"a": 1}))
    assert (seen.progress, seen.result, seen.kind) == (0.34, '{"a":1}', "operation")
    assert (seen.created_us, seen.updated_us) == (1_777_390_200_123_456, 1_777_390_260_000_000)
    assert seen.facts == (("type", "type.googleapis.com/google.cloud.speech.v1.LongRunningRecognizeMetadata"),)
    failed = observed(GOOGLE_LRO, operation(done=True, error={"code": 3, "message": "bad", "details": [1]}))
    assert failed.error == JobError("3", "bad", "[1]")


def test_an_operation_of_azure_tells_progress_times_and_error() -> None:
    seen = observed(
        AZURE_ASYNC, azure("Failed", percentComplete=7, endTime="2026-04-28T15:40:00Z", error={"code": "X"})
    )
    assert (seen.progress, seen.error) == (0.07, JobError("X"))
    assert (seen.created_us, seen.ended_us) == (1_777_390_200_000_000, 1_777_390_800_000_000)


def test_a_run_tells_its_workflow_as_kind_and_where_it_is_from() -> None:
    seen = observed(ACTIONS, run("completed", "success"))
    assert seen.kind == "Build"
    assert dict(seen.facts)["branch"] == "main"
    assert dict(seen.facts)["number"] == "562"
    assert (seen.created_us, seen.ended_us) == (1_769_110_390_000_000, 1_769_110_508_000_000)
    assert observed(ACTIONS, run("in_progress")).ended_us is None


@pytest.mark.parametrize(
    ("described", "body", "told"),
    [
        (GOOGLE_LRO, operation(name="operations/other"), "for another job: other instead of"),
        (GOOGLE_LRO, {"done": True}, "does not say which job it is for"),
        (GOOGLE_LRO, operation(done="yes"), 'done must be true or false, but is "yes"'),
        (AZURE_ASYNC, azure("Succeeded", name="other"), "for another job: other instead of"),
        (AZURE_ASYNC, {"properties": {"provisioningState": "Succeeded"}}, "the response has no status"),
        (AZURE_ASYNC, {"status": {"Succeeded": True}}, "no status"),
        (AZURE_ASYNC, {"status": True}, "no status"),
        (ACTIONS, run("queued", id=1), "for another job: 1 instead of"),
        (ACTIONS, [run("queued")], "not a JSON object"),
        (ACTIONS, b"<html>", "an HTML page instead of JSON"),
        pytest.param(ACTIONS, b"[" * 100_000, "JSON", id="deep"),
    ],
)
def test_what_is_no_answer_about_the_job_is_a_problem(described: ApiSpec, body: object, told: str) -> None:
    wanted = {"google-lro": OPERATION_ID, "azure-async": AZURE_ID}.get(described.name, "30433642")
    assert told in refused(described, body, wanted)


def test_done_without_a_result_is_a_problem_where_the_description_says_so() -> None:
    strict = describe("g", {"g": {"like": "google-lro", "fields": {"done_needs_result": True}}}, "c")
    assert refused(strict, operation(done=True)) == "the response says done but has neither an error nor a result"
    assert observed(strict, operation(done=True, response={})).phase is Phase.SUCCEEDED


def test_what_is_not_done_has_not_ended_whatever_its_status_says() -> None:
    both = acme(fields={"done": "$.done"}, phases={"queued": ["new"], "partial": ["half"], "cancelled": ["gone"]})
    told = {
        ("ok", False): Phase.RUNNING,
        ("new", False): Phase.QUEUED,
        ("half", True): Phase.PARTIAL,
        ("busy", True): Phase.SUCCEEDED,
        ("gone", True): Phase.CANCELLED,
    }
    for (status, done), phase in told.items():
        assert observed(both, {"id": "1", "status": status, "done": done}).phase is phase


@pytest.mark.parametrize(
    ("unit", "value", "total", "progress"),
    [
        ("fraction", 0.5, None, 0.5),
        ("fraction", 1.02, None, 1.0),
        ("fraction", "0.25", None, 0.25),
        ("fraction", 7, None, None),
        ("percent", 12.5, None, 0.125),
        ("percent", -3, None, 0.0),
        ("percent", "12", None, 0.12),
        ("percent", "41.5 %", None, 0.415),
        ("percent", "1_2", None, None),
        ("percent", "nan", None, None),
        ("percent", "٣", None, None),
        ("ratio", "3/12", None, 0.25),
        ("ratio", "3 / 0", None, None),
        ("ratio", 3, None, None),
        ("count", "3", "12", 0.25),
        ("count", [1, 2], [1, 2, 3, 4], 0.5),
        ("count", 3, 12, 0.25),
        ("count", 30, 12, 1.0),
        ("count", 3, 0, None),
        ("count", 3, None, None),
        ("count", True, 4, None),
        ("count", 10**400, 10.0, None),
        ("count", 1, 10**400, 0.0),
    ],
)
def test_progress_in_each_unit(unit: str, value: object, total: object, progress: float | None) -> None:
    fields = {"progress": "$.n", "progress_unit": unit, **({"progress_total": "$.of"} if unit == "count" else {})}
    assert observed(acme(fields=fields), {"id": "1", "status": "busy", "n": value, "of": total}).progress == progress


@pytest.mark.parametrize(
    ("unit", "value", "us"),
    [
        ("rfc3339", "2026-04-28T12:00:00Z", 1_777_377_600_000_000),
        ("rfc3339", 1_777_377_600, None),
        ("seconds", 1_777_377_600, 1_777_377_600_000_000),
        ("seconds", 1_777_377_600.5, 1_777_377_600_500_000),
        ("milliseconds", 1_777_377_600_000, 1_777_377_600_000_000),
        ("milliseconds", -1, None),
        ("seconds", 10**30, None),
        ("seconds", True, None),
        ("seconds", "1777377600", 1_777_377_600_000_000),
        ("milliseconds", "1777377600000", 1_777_377_600_000_000),
        ("seconds", "2026-04-28", None),
    ],
)
def test_moments_in_each_unit(unit: str, value: object, us: int | None) -> None:
    described = acme(fields={"created": "$.at", "time_unit": unit})
    assert observed(described, {"id": "1", "status": "busy", "at": value}).created_us == us


def test_all_that_a_path_of_counts_finds_is_added_up() -> None:
    fields = {
        "progress": "$.n['ok','bad']", "progress_total": "$.n.*", "progress_unit": "count", "failures": "$.n['bad']",
    }  # fmt: skip
    described = acme(fields=fields)
    assert observed(described, {"id": "1", "status": "busy", "n": {"ok": 2, "bad": 1, "left": "1"}}).progress == 0.75
    assert observed(described, {"id": "1", "status": "busy", "n": {"ok": 2, "bad": "?"}}).progress is None
    assert observed(described, {"id": "1", "status": "busy", "n": {"ok": 1e308, "bad": 1e308}}).progress is None


@pytest.mark.parametrize(
    ("failures", "status", "phase"),
    [
        (3, "ok", Phase.PARTIAL),
        ("3", "ok", Phase.PARTIAL),
        ([{"why": 1}], "ok", Phase.PARTIAL),
        (0, "ok", Phase.SUCCEEDED),
        (-1, "ok", Phase.SUCCEEDED),
        ([], "ok", Phase.SUCCEEDED),
        ("some", "ok", Phase.SUCCEEDED),
        (3, "bad", Phase.FAILED),
        (3, "busy", Phase.RUNNING),
        (3, "over", Phase.PARTIAL),
    ],
)
def test_a_success_with_failed_parts_is_a_partial_one(failures: object, status: str, phase: Phase) -> None:
    described = acme(fields={"failures": "$.failed"}, phases={"done": ["over"]})
    assert observed(described, {"id": "1", "status": status, "failed": failures}).phase is phase


def test_a_status_that_only_says_over_is_a_failure_where_there_is_an_error() -> None:
    described = acme(fields={"error": "$.error"}, phases={"done": ["DONE"], "cancelled_codes": ["stopped"]})
    told = {
        None: Phase.SUCCEEDED,
        "": Phase.SUCCEEDED,
        "it broke": Phase.FAILED,
        ("code", "invalid"): Phase.FAILED,
        ("code", "stopped"): Phase.CANCELLED,
    }
    for error, phase in told.items():
        body = {"id": "1", "status": "DONE", "error": dict([error]) if isinstance(error, tuple) else error}
        assert observed(described, body).phase is phase


def test_an_answer_without_a_status_is_one_only_where_the_description_says_so_and_the_id_is_there() -> None:
    described = acme(phases={"missing": "running"})
    seen = observed(described, {"id": "1"})
    assert (seen.status, seen.phase) == ("no status", Phase.RUNNING)
    assert observed(described, {"id": "1", "status": "ok"}).phase is Phase.SUCCEEDED
    assert observed(described, {"id": "1", "status": None}).phase is Phase.RUNNING
    assert "does not say which job" in refused(described, {"other": "no"})
    assert refused(described, {"error": "no"}) == "no", "an answer that holds nothing but an error is told in its words"
    assert "no status" in refused(described, {"id": "1", "status": {"state": "ok"}})
    assert "no status" in refused(acme(), {"id": "1"})


def test_a_stage_whose_word_only_says_over_neither_goes_on_nor_is_a_success() -> None:
    described = acme(phases={"done": ["DONE"], "other": "running"}, stages={"items": "$.steps.*"})
    seen = observed(described, {"id": "1", "status": "odd", "steps": {"a": "DONE", "b": "odd"}})
    assert seen.stages == (Stage("a", "DONE", Phase.UNKNOWN), Stage("b", "odd", Phase.RUNNING))


def test_a_boolean_is_enough_without_an_id_unless_it_is_left_out() -> None:
    described = acme(fields={"id_required": False, "status": [], "done": "$.completed"})
    assert observed(described, {"completed": False}).phase is Phase.RUNNING
    assert observed(described, {"completed": True}).phase is Phase.SUCCEEDED
    assert refused(described, {"error": {}}) == (
        "the response has neither an ID nor a done flag: nothing at $.completed"
    )


def test_a_job_within_its_answer_is_read_like_a_row() -> None:
    described = acme(
        job={"url": "/jobs/{id}", "item": "$.data"},
        list={"url": "/jobs", "items": "$.data[*]"},
        fields={"request_id": "$.meta.rid"},
    )
    read = read_job(described, b'{"data": {"id": "1", "status": "ok"}, "meta": {"rid": "r"}}', 200, "1", None)
    assert [one.phase for one in read.observations] == [Phase.SUCCEEDED]
    assert read.ids == ("r", None)
    rows = read_jobs(described, b'{"data": [{"id": "1", "status": "ok"}], "meta": {"rid": "r"}}', 200, None)
    assert [row.id for row in rows.observations] == ["1"]
    assert rows.ids == ("r", None)
    assert refused(described, {"error": 1}, "1") == "the response has no job: nothing at $.data"
    assert refused(described, {"data": [1]}, "1") == "the response does not say which job it is for"


@pytest.mark.parametrize(
    ("next_", "cursor"),
    [
        ("tok+2/=", "tok+2/="),
        ("https://acme.example/jobs?limit=5&after=a%2Bb%3D", "a+b="),
        ("/jobs?after=p2", "p2"),
        ("https://acme.example/jobs?page=2", None),
        ("https://acme.example/jobs?after=" + "x" * 3000, None),
        ("/jobs?" + "a=b&" * 500, None),
        (7, "7"),
        (0, None),
        (10**40, None),
        (True, None),
        ("", None),
        (None, None),
    ],
)
def test_the_cursor_is_a_text_a_number_or_in_a_url(next_: object, cursor: str | None) -> None:
    described = acme(list={"url": "/jobs", "items": "$.jobs[*]", "cursor": "$.next", "cursor_parameter": "after"})
    assert read_jobs(described, json.dumps({"jobs": [], "next": next_}).encode(), 200, None).next_cursor == cursor


def test_what_of_a_list_cannot_be_read_is_said_and_a_list_of_such_rows_alone_is_a_problem() -> None:
    described = acme(list={"url": "/jobs", "items": "$.jobs[*]"})

    def rows(*jobs: object) -> tuple[int, str | None]:
        reading = read_jobs(described, json.dumps({"jobs": jobs}).encode(), 200, None)
        assert (reading.problem is None) is (len(reading.observations) > 0 or not jobs)
        return len(reading.observations), reading.partial_error if reading.problem is None else reading.problem.message

    good = {"id": "1", "status": "ok"}
    assert rows() == (0, None)
    assert rows(good) == (1, None)
    assert rows(good, {"status": "ok"}, 7) == (1, "2 of 3 rows could not be read: nothing at $.id")
    assert rows({"job": good}) == (0, "none of 1 rows could be read: nothing at $.id")
    assert rows({"id": "../x", "status": "ok"}) == (0, "none of 1 rows could be read: '../x' is not an ID")
    assert rows({"id": "1"}) == (0, "none of 1 rows could be read: the response has no status")
    assert rows("a") == (0, "none of 1 rows could be read: a row is not an object")


def test_what_was_found_and_not_read_is_noted() -> None:
    described = acme(
        fields={
            "progress": "$.n", "created": "$.at", "kind": "$.kinds.*", "request_id": "$.meta",
            "facts": {"who": "$.by[*].name"},
        },
    )  # fmt: skip
    body = {"id": "1", "status": "odd", "n": "4/4", "at": 5, "kinds": {"a": "x", "b": "y"}, "meta": {}}
    read = read_job(described, json.dumps(body).encode(), 200, None, None, record=True)
    assert {finding.field: finding.note for finding in read.matches if finding.note} == {
        "status": "not in any phase",
        "progress": "not a fraction: see progress_unit",
        "created": "not a timestamp: see time_unit",
        "kind": "first of 2",
        "request_id": "ignored: neither a string nor a number",
    }


def test_stages_of_an_array_of_an_object_and_of_plain_words() -> None:
    listed = acme(
        stages={"items": "$.steps[?@.show == true]", "name": "$.title", "status": "$.state", "progress": "$.p"},
    )
    steps = [
        {"title": "one", "state": "ok", "p": 1, "show": True},
        {"title": "two", "state": "odd", "show": True},
        {"title": "hidden", "state": "ok"},
        {"state": "nameless", "show": True},
        {"title": "empty", "show": True},
    ]
    assert observed(listed, {"id": "1", "status": "busy", "steps": steps}).stages == (
        Stage("one", "ok", Phase.SUCCEEDED, 1.0),
        Stage("two", "odd", Phase.UNKNOWN),
    )
    words = acme(stages={"items": "$.stages.*"})
    assert observed(words, {"id": "1", "status": "busy", "stages": {"a": "ok", "b": "busy", "c": {}}}).stages == (
        Stage("a", "ok", Phase.SUCCEEDED),
        Stage("b", "busy", Phase.RUNNING),
    )


def test_more_stages_than_fit_are_counted() -> None:
    described = acme(stages={"items": "$.s[*]", "name": "$.n", "status": "$.s"})
    steps = [{"n": str(number), "s": "ok"} for number in range(MAX_STAGES + 7)]
    seen = observed(described, {"id": "1", "status": "busy", "s": steps})
    assert len(seen.stages) == MAX_STAGES
    assert ("stages_not_shown", "7") in seen.facts


def test_ids_errors_and_facts_are_clean_and_the_first_path_that_finds_something_counts() -> None:
    described = acme(
        fields={
            "request_id": ["$.meta.rid", "$.rid"],
            "error_code": "$.why.code",
            "error_message": "$.why.text",
            "facts": {"owner": "$.by"},
        }
    )
    body = {"id": "1", "status": "bad", "meta": {"rid": None}, "rid": "r-1", "why": {"code": 7, "text": "a\x1b[2J"}}
    read = read_job(described, json.dumps({**body, "by": "\u202eevil"}).encode(), 200, "1", None)
    (seen,) = read.observations
    assert read.ids == ("r-1", None)
    assert seen.error == JobError("7", "a\\x1b[2J")
    assert seen.facts == (("owner", "\\u202eevil"),)


def test_a_list_gives_the_rows_that_can_be_read_and_the_cursor() -> None:
    rows = [operation(), {"done": True}, 7, operation(name="operations/a/../b c"), operation(name="operations/z.1")]
    reading = read_jobs(GOOGLE_LRO, json.dumps({"operations": rows, "nextPageToken": "t"}).encode(), 200, "p")
    assert [row.id for row in reading.observations] == [OPERATION_ID, "z.1"]
    assert {row.account_group for row in reading.observations} == {"p"}
    assert all(row.whole for row in reading.observations)
    assert reading.next_cursor == "t"
    assert read_jobs(GOOGLE_LRO, b"{}", 200, None).observations == ()
    for body, told in ((b"7", "no list of jobs"), (b"<", "instead of JSON")):
        fault = read_jobs(GOOGLE_LRO, body, 200, None).problem
        assert fault is not None
        assert told in fault.message


def test_rows_that_tell_less_than_an_answer_leave_the_rest_as_it_was() -> None:
    described = acme(list={"url": "/jobs", "items": "$[*]"})
    (row,) = read_jobs(described, b'[{"id": "1", "status": "ok"}]', 200, None).observations
    assert not row.whole


def test_half_a_character_in_one_string_hides_no_answer() -> None:
    described = acme(list={"url": "/jobs", "items": "$.jobs[*]"}, fields={"kind": "$.kind"})
    row = b'{"id": "j1", "status": "busy", "kind": "cut \\ud83d"}'
    read = read_job(described, row, 200, "j1", None)
    assert [observation.kind for observation in read.observations] == ["cut \\ud83d"]
    listed = read_jobs(described, b'{"jobs": [' + row + b', {"id": "j2", "status": "ok"}]}', 200, None)
    assert [observation.id for observation in listed.observations] == ["j1", "j2"]


def large(described: ApiSpec, body: object) -> Observation | str:
    """Return what is read of a body as it is where it is too large to keep, or why it is not believed."""
    pruner = Pruner(4_000)
    raw = json.dumps(body).encode()
    for start in range(0, len(raw), SLICE):
        pruner.feed(raw[start : start + SLICE])
    parsed = Extractor(described).job(
        described.default_resource.name, ResponseBody(pruner.finish(), is_pruned=True), None
    )
    return parsed.problem.message if parsed.problem is not None else parsed.observations[0]


@pytest.mark.parametrize(
    ("rest", "expect"),
    [
        ({"rows": [{"n": n} for n in range(2_000)]}, Phase.SUCCEEDED),
        ({"rows": {f"k{n}": n for n in range(2_000)}}, Phase.SUCCEEDED),
        ({"bad": [{"n": n} for n in range(2_000)]}, Phase.PARTIAL),
        ({"bad": []}, Phase.SUCCEEDED),
        ({"out": {**{f"k{n}": n for n in range(2_000)}, "error": "no"}}, "the dropped part could contradict that"),
        ({"steps": [{"ok": True}] * 2_000}, "the dropped part could contradict that"),
    ],
    ids=["rows", "map", "failures", "none", "error", "steps"],
)
def test_a_success_is_not_believed_where_its_contradiction_may_have_been_dropped(
    rest: dict[str, object], expect: Phase | str
) -> None:
    fields = {"failures": "$.bad", "error": "$.out.error", "error_message": "$.steps[?@.ok == false].why"}
    described = acme(fields={"result": "$.rows", **fields})
    found = large(described, {"id": "a", "status": "ok", **rest})
    if isinstance(expect, Phase):
        assert isinstance(found, Observation)
        assert found.phase is expect
    else:
        assert isinstance(found, str)
        assert expect in found
