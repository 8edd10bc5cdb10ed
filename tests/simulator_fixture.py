"""A simulator whose time belongs to the test, and a client for it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.server import SimulatorServer
from tests.support.clocks import EpochClock

START = 1_750_000_000.0
"""The moment at which simulated time begins: 2025-06-15T15:06:40Z."""

KEYS = {"X-Access-Key": "ak_test", "X-Secret-Key": "sk_test"}
BEARER = {"Authorization": "Bearer sk_live_test"}


@dataclass
class Play:
    """A running simulator, its clock, and a client that both APIs let in."""

    server: SimulatorServer
    clock: EpochClock
    client: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)

    async def post(self, path: str, **request: object) -> httpx.Response:
        return await self.client.post(path, **request)  # type: ignore[arg-type]


def client_of(url: str, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """A client without retries; on plain HTTP it need not spend 20 ms on loading certificates."""
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False, timeout=60.0)


@asynccontextmanager
async def playing(scenario: Scenario) -> AsyncIterator[Play]:
    """Play `scenario` with a clock that stands at `START` until it is moved."""
    clock = EpochClock(START)
    async with (
        SimulatorServer(scenario, clock=clock, sleep=clock.sleep) as server,
        client_of(server.url, BEARER) as client,
    ):
        yield Play(server, clock, client)
