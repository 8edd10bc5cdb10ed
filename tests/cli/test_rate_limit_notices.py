"""A server that asked to be left alone for long: every command that takes one look says so at once, and ends."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.simulator.scenario import Fault, FaultKind, JobScript, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck

PATIENCE = 150.0
"""Seconds in which a command that does not wait has ended, on a machine with much else to do."""

SILENCE = r"no requests until \d\d:\d\d:\d\dZ \(in \d+m\d\ds\)"
TOLD = re.compile(f"profile thehog: rate limited(; the server asked to wait 13m20s)?; {SILENCE}")


def scenario(retry_after: str) -> Scenario:
    jobs = [JobScript(id=f"op_{name}", resource=Resource.OPERATION, queued_for=1e6) for name in ("seen", "limited")]
    done = JobScript(id="op_done", resource=Resource.OPERATION, arrival=-100.0, duration=10.0)
    fault = Fault(FaultKind.STATUS, job="op_limited", status=429, retry_after=retry_after, count=1)
    return Scenario(jobs=(*jobs, done), faults=(fault,))


@pytest.fixture
def server() -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(scenario("800")) as running:
        yield running


@pytest.fixture
def env(server: ThreadedSimulator, tmp_path: Path) -> dict[str, str]:
    env = environment(server.url, tmp_path)
    assert jobdeck("status", "op_seen", "op_done", env=env).code == 0
    assert jobdeck("status", "op_limited", env=env).code == 7
    return env


def test_a_status_answers_at_once_with_what_is_remembered(env: dict[str, str], server: ThreadedSimulator) -> None:
    sent, started = len(server.requests), time.monotonic()
    ran = jobdeck("status", "--json", "op_seen", "op_limited", "op_done", env=env)
    assert time.monotonic() - started < PATIENCE
    assert TOLD.search(ran.err), ran.err
    assert ran.err.count("no requests") == 1, "said once"
    assert len(server.requests) == sent, "nothing was asked"
    jobs = {found["id"]: found for found in ran.objects}
    assert {found["problem"]["kind"] for found in jobs.values()} == {"rate_limit"}
    assert all(found["problem"]["retry_at"] for found in jobs.values())
    assert (jobs["op_seen"]["status"], jobs["op_done"]["status"]) == ("queued", "succeeded"), "the last good state"
    assert jobs["op_seen"]["age_seconds"] is not None
    assert ran.code == 7
    assert jobdeck("status", "op_done", env=env).code == 7, "what is remembered is no response"
    table = jobdeck("status", "op_seen", env=env, process=True)
    assert "rate limited: not polled, no requests until" in table.out


def test_a_look_that_earns_the_silence_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    with ThreadedSimulator(scenario("800")) as server:
        config = tmp_path / "slow.toml"
        config.write_text(
            '[profiles.thehog]\nprovider = "thehog"\nrequests_per_minute = 1\n'
            f'base_url = "{server.url}"\naccess_key = "env:THE_HOG_ACCESS_KEY"\nsecret_key = "env:THE_HOG_SECRET_KEY"\n'
        )
        started = time.monotonic()
        ran = jobdeck(
            "status", "--json", "--config", str(config), "op_limited", "op_limited2", env=environment("", tmp_path)
        )
    assert time.monotonic() - started < PATIENCE
    assert [found["problem"]["kind"] for found in ran.objects] == ["rate_limit"] * 2
    assert TOLD.search(ran.err), ran.err


def test_a_ticket_is_made_of_what_is_remembered(env: dict[str, str], server: ThreadedSimulator) -> None:
    sent, started = len(server.requests), time.monotonic()
    seen = jobdeck("ticket", "op_seen", env=env)
    assert (seen.code, TOLD.search(seen.err) is not None) == (0, True)
    assert "queued" in seen.out
    assert jobdeck("ticket", "op_never", env=env).code == 7
    assert time.monotonic() - started < PATIENCE
    assert len(server.requests) == sent


def test_lists_and_the_doctor_do_not_wait_either(env: dict[str, str], server: ThreadedSimulator) -> None:
    sent, started = len(server.requests), time.monotonic()
    ran = jobdeck("discover", "--profile", "thehog", "--json", env=env)
    assert (ran.code, ran.out) == (7, "")
    assert TOLD.search(ran.err), ran.err
    assert "rate limited: not polled" in ran.err
    checked = jobdeck("doctor", "--profile", "thehog", env=env)
    assert checked.code == 7
    assert "rate limited: not polled" in checked.out
    assert TOLD.search(checked.err), checked.err
    assert time.monotonic() - started < PATIENCE
    assert len(server.requests) == sent


def test_a_short_silence_is_told_and_waited_for(tmp_path: Path) -> None:
    with ThreadedSimulator(scenario("4")) as server:
        env = environment(server.url, tmp_path)
        jobdeck("status", "op_limited", env=env)
        ran = jobdeck("status", "--json", "op_seen", env=env)
        assert (ran.code, ran.object["status"], ran.object["problem"]) == (0, "queued", None)
        assert "rate limited; no requests until" in ran.err
