"""docs/provider-examples.md: each description reads what that API answers, in every state, a job or a page of them."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from jobdeck.domain.job import JobError, Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.providers.described.builtin import describe
from jobdeck.providers.described.reading import read_job, read_jobs
from jobdeck.providers.description import Description

PAGE = (Path(__file__).parents[2] / "docs" / "provider-examples.md").read_text()
TABLES = tomllib.loads("\n".join(re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)))
EXAMPLES = {name: describe(name, TABLES["providers"], "docs") for name in TABLES["providers"]}
SECOND = 1_000_000


def batch(status: str, done: int, failed: int = 0, **more: object) -> dict[str, object]:
    return {
        "id": "batch_1", "object": "batch", "endpoint": "/v1/completions", "errors": None, "status": status,
        "created_at": 1714508499, "completed_at": None, "failed_at": None, "expired_at": None, "cancelled_at": None,
        "request_counts": {"total": 100, "completed": done, "failed": failed}, "error_file_id": None, **more,
    }  # fmt: skip


def job(*conditions: dict[str, str], **status: object) -> dict[str, object]:
    return {
        "kind": "Job",
        "metadata": {"name": "load", "namespace": "default", "creationTimestamp": "2026-04-28T15:30:00Z"},
        "spec": {"completions": 4},
        "status": {**status, **({"conditions": list(conditions)} if conditions else {})},
    }


def condition(kind: str, **more: str) -> dict[str, str]:
    return {"type": kind, "status": "True", "lastTransitionTime": "2026-04-28T15:40:00Z", **more}


def pipeline(status: str, **more: object) -> dict[str, object]:
    return {
        "id": 47, "iid": 4, "status": status, "ref": "main", "sha": "a91957a8", "yaml_errors": None,
        "created_at": "2026-04-28T15:30:00.000Z", "updated_at": "2026-04-28T15:31:00.000Z", "finished_at": None, **more,
    }  # fmt: skip


def query(state: str, reason: str | None = None) -> dict[str, object]:
    error = {} if reason is None else {"errorResult": {"reason": reason, "message": "it was"}, "errors": []}
    return {
        "id": "p:EU.q1", "jobReference": {"projectId": "p", "jobId": "q1", "location": "EU"},
        "configuration": {"jobType": "QUERY"}, "status": {"state": state, **error},
        "statistics": {"creationTime": "1714508499000", "completionRatio": 0.5},
    }  # fmt: skip


def run(cycle: str, result: str | None = None) -> dict[str, object]:
    state = {"life_cycle_state": cycle, "state_message": "In words", **({"result_state": result} if result else {})}
    done = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
    return {
        "run_id": 455644833, "run_name": "nightly", "state": state, "start_time": 1714508499000, "end_time": 0,
        "tasks": [{"task_key": "ingest", "state": done}, {"task_key": "train", "state": state}],
    }  # fmt: skip


CASES: list[tuple[str, str, dict[str, object], str, Phase, float | None]] = [
    ("openai-batches", "batch_1", batch("validating", 0), "validating", Phase.QUEUED, 0.0),
    ("openai-batches", "batch_1", batch("in_progress", 20, 5), "in_progress", Phase.RUNNING, 0.25),
    ("openai-batches", "batch_1", batch("completed", 100), "completed", Phase.SUCCEEDED, 1.0),
    ("openai-batches", "batch_1", batch("completed", 93, 7), "completed", Phase.PARTIAL, 1.0),
    ("openai-batches", "batch_1", batch("expired", 50), "expired", Phase.FAILED, 0.5),
    ("kubernetes-jobs", "load", job(), "no status", Phase.RUNNING, None),
    ("kubernetes-jobs", "load", job(active=2, succeeded=1), "no status", Phase.RUNNING, 0.25),
    ("kubernetes-jobs", "load", job({"type": "Failed", "status": "False"}), "no status", Phase.RUNNING, None),
    (
        "kubernetes-jobs", "load", job(condition("SuccessCriteriaMet"), condition("Complete"), succeeded=4),
        "Complete", Phase.SUCCEEDED, 1.0,
    ),
    (
        "kubernetes-jobs", "load", job(condition("Failed", reason="BackoffLimitExceeded", message="no more")),
        "Failed", Phase.FAILED, None,
    ),
    ("gitlab-pipelines", "47", pipeline("pending"), "pending", Phase.QUEUED, None),
    ("gitlab-pipelines", "47", pipeline("running"), "running", Phase.RUNNING, None),
    ("gitlab-pipelines", "47", pipeline("success"), "success", Phase.SUCCEEDED, None),
    ("gitlab-pipelines", "47", pipeline("failed"), "failed", Phase.FAILED, None),
    ("gitlab-pipelines", "47", pipeline("canceled"), "canceled", Phase.CANCELLED, None),
    ("bigquery", "q1", query("PENDING"), "PENDING", Phase.QUEUED, 0.5),
    ("bigquery", "q1", query("RUNNING"), "RUNNING", Phase.RUNNING, 0.5),
    ("bigquery", "q1", query("DONE"), "DONE", Phase.SUCCEEDED, 0.5),
    ("bigquery", "q1", query("DONE", "invalidQuery"), "DONE", Phase.FAILED, 0.5),
    ("bigquery", "q1", query("DONE", "stopped"), "DONE", Phase.CANCELLED, 0.5),
    ("databricks", "455644833", run("PENDING"), "PENDING", Phase.QUEUED, None),
    ("databricks", "455644833", run("RUNNING"), "RUNNING", Phase.RUNNING, None),
    ("databricks", "455644833", run("TERMINATED", "SUCCESS"), "SUCCESS", Phase.SUCCEEDED, None),
    ("databricks", "455644833", run("TERMINATED", "FAILED"), "FAILED", Phase.FAILED, None),
    ("databricks", "455644833", run("TERMINATED", "CANCELED"), "CANCELED", Phase.CANCELLED, None),
    ("databricks", "455644833", run("INTERNAL_ERROR", "FAILED"), "INTERNAL_ERROR", Phase.FAILED, None),
]  # fmt: skip


def read(described: Description, wanted: str, body: object) -> Observation:
    reading = read_job(described, json.dumps(body).encode(), 200, wanted, None).reading
    assert reading.fault is None, reading.fault
    return reading.observations[0]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}: {case[4]}" for case in CASES])
def test_each_state(case: tuple[str, str, dict[str, object], str, Phase, float | None]) -> None:
    name, wanted, body, status, phase, progress = case
    seen = read(EXAMPLES[name], wanted, body)
    assert (seen.id, seen.status, seen.phase, seen.progress) == (wanted, status, phase, progress)
    assert seen.created_us is not None
    assert seen.error is None or seen.phase in {Phase.FAILED, Phase.CANCELLED}


def test_errors_results_and_stages() -> None:
    errors = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": "too much", "line": None}]}
    seen = read(EXAMPLES["openai-batches"], "batch_1", batch("failed", 0, errors=errors, failed_at=1714508500))
    assert seen.error == JobError("token_limit_exceeded", "too much")
    assert (seen.created_us, seen.ended_us) == (1714508499 * SECOND, 1714508500 * SECOND)
    failed = job(condition("Failed", reason="DeadlineExceeded", message="too long"))
    assert read(EXAMPLES["kubernetes-jobs"], "load", failed).error == JobError("DeadlineExceeded", "too long")
    ran = read(EXAMPLES["databricks"], "455644833", run("TERMINATED", "FAILED"))
    assert (ran.error, ran.created_us) == (JobError(message="In words"), 1714508499 * SECOND)
    assert ran.stages == (Stage("ingest", "SUCCESS", Phase.SUCCEEDED), Stage("train", "FAILED", Phase.FAILED))


PAGES: dict[str, tuple[object, str | None]] = {
    "openai-batches": ({"object": "list", "data": [batch("completed", 1)], "last_id": "batch_1"}, "batch_1"),
    "kubernetes-jobs": ({"kind": "JobList", "metadata": {"continue": "eyJ2"}, "items": [job()]}, "eyJ2"),
    "gitlab-pipelines": ([pipeline("running")], None),
    "bigquery": ({"jobs": [query("DONE")], "nextPageToken": "a+b="}, "a+b="),
    "databricks": ({"runs": [run("RUNNING")], "has_more": True, "next_page_token": "CAE"}, "CAE"),
}


def test_pages_of_all_of_them() -> None:
    assert PAGES.keys() == EXAMPLES.keys() == {case[0] for case in CASES}
    for name, (body, cursor) in PAGES.items():
        reading = read_jobs(EXAMPLES[name], json.dumps(body).encode(), 200, None)
        assert (len(reading.observations), reading.gap, reading.next_cursor) == (1, None, cursor)


def test_what_is_no_answer_about_a_job_is_a_problem() -> None:
    bodies: list[Any] = [{"error": {"code": 404, "message": "no"}}, {"message": "404"}, {"kind": "Status", "code": 404}]
    for described in EXAMPLES.values():
        for body in bodies:
            assert read_job(described, json.dumps(body).encode(), 200, "1", None).reading.fault is not None
