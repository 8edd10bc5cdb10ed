"""One simulation: how a request goes through credentials, rate limits, faults and its route to a response."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from jobdeck.simulator.dialect import ApiError, ApiRequest, ApiResponse, Dialect, JsonObject, Route
from jobdeck.simulator.faults import AppliedFaults, FaultPlan, RawResponse, Scope, as_json, corrupt
from jobdeck.simulator.http_server import Request
from jobdeck.simulator.limits import Limiter
from jobdeck.simulator.request_log import RequestRecord, Stats
from jobdeck.simulator.scenario import Api, Scenario
from jobdeck.simulator.world import Clock, World

_LOG_LENGTH = 100_000


class Simulation:
    """All state of one simulation; servers may stop and start over it. `clock`: real epoch seconds, never falling."""

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.world = World(scenario, clock)
        self.stats = Stats()
        self.log: deque[RequestRecord] = deque(maxlen=_LOG_LENGTH)
        self._clock = clock
        self._limiter = Limiter(scenario)
        self._faults = FaultPlan(scenario)
        self._number = 0

    def respond(
        self, dialect: Dialect, route: Route, params: Mapping[str, str], request: Request
    ) -> tuple[RawResponse, float]:
        """Return what to send, and after how many real seconds. `params` are the values of the route's path.

        Errors have the API's own shape.
        """
        self._number += 1
        number = self._number
        trace = dialect.trace(f"{self.world.scenario.seed}/request/{number}")
        api_request = ApiRequest(
            method=request.method,
            path=request.path,
            trace=trace,
            origin=request.origin,
            at=self.world.iso(),
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
                scope = Scope(dialect.api, route.endpoint, params.get("id"))
                faults = self._faults.faults_of(number, scope, self.world.now)
                response = self._route(dialect, route, api_request, request.body, faults)
        response = replace(response, headers=(*headers, *response.headers))
        raw = corrupt(response, faults.fault, dialect, api_request) if faults.fault else as_json(response)
        record = RequestRecord(
            at=self.world.now,
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
        accepted = [one for one in self.world.scenario.credentials if one.api is api]
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
            return route.handler(self.world, replace(request, body=_parse_body(body)))
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
