"""An engine on the simulator, over real HTTP, in time that passes faster than ours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import MappingProxyType

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.config import ProfileSettings, Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.domain.events import Event
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job
from jobdeck.engine.engine import Engine
from jobdeck.simulator.demo import demo_targets
from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.server import SimulatorServer
from tests.builders import make_profile
from tests.support.clocks import FastClock

PATIENCE = 150.0


def settings_for(url: str, limit: int = 6000, *, sonarly: int | None = None) -> Settings:
    hog = make_profile("hog", "thehog", base_url=url, requests_per_minute=limit)
    allow = frozenset({"cancel"})
    other = make_profile("sonarly", "sonarly", base_url=url, requests_per_minute=sonarly or limit, allow=allow)
    keys = {"access_key": SecretRef("ak_simulated", "test"), "secret_key": SecretRef("sk_simulated", "test")}
    profiles = {
        "hog": ProfileSettings(hog, keys),
        "sonarly": ProfileSettings(other, {"token": SecretRef("sk_live_simulated", "test")}),
    }
    return Settings(MappingProxyType(profiles), "hog", None)


class Sight:
    """What a front end sees: the newest state of every job, every event and every exchange."""

    def __init__(self, engine: Engine, server: SimulatorServer, clock: FastClock, context: AppContext) -> None:
        self.engine = engine
        self.server = server
        self.clock = clock
        self.context = context
        self.events: list[Event] = []
        self.exchanges: list[Exchange] = []
        self.running: asyncio.Task[None] | None = None
        self._moved = asyncio.Condition()

    @property
    def jobs(self) -> list[Job]:
        return list(self.engine.jobs.values())

    def job(self, id_: str) -> Job:
        return next(job for job in self.jobs if job.key.id == id_)

    def watch(self, *texts: str) -> None:
        self.engine.add(parse_target(text, self.context.registry) for text in texts)

    async def listen(self) -> None:
        async for batch in self.engine.subscribe():
            async with self._moved:
                self.events.extend(batch.events)
                self.exchanges.extend(batch.exchanges)
                self._moved.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that changed makes `condition` true."""
        async with asyncio.timeout(PATIENCE), self._moved:
            await self._moved.wait_for(condition)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something of which nobody tells."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def sight(scenario: Scenario, speed: float = 40.0, limit: int = 6000) -> AsyncIterator[Sight]:
    """Serve `scenario`, watch all its jobs, and run until the block ends."""
    clock = FastClock(speed)
    async with SimulatorServer(scenario, clock=lambda: clock.now().us / 1e6) as server:
        context = AppContext({}, settings=settings_for(server.url, limit), clock=clock)
        seen = Sight(context.engine(), server, clock, context)
        listening = asyncio.create_task(seen.listen())
        seen.watch(*demo_targets(scenario))
        seen.running = asyncio.create_task(seen.engine.run())
        try:
            yield seen
        finally:
            seen.running.cancel()
            await asyncio.gather(seen.running, return_exceptions=True)
            await seen.engine.aclose()
            await listening
