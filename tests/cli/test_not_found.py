"""Not found takes time, not looks: a job that the server does not know yet, or for some seconds, ends no wait."""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from jobdeck.apis.target_input import parse_input
from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext, ListPolicy
from jobdeck.cli.commands.wait import ResultFile, Waiting
from jobdeck.cli.exit_codes import ExitCode, exit_code
from jobdeck.cli.headless import run_headless
from jobdeck.domain.job import Target
from tests.cli.harness import environment, jobdeck
from tests.engine.running import PATIENCE, settings_for
from tests.scripted_server import Say, scripted, scripted_apart
from tests.support.clocks import FastClock

POLL = "/api/operations/op_1"
GONE = Say({"message": "no such operation", "statusCode": 404}, 404)
GOING = Say({"id": "op_1", "status": "processing"})
DONE = Say({"id": "op_1", "status": "succeeded"})


async def waited(
    script: Sequence[Say], *, retry_after: str | None = None, appear: float | None = None
) -> tuple[ExitCode, float]:
    """Wait for the job, accepted with `retry_after` or named by its ID; returns the code, and how many seconds it took.

    They are seconds of a clock twenty times as fast.
    """
    clock = FastClock(20.0)
    async with scripted({POLL: script}) as server, asyncio.timeout(PATIENCE):
        context = AppContext({}, settings=settings_for(server.url), clock=clock, keep=False)
        targets: tuple[Target, ...] = (parse_target("op_1", context.registry),)
        if retry_after is not None:
            answer = f'HTTP/1.1 202 Accepted\r\nretry-after: {retry_after}\r\n\r\n{{"id": "op_1"}}\n'
            targets = parse_input(answer.encode(), context.registry).targets
        begun = clock.now()
        with closing(ResultFile()) as results:
            arguments = argparse.Namespace(json=True, any=False, fail_fast=False, appear=appear)
            jobs = await run_headless(context, targets, Waiting(arguments, clock, results), lists=ListPolicy.NONE)
    return exit_code(jobs), clock.now().since(begun)


async def test_an_accepted_job_is_polled_when_its_acceptance_says_and_waited_for_while_it_is_not_there() -> None:
    code, seconds = await waited([GONE, GONE, GONE, GONE, DONE], retry_after="5")
    assert code is ExitCode.OK
    assert seconds >= 5.0


async def test_an_accepted_job_that_stays_away_is_not_found_after_half_a_minute() -> None:
    code, seconds = await waited([GONE], retry_after="0")
    assert code is ExitCode.NOT_FOUND
    assert seconds >= 30.0


async def test_a_replica_that_does_not_know_a_job_for_some_looks_ends_no_wait() -> None:
    assert (await waited([GOING, GONE, GONE, GONE, GONE, DONE]))[0] is ExitCode.OK


async def test_an_id_that_nobody_has_seen_is_not_found_within_seconds_but_not_by_one_stray_answer() -> None:
    code, seconds = await waited([GONE])
    assert code is ExitCode.NOT_FOUND
    assert seconds >= 5.0
    assert (await waited([GONE, DONE]))[0] is ExitCode.OK


async def test_jobs_that_are_yet_to_appear_are_waited_for() -> None:
    assert (await waited([*[GONE] * 7, DONE], appear=200.0))[0] is ExitCode.OK


@pytest.mark.parametrize("command", ["wait", "watch"])
def test_both_that_follow_jobs_can_wait_for_them_to_appear(command: str, tmp_path: Path) -> None:
    with scripted_apart({POLL: [GONE, DONE]}) as server:
        assert jobdeck(command, "--appear", "1m", "op_1", env=environment(server.url, tmp_path)).code == 0
