"""Several people on one database: what happens once for each of them, and what once for all."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from jobdeck.app.live_session import LiveSession
from jobdeck.config.programs import Hook
from jobdeck.domain.phase import Phase
from jobdeck.engine.engine import Engine
from jobdeck.simulator.scenario import JobScript, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
from tests.builders import make_target
from tests.engine.running import until
from tests.store.postgres.database import new_database
from tests.support.team import Team, running

WRITE = "import os, sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ' + os.environ['JOBDECK_JOB_ID'] + '\\n')"
JOBS = tuple(
    JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, duration=0.5 if number < 2 else 600.0)
    for number in range(4)
)


@pytest.fixture
async def team() -> AsyncIterator[Team]:
    async with new_database() as url, SimulatorServer(Scenario(jobs=JOBS)) as server:
        yield Team(url, server.url)


async def test_a_hook_of_the_team_is_run_once_for_all_and_another_once_for_each(tmp_path: Path, team: Team) -> None:
    ran = tmp_path / "ran"

    def hook(name: str, *, once_for_all: bool = False) -> Hook:
        run = (sys.executable, "-c", WRITE, str(ran), name)
        return Hook(run, frozenset({Phase.SUCCEEDED}), team=once_for_all)

    def lines() -> list[str]:
        return sorted(ran.read_text().splitlines()) if ran.exists() else []

    targets = team.targets("/api/enrichments/en_0", "/api/enrichments/en_1")
    async with AsyncExitStack() as stack:
        for user in ("ann", "bob"):
            context = team.context(user, hook(user), hook("team", once_for_all=True))
            await stack.enter_async_context(running(LiveSession(context, targets)))
        await until(lambda: len(lines()) >= 6)
    # Closing waits for hooks that run: what would have been run twice is there by now.
    assert lines() == sorted(f"{name} {one.key.id}" for name in ("ann", "bob", "team") for one in targets)


def watched_by(engine: Engine) -> dict[str, tuple[str, ...]]:
    return {key.id: job.target.watched_by for key, job in engine.jobs.items()}


async def test_the_lists_of_all_come_and_go_while_one_looks_at_them(team: Team) -> None:
    ended, running_, added, own = team.targets(*(f"/api/enrichments/en_{number}" for number in (0, 2, 3, 1)))
    async with (
        running(LiveSession(team.context("ann"), (ended, running_))) as ann,
        running(LiveSession(team.context("eve", organization="umbrella"), (added,))),
    ):
        await until(lambda: ann.jobs[ended.key].terminal and ann.jobs[running_.key].observed is not None)
        async with running(LiveSession(team.context("bob", everyone=True), ())) as bob:
            assert watched_by(bob) == {"en_0": ("ann",), "en_2": ("ann",)}
            ann.add([added])
            await until(lambda: "en_3" in watched_by(bob))
            assert bob.jobs[added.key].target.watched_by == ("ann",), "and nothing of another organization"
            bob.add([own, added])
            await until(
                lambda: (
                    watched_by(bob) == {"en_0": ("ann",), "en_1": ("bob",), "en_2": ("ann",), "en_3": ("ann", "bob")}
                )
            )
            ann.remove([ended.key, running_.key, added.key])
            await until(lambda: watched_by(bob) == {"en_0": (), "en_1": ("bob",), "en_3": ("bob",)})
        assert not ann.jobs, "one's own list is not that of the others"
    async with running(LiveSession(team.context("bob"), ())) as bob:
        assert set(watched_by(bob)) == {"en_1", "en_3"}, "what one adds goes on one's own list"


async def test_what_is_taken_off_the_screen_and_comes_back_stays_on_the_list_it_was_on(team: Team) -> None:
    theirs, own = team.targets("/api/enrichments/en_2", "/api/enrichments/en_3")
    async with (
        running(LiveSession(team.context("ann"), (theirs,))),
        running(LiveSession(team.context("bob", everyone=True), (own,))) as bob,
    ):
        await until(lambda: watched_by(bob) == {"en_2": ("ann",), "en_3": ("bob",)})
        jobs = list(bob.jobs.values())
        bob.remove([job.key for job in jobs])
        bob.restore(jobs)
        await until(lambda: len(bob.jobs) == 2)
    async with running(LiveSession(team.context("bob"), ())) as bob:
        assert set(watched_by(bob)) == {"en_3"}


async def test_who_acknowledged_a_job_is_named_to_the_others(team: Team) -> None:
    (target,) = team.targets("/api/enrichments/en_2")
    async with running(LiveSession(team.context("bob"), (target,))) as bob:
        async with running(LiveSession(team.context("ann"), (target,))) as ann:
            ann.acknowledge([target.key])
            await until(lambda: bob.jobs[target.key].acknowledged)
            assert ann.jobs[target.key].acknowledged_by is None, "oneself needs no name"
        named = bob.jobs[target.key].acknowledged_by
        assert named is not None
        assert named.name == "ann"
        assert abs(named.at_us / 1e6 - time.time()) < 60
    for user, name in (("bob", "ann"), ("ann", None)):
        async with running(LiveSession(team.context(user), ())) as engine:
            remembered = engine.jobs[target.key]
            assert remembered.acknowledged
            assert (remembered.acknowledged_by.name if remembered.acknowledged_by else None) == name


async def test_jobs_of_a_profile_that_one_has_no_key_for_are_left_to_the_others(team: Team) -> None:
    first, second = team.targets("/api/enrichments/en_2", "/api/enrichments/en_3")
    foreign = [make_target(id_ * 24, "sonarly", "prospecting") for id_ in "ab"]
    context = team.context("bob", everyone=True, without_key="sonarly")
    async with running(LiveSession(team.context("ann"), (first, foreign[0]))) as ann:
        await until(lambda: len(ann.jobs) == 2)
        session = LiveSession(context, ())
        async with running(session) as bob:
            assert set(bob.jobs) == {first.key}
            assert any("profile sonarly skipped" in notice for notice in session.notices)
            ann.add([foreign[1]])
            ann.add([second])
            await until(lambda: set(bob.jobs) == {first.key, second.key})


async def test_what_was_missed_is_read_anew_when_the_changes_are_gone(team: Team) -> None:
    (target,) = team.targets("/api/enrichments/en_2")
    session = LiveSession(team.context("bob", everyone=True), ())
    assert await session.load_saved_jobs() == ()
    async with running(LiveSession(team.context("ann"), (target,))) as ann:
        await until(lambda: ann.jobs[target.key].observed is not None)
        store = (await team.context("cara").open_store()).store
        await store.purge(time.time_ns() // 1_000 + 10**9)
        await store.close()
        async with running(session) as bob:
            await until(lambda: watched_by(bob) == {"en_2": ("ann",)})
