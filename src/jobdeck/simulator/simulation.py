"""From a request to what goes out on the wire: log, credentials, rate buckets, faults, the route."""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from jobdeck.simulator.dialect import Answer, ApiError, Ask, Dialect, JsonObject, Route
from jobdeck.simulator.faults import FaultPlan, Scope, Strike, Wire, plain, spoil
from jobdeck.simulator.limits import Limiter
from jobdeck.simulator.request_log import RequestRecord, Stats
from jobdeck.simulator.scenario import Api, Scenario
from jobdeck.simulator.world import Clock, World

_LOG_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request off the wire; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    query_string: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What to send, and after how many real seconds."""

    wire: Wire
    delay: float


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

    def answer(self, dialect: Dialect, route: Route, incoming: Incoming) -> Outgoing:
        """Answer one request; every refusal is in the API's own words."""
        self._number += 1
        number = self._number
        trace = dialect.trace(f"{self.world.scenario.seed}/request/{number}")
        ask = Ask(
            method=incoming.method,
            path=incoming.path,
            trace=trace,
            origin=incoming.origin,
            at=self.world.iso(),
            params=incoming.params,
            query=incoming.query,
            idempotency_key=incoming.headers.get("idempotency-key"),
        )
        bucket: str | None = None
        refused = False
        strike = Strike()
        headers = dialect.trace_headers(trace)
        if not self._accepts(dialect.api, incoming.headers):
            answer = dialect.error(ask, ApiError(401))
        else:
            verdict = self._limiter.ask(dialect.api, route.bucket, self._clock())
            bucket = f"{dialect.api}/{verdict.bucket}"
            headers += verdict.headers
            refused = not verdict.allowed
            if not refused:
                scope = Scope(dialect.api, route.endpoint, incoming.params.get("id"))
                strike = self._faults.strike(number, scope, self.world.now)
                answer = self._route(dialect, route, ask, incoming.body, strike)
            else:
                answer = dialect.error(ask, ApiError(429))
        answer = replace(answer, headers=(*headers, *answer.headers))
        wire = spoil(answer, strike.fault, dialect, ask) if strike.fault else plain(answer)
        record = RequestRecord(
            at=self.world.now,
            api=dialect.api.value,
            method=incoming.method,
            path=incoming.path,
            query=incoming.query_string,
            endpoint=route.endpoint.value,
            bucket=bucket,
            status=None if wire.reset_after == 0 else wire.status,
            request_id=trace,
            header_names=frozenset(incoming.headers),
            fault=strike.name,
            refused=refused,
        )
        self.log.append(record)
        self.stats.count(record)
        return Outgoing(wire, strike.delay)

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

    def _route(self, dialect: Dialect, route: Route, ask: Ask, body: bytes, strike: Strike) -> Answer:
        # A request that a fault turned away must not have started or cancelled anything.
        if strike.fault is not None and strike.fault.turns_away:
            return Answer(200, None)
        try:
            return route.handler(self.world, replace(ask, body=_parse(body)))
        except ApiError as refusal:
            return dialect.error(ask, refusal)


def _parse(body: bytes) -> JsonObject:
    if not body.strip():
        return {}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "The body is not JSON.") from error
    if not isinstance(parsed, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return parsed
