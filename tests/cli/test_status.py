"""``jobdeck status`` as a script sees it."""

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import (
    Api,
    Endpoint,
    Fault,
    FaultKind,
    JobFailure,
    JobScript,
    Outcome,
    Resource,
    ResultKind,
    Scenario,
    StageScript,
)
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import GROUP, environment, jobdeck

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEYS = [
    "profile", "provider", "id", "account_group", "kind", "status", "phase", "progress", "stages", "error", "result",
    "created_at", "updated_at", "observed_at", "age_seconds", "request_id", "trace_id", "accepted_request_id",
    "http_status", "problem",
]  # fmt: skip
STAGES = (StageScript("import"), StageScript("enrichment"))
RETRYABLE = JobFailure(message="no", retryable=True)
ENDED = {"arrival": -100.0, "duration": 10.0}


def hog(id_: str, resource: Resource = Resource.OPERATION, **changes: object) -> JobScript:
    return JobScript(**{"id": id_, "resource": resource, **changes})  # type: ignore[arg-type] - any field


def sonarly(id_: str, **changes: object) -> JobScript:
    fields = {"api": Api.SONARLY, "resource": Resource.PROSPECTING, "id": id_, "account_group": GROUP, "stages": STAGES}
    return JobScript(**{**fields, **changes})  # type: ignore[arg-type] - any field


SCENARIO = Scenario(
    jobs=(
        hog("op_queued", queued_for=1e6),
        hog("op_running", arrival=-50.0, duration=100.0, update_every=1e6, stops_at=1.0),
        hog("op_done", **ENDED, result={"rows": [1, 2]}),
        hog("op_partial", **ENDED, outcome=Outcome.PARTIAL_SUCCESS, result_kind=ResultKind.PEOPLE_SEARCH),
        hog("op_failed", **ENDED, outcome=Outcome.FAILED, error=JobFailure("UPSTREAM_TIMEOUT", "no response")),
        hog("op_cancelled", **ENDED, outcome=Outcome.CANCELLED),
        hog("en_done", Resource.ENRICHMENT, **ENDED),
        hog("se_done", Resource.SEARCH, **ENDED),
        hog("se_failed", Resource.SEARCH, **ENDED, outcome=Outcome.FAILED, error=RETRYABLE),
        sonarly("a" * 24, queued_for=1e6),
        sonarly("b" * 24, arrival=-50.0, duration=1e5),
        sonarly("c" * 24, **ENDED),
        sonarly("d" * 24, **ENDED, outcome=Outcome.FAILED, error=JobFailure("IMPORT_FAILED", "bad", {"row": 7})),
        sonarly("e" * 24, **ENDED, outcome=Outcome.CANCELLED),
        hog("op_refused"), hog("op_forbidden"), hog("op_broken"), hog("op_html"), hog("op_reset"),
    ),
    faults=(
        Fault(FaultKind.STATUS, job="op_forbidden", status=403),
        Fault(FaultKind.STATUS, job="op_broken", status=503),
        Fault(FaultKind.HTML, job="op_html", endpoint=Endpoint.POLL),
        Fault(FaultKind.RESET_BEFORE, job="op_reset"),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running


@pytest.fixture
def env(server: ThreadedSimulator, tmp_path: Path) -> dict[str, str]:
    return environment(server.url, tmp_path)


@pytest.mark.parametrize(
    ("target", "status", "phase", "code"),
    [
        ("op_queued", "queued", "queued", 0),
        ("op_running", "processing", "running", 0),
        ("op_done", "succeeded", "succeeded", 0),
        ("op_partial", "partial_success", "partial", 3),
        ("op_failed", "failed", "failed", 1),
        ("op_cancelled", "cancelled", "cancelled", 5),
        ("/api/enrichments/en_done", "succeeded", "succeeded", 0),
        ("/api/v1/search/se_done", "succeeded", "succeeded", 0),
        ("/api/v1/search/se_failed", "failed", "failed", 1),
        (f"{GROUP}/{'a' * 24}", "queued", "queued", 0),
        (f"sonarly:{GROUP}/{'b' * 24}", "running", "running", 0),
        (f"/v1/accounts/{GROUP}/prospecting/{'c' * 24}", "completed", "succeeded", 0),
        (f"{GROUP}/{'d' * 24}", "failed", "failed", 1),
        (f"{GROUP}/{'e' * 24}", "cancelled", "cancelled", 5),
    ],
)
def test_every_status_of_both_apis_has_its_phase_and_exit_code(
    env: dict[str, str], target: str, status: str, phase: str, code: int
) -> None:
    ran = jobdeck("status", "--json", target, env=env)
    assert list(ran.object) == KEYS
    assert (ran.object["status"], ran.object["phase"], ran.code) == (status, phase, code)
    assert UUID.fullmatch(ran.object["request_id"] or "") or ran.object["trace_id"]
    assert ran.object["problem"] is None
    assert ran.object["http_status"] == 200


@pytest.mark.parametrize(
    ("target", "kind", "code"),
    [
        ("op_missing", "not_found", 6),
        ("op_forbidden", "permission", 4),
        ("op_broken", "server_error", 7),
        ("op_html", "not_json", 7),
        ("op_reset", "network", 7),
    ],
)
def test_a_problem_is_not_an_outcome(env: dict[str, str], target: str, kind: str, code: int) -> None:
    ran = jobdeck("status", "--json", target, env=env)
    assert ran.object["phase"] == "unknown"
    assert ran.object["status"] is None
    assert ran.object["problem"]["kind"] == kind
    assert ran.object["problem"]["message"]
    assert ran.code == code


def test_stages_are_fractions_in_their_order(env: dict[str, str]) -> None:
    stages = jobdeck("status", "--json", f"{GROUP}/{'d' * 24}", env=env).object["stages"]
    assert [stage["name"] for stage in stages] == ["import", "enrichment"]
    assert [list(stage) for stage in stages] == [["name", "status", "phase", "progress"]] * 2
    assert all(0 <= stage["progress"] <= 1 for stage in stages)


def test_percent_becomes_a_fraction(env: dict[str, str]) -> None:
    assert 0 <= jobdeck("status", "--json", "op_running", env=env).object["progress"] <= 1
    assert jobdeck("status", "--json", "op_done", env=env).object["progress"] == 1


def test_the_jobs_own_error_is_given_word_for_word(env: dict[str, str]) -> None:
    error = jobdeck("status", "--json", f"{GROUP}/{'d' * 24}", env=env).object["error"]
    assert (error["code"], error["message"]) == ("IMPORT_FAILED", "bad")
    retry = jobdeck("status", "--json", "/api/v1/search/se_failed", env=env).object["error"]
    assert retry["details"] == {"retryable": True}


def test_a_result_is_given_as_json(env: dict[str, str]) -> None:
    assert jobdeck("status", "--json", "op_done", env=env).object["result"] == {"rows": [1, 2]}


def test_the_request_id_is_the_servers_header(env: dict[str, str], server: ThreadedSimulator) -> None:
    request_id = jobdeck("status", "--json", "op_queued", env=env).object["request_id"]
    assert request_id in {record.request_id for record in server.requests}


def test_an_accepted_body_on_standard_input_is_a_target(env: dict[str, str]) -> None:
    body = {"operationId": "op_done", "status": "queued", "pollUrl": "/api/operations/op_done",
            "meta": {"requestId": "3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a"}}  # fmt: skip
    ran = jobdeck("status", "--json", "-", env=env, stdin=json.dumps(body, indent=2) + "\nop_queued\n")
    assert [found["id"] for found in sorted(ran.objects, key=lambda found: found["id"])] == ["op_done", "op_queued"]
    accepted = {found["id"]: found["accepted_request_id"] for found in ran.objects}
    assert accepted == {"op_done": "3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a", "op_queued": None}


def test_a_file_of_targets_is_read(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("# last night\nop_done\n\n/api/v1/search/se_done\n")
    assert len(jobdeck("status", "--json", "ids.txt", env=env, cwd=tmp_path).objects) == 2


def test_several_targets_give_the_worst_code(env: dict[str, str]) -> None:
    assert jobdeck("status", "--json", "op_done", "op_partial", env=env).code == 3
    assert jobdeck("status", "--json", "op_cancelled", "op_missing", env=env).code == 6
    assert jobdeck("status", "--json", "op_missing", "op_failed", env=env).code == 1


def test_the_table_says_the_same_to_a_person(env: dict[str, str]) -> None:
    ran = jobdeck("status", "op_failed", f"{GROUP}/{'b' * 24}", env=env)
    lines = ran.out.splitlines()
    assert lines[0].split() == ["STATE", "JOB", "KIND", "STAGE", "PROGRESS", "UPDATED", "REQUEST", "ID", "MESSAGE"]
    assert lines[1].startswith("✗ failed   thehog:op_failed")
    assert "UPSTREAM_TIMEOUT no response" in lines[1]
    assert "import" in lines[2]
    assert "\x1b" not in ran.out


def test_a_first_look_at_four_is_as_quick_as_the_servers_limit_allows(tmp_path: Path) -> None:
    jobs = tuple(hog(f"op_{number}", queued_for=1e6) for number in range(4))
    with ThreadedSimulator(Scenario(jobs=jobs)) as server:
        ran = jobdeck("status", *(job.id or "" for job in jobs), env=environment(server.url, tmp_path))
        sent = [request.at for request in server.requests]
    assert len(sent) == 4
    assert sent[-1] - sent[0] < 2.0, "by 30 a minute, which the first answer refutes, it is two and a half at the least"
    assert ran.code == 0


def test_json_is_ascii_and_alone_on_standard_output(env: dict[str, str]) -> None:
    ran = jobdeck("status", "--json", "op_done", "op_partial", env=env, process=True)
    assert ran.out.isascii()
    assert ran.err == ""


def test_a_server_that_is_not_there_is_unreachable(env: dict[str, str]) -> None:
    dead = {**env, "THEHOG_BASE_URL": "http://127.0.0.1:9"}
    ran = jobdeck("status", "--json", *(f"op_{number}" for number in range(12)), env=dead)
    assert ran.code == 7
    assert {found["problem"]["kind"] for found in ran.objects} == {"network"}
    assert len(ran.objects) == 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status"], "required"),
        (["status", "--nope", "op_1"], "unrecognized"),
        (["status", "https://evil.example/api/operations/op_1"], "evil.example"),
        (["status", "../etc/passwd"], "../etc/passwd"),
        (["status", "nobody:op_1"], "nobody"),
        (["status", "--config", "none.toml", "op_1"], "none.toml"),
    ],
)
def test_wrong_usage_is_said_in_a_line_and_nothing_is_sent(
    env: dict[str, str], server: ThreadedSimulator, arguments: list[str], told: str
) -> None:
    before = len(server.requests)
    ran = jobdeck(*arguments, env=env)
    assert ran.code == 2
    assert told in ran.err
    assert ran.out == ""
    assert len(server.requests) == before


def test_a_missing_credential_is_named(env: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[profiles.s]\nprovider = "sonarly"\ntoken = "env:NO_SUCH_KEY"\n')
    ran = jobdeck("status", "--config", str(config), f"{GROUP}/{'a' * 24}", env=env)
    assert ran.code == 2
    assert "NO_SUCH_KEY is not set" in ran.err


def test_without_any_profile_the_way_in_is_said(tmp_path: Path) -> None:
    env = {key: value for key, value in environment("", tmp_path).items() if "KEY" not in key and "URL" not in key}
    ran = jobdeck("status", "op_1", env=env)
    assert ran.code == 2
    assert "THE_HOG_ACCESS_KEY" in ran.err


@pytest.mark.posix
def test_what_a_shell_hands_over_as_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "ids"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("op_none\nnot an id\n",))
    writer.start()
    ran = jobdeck("status", str(pipe), env=environment("http://127.0.0.1:9", tmp_path))
    writer.join()
    assert ran.code == 2
    assert "not an id" in ran.err
