"""The simulation behind HTTP: Starlette's router in front, our own sending behind, so that faults reach the wire."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate

from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route as WebRoute
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from jobdeck.simulator.dialect import Answer, Ask, Dialect, Refusal, Route
from jobdeck.simulator.faults import Wire
from jobdeck.simulator.faultscript import Endpoint
from jobdeck.simulator.simulation import Incoming, Outgoing, Simulation
from jobdeck.simulator.sonarly import Sonarly
from jobdeck.simulator.thehog import TheHog
from jobdeck.simulator.world import Clock, World

Sleep = Callable[[float], Awaitable[object]]
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


@dataclass(frozen=True, slots=True)
class Stage:
    """What every endpoint shares. Requests wait while `gate` is not set; `clock` dates the answers."""

    simulation: Simulation
    gate: asyncio.Event
    clock: Clock
    sleep: Sleep


def build_router(stage: Stage) -> Router:
    """The ASGI application: every documented route, and the documented 404 for every other path."""
    thehog, sonarly = TheHog(), Sonarly()
    dialects: tuple[Dialect, ...] = (thehog, sonarly)
    routes = [
        WebRoute(route.path, _Endpoint(dialect, route, stage), methods=[route.method])
        for dialect in dialects
        for route in dialect.routes
    ]
    unknown = Route("*", "/{path:path}", Endpoint.OTHER, "general", _not_found)
    for path, dialect in (("/v1/{path:path}", sonarly), ("/{path:path}", thehog)):
        routes.append(WebRoute(path, _Endpoint(dialect, unknown, stage)))
    return Router(routes, redirect_slashes=False)


def _not_found(world: World, ask: Ask) -> Answer:
    raise Refusal(404, f"Cannot {ask.method} {ask.path}")


class _Endpoint:
    def __init__(self, dialect: Dialect, route: Route, stage: Stage) -> None:
        self._dialect = dialect
        self._route = route
        self._stage = stage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stats = self._stage.simulation.stats
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        try:
            await self._stage.gate.wait()
            request = Request(scope, receive)
            incoming = _incoming(request, await request.body())
            outgoing = self._stage.simulation.answer(self._dialect, self._route, incoming)
            await self._send(outgoing, request, send)
        except ClientDisconnect:
            pass
        finally:
            stats.in_flight -= 1

    async def _send(self, outgoing: Outgoing, request: Request, send: Send) -> None:
        wire = outgoing.wire
        if outgoing.delay:
            await self._stage.sleep(outgoing.delay)
        if wire.reset_after == 0:
            await _reset(request)
            return
        headers = [
            *wire.headers,
            ("Date", formatdate(self._stage.clock(), usegmt=True)),
            ("Content-Length", str(wire.length)),
        ]
        if wire.status == 204:
            headers.pop()
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        await send({"type": "http.response.start", "status": wire.status, "headers": raw})
        if wire.reset_after is not None:
            await send(
                {"type": "http.response.body", "body": b"".join(wire.pieces)[: wire.reset_after], "more_body": True}
            )
            await _reset(request)
            return
        await self._send_pieces(wire, request, send)

    async def _send_pieces(self, wire: Wire, request: Request, send: Send) -> None:
        for piece in wire.pieces:
            if request.scope["state"]["connection"].lost:
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if wire.interval:
                await self._stage.sleep(wire.interval)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _reset(request: Request) -> None:
    """Make the kernel send a reset rather than an orderly end, and wait until the server has noticed."""
    request.scope["state"]["connection"].reset()
    await request.receive()


def _incoming(request: Request, body: bytes) -> Incoming:
    host = request.headers.get("host", "")
    return Incoming(
        method=request.method,
        path=request.url.path,
        query=dict(request.query_params),
        query_string=request.url.query,
        params=request.path_params,
        headers=dict(request.headers),
        body=body,
        origin=f"http://{host}" if _HOST.fullmatch(host) else "http://127.0.0.1",
    )
