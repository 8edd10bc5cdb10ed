"""``jobdeck wait`` and ``watch``: scripts that depend on an end."""

import errno
import json
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest

from jobdeck.cli.commands import wait
from jobdeck.domain import humanize
from jobdeck.engine import memory
from jobdeck.simulator.scenario import Api, Endpoint, Fault, FaultKind, JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.builders import make_job
from tests.cli.harness import GROUP, environment, jobdeck
from tests.support.clocks import simulated_from_first_request
from tests.support.forked import Piped

ENRICHMENT = Resource.ENRICHMENT
SCENARIO = Scenario(
    jobs=(
        JobScript(id="en_soon", resource=ENRICHMENT, arrival=-1.0, duration=3.0),
        JobScript(id="en_fails", resource=ENRICHMENT, arrival=-20.0, duration=9.0, outcome=Outcome.FAILED),
        JobScript(id="en_half", resource=ENRICHMENT, arrival=-20.0, duration=9.0, outcome=Outcome.PARTIAL_SUCCESS),
        JobScript(id="en_gone", resource=ENRICHMENT, arrival=-20.0, duration=9.0, outcome=Outcome.CANCELLED),
        JobScript(id="en_never", resource=ENRICHMENT, outcome=Outcome.NEVER, duration=1e6),
        JobScript(id="en_flaky", resource=ENRICHMENT, arrival=-20.0, duration=9.0),
        JobScript(id="en_closed", resource=ENRICHMENT),
        JobScript(id="en_later", resource=ENRICHMENT, arrival=1e6),
    ),
    faults=(
        Fault(FaultKind.STATUS, job="en_flaky", status=503, count=2),
        Fault(FaultKind.STATUS, job="en_closed", status=401),
    ),
)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    with simulated_from_first_request(SCENARIO) as running:
        yield environment(running.url, tmp_path)


def path(id_: str) -> str:
    return f"/api/enrichments/{id_}"


@pytest.mark.parametrize(
    ("ids", "options", "code"),
    [
        (["en_soon"], [], 0),
        (["en_soon", "en_fails"], [], 1),
        (["en_half", "en_soon"], [], 3),
        (["en_gone"], [], 5),
        (["en_flaky"], [], 0),
        (["en_closed"], [], 4),
        (["en_nowhere"], [], 6),
        (["en_never"], ["--timeout", "1s"], 124),
        (["en_never", "en_half"], ["--any"], 3),
        (["en_never", "en_fails"], ["--fail-fast"], 1),
        (["en_later"], ["--appear", "10m", "--timeout", "2s"], 124),
    ],
)
def test_the_exit_code_of_a_wait_tells_how_it_ended(
    env: dict[str, str], ids: list[str], options: list[str], code: int
) -> None:
    ran = jobdeck("wait", "--json", *options, *map(path, ids), env=env)
    assert ran.code == code
    assert [item["id"] for item in ran.objects] == ids


def test_a_result_that_memory_has_no_room_for_is_printed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory.ResultBudget.__init__, "__defaults__", (1,))
    monkeypatch.setattr(wait, "IN_MEMORY", 10)
    first = JobScript(id="en_first", resource=ENRICHMENT, arrival=-20.0, duration=9.0)
    jobs = (first, JobScript(id="en_second", resource=ENRICHMENT, arrival=-1.0, duration=3.0))
    with ThreadedSimulator(Scenario(jobs=jobs)) as running:
        ran = jobdeck("wait", "--json", *(path(job.id) for job in jobs), env=environment(running.url, tmp_path))
    assert (ran.code, ran.err) == (0, "")
    assert [bool(item["result"]) for item in ran.objects] == [True, True]


def test_a_result_that_could_not_be_kept_until_the_end_is_said_to_be_missing() -> None:
    with closing(wait.ResultFile()) as kept:
        first, second = (replace(make_job(name), result=f'"{name}\ud800"') for name in ("op_1", "op_2"))
        kept.put(first)
        kept.put(first)
        assert kept.whole(first.without_result()).result == first.result
        with mock.patch.object(kept, "_file", mock.Mock(**{"write.side_effect": OSError(errno.ENOSPC, "No space")})):
            kept.put(second)
        assert kept.error is not None
        gone = second.without_result()
        assert kept.whole(gone) is gone
        assert humanize.describe_evicted_result(gone.evicted_result) == "result 7 B, no longer in memory"


@pytest.mark.parametrize("command", ["wait", "watch"])
def test_a_key_that_is_refused_on_the_way_is_told_by_the_exit_code(command: str, tmp_path: Path) -> None:
    jobs = tuple(JobScript(id=f"en_{number}", resource=ENRICHMENT, duration=1e5) for number in range(10))
    refused = Fault(FaultKind.STATUS, endpoint=Endpoint.LIST, status=401, start=3.0)
    with ThreadedSimulator(Scenario(jobs=jobs, faults=(refused,))) as running:
        ran = jobdeck(command, "--json", *(path(job.id) for job in jobs), env=environment(running.url, tmp_path))
    assert ran.code == 4
    if command == "wait":
        assert {item["problem"]["kind"] for item in ran.objects} == {"auth"}


def test_a_wait_tells_changes_in_lines(env: dict[str, str]) -> None:
    out = jobdeck("wait", path("en_soon"), env=env).out
    assert "thehog:en_soon  first seen -> running" in out
    assert "-> succeeded  request " in out


@pytest.mark.parametrize("command", [["wait", "--fail-fast"], ["watch"]])
def test_the_line_of_a_failure_has_its_reason_and_the_id_that_support_asks_for(command: list[str]) -> None:
    script = {"arrival": -20.0, "duration": 22.0, "outcome": Outcome.FAILED}
    job = JobScript(Api.SONARLY, Resource.PROSPECTING, id="0" * 24, **script)
    jobs = (JobScript(id="en_fails", resource=ENRICHMENT, **script), job)
    with simulated_from_first_request(Scenario(jobs=jobs)) as running, TemporaryDirectory() as home:
        env = environment(running.url, Path(home))
        ran = jobdeck(*command, path("en_fails"), env=env)
        other = jobdeck(*command, f"sonarly:{GROUP}/{job.id}", env=env)
    (line,) = (line for line in ran.out.splitlines() if "running -> failed" in line)
    assert re.search(r"-> failed  [A-Z_]+ .*  request [0-9a-f-]{36}$", line)
    assert re.search(r"(-> failed|  failed:) .*[A-Z_]+ .*  trace [0-9a-f]{24}$", other.out, re.MULTILINE)
    if command[0] == "wait":
        first, second = ran.err.splitlines()
        assert first == "jobdeck: 1 job: 1 failed"
        assert re.fullmatch(r"  thehog:en_fails  failed: [A-Z_]+ .*  request [0-9a-f-]{36}", second)


def test_a_watch_gives_one_object_a_change_and_ends_with_the_jobs(env: dict[str, str]) -> None:
    ran = jobdeck("watch", "--json", path("en_soon"), path("en_half"), env=env)
    assert ran.code == 3
    changes = [item["change"]["event"] for item in ran.objects]
    assert changes.count("added") == 2
    assert changes.count("phase") >= 3
    assert {item["phase"] for item in ran.objects if item["id"] == "en_soon"} >= {"running", "succeeded"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_a_signal_ends_a_watch_with_its_code_and_all_on_record(
    env: dict[str, str], number: signal.Signals, code: int
) -> None:
    with closing(Piped("watch", "--json", path("en_never"), env=env)) as process:
        seen = json.loads(process.line())
        while seen["change"]["event"] != "phase":
            seen = json.loads(process.line())
        process.send_signal(number)
        assert process.wait(150) == code
        assert "Traceback" not in process.said
    kept = jobdeck("requests", "--json", env=env).objects
    assert seen["request_id"] in {item["request_id"] for item in kept}


def test_wrong_durations_are_refused(env: dict[str, str]) -> None:
    ran = jobdeck("wait", "--timeout", "soon", path("en_soon"), env=env)
    assert ran.code == 2
    assert "45s, 30m or 1h30m" in ran.err


def test_a_wait_that_timed_out_says_what_was_never_seen_and_why(env: dict[str, str]) -> None:
    ran = jobdeck("wait", "--timeout", "1s", path("en_never"), env={**env, "THEHOG_BASE_URL": "http://127.0.0.1:9"})
    assert ran.code == 124
    assert "timed out with 1 of 1 unfinished, 1 with no data (unreachable: " in ran.err
    assert jobdeck("wait", "--timeout", "2s", path("en_never"), env=env).err.endswith(
        "timed out with 1 of 1 unfinished\n"
    )
