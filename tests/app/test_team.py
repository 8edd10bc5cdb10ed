"""Several people on one database: what happens once for each of them, and what once for all."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from jobdeck.app.live_session import LiveSession
from jobdeck.config.hooks import Hook
from jobdeck.domain.phase import Phase
from jobdeck.simulator.scenario import JobScript, Resource, Scenario
from jobdeck.simulator.server import SimulatorServer
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
