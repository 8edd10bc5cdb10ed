"""What is remembered, and the commands that read it."""

import asyncio
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobdeck.app.data_store import DATABASE
from jobdeck.domain.job import JobKey
from jobdeck.engine.clock import SystemClock
from jobdeck.simulator.scenario import (
    Api,
    Fault,
    FaultKind,
    JobFailure,
    JobScript,
    Outcome,
    Resource,
    Scenario,
    StageScript,
)
from jobdeck.simulator.server import ThreadedSimulator
from jobdeck.store import open_store
from tests.cli.harness import GROUP, environment, jobdeck
from tests.scripted_server import Say, scripted_apart

NASTY = "# heading\n[link](https://evil.example) ![image](x) <script>alert(1)</script> ``` ````"
TARGET = f"{GROUP}/{'d' * 24}"
SCENARIO = Scenario(
    jobs=(
        JobScript(id="op_done", arrival=-60.0, duration=10.0, result={"email": "someone@example.com"}),
        JobScript(id="op_failed", arrival=-60.0, duration=10.0, outcome=Outcome.FAILED, error=JobFailure("E", NASTY)),
        JobScript(id="en_1", resource=Resource.ENRICHMENT, arrival=-1.0, duration=3.0),
        JobScript(id="se_1", resource=Resource.SEARCH, arrival=-60.0, duration=10.0),
        JobScript(
            Api.SONARLY,
            Resource.PROSPECTING,
            "d" * 24,
            GROUP,
            arrival=-60.0,
            duration=10.0,
            stages=(StageScript("import"),),
            outcome=Outcome.FAILED,
            error=JobFailure("IMPORT_FAILED", "bad"),
        ),
    )
)


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running


@pytest.fixture
def env(server: ThreadedSimulator, tmp_path: Path) -> dict[str, str]:
    return environment(server.url, tmp_path)


def test_history_lists_what_was_looked_at_even_without_the_server(tmp_path: Path) -> None:
    with ThreadedSimulator(SCENARIO) as running:
        env = environment(running.url, tmp_path)
        jobdeck("status", "op_done", "op_failed", env=env)
    listed = jobdeck("history", "--json", env=env).objects
    assert {item["id"]: item["phase"] for item in listed} == {"op_done": "succeeded", "op_failed": "failed"}
    assert "op_failed" in jobdeck("history", env=env).out
    assert [item["id"] for item in jobdeck("history", "--format", "json", env=env).objects] == [
        item["id"] for item in listed
    ]
    head, *rows = csv.reader(jobdeck("history", "--format", "csv", env=env).out.splitlines())
    assert [dict(zip(head, row, strict=True))["phase"] for row in rows] == [item["phase"] for item in listed]
    assert {"origin", "watched", "note"} <= set(head)
    none = jobdeck("history", "--format", "csv", "--profile", "sonarly", env=env).out
    assert none.splitlines() == [",".join(head)]
    assert jobdeck("history", "--format", "markdown", env=env).out.count("\n| failed |") == 1
    assert jobdeck("history", "--format", "csv", "--json", env=env).code == 2


@pytest.mark.parametrize("command", [["history"], ["requests"], ["requests", "--json"]])
def test_what_is_cut_at_the_limit_says_so(env: dict[str, str], command: list[str]) -> None:
    jobdeck("status", "op_done", "op_failed", env=env)
    assert "showing the newest 1; use --limit N for more" in jobdeck(*command, "--limit", "1", env=env).err
    assert jobdeck(*command, "--limit", "2", env=env).err == ""


def test_history_is_empty_at_first_and_says_so(env: dict[str, str]) -> None:
    ran = jobdeck("history", env=env)
    assert (ran.code, ran.out) == (0, "")
    assert "no saved jobs yet" in ran.err
    assert "no saved jobs for profile hgo yet" in jobdeck("history", "--profile", "hgo", env=env).err
    assert "no requests for profile hgo on record yet" in jobdeck("requests", "--profile", "hgo", env=env).err


def test_history_forgets_on_request_only(env: dict[str, str]) -> None:
    jobdeck("status", "op_done", env=env)
    jobdeck("history", "--purge", env=env)
    assert jobdeck("history", "--json", env=env).objects
    jobdeck("history", "--purge", "0", env=env)
    assert not jobdeck("history", "--json", env=env).objects


def test_without_a_store_nothing_is_kept(env: dict[str, str], tmp_path: Path) -> None:
    jobdeck("status", "--no-store", "op_done", env=env)
    assert not (tmp_path / "data").exists()


def test_every_request_is_on_record_with_the_servers_id(env: dict[str, str], server: ThreadedSimulator) -> None:
    jobdeck("status", "op_done", "op_failed", "op_missing", env=env)
    listed = jobdeck("requests", "--json", env=env).objects
    known = {record.request_id for record in server.requests}
    assert len(listed) == 3
    assert {item["request_id"] for item in listed} <= known
    assert {item["http_status"] for item in listed} == {200, 404}
    assert all(item["state"] == "answered" for item in listed)


def test_a_request_id_leads_back_to_its_job(env: dict[str, str]) -> None:
    request_id = jobdeck("status", "--json", "op_done", env=env).object["request_id"]
    found = jobdeck("requests", "--json", request_id, env=env).objects
    assert [item["job"] for item in found] == ["thehog:op_done"]
    assert "updated thehog:op_done" in jobdeck("requests", request_id, env=env).out


def test_requests_about_a_target_are_listed_and_others_are_not_found(env: dict[str, str]) -> None:
    jobdeck("status", "op_done", env=env)
    assert len(jobdeck("requests", "--json", "op_done", env=env).objects) == 1
    assert jobdeck("requests", "op_other", env=env).code == 6
    assert jobdeck("requests", "--profile", "thehog", "op_done", env=env).code == 0
    assert jobdeck("requests", "--profile", "sonarly", "op_done", env=env).code != 0
    unknown = jobdeck("requests", "--profile", "hgo", "op_done", env=env)
    assert (unknown.code, "unknown profile hgo (known: " in unknown.err) == (2, True)


def test_a_ticket_holds_the_servers_request_id_and_nothing_that_breaks_out(
    env: dict[str, str], server: ThreadedSimulator
) -> None:
    from markdown_it import MarkdownIt

    jobdeck("status", "op_failed", env=env)
    first = server.requests[-1].request_id
    ran = jobdeck("ticket", "op_failed", env=env)
    assert ran.code == 0
    assert f"- Request ID of the first failed response: `{first}`" in ran.out
    assert "$THE_HOG_ACCESS_KEY" in ran.out
    flat = [inner for token in MarkdownIt().parse(ran.out) for inner in (token, *(token.children or ()))]
    assert not {token.type for token in flat} & {"link_open", "image", "html_block", "html_inline"}
    assert "heading" not in [flat[at + 1].content for at, token in enumerate(flat) if token.type == "heading_open"]


def test_a_note_that_is_kept_with_a_job_is_in_its_ticket(env: dict[str, str], tmp_path: Path) -> None:
    jobdeck("status", "op_failed", env=env)

    async def annotate() -> None:
        store = open_store(tmp_path / "data" / DATABASE, "the screen").store
        await store.annotate([JobKey("thehog", None, "op_failed")], "it hangs")
        await store.close()

    asyncio.run(annotate())
    assert "```text\nit hangs\n```" in jobdeck("ticket", "op_failed", env=env).out
    assert "it hangs" not in jobdeck("ticket", "op_failed", "--note", "it works", env=env).out


def test_a_ticket_as_json_has_its_timeline_and_leaves_the_result_out(env: dict[str, str]) -> None:
    jobdeck("status", TARGET, env=env)
    made = jobdeck("ticket", "--format", "json", TARGET, env=env).object
    assert made["job"]["error"]["code"] == "IMPORT_FAILED"
    assert [entry["kind"] for entry in made["timeline"]] == ["phase", "stage"]
    assert made["client"]["clock_offset_seconds"] is not None
    assert "someone@example.com" not in jobdeck("ticket", "op_done", env=env).out
    assert "someone@example.com" in jobdeck("ticket", "--include-result", "op_done", env=env).out


def test_a_ticket_has_the_refusals_that_others_of_its_profile_met_while_it_was_going(tmp_path: Path) -> None:
    broken = Fault(FaultKind.STATUS, job="en_2", status=503)
    scripts = tuple(JobScript(id=f"en_{n}", resource=Resource.ENRICHMENT, duration=1e5) for n in (1, 2))
    with ThreadedSimulator(Scenario(jobs=scripts, faults=(broken,))) as running:
        env = environment(running.url, tmp_path)
        jobdeck("status", "/api/enrichments/en_1", env=env)
        assert "Failed requests" not in jobdeck("ticket", "/api/enrichments/en_1", env=env).out
        jobdeck("status", "/api/enrichments/en_2", env=env)
        refused = running.requests[-1].request_id
        _, _, section = jobdeck("ticket", "en_1", env=env).out.partition("### Failed requests for other jobs")
        assert "en_2 503 " in section
        assert f"request {refused} server error" in section
        assert "Failed requests" not in jobdeck("ticket", "en_2", env=env).out, "its own are among its exchanges"


@pytest.mark.posix
def test_a_ticket_can_be_written_to_a_private_file(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "ticket.md"
    ran = jobdeck("ticket", "--output", str(path), "--note", "it hangs", "op_failed", env=env)
    assert (ran.code, ran.out) == (0, "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "it hangs" in path.read_text()
    assert jobdeck("ticket", "--output", str(tmp_path / "no" / "x.md"), "op_failed", env=env).code == 2


def test_a_ticket_for_a_job_nobody_knows_says_so(env: dict[str, str]) -> None:
    assert jobdeck("ticket", "op_missing", env=env).code == 6


def test_discover_lists_jobs_of_both_apis(env: dict[str, str]) -> None:
    found = jobdeck("discover", "--json", env=env).objects
    assert {"op_done", "op_failed", "se_1", "d" * 24} <= {item["id"] for item in found}
    assert {item["profile"] for item in found} == {"thehog", "sonarly"}
    failed = jobdeck("discover", "--json", "--profile", "thehog", "--status", "failed", env=env).objects
    assert [item["id"] for item in failed] == ["op_failed"]
    assert jobdeck("discover", "--profile", "nobody", env=env).code == 2


def test_discover_says_when_a_list_cannot_be_read(env: dict[str, str]) -> None:
    ran = jobdeck("discover", env={**env, "THEHOG_BASE_URL": "http://127.0.0.1:9"})
    assert ran.code == 7
    assert "profile thehog: unreachable" in ran.err
    assert "d" * 24 in ran.out


def test_doctor_checks_each_part_with_masked_credentials(env: dict[str, str]) -> None:
    checks = {item["check"]: item for item in jobdeck("doctor", "--json", env=env).objects}
    assert {"version", "configuration", "thehog: request", "sonarly: request", "store", "clipboard"} <= checks.keys()
    assert checks["sonarly: SONARLY_API_KEY"]["found"] == "sk_live_…6789 from env:SONARLY_API_KEY"
    assert all(item["verdict"] != "failed" for item in checks.values())
    assert checks["clipboard"]["found"].startswith("OSC 52 (the terminal")
    inside = {item["check"]: item for item in jobdeck("doctor", "--json", env={**env, "TMUX": "/tmp/x,1,0"}).objects}
    assert inside["clipboard"]["found"] == "tmux load-buffer -w -"
    assert inside["notifications"]["found"].startswith("bell and ")


def test_doctor_fails_with_the_code_of_what_is_wrong(env: dict[str, str]) -> None:
    ran = jobdeck("doctor", env={**env, "SONARLY_BASE_URL": "http://127.0.0.1:9"})
    assert ran.code == 7
    assert "✗ sonarly: request" in ran.out
    bare = {key: value for key, value in env.items() if "KEY" not in key}
    assert jobdeck("doctor", env=bare).code == 2


@pytest.mark.posix
def test_the_database_and_its_folder_are_private(env: dict[str, str], tmp_path: Path) -> None:
    jobdeck("status", "op_done", env=env)
    folder = tmp_path / "data"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.glob("jobdeck.db*")} == {0o600}
    assert b"canary" not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_an_accepting_request_id_is_kept_and_found(env: dict[str, str]) -> None:
    body = {"id": "op_done", "pollUrl": "/api/operations/op_done", "meta": {"requestId": "accepting-1"}}
    jobdeck("status", "-", env=env, stdin=json.dumps(body))
    assert "accepted thehog:op_done" in jobdeck("requests", "accepting-1", env=env).out
    assert "- Accepted with request ID: `accepting-1`" in jobdeck("ticket", "op_done", env=env).out


def test_an_id_that_is_used_again_is_what_the_server_says_now(tmp_path: Path) -> None:
    ended = ["op_back", "op_stays", "op_fails"]
    scenario = Scenario(jobs=tuple(JobScript(id=id_, arrival=-60.0, duration=10.0) for id_ in ended))
    with ThreadedSimulator(scenario) as server:
        env = environment(server.url, tmp_path)
        assert {job["phase"] for job in jobdeck("status", "--json", *ended, env=env).objects} == {"succeeded"}
    back, stays, fails = scenario.jobs
    jobs = (replace(back, arrival=-1.0, duration=6.0), stays, replace(fails, outcome=Outcome.FAILED))
    with ThreadedSimulator(replace(scenario, jobs=jobs), server.port):
        looked = jobdeck("status", *ended, env=env)
        first, second, third = looked.out.splitlines()[1:]
        assert first.startswith("● running    thehog:op_back")
        assert second.startswith("✓ succeeded  thehog:op_stays")
        assert "anomaly" not in second
        assert third.startswith("✗ failed     thehog:op_fails")
        watched = jobdeck("watch", "op_back", "op_stays", env=env)
        assert "op_back  running -> succeeded" in watched.out or "op_back  first seen -> " in watched.out
        assert "op_stays  first seen -> succeeded" in watched.out
        waited = jobdeck("wait", "--json", *ended, env=env)
        assert [job["phase"] for job in waited.objects] == ["succeeded", "succeeded", "failed"]
        assert (looked.code, watched.code, waited.code) == (1, 0, 1)


def test_what_contradicts_an_end_that_is_remembered_is_named(tmp_path: Path) -> None:
    poll = "/api/operations/op_1"
    ends = [Say({"id": "op_1", "status": word}) for word in ("succeeded", "failed", "succeeded", "processing")]
    with scripted_apart({poll: ends}) as server:
        env = environment(server.url, tmp_path)
        assert jobdeck("wait", "op_1", env=env).code == 0
        failed = jobdeck("wait", "op_1", env=env)
        assert failed.code == 1
        assert re.search(r"anomaly: was succeeded at \d\d:\d\d:\d\dZ, the server now says failed", failed.out)
        assert jobdeck("status", "--json", "op_1", env=env).object["phase"] == "succeeded"
        again = jobdeck("status", "--json", "op_1", env=env)
        assert (again.code, again.object["phase"]) == (0, "running")
        assert "the server now says processing" in again.err
        timed = jobdeck("wait", "--timeout", "1s", "op_1", env=env)
        assert (timed.code, "1 of 1 unfinished" in timed.err) == (124, True)


def test_what_is_remembered_is_no_answer_when_none_comes(tmp_path: Path) -> None:
    with ThreadedSimulator(SCENARIO) as running:
        offline = environment(running.url, tmp_path)
        assert jobdeck("status", "op_done", "op_failed", env=offline).code == 1
    ran = jobdeck("status", "--json", "op_done", env=offline)
    assert (ran.object["phase"], ran.object["problem"]["kind"], ran.code) == ("succeeded", "network", 7)
    assert ran.object["age_seconds"] > 0.0
    assert re.search(r"✓ succeeded .* \d+s +", jobdeck("status", "op_done", env=offline).out), "with its age"
    waited = jobdeck("wait", "--json", "--timeout", "1s", "op_failed", env=offline)
    assert (waited.object["phase"], waited.object["problem"]["kind"], waited.code) == ("failed", "network", 124)
    said = jobdeck("wait", "--timeout", "1s", "op_done", env=offline).err
    assert "1 job: 1 not confirmed" in said
    assert "succeeded according to saved data, not confirmed: unreachable" in said
    assert "1 of 1 finished but not confirmed (unreachable: " in said


def test_a_clock_that_was_ahead_hides_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poll = "/api/operations/op_1"
    with scripted_apart({poll: [Say({"id": "op_1", "status": word}) for word in ("processing", "failed")]}) as server:
        env = environment(server.url, tmp_path)
        now = SystemClock.now
        with monkeypatch.context() as ahead:
            ahead.setattr(SystemClock, "now", lambda clock: replace(now(clock), us=now(clock).us + 10**13))
            assert jobdeck("status", "--json", "op_1", env=env).object["phase"] == "running"
        assert jobdeck("status", "--json", "op_1", env=env).object["phase"] == "failed"
        listed = jobdeck("history", "--json", env=env).object
        assert listed["phase"] == "failed"
