"""The simulation behind HTTP: which route a path takes, and how an answer reaches the wire with its faults."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate

from jobdeck.simulator.dialect import Answer, ApiError, Ask, Dialect, Route
from jobdeck.simulator.faults import Wire
from jobdeck.simulator.http_server import Connection, Request
from jobdeck.simulator.scenario import Endpoint
from jobdeck.simulator.simulation import Incoming, Outgoing, Simulation
from jobdeck.simulator.sonarly import Sonarly
from jobdeck.simulator.thehog import TheHog
from jobdeck.simulator.world import Clock, World

Sleep = Callable[[float], Awaitable[object]]


def _not_found(world: World, ask: Ask) -> Answer:
    raise ApiError(404, f"Cannot {ask.method} {ask.path}")


_UNKNOWN = Route("*", "*", Endpoint.OTHER, "general", _not_found)


@dataclass(frozen=True, slots=True)
class _Way:
    method: str
    path: re.Pattern[str]
    dialect: Dialect
    route: Route


class SimulatedApis:
    """Handles requests to both APIs: every documented route, and the documented 404 for every other path.

    Requests wait while `gate` is not set; `clock` dates the answers.
    """

    def __init__(self, simulation: Simulation, gate: asyncio.Event, clock: Clock, sleep: Sleep) -> None:
        self._simulation = simulation
        self._gate = gate
        self._clock = clock
        self._sleep = sleep
        self._thehog, self._sonarly = TheHog(), Sonarly()
        self._ways = [
            _Way(route.method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)), dialect, route)
            for dialect in (self._thehog, self._sonarly)
            for route in dialect.routes
        ]

    async def __call__(self, request: Request, connection: Connection) -> None:
        """Answer one request."""
        stats = self._simulation.stats
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        try:
            await self._gate.wait()
            dialect, route, params = self._route(request)
            incoming = Incoming(
                method=request.method,
                path=request.path,
                query=request.query,
                query_string=request.query_string,
                params=params,
                headers=request.headers,
                body=request.body,
                origin=request.origin,
            )
            await self._send(self._simulation.answer(dialect, route, incoming), connection)
        finally:
            stats.in_flight -= 1

    def _route(self, request: Request) -> tuple[Dialect, Route, Mapping[str, str]]:
        method = "GET" if request.method == "HEAD" else request.method
        for way in self._ways:
            found = way.path.fullmatch(request.path) if way.method == method else None
            if found is not None:
                return way.dialect, way.route, found.groupdict()
        return self._sonarly if request.path.startswith("/v1/") else self._thehog, _UNKNOWN, {}

    async def _send(self, outgoing: Outgoing, connection: Connection) -> None:
        wire = outgoing.wire
        if outgoing.delay:
            await self._sleep(outgoing.delay)
        if wire.reset_after == 0:
            connection.reset()
            return
        headers = [*wire.headers, ("Date", formatdate(self._clock(), usegmt=True))]
        if wire.status != 204:
            headers.append(("Content-Length", str(wire.length)))
        await connection.begin(wire.status, headers)
        if wire.reset_after is not None:
            await connection.write(b"".join(wire.pieces)[: wire.reset_after])
            connection.reset()
            return
        await self._send_pieces(wire, connection)

    async def _send_pieces(self, wire: Wire, connection: Connection) -> None:
        for piece in wire.pieces:
            await connection.write(piece)
            if wire.interval:
                await self._sleep(wire.interval)
        await connection.end()
