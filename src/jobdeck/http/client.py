"""The HTTP client of a profile: every request becomes an exchange, and every failure a problem."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar
from urllib.parse import quote, urljoin

import httpx

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import JobError, JobKey, Observation
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.domain.text import clean, one_line, utf8_size
from jobdeck.http.body import SAVE_BODY, BodyReader
from jobdeck.http.charset import charset_of
from jobdeck.http.credentials import HttpProfile
from jobdeck.http.inflate import EncodingError, Inflater, TooBigError
from jobdeck.http.marker import Marker
from jobdeck.http.origin import Origin
from jobdeck.http.pieces import MOST_HEADERS, TooManyPiecesError, bounded
from jobdeck.http.problems import (
    MAX_REFERENCE,
    ErrorBody,
    ProblemDraft,
    describe_redirect,
    kind_of_status,
    not_json,
    problem_of_status,
    read_error,
)
from jobdeck.http.ratelimit import parse_windows
from jobdeck.http.redactor import REDACTED, Redactor
from jobdeck.http.repair import Repaired, repair_in_slices
from jobdeck.http.retry_after import RetryAfter, answered_at, find_in_body, find_retry_after, parse_http_date
from jobdeck.http.skip import NotJsonError
from jobdeck.http.throttling import is_throttled
from jobdeck.http.transport import (
    HEADERS,
    MAX_CONNECTIONS,
    ForeignOriginError,
    TransportError,
    Transports,
    authorize,
    choose_proxy,
    describe_transport_error,
)

DEADLINE = 30.0
"""Most seconds of a whole request. httpx's timeouts are per read: a byte every half second never exceeds one."""

MAX_URL = 4_096
"""Most characters of a URL on record."""

RECENT_REQUESTS = 512
"""Requests in the cache, about 3 kB each: building one takes a tenth of the time of sending it."""

LARGE = 1024 * 1024
LARGE_AT_ONCE = 4
"""Bodies of more than `LARGE` bytes that are read at the same time: each takes up to 16 MiB before it is known to be
too large."""

IN_THREAD = 512 * 1024
"""Bytes from which on a body is parsed in a thread: fewer take at most 5 ms."""

ParsedT = TypeVar("ParsedT")

MAX_ERROR = 65_536
"""Most bytes of a 2xx body that is searched for a refusal, and of an error's body that are kept."""


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """A request to a profile's API."""

    # Made by `path_of` or a template.
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    # JSON.
    body: str = ""
    # Statuses other than 2xx that show the state of a job, and are no problem.
    states: frozenset[int] = frozenset()
    # Whether `path` is below the base URL; else it is below the origin, and may contain a query.
    below_base: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one request, without credentials."""

    exchange: Exchange
    # The decoded body of a good answer; None whenever the exchange has a problem.
    body: bytes | None = None
    windows: tuple[RateWindow, ...] = ()
    # The wait that the server requests: before any request after a problem, before the next poll of this job after a
    # good answer.
    wait: RetryAfter | None = None
    # Of the body, by the headers.
    charset: str | None = None
    # What was wrong with the body's content encoding.
    notes: tuple[str, ...] = ()
    headers: Sequence[tuple[str, str]] = ()
    # Set if the body was pruned.
    marker: Marker | None = None
    # The beginning of the body of an answer that is a problem; None if there was no body.
    error_body: bytes | None = None


@dataclass(slots=True)
class _Attempt:
    """The parts of an answer received so far, so that a failure at any point loses nothing."""

    status: int | None = None
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    size: int = 0
    draft: ProblemDraft | None = None
    notes: tuple[str, ...] = ()
    marker: Marker | None = None

    def header(self, name: str) -> str | None:
        return next((value for header, value in self.headers if header == name), None)

    def first(self, names: Iterable[str]) -> str | None:
        return next((value for name in names if (value := self.header(name)) is not None), None)


def path_of(*pieces: str) -> str:
    """Return a path of `pieces`, each percent-encoded with nothing safe: none of them can add a segment."""
    return "".join(f"/{quote(piece, safe='')}" for piece in pieces)


class HttpClient:
    """Sends requests for one profile, at most 10 at once.

    The transport is opened by the first request: certificates and proxy variables cost nothing before, and a bad one
    is that request's problem. A shared `redactor` removes the credentials of all profiles that share it.
    """

    def __init__(
        self, profile: HttpProfile, clock: Clock, *, deadline: float = DEADLINE, redactor: Redactor | None = None
    ) -> None:
        self._profile = profile
        self._clock = clock
        self._deadline = deadline
        self._redactor = redactor if redactor is not None else Redactor()
        if profile.credentials is not None:
            self._redactor.add(profile.credentials.values())
        self._headers = httpx.Headers(HEADERS)
        self._headers.update(profile.headers)
        self._request = lru_cache(RECENT_REQUESTS)(self._build_request)
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._one_large = asyncio.Lock()
        self._transports: Transports | None = None
        self._proxy_variable: str | None = None
        self._closed = False

    async def get(self, where: RequestSpec, job: JobKey | None = None) -> Response:
        """Send a request (about `job`, unless that is None) and return the answer; raises only CancelledError.

        The deadline starts when a connection is free: time spent waiting for our other requests is not the server's.
        """
        url = self._url(where)
        async with self._slots:
            started = self._clock.now()
            attempt = _Attempt()
            try:
                async with asyncio.timeout(self._deadline):
                    await self._send(where, url, attempt)
            except TimeoutError:
                attempt.draft = ProblemDraft(
                    ProblemKind.TIMEOUT, f"no complete response from {self._profile.origin} within {self._deadline:g} s"
                )
            except (TransportError, ForeignOriginError) as error:
                attempt.draft = ProblemDraft(ProblemKind.NETWORK, str(error))
            except TooBigError as error:
                attempt.draft = ProblemDraft(ProblemKind.TOO_BIG, str(error))
            except TooManyPiecesError as error:
                attempt.draft = ProblemDraft(ProblemKind.PROTOCOL, f"the response is too expensive to read: {error}")
            except EncodingError as error:
                attempt.draft = ProblemDraft(ProblemKind.PROTOCOL, str(error))
            except Exception as error:  # noqa: BLE001 - any error of a library is a problem of this exchange
                attempt.draft = describe_transport_error(error, self._profile.origin, self._proxy_variable)
            return self._response(where, url, job, started, attempt)

    def not_sent(self, reason: str, job: JobKey | None = None) -> Response:
        """Return the response for a request that is not sent because of `reason`: a protocol problem."""
        attempt = _Attempt(draft=ProblemDraft(ProblemKind.PROTOCOL, reason))
        return self._response(None, self._profile.base_url, job, self._clock.now(), attempt)

    def url_of(self, where: RequestSpec | str) -> str:
        """Return the URL of a request as exchanges have it; the base URL for a reason (str) why none is sent."""
        url = self._profile.base_url if isinstance(where, str) else self._url(where)
        return self._clean(url, MAX_URL)

    def clean_body(self, body: str) -> str:
        """Return the body of a request without credentials, fit for the screen."""
        return self._clean(body, MAX_URL)

    def finish(
        self, response: Response, draft: ProblemDraft | None, ids: tuple[str | None, str | None] = (None, None)
    ) -> Exchange:
        """Return the exchange of a 2xx whose body was parsed, with the IDs in the body, and its problem if any."""
        exchange = self._with_ids(response.exchange, *ids)
        if draft is None:
            return exchange
        ended = exchange.started.later(exchange.duration)
        return replace(exchange, problem=self._problem(draft, exchange, response.wait, ended))

    async def parsed(self, parse: Callable[[], ParsedT], size: int) -> ParsedT:
        """Parse a body of `size` bytes; large ones in a thread, one at a time: each may take ten times its size."""
        if size < IN_THREAD:
            return parse()
        async with self._one_large:
            return await asyncio.to_thread(parse)

    def recognize_rate_limit(self, response: Response, draft: ProblemDraft) -> tuple[ProblemDraft, Response]:
        """Return the problem of an unusable 2xx: a rate limit, with its wait, if its message or code says so."""
        body = response.body or b""
        if draft.kind is not ProblemKind.PROTOCOL or len(body) > MAX_ERROR:
            return draft, response
        error = read_error(body)
        if not is_throttled(draft.kind, error.value, error.message, self._profile.rate_limit):
            return draft, response
        ended = response.exchange.started.later(response.exchange.duration)
        wait = response.wait or find_in_body(error.value, answered_at(response.headers, ended.us / 1e6))
        return ProblemDraft(ProblemKind.RATE_LIMIT, error.message or draft.message), replace(response, wait=wait)

    async def repaired(self, response: Response) -> Repaired | None:
        """Return a repaired body of a good answer that is no strict JSON; None if it cannot be repaired."""
        repaired = None
        for step in repair_in_slices(response.body or b"", response.charset):
            repaired = step
            await asyncio.sleep(0)
        return repaired

    async def redact_words(
        self, observations: Sequence[Observation], body: bytes
    ) -> tuple[tuple[Observation, ...], bytes]:
        """Return parsed observations and their body without those secrets that could be words of an answer.

        A status or a name that consists of such a word stays: without it nobody would know how the job ended.
        """
        if not self._redactor.has_words:
            return tuple(observations), body
        redacted = await self._redact_words(body.decode("latin-1"))
        return tuple([await self._redact_observation(row) for row in observations]), redacted.encode("latin-1")

    async def _redact_observation(self, row: Observation) -> Observation:
        text = self._redactor.text
        error, facts = row.error, tuple((name, text(value)) for name, value in row.facts)
        if error is not None:
            parts = (error.code, error.message, error.details)
            error = JobError(*(None if part is None else text(part) for part in parts))
        result = None if row.result is None else await self._redact_words(row.result)
        name = self._redact_name
        stages = tuple(replace(one, name=name(one.name), status=name(one.status)) for one in row.stages)
        kind = None if row.kind is None else name(row.kind)
        return replace(row, status=name(row.status), kind=kind, stages=stages, error=error, result=result, facts=facts)

    def _redact_name(self, text: str) -> str:
        redacted = self._redactor.text(text)
        return text if redacted == REDACTED else redacted

    async def _redact_words(self, text: str) -> str:
        slices: list[str] = []
        for piece in self._redactor.words_in_slices(text):
            slices.append(piece)
            await asyncio.sleep(0)
        return "".join(slices)

    async def aclose(self) -> None:
        """Close the connections; later requests have a problem. Calling it twice is harmless."""
        self._closed = True
        transports, self._transports = self._transports, None
        if transports is not None:
            await transports.aclose()

    def _url(self, where: RequestSpec) -> str:
        pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in where.query.items())
        base = self._profile.base_url if where.below_base else str(self._profile.origin)
        return base + where.path + (f"?{pairs}" if pairs else "")

    def _open(self) -> Transports:
        if self._closed:
            raise TransportError(f"profile {self._profile.name} is closed")
        if self._transports is None:
            proxy = choose_proxy(self._profile)
            if proxy is not None:
                self._proxy_variable = proxy.variable
                self._redactor.add((proxy.url.password,))
            self._transports = Transports(self._profile, proxy)
        return self._transports

    def _build_request(self, method: str, url: str, body: str) -> httpx.Request:
        """Return a request with its credentials; raises `ForeignOriginError`."""
        request = httpx.Request(method, url, headers=self._headers, content=body.encode() or None)
        if body:
            request.headers["Content-Type"] = "application/json"
        authorize(request, self._profile)
        return request

    async def _send(self, where: RequestSpec, url: str, attempt: _Attempt) -> None:
        request, transports = self._request(where.method, url, where.body), self._open()
        transport = transports.acquire()
        try:
            response = await transport.handle_async_request(request)
            try:
                attempt.status = response.status_code
                attempt.headers = self._headers_of(response)
                # Of a redirect the head is all that is wanted.
                if response.status_code >= 200 and not response.has_redirect_location:
                    await self._read(response, attempt)
            finally:
                await response.aclose()
        finally:
            await transports.release(transport)

    def _headers_of(self, response: httpx.Response) -> list[tuple[str, str]]:
        encoding = response.headers.encoding
        raw = response.headers.raw[:MOST_HEADERS]
        names = self._redactor.texts([name.decode("latin-1") for name, _ in raw])
        values = self._redactor.texts([value.decode(encoding) for _, value in raw])
        # Lower case only now: a key in base64 would no longer be recognized after.
        return [(name.lower(), value) for name, value in zip(names, values, strict=True)]

    async def _read(self, response: httpx.Response, attempt: _Attempt) -> None:
        inflater = Inflater(value for name, value in attempt.headers if name == "content-encoding")
        wanted = SAVE_BODY.get() is not None and response.is_success
        reader = BodyReader(redacted=self._redactor.stream() if wanted else None)
        is_large = False
        try:
            async for chunk in bounded(response.aiter_raw()):
                for piece in inflater.feed(chunk):
                    if inflater.size > LARGE and not is_large:
                        is_large = await self._large.acquire()
                    await reader.add(piece)
            await reader.add(inflater.finish())
            body = await reader.finish()
            attempt.body, attempt.marker = await self._redacted(body.data), body.marker
        except NotJsonError:
            attempt.draft = not_json(reader.beginning, response.status_code)
        finally:
            if is_large:
                self._large.release()
            attempt.size, attempt.notes = inflater.size, tuple(inflater.notes)

    async def _redacted(self, body: bytes) -> bytes:
        """Return a body without credentials; other tasks get a turn between the slices of a long one."""
        slices: list[bytes] = []
        for piece in self._redactor.body_in_slices(body):
            slices.append(piece)
            if len(slices) > 1:
                await asyncio.sleep(0)
        return b"".join(slices)

    def _response(
        self, where: RequestSpec | None, url: str, job: JobKey | None, started: Instant, attempt: _Attempt
    ) -> Response:
        """Return the response for an attempt; `where` is None if nothing was sent."""
        ended = self._clock.now()
        exchange = Exchange(
            profile=self._profile.name,
            method="GET" if where is None else where.method,
            url=self._clean(url, MAX_URL),
            started=started,
            # Rounded to microseconds, as stored, so that values computed from it do not change after a reload.
            duration=round(max(0.0, ended.mono - started.mono), 6),
            job=job,
            http_status=attempt.status,
            request_id=self._reference(attempt.first(self._profile.request_id_headers)),
            trace_id=self._reference(attempt.first(self._profile.trace_id_headers)),
            size=attempt.size,
            date_us=_date_us(attempt.header("date")),
        )
        now = ended.us / 1e6
        windows = parse_windows(attempt.headers, now)
        kind = self._kind(attempt, windows)
        if where is not None and kind is not None and self._is_state(attempt, where, url):
            kind = None
        wait = find_retry_after(attempt.headers, now)
        if kind is None and attempt.draft is None:
            charset = charset_of(attempt.header("content-type"))
            return Response(
                exchange, attempt.body, windows, wait, charset, attempt.notes, attempt.headers, attempt.marker
            )
        return self._failed_response(exchange, url, attempt, kind=kind, windows=windows, wait=wait)

    def _failed_response(
        self,
        exchange: Exchange,
        url: str,
        attempt: _Attempt,
        *,
        kind: ProblemKind | None,
        windows: tuple[RateWindow, ...],
        wait: RetryAfter | None,
    ) -> Response:
        """Return the response for an attempt with a problem: that of its status (`kind`), or of reading its body."""
        ended = exchange.started.later(exchange.duration)
        draft, error = attempt.draft, ErrorBody()
        if kind is not None and attempt.status is not None:
            # The status of an error says more than a failure to read its body.
            error = read_error(attempt.body, charset_of(attempt.header("content-type")))
            if is_throttled(kind, error.value, error.message, self._profile.rate_limit):
                kind = ProblemKind.RATE_LIMIT
            wait = wait or find_in_body(error.value, answered_at(attempt.headers, ended.us / 1e6))
            destination = describe_redirect(attempt.header("location"), url)
            draft = problem_of_status(attempt.status, kind, attempt.body, destination, error)
            if attempt.draft is not None and kind is not ProblemKind.REDIRECT:
                draft = ProblemDraft(kind, f"HTTP {attempt.status}; {attempt.draft.message}")
        exchange = self._with_ids(exchange, error.request_id, error.trace_id)
        problem = self._problem(draft or ProblemDraft(ProblemKind.PROTOCOL, "no response"), exchange, wait, ended)
        error_body = None if attempt.marker is not None else attempt.body[:MAX_ERROR] or None
        exchange = replace(exchange, problem=problem)
        return Response(exchange, None, windows, wait, headers=attempt.headers, error_body=error_body)

    def _kind(self, attempt: _Attempt, windows: Sequence[RateWindow]) -> ProblemKind | None:
        kind = None if attempt.status is None else kind_of_status(attempt.status)
        if kind is ProblemKind.PERMISSION and self._profile.forbidden_may_be_rate_limit:
            spent = attempt.header("retry-after") is not None or any(window.remaining == 0 for window in windows)
            return ProblemKind.RATE_LIMIT if spent else kind
        return kind

    def _is_state(self, attempt: _Attempt, where: RequestSpec, url: str) -> bool:
        """Whether an answer other than a 2xx shows the state of a job by its status, as the API's definition says.

        A redirect does so only within the origin: it may otherwise lead to a login.
        """
        if attempt.status not in where.states or attempt.draft is not None:
            return False
        if 300 <= (attempt.status or 0) < 400:
            location = attempt.header("location")
            try:
                return bool(location) and Origin.of(urljoin(url, location)) == self._profile.origin
            except ValueError:
                return False
        error = read_error(attempt.body, charset_of(attempt.header("content-type")))
        return not is_throttled(ProblemKind.PROTOCOL, error.value, error.message, self._profile.rate_limit)

    def _problem(
        self, draft: ProblemDraft, exchange: Exchange, wait: RetryAfter | None = None, ended: Instant | None = None
    ) -> Problem:
        message = self._redactor.text(one_line(self._redactor.start(draft.message), size=utf8_size(draft.message)))
        if wait is not None and wait.note is not None:
            message = f"{message} ({wait.note})"
        return Problem(
            kind=draft.kind,
            message=message or draft.kind.label,
            http_status=exchange.http_status,
            request_id=exchange.request_id,
            trace_id=exchange.trace_id,
            retry_at_us=None if wait is None or ended is None else ended.later(wait.seconds).us,
        )

    def _with_ids(self, exchange: Exchange, request_id: str | None, trace_id: str | None) -> Exchange:
        in_body = self._reference(request_id)
        return replace(
            exchange,
            request_id=exchange.request_id or in_body,
            body_request_id=in_body,
            trace_id=self._reference(trace_id) or exchange.trace_id,
        )

    def _reference(self, text: str | None) -> str | None:
        return self._clean(text.strip(), MAX_REFERENCE) if text and text.strip() else None

    def _clean(self, text: str, limit: int) -> str:
        # Cut last, since half a credential would pass the redactor; only the beginning, for it may have megabytes.
        return clean(self._redactor.start(text))[:limit]


def _date_us(text: str | None) -> int | None:
    seconds = None if text is None else parse_http_date(text)
    return None if seconds is None else round(seconds * 1e6)
