"""The handler of the HTTP server: finds the route of a request, and sends the simulation's response."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from jobdeck.simulator.dialect import ApiError, ApiRequest, ApiResponse, Dialect, Route
from jobdeck.simulator.faults import RawResponse
from jobdeck.simulator.http_server import Connection, Request
from jobdeck.simulator.scenario import Endpoint
from jobdeck.simulator.simulation import Simulation
from jobdeck.simulator.sonarly import Sonarly
from jobdeck.simulator.thehog import TheHog
from jobdeck.simulator.world import Clock, World

Sleep = Callable[[float], Awaitable[object]]


def _not_found(world: World, request: ApiRequest) -> ApiResponse:
    raise ApiError(404, f"Cannot {request.method} {request.path}")


_UNKNOWN = Route("*", "*", Endpoint.OTHER, "general", _not_found)


@dataclass(frozen=True, slots=True)
class _CompiledRoute:
    method: str
    path: re.Pattern[str]
    dialect: Dialect
    route: Route


class RequestHandler:
    """Handles requests to both APIs: every documented route, and the documented 404 for every other path.

    Requests wait while `running` is not set; `clock` gives the Date of responses.
    """

    def __init__(self, simulation: Simulation, running: asyncio.Event, clock: Clock, sleep: Sleep) -> None:
        self._simulation = simulation
        self._running = running
        self._clock = clock
        self._sleep = sleep
        self._thehog, self._sonarly = TheHog(), Sonarly()
        self._routes = [
            _CompiledRoute(route.method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)), dialect, route)
            for dialect in (self._thehog, self._sonarly)
            for route in dialect.routes
        ]

    async def __call__(self, request: Request, connection: Connection) -> None:
        """Respond to one request."""
        stats = self._simulation.stats
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        try:
            await self._running.wait()
            response, delay = self._simulation.respond(*self._route(request), request)
            if delay:
                await self._sleep(delay)
            await self._send(response, connection)
        finally:
            stats.in_flight -= 1

    def _route(self, request: Request) -> tuple[Dialect, Route, Mapping[str, str]]:
        method = "GET" if request.method == "HEAD" else request.method
        for compiled in self._routes:
            found = compiled.path.fullmatch(request.path) if compiled.method == method else None
            if found is not None:
                return compiled.dialect, compiled.route, found.groupdict()
        return self._sonarly if request.path.startswith("/v1/") else self._thehog, _UNKNOWN, {}

    async def _send(self, response: RawResponse, connection: Connection) -> None:
        if response.reset_after == 0:
            connection.reset()
            return
        headers = [*response.headers, ("Date", formatdate(self._clock(), usegmt=True))]
        if response.status != 204:
            headers.append(("Content-Length", str(response.length)))
        await connection.begin(response.status, headers)
        if response.reset_after is not None:
            await connection.write(b"".join(response.pieces)[: response.reset_after])
            connection.reset()
            return
        for piece in response.pieces:
            await connection.write(piece)
            if response.interval:
                await self._sleep(response.interval)
        await connection.end()
