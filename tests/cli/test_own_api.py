"""APIs of one's own on the command line: described, asked, waited for, and a description tried on an answer."""

import asyncio
import json
from pathlib import Path

import pytest

from jobdeck.apis.pages import built_in_names
from jobdeck.app import discovery
from jobdeck.app.context import AppContext
from jobdeck.app.live_session import LiveSession
from jobdeck.domain.job import JobKey
from jobdeck.recording.entries import Added, Replied
from jobdeck.recording.reader import read_recording
from tests.cli.harness import Ran, environment, jobdeck
from tests.scripted_server import Say, Scripted, scripted_apart
from tests.unit.http.shapes import OPERATION, operation, run

CONFIG = """
default_profile = "own"
[providers.acme]
title = "Acme"
[providers.acme.job]
url = "/{team}/jobs/{id}"
[providers.acme.list]
url = "/{team}/jobs"
items = "$[*]"
limit_parameter = "n"
newest_first = true
[providers.acme.fields]
id = "$.id"
status = "$.state"
progress = "$.done"
progress_total = "$.of"
progress_unit = "count"
request_id = "$.rid"
[providers.acme.stages]
items = "$.steps[*]"
name = "$.name"
status = "$.state"
[providers.acme.phases]
running = ["busy"]
succeeded = ["ok"]
partial = ["half"]
[profiles.own]
provider = "acme"
base_url = "URL"
token = "env:ACME_TOKEN"
requests_per_minute = 6000
variables = { team = "blue" }
[profiles.ci]
provider = "github-actions"
base_url = "URL"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def told(home: Path, server: Scripted | None, *arguments: str, config: str = CONFIG, stdin: str = "") -> Ran:
    url = server.url if server is not None else "https://own.example"
    path = home / "config.toml"
    path.write_text(config.replace("URL", url))
    path.chmod(0o600)
    env = {**environment(url, home), "JOBDECK_CONFIG": str(path), "ACME_TOKEN": "tok_canary_0123456789"}
    return jobdeck(*arguments, env=env, stdin=stdin)


BUSY = {"id": "1", "state": "busy", "done": 3, "of": 4, "rid": "r-1", "steps": [{"name": "load", "state": "ok"}]}


def test_a_screen_on_what_was_started_lately_asks_only_apis_that_can_tell(home: Path) -> None:
    async def look() -> None:
        env = {"ACME_TOKEN": "tok_canary_0123456789"}
        session = LiveSession(AppContext(env, home / "config.toml", keep=False), (), lists=True)
        engine = await session.start()
        assert [key.id for key in engine.jobs] == ["7"]
        assert session.notices == ()
        await session.close()

    with scripted_apart({"/blue/jobs": [Say([{"id": "7", "state": "ok"}])]}) as server:
        told(home, server, "history")
        asyncio.run(look())


def test_a_refusal_that_is_a_rate_limit_in_words_is_waited_for(home: Path) -> None:
    limited = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4312", "retry-after": "1"}
    path = "/repos/o/r/actions/runs/30433642"
    script = {path: [Say(run("in_progress", None)), Say(limited, 403, headers), Say(run("completed", "success"))]}
    with scripted_apart(script) as server:
        ran = told(home, server, "wait", "--json", "ci:o/r/30433642", "--timeout", "60")
    assert (ran.code, ran.object["phase"]) == (0, "succeeded"), ran.err
    assert len(server.asked(path)) == 3


def test_jobs_of_described_apis_from_status_to_wait(home: Path) -> None:
    script = {
        "/blue/jobs/1": [Say(BUSY), Say({"id": "1", "state": "half", "rid": "r-2"})],
        "/red/jobs/2": [Say({"id": "9", "state": "ok"})],
        "/repos/o/r/actions/runs/30433642": [Say(run("completed", "failure"), headers={"x-github-request-id": "GH:1"})],
        "/blue/jobs": [Say([{"id": "7", "state": "ok"}, {"state": "ok"}])],
    }
    with scripted_apart(script) as server:
        seen = told(home, server, "status", "--json", "1")
        assert (seen.code, seen.object["phase"], seen.object["progress"]) == (0, "running", 0.75)
        assert (seen.object["provider"], seen.object["account_group"]) == ("acme", "blue")
        assert (seen.object["kind"], seen.object["request_id"]) == ("job", "r-1")
        assert seen.object["stages"] == [{"name": "load", "status": "ok", "phase": "succeeded", "progress": None}]

        waited = told(home, server, "wait", "--json", f"{server.url}/blue/jobs/1")
        assert (waited.code, waited.object["status"]) == (3, "half")

        other = told(home, server, "status", "red/2")
        assert other.code == 7
        assert "the response is for another job: 9 instead of 2" in other.out

        run_ = told(home, server, "status", "--json", f"{server.url}/repos/o/r/actions/runs/30433642")
        assert (run_.code, run_.object["phase"], run_.object["request_id"]) == (1, "failed", "GH:1")
        assert run_.object["account_group"] == "o/r"

        piped = told(home, server, "status", "--json", "-", stdin='{"id": "1", "rid": "r-0"}')
        assert piped.object["accepted_request_id"] == "r-0"

        answered = f"HTTP/1.1 202 Accepted\r\nLocation: {server.url}/blue/jobs/1\r\nX-Request-Id: r-9\r\n\r\n"
        headed = told(home, server, "status", "--json", "-", stdin=answered)
        assert (headed.object["id"], headed.object["accepted_request_id"]) == ("1", "r-9")
        there = told(home, server, "status", "--json", "ci:-", stdin='{"id": 30433642, "repo": "o/r"}')
        assert "GitHub Actions jobs are written owner/repo/ID" in there.err
        here = told(home, server, "status", "--json", "own:-", stdin="1\n", config=CONFIG.replace('"own"', '"ci"', 1))
        assert here.object["profile"] == "own"
        assert told(home, server, "status", "nix:-").code == 2

        ticket = told(home, server, "ticket", "1")
        assert "Bearer $ACME_TOKEN" in ticket.out
        assert "- API: `acme`" in ticket.out

        found = told(home, server, "discover")
        assert (found.code, found.err) == (0, "jobdeck: profile own: 1 of 2 rows could not be read: nothing at $.id\n")
        assert "own:blue/7" in found.out
        assert [dict(asked.query) for asked in server.asked("/blue/jobs")] == [{"n": "20"}]
        refused = told(home, server, "discover", "--profile", "ci")
        assert (refused.code, refused.out) == (2, "")
        assert "profile ci: listing GitHub Actions jobs needs owner, repo in [profiles.ci.variables]" in refused.err

        doctor = told(home, server, "doctor", "--json", "--no-store")
        checks = {check["check"]: check for check in doctor.objects}
        assert checks["APIs"]["found"] == (
            f"acme ({home / 'config.toml'}); {len(built_in_names())} built in (run 'jobdeck apis' for a list)"
        )
        assert checks["ci: credentials"] == {
            "check": "ci: credentials", "verdict": "ok", "found": "none needed",
        }  # fmt: skip
        assert "listing GitHub Actions jobs needs owner, repo" in checks["ci: request"]["found"]
        assert "responded with 200" in checks["own: request"]["found"]
        assert checks["own: limits"]["found"] == "6000/min configured; server reports no limit"
        kept = told(home, server, "doctor", "--json", "--profile", "own").objects
        assert any(check["found"].endswith("no limit; in effect: poll 6000/min") for check in kept)
        assert doctor.code == 0


def test_a_job_with_a_place_is_recorded_and_read_again(home: Path) -> None:
    path = home / "seen.jobdeck"
    script = {"/repos/octocat/.github/actions/runs/30433642": [Say(run("completed", "success"))]}
    with scripted_apart(script) as server:
        ran = told(home, server, "watch", "--record", str(path), "ci:octocat/.github/30433642")
    assert ran.code == 0
    targets = [timed.entry.target for timed in read_recording(path).entries if isinstance(timed.entry, Added)]
    assert [(target.key, target.resource) for target in targets] == [
        (JobKey("ci", "octocat/.github", "30433642"), "job")
    ]


def test_how_an_answer_is_read_field_by_field(home: Path) -> None:
    body = home / "body.json"
    body.write_text(json.dumps(BUSY))
    shown = told(home, None, "doctor", "--provider", "acme", "--body", str(body))
    assert shown.code == 0
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["status", "$.state", '"busy"'] in lines
    assert ["progress_total", "$.of", "4"] in lines
    assert ["phase", "running", "(unfinished)"] in lines
    assert ["progress", "75.0%"] in lines
    assert ["stage", "load", "succeeded", "(ok)"] in lines
    assert ["request", "ID", "r-1"] in lines
    assert shown.out.startswith(f"acme, defined in {home / 'config.toml'}\n")


def test_an_answer_as_json_by_a_built_in_description_without_any_configuration(home: Path) -> None:
    env = environment("https://own.example", home)
    body = json.dumps(operation(done=True, error={"code": 1, "message": "gone"}))
    told = jobdeck("doctor", "--json", "--provider", "google-lro", "--body", "-", env=env, stdin=body).object
    fields = {field["field"]: field for field in told["fields"]}
    assert fields["id"] == {"field": "id", "paths": ["$.name"], "found": True, "value": OPERATION, "note": None}
    assert fields["result"] == {"field": "result", "paths": ["$.response"], "found": False, "value": None, "note": None}
    assert (told["job"]["phase"], told["job"]["status"], told["job"]["progress"]) == ("cancelled", "done", 0.34)
    assert told["problem"] is None


def test_an_answer_that_is_no_job_says_where_nothing_was_and_exits_with_1(home: Path) -> None:
    ran = told(home, None, "doctor", "--provider", "acme", "--body", "-", stdin='{"id": "1", "status": "ok"}')
    assert ran.code == 1
    assert "nothing at $.state" in ran.out
    assert "not a job: unexpected response: the response has no status: no string at $.state" in ran.out
    html = told(home, None, "doctor", "--json", "--provider", "acme", "--body", "-", stdin="<html>")
    assert (html.code, html.object["job"], html.object["problem"]["kind"]) == (1, None, "not_json")
    rows = told(home, None, "doctor", "--provider", "acme", "--body", "-", stdin='[{"id": "7", "state": "ok"}]')
    assert rows.code == 0
    assert "a list of 1 job\n" in rows.out


def test_a_list_says_what_of_it_cannot_be_read_and_where_its_next_page_is(home: Path) -> None:
    paged = CONFIG.replace('items = "$[*]"', 'items = "$.jobs[*]"\ncursor = "$.next"\ncursor_parameter = "after"')
    shown = ("doctor", "--provider", "acme", "--body", "-")
    rows = {"jobs": [{"id": "7", "state": "ok"}, {"id": "8"}], "next": "/blue/jobs?after=p2"}
    ran = told(home, None, *shown, config=paged, stdin=json.dumps(rows))
    assert ran.code == 0
    assert "1 of 2 rows could not be read: the response has no status: no string at $.state\n" in ran.out
    assert "next page: p2\n" in ran.out
    wrong = told(home, None, *shown, config=paged, stdin='{"jobs": [{"job": {"id": "7"}}]}')
    assert wrong.code == 1
    assert "not a list of jobs: none of 1 rows could be read: nothing at $.id\n" in wrong.out
    other = told(home, None, *shown, config=paged, stdin='{"runs": []}')
    assert "not a list of jobs: nothing at $.jobs[*]\n" in other.out


def test_a_server_that_gives_the_same_page_again_is_not_asked_for_it_for_ever(home: Path) -> None:
    config = CONFIG.replace('items = "$[*]"', 'items = "$.jobs[*]"\ncursor = "$.next"\ncursor_parameter = "after"')
    with scripted_apart({"/blue/jobs": [Say({"jobs": [{"id": "7", "state": "ok"}], "next": 2})]}) as server:
        found = told(home, server, "discover", "--json", "--limit", "50", config=config)
        assert (found.code, found.object["id"]) == (0, "7")
        assert [asked.query.get("after") for asked in server.asked("/blue/jobs")] == [None, "2"]


def test_numbered_pages_are_asked_for_until_one_is_not_full(home: Path) -> None:
    def config(way: str) -> str:
        return CONFIG.replace('limit_parameter = "n"', f'limit_parameter = "n"\npage = 2\n{way}_parameter = "{way}"')

    def rows(*ids: str) -> Say:
        return Say([{"id": each, "state": "ok"} for each in ids])

    for way, asked in (("page", [None, "2", "3"]), ("offset", [None, "2", "4"])):
        with scripted_apart({"/blue/jobs": [rows("6", "5"), rows("4", "3"), rows("2")]}) as server:
            found = told(home, server, "discover", "--json", "--limit", "7", config=config(way))
            assert [each["id"] for each in found.objects] == ["6", "5", "4", "3", "2"]
            assert [request.query.get(way) for request in server.asked("/blue/jobs")] == asked
            assert {request.query["n"] for request in server.asked("/blue/jobs")} == {"2"}
    with scripted_apart({"/blue/jobs": [rows("6", "5"), rows("4", "3")]}) as server:
        found = told(home, server, "discover", "--json", "--limit", "3", config=config("page"))
        assert [each["id"] for each in found.objects] == ["6", "5", "4"]


def test_jobs_of_all_teams_are_listed_page_by_page_up_to_a_number_that_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIG.replace('variables = { team = "blue" }', "").replace(
        "[providers.acme.job]",
        """[providers.acme.variables.team]
url = "/teams"
items = "$.teams[*]"
value = "$.slug"
cursor = "$.next"
cursor_parameter = "after"
[providers.acme.job]""",
    )
    teams = ("blue", "red", "green", "grey")
    pages = [
        Say({"teams": [{"slug": "blue"}, {"slug": "red"}], "next": "p2"}),
        Say({"teams": [{"slug": "green"}], "next": "p3"}),
        Say({"teams": [{"slug": "grey"}], "next": None}),
    ]
    jobs = {f"/{team}/jobs": [Say([{"id": team, "state": "ok"}])] for team in teams}
    with scripted_apart({"/teams": list(pages), **jobs}) as server:
        found = told(home, server, "discover", "--json", config=config)
        assert [each["account_group"] for each in found.objects] == list(teams)
        assert (found.code, found.err) == (0, "")
        assert [asked.query.get("after") for asked in server.asked("/teams")] == [None, "p2", "p3"]
        sent = told(home, server, "requests", "--json", config=config).objects
        assert [item["state"] for item in sent] == ["answered"] * 7
    monkeypatch.setattr(discovery, "MAX_VALUES", 3)
    with scripted_apart({"/teams": list(pages), **jobs}) as server:
        found = told(home, server, "discover", "--json", config=config)
        assert [each["account_group"] for each in found.objects] == list(teams[:3])
        assert found.err == "jobdeck: profile own: listed only the jobs of the first 3 teams\n"
    with scripted_apart({"/teams": [pages[0], Say({}, 500)], **jobs}) as server:
        found = told(home, server, "discover", "--json", config=config)
        assert [each["account_group"] for each in found.objects] == list(teams[:2])
        assert (found.code, "server error" in found.err) == (7, True)


def test_a_list_that_is_described_wrongly_is_a_problem_and_no_empty_list(home: Path) -> None:
    with scripted_apart({"/blue/jobs": [Say([{"job": {"id": "7", "state": "ok"}}])]}) as server:
        found = told(home, server, "discover")
    assert found.code == 7
    assert found.err == "jobdeck: profile own: unexpected response: none of 1 rows could be read: nothing at $.id\n"


def test_a_job_that_is_asked_for_by_a_parameter(home: Path) -> None:
    config = CONFIG.replace('url = "/{team}/jobs/{id}"', 'url = "/{team}/get"\nquery = { run_id = "{id}" }')
    with scripted_apart({"/blue/get": [Say({"id": "7", "state": "ok"})]}) as server:
        seen = told(home, server, "status", "--json", f"{server.url}/blue/get?run_id=7", config=config)
        assert (seen.code, seen.object["account_group"], seen.object["id"]) == (0, "blue", "7")
        assert [asked.query_string for asked in server.asked("/blue/get")] == ["run_id=7"]
        assert f"'{server.url}/blue/get?run_id=7'" in told(home, server, "ticket", "7", config=config).out


def test_an_answer_saved_with_its_head_tells_the_ids_of_its_headers(home: Path) -> None:
    saved = "HTTP/1.1 200 OK\r\nX-Request-Id: r-7\r\nX-Trace-Id: t-7\r\n\r\n" + json.dumps({**BUSY, "rid": None})
    shown = told(home, None, "doctor", "--json", "--provider", "acme", "--body", "-", stdin=saved)
    assert (shown.code, shown.object["job"]["request_id"], shown.object["job"]["trace_id"]) == (0, "r-7", "t-7")
    own = saved.replace('"rid": null', '"rid": "r-1"')
    assert told(home, None, "doctor", "--json", "--provider", "acme", "--body", "-", stdin=own).object["job"][
        "request_id"
    ] == "r-1"  # fmt: skip


def test_a_saved_refusal_is_one_and_an_error_of_a_success_is_pointed_out(home: Path) -> None:
    saved = 'HTTP/1.1 404 Not Found\r\nX-Request-Id: r-7\r\n\r\n{"detail": "no such job\\u001b"}'
    refused = told(home, None, "doctor", "--provider", "acme", "--body", "-", stdin=saved)
    assert refused.code == 1
    assert refused.out.endswith("\n\nnot a job: not found: no such job\\x1b\n")
    config = CONFIG.replace("[providers.acme.stages]", 'error = "$.why"\n[providers.acme.stages]')
    body = '{"id": "1", "state": "ok", "why": {"code": "E1", "message": "it broke"}}'
    good = told(home, None, "doctor", "--provider", "acme", "--body", "-", config=config, stdin=body)
    assert good.code == 0
    assert "E1 it broke   (but succeeded; see phases.done)\n" in good.out


def test_a_saved_answer_that_is_a_rate_limit_in_words_is_called_one(home: Path) -> None:
    body = '{"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}'
    limits = '[providers.acme.rate_limit]\nmessages = ["Throttled"]\n[providers.acme.stages]'
    config = CONFIG.replace("[providers.acme.stages]", limits)
    ran = told(home, None, "doctor", "--provider", "acme", "--body", "-", config=config, stdin=body)
    assert ran.code == 1
    assert "not a job: rate limited: Throttled\n" in ran.out


def test_what_was_found_and_not_read_is_said_beside_it(home: Path) -> None:
    body = {"id": "1", "state": "odd", "done": "3/4", "of": 4}
    ran = told(home, None, "doctor", "--provider", "acme", "--body", "-", stdin=json.dumps(body))
    assert ran.code == 0
    assert '"odd"   (not in any phase)\n' in ran.out
    assert '"3/4"   (ignored: not all numbers or lists)\n' in ran.out


@pytest.mark.parametrize(
    ("change", "arguments", "told_"),
    [
        (('state"', 'state["'), ("status", "1"), "[providers.acme.fields]: status is not a valid JSONPath"),
        (("succeeded =", "suceeded ="), ("status", "1"), "[providers.acme.phases]: unknown key suceeded"),
        (("jobs/{id}", "jobs"), ("doctor", "--provider", "acme", "--body", "-"), "url must contain {id}"),
        (("", ""), ("doctor", "--provider", "acne", "--body", "-"), "did you mean acme?"),
        (("", ""), ("doctor", "--provider", "acme"), "--provider and --body must be used together"),
        (("", ""), ("doctor", "--body", "-"), "--provider and --body must be used together"),
        (("", ""), ("doctor", "--provider", "acme", "--body", "/nowhere.json"), "no such file: /nowhere.json"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(
    home: Path, change: tuple[str, str], arguments: tuple[str, ...], told_: str
) -> None:
    ran = told(home, None, *arguments, config=CONFIG.replace(*change, 1) if change[0] else CONFIG)
    assert (ran.code, ran.out) == (2, "")
    assert told_ in ran.err


PARTED = CONFIG.replace("[providers.acme.stages]", '[providers.acme.stages]\nurl = "/{team}/jobs/{id}/steps"')
PARTED = PARTED.replace('jobs/{id}"\n', 'jobs/{id}"\ninterval = "1s"\n', 1)
PARTED += """
[providers.acme.result]
url = "$.out"
path = "$.rows"
[[hooks]]
run = ["/bin/sh", "-c", "cat > HOME/told.json"]
"""
OVER = {"id": "1", "state": "ok", "out": "/out/1", "rid": "r-1"}
STEPS = {"steps": [{"name": "load", "state": "ok"}]}


def test_status_wait_ticket_and_hooks_have_what_other_answers_tell(home: Path) -> None:
    config = PARTED.replace("HOME", str(home))
    script = {
        "/blue/jobs/1": [Say({"id": "1", "state": "busy"}), Say(OVER)],
        "/blue/jobs/1/steps": [Say(STEPS)],
        "/out/1": [Say({"rows": 7}, headers={"x-request-id": "r-out"})],
    }
    path = home / "seen.jobdeck"
    with scripted_apart(script) as server:
        waited = told(home, server, "wait", "--json", "1", "--record", str(path), config=config)
        assert (waited.code, waited.object["result"], len(waited.object["stages"])) == (0, 7, 1)
        assert len(server.requests) == 4
        hook = json.loads((home / "told.json").read_text())
        seen = told(home, server, "status", "--json", "1", config=config)
        assert (seen.code, seen.object["result"], seen.object["request_id"]) == (0, 7, "r-1")
        assert [stage["name"] for stage in seen.object["stages"]] == ["load"]
        ticket = told(home, server, "ticket", "1", "--include-result", config=config)
        record = told(home, server, "requests", "r-out", config=config)
    assert hook["stages"] == waited.object["stages"]
    assert "/out/1 200" in ticket.out
    assert "own:blue/1" in record.out
    parts = [timed.entry for timed in read_recording(path).entries if isinstance(timed.entry, Replied)]
    assert [reply.exchange.part and reply.exchange.part.part for reply in parts] == [None, None, "stages", "result"]


def test_a_result_that_cannot_be_had_is_said_and_the_exit_code_stays(home: Path) -> None:
    config = PARTED.replace("HOME", str(home))
    script = {"/blue/jobs/1": [Say({**OVER, "out": "https://evil.example/1"})], "/blue/jobs/1/steps": [Say(STEPS)]}
    with scripted_apart(script) as server:
        ran = told(home, server, "status", "--json", "1", config=config)
        waited = told(home, server, "wait", "1", config=config)
    assert (ran.code, ran.object["phase"], ran.object["result"], ran.object["problem"]) == (0, "succeeded", None, None)
    assert "anomaly: result not fetched: its URL is on https://evil.example, not" in ran.err
    assert waited.code == 0
    assert "result not fetched" in waited.err


def test_the_answer_with_a_part_of_a_job_is_read_as_one(home: Path) -> None:
    shown = ("doctor", "--provider", "acme", "--body", "-")
    job = told(home, None, *shown, config=PARTED, stdin=json.dumps(OVER))
    assert "result      in a separate response, at /out/1\n" in job.out
    assert "stages      in a separate response\n" in job.out
    steps = told(home, None, *shown, config=PARTED, stdin=json.dumps(STEPS))
    assert (steps.code, "the stages of a job\n" in steps.out) == (0, True)
    assert "stage load  succeeded (ok)\n" in steps.out
    as_json = told(home, None, *shown, "--json", config=PARTED, stdin='{"rows": [1]}').object
    assert (as_json["part"], as_json["job"], as_json["problem"]) == (
        {"name": "result", "stages": [], "has_result": True},
        None,
        None,
    )
