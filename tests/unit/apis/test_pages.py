"""Every page that comes with jobdeck reads what its API answers: bodies of the documented shape, and what they mean."""

import json
from typing import Any

import pytest

from jobdeck.apis.extract import Extractor, ResponseBody
from jobdeck.apis.pages import PageLibrary, built_in_names
from jobdeck.domain.job import JobError, Observation, Part
from jobdeck.domain.phase import Phase

LIBRARY = PageLibrary()
EXTRACTORS = {name: Extractor(LIBRARY.spec(name)) for name in built_in_names()}

QUEUED, RUNNING, SUCCEEDED, PARTIAL, FAILED, CANCELLED = (
    Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED, Phase.PARTIAL, Phase.FAILED, Phase.CANCELLED,
)  # fmt: skip

Body = dict[str, Any]


def openai(status: str, completed: int = 0, failed: int = 0, **more: Any) -> Body:
    return {
        "id": "batch_abc12345", "object": "batch", "endpoint": "/v1/chat/completions", "errors": None, "status": status,
        "output_file_id": None, "error_file_id": None, "created_at": 1714508499, "in_progress_at": 1714508599,
        "completed_at": None, "failed_at": None, "expired_at": None, "cancelled_at": None,
        "request_counts": {"total": 100, "completed": completed, "failed": failed}, **more,
    }  # fmt: skip


def anthropic(status: str, succeeded: int = 0, errored: int = 0, canceled: int = 0, processing: int = 0) -> Body:
    counts = {
        "processing": processing, "succeeded": succeeded, "errored": errored, "canceled": canceled, "expired": 0,
    }  # fmt: skip
    return {
        "id": "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message_batch", "processing_status": status,
        "request_counts": counts, "ended_at": None, "created_at": "2024-09-24T18:37:24.100435Z", "results_url": None,
    }  # fmt: skip


def replicate(status: str, **more: Any) -> Body:
    return {
        "id": "gm3qorzdhgbfurvjtvhg6dckhu", "model": "replicate/hello-world", "version": "5c7d5dc6", "status": status,
        "error": None, "output": None, "created_at": "2023-09-08T16:19:34.765994Z", "completed_at": None, **more,
    }  # fmt: skip


def assemblyai(status: str, **more: Any) -> Body:
    return {"id": "9ea68fd3-f953-42c1-9742-976c447fb463", "status": status, "text": None, "error": None, **more}


def fal(status: str, **more: Any) -> Body:
    return {"request_id": "80e732af-660e-45cd-bd63-580e4f2a94cc", "status": status, **more}


def apify(status: str) -> Body:
    return {"data": {"id": "HG7ML7M8z78YcAPEB", "actId": "HDSasDasz78YcAPEB", "status": status,
                     "startedAt": "2019-11-30T07:34:24.202Z", "finishedAt": None}}  # fmt: skip


def databricks(cycle: str, result: str | None = None, message: str = "") -> Body:
    state = {"life_cycle_state": cycle, "state_message": message} | ({"result_state": result} if result else {})
    return {
        "run_id": 455644833, "job_id": 11223344, "run_name": "Nightly", "attempt_number": 0, "state": state,
        "start_time": 1625060460483, "end_time": 0, "tasks": [{"task_key": "ingest", "state": state}],
    }  # fmt: skip


def airflow(state: str) -> Body:
    return {"dag_run_id": "manual__2026-11-28T09:40:00.745000+00:00", "dag_id": "etl", "state": state,
            "start_date": "2026-11-28T09:40:01.000000+00:00", "end_date": None}  # fmt: skip


def gitlab(status: str) -> Body:
    return {"id": 46, "status": status, "ref": "main", "sha": "a91957a8", "yaml_errors": None,
            "created_at": "2016-08-11T11:28:34.085Z", "finished_at": None}  # fmt: skip


def bitbucket(state: str, result: str | None = None) -> Body:
    inner = {"name": state} | ({"result": {"name": result}} if result else {})
    return {"uuid": "{c3d4e5f6-a7b8-9012-cdef-345678901234}", "build_number": 156, "state": inner,
            "created_on": "2026-04-15T10:00:00Z", "target": {"ref_name": "main"}}  # fmt: skip


def circleci(status: str) -> Body:
    return {"id": "5034460f-c7c4-4c43-9457-de07e2029e7b", "name": "build-and-test", "status": status,
            "created_at": "2019-08-24T14:15:22Z", "stopped_at": None, "pipeline_number": 25}  # fmt: skip


def buildkite(state: str) -> Body:
    jobs = [{"type": "script", "name": "Test", "state": state}, {"type": "waiter", "state": "passed"}]
    return {"id": "f62a1b4d-10f9-4790-bc1c-e2c3a0c80983", "number": 1, "state": state, "jobs": jobs,
            "created_at": "2015-05-09T21:05:59.874Z", "pipeline": {"slug": "my-app"}}  # fmt: skip


def argo(phase: str | None, message: str | None = None) -> Body:
    status = {"progress": "1/4", "nodes": {"a": {"type": "Pod", "displayName": "load", "phase": phase or "Pending"}}}
    status |= {"phase": phase} if phase else {}
    return {"metadata": {"name": "hello-9tql2", "creationTimestamp": "2026-04-15T10:00:00Z"},
            "status": status | ({"message": message} if message else {})}  # fmt: skip


def kubernetes(*conditions: str, **status: Any) -> Body:
    held = [{"type": kind, "status": "True", "reason": "BackoffLimitExceeded"} for kind in conditions]
    return {"metadata": {"name": "nightly", "creationTimestamp": "2026-04-28T15:30:00Z"}, "spec": {"completions": 4},
            "status": {**status, **({"conditions": held} if held else {})}}  # fmt: skip


def bigquery(state: str, reason: str | None = None) -> Body:
    error = {"errorResult": {"reason": reason, "message": "it was"}} if reason else {}
    return {"jobReference": {"projectId": "p", "jobId": "job_1"}, "configuration": {"jobType": "QUERY"},
            "status": {"state": state, **error}, "statistics": {"creationTime": "1714508499000"}}  # fmt: skip


def snowflake(code: str, message: str = "") -> Body:
    return {"code": code, "message": message, "statementHandle": "e4ce975e-f7ff-4b5e-b15e-bf25f59371ae"}


def salesforce(state: str, processed: int = 0, failed: int = 0, **more: Any) -> Body:
    return {"id": "7505e000001fT4bAAE", "object": "Contact", "operation": "insert", "state": state,
            "createdDate": "2018-12-10T17:50:19.000+0000", "numberRecordsProcessed": processed,
            "numberRecordsFailed": failed, **more}  # fmt: skip


def elasticsearch(completed: object, error: Body | None = None, failures: list[Any] | None = None) -> Body:
    task = {"node": "oTUltX4IQMOUUVeiohTt8A", "id": 124, "action": "indices:data/write/reindex",
            "status": {"total": 100, "updated": 10, "created": 15, "deleted": 0}}  # fmt: skip
    ended = {"error": error} if error else {"response": {"failures": failures or []}} if completed else {}
    return {"completed": completed, "task": task, **ended}


CASES: list[tuple[str, Body, str, Phase]] = [
    ("openai", openai("validating"), "validating", QUEUED),
    ("openai", openai("in_progress", 30), "in_progress", RUNNING),
    ("openai", openai("completed", 100), "completed", SUCCEEDED),
    ("openai", openai("completed", 95, 5), "completed", PARTIAL),
    ("openai", openai("completed", 0, 100), "completed", FAILED),
    ("openai", openai("expired", 7), "expired", FAILED),
    ("openai", openai("cancelling"), "cancelling", RUNNING),
    ("openai", openai("cancelled"), "cancelled", CANCELLED),
    ("anthropic", anthropic("in_progress", processing=10), "in_progress", RUNNING),
    ("anthropic", anthropic("canceling", processing=10), "canceling", RUNNING),
    ("anthropic", anthropic("ended", 10), "ended", SUCCEEDED),
    ("anthropic", anthropic("ended", 7, 3), "ended", PARTIAL),
    ("anthropic", anthropic("ended", 0, 10), "ended", FAILED),
    ("replicate", replicate("starting"), "starting", QUEUED),
    ("replicate", replicate("processing"), "processing", RUNNING),
    ("replicate", replicate("succeeded", output="hi"), "succeeded", SUCCEEDED),
    ("replicate", replicate("failed", error="out of memory"), "failed", FAILED),
    ("replicate", replicate("canceled"), "canceled", CANCELLED),
    ("assemblyai", assemblyai("queued"), "queued", QUEUED),
    ("assemblyai", assemblyai("processing"), "processing", RUNNING),
    ("assemblyai", assemblyai("completed", text="hello"), "completed", SUCCEEDED),
    ("assemblyai", assemblyai("error", error="Download error"), "error", FAILED),
    ("fal", fal("IN_QUEUE", queue_position=2), "IN_QUEUE", QUEUED),
    ("fal", fal("IN_PROGRESS"), "IN_PROGRESS", RUNNING),
    ("fal", fal("COMPLETED"), "COMPLETED", SUCCEEDED),
    ("fal", fal("COMPLETED", error="no runner", error_type="runner_disconnected"), "COMPLETED", FAILED),
    ("apify", apify("READY"), "READY", QUEUED),
    ("apify", apify("TIMING-OUT"), "TIMING-OUT", RUNNING),
    ("apify", apify("SUCCEEDED"), "SUCCEEDED", SUCCEEDED),
    ("apify", apify("TIMED-OUT"), "TIMED-OUT", FAILED),
    ("apify", apify("ABORTED"), "ABORTED", CANCELLED),
    ("databricks", databricks("PENDING"), "PENDING", QUEUED),
    ("databricks", databricks("RUNNING"), "RUNNING", RUNNING),
    ("databricks", databricks("TERMINATED", "SUCCESS"), "SUCCESS", SUCCEEDED),
    ("databricks", databricks("TERMINATED", "SUCCESS_WITH_FAILURES"), "SUCCESS_WITH_FAILURES", PARTIAL),
    ("databricks", databricks("TERMINATED", "FAILED", "task failed"), "FAILED", FAILED),
    ("databricks", databricks("TERMINATED", "CANCELED"), "CANCELED", CANCELLED),
    ("databricks", databricks("INTERNAL_ERROR", "FAILED"), "INTERNAL_ERROR", FAILED),
    ("airflow", airflow("queued"), "queued", QUEUED),
    ("airflow", airflow("running"), "running", RUNNING),
    ("airflow", airflow("success"), "success", SUCCEEDED),
    ("airflow", airflow("failed"), "failed", FAILED),
    ("gitlab", gitlab("pending"), "pending", QUEUED),
    ("gitlab", gitlab("running"), "running", RUNNING),
    ("gitlab", gitlab("success"), "success", SUCCEEDED),
    ("gitlab", gitlab("failed"), "failed", FAILED),
    ("gitlab", gitlab("canceled"), "canceled", CANCELLED),
    ("bitbucket", bitbucket("PENDING"), "PENDING", QUEUED),
    ("bitbucket", bitbucket("IN_PROGRESS"), "IN_PROGRESS", RUNNING),
    ("bitbucket", bitbucket("COMPLETED", "SUCCESSFUL"), "SUCCESSFUL", SUCCEEDED),
    ("bitbucket", bitbucket("COMPLETED", "FAILED"), "FAILED", FAILED),
    ("bitbucket", bitbucket("COMPLETED", "STOPPED"), "STOPPED", CANCELLED),
    ("bitbucket", bitbucket("COMPLETED"), "COMPLETED", Phase.UNKNOWN),
    ("circleci", circleci("on_hold"), "on_hold", QUEUED),
    ("circleci", circleci("failing"), "failing", RUNNING),
    ("circleci", circleci("success"), "success", SUCCEEDED),
    ("circleci", circleci("failed"), "failed", FAILED),
    ("circleci", circleci("canceled"), "canceled", CANCELLED),
    ("buildkite", buildkite("scheduled"), "scheduled", QUEUED),
    ("buildkite", buildkite("failing"), "failing", RUNNING),
    ("buildkite", buildkite("passed"), "passed", SUCCEEDED),
    ("buildkite", buildkite("failed"), "failed", FAILED),
    ("buildkite", buildkite("canceled"), "canceled", CANCELLED),
    ("argo", argo(None), "no status", QUEUED),
    ("argo", argo("Running"), "Running", RUNNING),
    ("argo", argo("Succeeded"), "Succeeded", SUCCEEDED),
    ("argo", argo("Failed", "child failed"), "Failed", FAILED),
    ("argo", argo("Error", "no such image"), "Error", FAILED),
    ("kubernetes", kubernetes(active=1), "no status", RUNNING),
    ("kubernetes", kubernetes("Complete", succeeded=4), "Complete", SUCCEEDED),
    ("kubernetes", kubernetes("Failed", failed=1), "Failed", FAILED),
    ("bigquery", bigquery("PENDING"), "PENDING", QUEUED),
    ("bigquery", bigquery("RUNNING"), "RUNNING", RUNNING),
    ("bigquery", bigquery("DONE"), "DONE", SUCCEEDED),
    ("bigquery", bigquery("DONE", "invalidQuery"), "DONE", FAILED),
    ("bigquery", bigquery("DONE", "stopped"), "DONE", CANCELLED),
    ("salesforce", salesforce("UploadComplete"), "UploadComplete", QUEUED),
    ("salesforce", salesforce("InProgress", 20), "InProgress", RUNNING),
    ("salesforce", salesforce("JobComplete", 100), "JobComplete", SUCCEEDED),
    ("salesforce", salesforce("JobComplete", 100, 2), "JobComplete", PARTIAL),
    ("salesforce", salesforce("JobComplete", 100, 100), "JobComplete", FAILED),
    ("salesforce", salesforce("Failed", errorMessage="InvalidBatch"), "Failed", FAILED),
    ("salesforce", salesforce("Aborted"), "Aborted", CANCELLED),
    ("elasticsearch", elasticsearch(False), "not done", RUNNING),
    ("elasticsearch", elasticsearch(True), "done", SUCCEEDED),
    ("elasticsearch", elasticsearch(True, failures=[{"id": "7"}]), "done", PARTIAL),
    ("elasticsearch", elasticsearch(True, {"type": "x_exception", "reason": "no"}), "done", FAILED),
    ("elasticsearch", elasticsearch(True, {"type": "task_cancelled_exception"}), "done", CANCELLED),
]  # fmt: skip

BY_HTTP_STATUS: list[tuple[str, int, Body | None, str, Phase]] = [
    ("snowflake", 202, snowflake("333334", "Asynchronous execution in progress."), "HTTP 202", RUNNING),
    ("snowflake", 200, snowflake("090001", "Statement executed successfully."), "HTTP 200", SUCCEEDED),
    ("snowflake", 422, snowflake("002140", "SQL compilation error"), "HTTP 422", FAILED),
    ("fhir-bulk", 202, None, "HTTP 202", RUNNING),
    ("fhir-bulk", 200, {"transactionTime": "2021-01-01T00:00:00Z", "output": [{"url": "u"}], "error": []},
     "HTTP 200", SUCCEEDED),
    ("fhir-bulk", 200, {"transactionTime": "2021-01-01T00:00:00Z", "output": [], "error": [{"url": "e"}]},
     "HTTP 200", PARTIAL),
]  # fmt: skip


def read(name: str, body: Body | None, status: int = 200, headers: dict[str, str] | None = None) -> Observation:
    data = b"" if body is None else json.dumps(body).encode()
    resource = LIBRARY.spec(name).default_resource.name
    parsed = EXTRACTORS[name].job(resource, ResponseBody(data, status, headers or {}), None, "here")
    assert parsed.problem is None, parsed.problem
    (observation,) = parsed.observations
    return observation


@pytest.mark.parametrize(
    ("name", "body", "status", "phase"), CASES, ids=lambda each: each if isinstance(each, str) else ""
)
def test_each_state_of_each_page(name: str, body: Body, status: str, phase: Phase) -> None:
    observation = read(name, body)
    assert (observation.status, observation.phase) == (status, phase)


@pytest.mark.parametrize(("name", "http_status", "body", "status", "phase"), BY_HTTP_STATUS)
def test_a_state_that_the_http_status_tells(
    name: str, http_status: int, body: Body | None, status: str, phase: Phase
) -> None:
    observation = read(name, body, http_status)
    assert (observation.status, observation.phase) == (status, phase)


def test_every_page_has_a_case_or_a_test_of_its_own() -> None:
    tested = {case[0] for case in CASES} | {case[0] for case in BY_HTTP_STATUS}
    elsewhere = {"thehog", "sonarly", "google-lro", "azure-async", "github-actions"}
    assert tested | elsewhere == set(built_in_names())


def test_progress_errors_and_stages_are_where_the_pages_say() -> None:
    assert read("openai", openai("in_progress", 30, 5)).progress == 0.35
    assert read("anthropic", anthropic("in_progress", 3, 1, processing=6)).progress == 0.4
    assert read("elasticsearch", elasticsearch(False)).progress == 0.25
    assert read("argo", argo("Running")).progress == 0.25
    assert read("fhir-bulk", None, 202, {"x-progress": "45%"}).progress == 0.45
    assert read("databricks", databricks("TERMINATED", "FAILED", "task failed")).error == JobError(None, "task failed")
    assert read("databricks", databricks("TERMINATED", "SUCCESS", "fine")).error is None
    assert read("argo", argo("Failed", "child failed")).error == JobError(None, "child failed")
    assert read("snowflake", snowflake("002140", "SQL compilation error"), 422).error == JobError(
        "002140", "SQL compilation error"
    )
    assert [stage.name for stage in read("buildkite", buildkite("failed")).stages] == ["Test"]
    assert [stage.phase for stage in read("databricks", databricks("RUNNING")).stages] == [RUNNING]


PARTS: list[tuple[str, Part, object, list[tuple[str, Phase]] | str]] = [
    ("github-actions", Part.STAGES,
     {"total_count": 3, "jobs": [
         {"id": 1, "name": "lint", "status": "completed", "conclusion": "success"},
         {"id": 2, "name": "test", "status": "in_progress", "conclusion": None},
         {"id": 3, "name": "ship", "status": "completed", "conclusion": "skipped"}]},
     [("lint", SUCCEEDED), ("test", RUNNING), ("ship", SUCCEEDED)]),
    ("gitlab", Part.STAGES,
     [{"id": 6, "name": "rspec", "stage": "test", "status": "failed"},
      {"id": 7, "name": "deploy", "stage": "deploy", "status": "created"}],
     [("rspec", FAILED), ("deploy", QUEUED)]),
    ("circleci", Part.STAGES,
     {"next_page_token": None, "items": [
         {"id": "a", "name": "build", "status": "success", "type": "build"},
         {"id": "b", "name": "hold", "status": "on_hold", "type": "approval"},
         {"id": "c", "name": "deploy", "status": "blocked", "type": "build"}]},
     [("build", SUCCEEDED), ("hold", QUEUED), ("deploy", QUEUED)]),
    ("airflow", Part.STAGES,
     {"task_instances": [
         {"task_id": "extract", "state": "success"}, {"task_id": "load", "state": "upstream_failed"}],
      "total_entries": 2},
     [("extract", SUCCEEDED), ("load", FAILED)]),
    ("fal", Part.RESULT, {"images": [{"url": "https://v3.fal.media/a.png"}]},
     '{"images":[{"url":"https://v3.fal.media/a.png"}]}'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "part", "body", "expected"), PARTS)
def test_each_part_that_has_a_url_of_its_own(
    name: str, part: Part, body: object, expected: list[tuple[str, Phase]] | str
) -> None:
    resource = LIBRARY.spec(name).default_resource.name
    parsed = EXTRACTORS[name].part(resource, part, ResponseBody(json.dumps(body).encode()), "1", None)
    (told,) = parsed.observations
    found = told.result if part is Part.RESULT else [(stage.name, stage.phase) for stage in told.stages]
    assert found == expected


def test_every_part_of_a_page_has_a_case() -> None:
    specs = {name: LIBRARY.spec(name) for name in built_in_names()}
    parts = {(name, part) for name, spec in specs.items() for each in spec.resources.values() for part in each.parts}
    assert parts == {(name, part) for name, part, _, _ in PARTS}
