"""One simulation: a request passes credentials, rate limits, faults and its route to become a response."""

import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate

from jobdeck.simulator.dialect import ApiError, ApiRequest, ApiResponse, Dialect, JsonObject, Route
from jobdeck.simulator.faults import AppliedFaults, FaultPlan, RawResponse, RequestPlace, as_json, corrupt
from jobdeck.simulator.http_server import Connection, Request
from jobdeck.simulator.lifecycle import Clock, SimulatedJobs
from jobdeck.simulator.limits import Limiter
from jobdeck.simulator.scenario import Api, Endpoint, Scenario
from jobdeck.simulator.sonarly import Sonarly
from jobdeck.simulator.thehog import TheHog


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request, without the values of its headers."""

    # Simulated seconds since the start.
    at: float
    api: str
    method: str
    path: str
    query: str
    endpoint: str
    # The rate bucket that counted it; None if its credentials were rejected.
    bucket: str | None
    # None if the connection was reset.
    status: int | None
    request_id: str
    header_names: frozenset[str]
    fault: str | None = None
    # Whether the bucket was empty, so that the answer was a 429.
    refused: bool = False


@dataclass(slots=True)
class Stats:
    """Running counts. Buckets have names like `thehog/polling`; `refused` counts the 429s by bucket."""

    requests: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    by_bucket: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    by_endpoint: Counter[str] = field(default_factory=Counter)

    def count(self, record: RequestRecord) -> None:
        """Count one request."""
        self.requests += 1
        self.by_endpoint[f"{record.api}/{record.endpoint}"] += 1
        if record.bucket is not None:
            self.by_bucket[record.bucket] += 1
            if record.refused:
                self.refused[record.bucket] += 1
        if record.status is not None:
            self.by_status[record.status] += 1
        if record.fault is not None:
            self.by_fault[record.fault] += 1


_LOG_LENGTH = 100_000


class Simulation:
    """The state of one simulation, which survives stops of its server.

    `clock` returns real epoch seconds and never goes back.
    """

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.jobs = SimulatedJobs(scenario, clock)
        self.stats = Stats()
        self.log: deque[RequestRecord] = deque(maxlen=_LOG_LENGTH)
        self._clock = clock
        self._limiter = Limiter(scenario)
        self._faults = FaultPlan(scenario)
        self._number = 0

    def respond(
        self, dialect: Dialect, route: Route, params: Mapping[str, str], request: Request
    ) -> tuple[RawResponse, float]:
        """Return the response, and the real seconds to delay it. `params` are the values in the route's path.

        Errors have the API's own shape.
        """
        self._number += 1
        number = self._number
        trace = dialect.trace(f"{self.jobs.scenario.seed}/request/{number}")
        api_request = ApiRequest(
            method=request.method,
            path=request.path,
            trace=trace,
            origin=request.origin,
            at=self.jobs.iso(),
            params=params,
            query=request.query,
            idempotency_key=request.headers.get("idempotency-key"),
        )
        bucket: str | None = None
        refused = False
        faults = AppliedFaults()
        headers = dialect.trace_headers(trace)
        if not self._accepts(dialect.api, request.headers):
            response = dialect.error(api_request, ApiError(401))
        else:
            verdict = self._limiter.acquire(dialect.api, route.bucket, self._clock())
            bucket = f"{dialect.api}/{verdict.bucket}"
            headers += verdict.headers
            refused = not verdict.allowed
            if refused:
                response = dialect.error(api_request, ApiError(429))
            else:
                place = RequestPlace(dialect.api, route.endpoint, params.get("id"))
                faults = self._faults.faults_of(number, place, self.jobs.now)
                response = self._route(dialect, route, api_request, request.body, faults)
        response = replace(response, headers=(*headers, *response.headers))
        raw = corrupt(response, faults.fault, dialect, api_request) if faults.fault else as_json(response)
        record = RequestRecord(
            at=self.jobs.now,
            api=dialect.api.value,
            method=request.method,
            path=request.path,
            query=request.query_string,
            endpoint=route.endpoint.value,
            bucket=bucket,
            status=None if raw.reset_after == 0 else raw.status,
            request_id=trace,
            header_names=frozenset(request.headers),
            fault=faults.name,
            refused=refused,
        )
        self.log.append(record)
        self.stats.count(record)
        return raw, faults.delay

    def _accepts(self, api: Api, headers: Mapping[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        access, secret = headers.get("x-access-key", ""), headers.get("x-secret-key", "")
        accepted = [one for one in self.jobs.scenario.credentials if one.api is api]
        pair_allowed = api is Api.THEHOG
        if not accepted:
            return bool(token or (pair_allowed and access and secret))
        by_token = any(one.token == token for one in accepted if one.token)
        pairs = [(one.access_key, one.secret_key) for one in accepted if one.access_key and one.secret_key]
        return by_token or (pair_allowed and (access, secret) in pairs)

    def _route(
        self, dialect: Dialect, route: Route, request: ApiRequest, body: bytes, faults: AppliedFaults
    ) -> ApiResponse:
        # A request that a fault refuses must not have started or cancelled anything.
        if faults.fault is not None and faults.fault.refuses:
            return ApiResponse(200, None)
        try:
            return route.handler(self.jobs, replace(request, body=_parse_body(body)))
        except ApiError as error:
            return dialect.error(request, error)


def _parse_body(body: bytes) -> JsonObject:
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "The body is not JSON.") from error
    if not isinstance(parsed, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return parsed


Sleep = Callable[[float], Awaitable[object]]


def _not_found(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
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

    Requests wait while `running` is not set; `clock` is the source of the Date in responses.
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
