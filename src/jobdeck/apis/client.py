"""One API through one profile: requests by its definition, answers parsed by its extractor."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, lru_cache, partial

from jobdeck.apis.damaged import Parse, is_damaged, parse_repaired, with_notes, without_markers
from jobdeck.apis.extract import Extractor, ParsedBody, ResponseBody
from jobdeck.apis.links import LinkError, check_links, path_of_link
from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import ListSpec, Variable, fill
from jobdeck.apis.url_template import ID
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Clock
from jobdeck.domain.job import JobKey, Observation, Part, Target
from jobdeck.http.base import CancelRequest, PartRequest, PollResult, ValuePage
from jobdeck.http.client import DEADLINE, IN_THREAD, RECENT_REQUESTS, HttpClient, RequestSpec, Response
from jobdeck.http.http_head import headers_that_matter
from jobdeck.http.json_pieces import LargeJson
from jobdeck.http.json_text import json_text
from jobdeck.http.problems import not_json
from jobdeck.http.redactor import Redactor
from jobdeck.scheduling.actions import ListPage


class ApiClient:
    """A `Provider` made from an API's definition. It opens nothing before the first request.

    Methods raise only CancelledError. The profile's credentials are added to `redactor`, which removes all of its
    credentials from the answers.
    """

    def __init__(
        self, profile: Profile, clock: Clock, *, deadline: float = DEADLINE, redactor: Redactor | None = None
    ) -> None:
        self._profile = profile
        self._spec = profile.spec
        self._http = HttpClient(profile.http, clock, deadline=deadline, redactor=redactor)
        self._extractor: Extractor | None = None
        # A poll asks twice, for the record and to send: building a request takes 5 % of a poll's processor time.
        self._request = lru_cache(RECENT_REQUESTS)(self._build_request)

    @property
    def profile_name(self) -> str:
        """The name of the profile."""
        return self._profile.name

    def url_of(self, subject: Target | PartRequest | ListPage) -> str:
        """Return the URL of the request for `subject`; the base URL if no request would be sent."""
        if isinstance(subject, PartRequest):
            return self._http.url_of(self._part_request(subject))
        return self._http.url_of(self._request(subject))

    def request_for(self, target: Target) -> tuple[str, str, str]:
        """Return method, URL and body of a poll as exchanges have them; the base URL if it would not be sent."""
        return self._displayed(self._request(target))

    def requests_about(self, target: Target) -> tuple[tuple[str, str, str], ...]:
        """Return method, URL and body of a poll and, if the API has one, of the request that cancels the job."""
        cancel = self._cancel_spec(target)
        requests = (self._request(target), *(() if cancel is None else (cancel,)))
        return tuple(map(self._displayed, requests))

    def _displayed(self, where: RequestSpec | str) -> tuple[str, str, str]:
        method, body = ("GET", "") if isinstance(where, str) else (where.method, where.body)
        return method, self._http.url_of(where), self._http.clean_body(body)

    async def poll(self, target: Target) -> PollResult:
        """Request one job; the result has one observation, of that job, or a problem."""

        def parse(body: ResponseBody) -> ParsedBody:
            key = target.key
            parsed = self._extract.job(target.resource, body, key.id, key.account_group)
            rows = tuple(check_links(row, self._profile) for row in parsed.observations)
            return replace(parsed, observations=rows)

        return await self._send(self._request(target), parse, target.key)

    def has_part(self, target: Target, part: Part) -> bool:
        """Whether the target's API may give this part a URL of its own."""
        resource = self._spec.resources.get(target.resource)
        return resource is not None and part in resource.parts

    async def fetch_part(self, request: PartRequest) -> PollResult:
        """Request a part of a job; the result has one observation with only that part, or a problem."""
        target, missing = request.target, request.missing

        def parse(body: ResponseBody) -> ParsedBody:
            return self._extract.part(target.resource, missing.part, body, target.key.id, target.key.account_group)

        result = await self._send(self._part_request(request), parse, target.key, lenient=False)
        return replace(result, exchange=replace(result.exchange, part=missing))

    def cancel_request(self, target: Target) -> CancelRequest | str:
        """Return the request that cancels a job, or in one line why this profile cannot cancel it."""
        action, where = self._spec.cancel_of(target.resource), self._permitted_cancel_spec(target)
        if action is None or isinstance(where, str):
            return str(where)
        return CancelRequest(where.method, self._http.url_of(where), action.phases)

    async def cancel(self, target: Target) -> PollResult:
        """Send the request that cancels a job, once; the result has no observation, whatever its body says."""
        return await self._send(self._permitted_cancel_spec(target), self._extract.action, target.key, lenient=False)

    async def list_page(self, page: ListPage) -> PollResult:
        """Request one page of jobs: of the page's account group, else of the profile's."""
        listed = self._spec.list_showing(page.resource)

        def parse(body: ResponseBody) -> ParsedBody:
            if listed is None:  # then there is no request, and nothing is sent
                return ParsedBody()
            values = self._group_values(page)
            account_group = None if values is None else self._spec.resources[page.resource].account_group_of(values)
            parsed = self._extract.page(listed, body, account_group, status=page.status)
            return _counted(parsed, listed, page)

        return await self._send(self._request(page), parse)

    async def list_values(self, variable: str, cursor: str | None = None) -> ValuePage:
        """Request one page of the values that a variable may have, such as the account groups of a key."""
        spec = self._spec.variables.get(variable)
        values: tuple[str, ...] = ()

        def parse(body: ResponseBody) -> ParsedBody:
            nonlocal values
            values, parsed = self._extract.values(variable, body)
            return parsed

        result = await self._send(self._values_request(variable, spec, cursor), parse)
        return ValuePage(result.exchange, values if result.problem is None else (), result.next_cursor)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    @property
    def _extract(self) -> Extractor:
        if self._extractor is None:
            self._extractor = Extractor(self._spec)
        return self._extractor

    async def _send(
        self, where: RequestSpec | str, parse: Parse, job: JobKey | None = None, *, lenient: bool = True
    ) -> PollResult:
        """Send a request, and return the result with the contents of a good answer; `lenient`: repair damaged JSON.

        `where` may be the reason why there is nothing to send, which becomes the result's problem.
        """
        if isinstance(where, str):
            return PollResult(self._http.not_sent(where, job).exchange)
        response = await self._http.get(where, job)
        if response.body is None:
            error_body = response.error_body
            if error_body:
                _, error_body = await self._http.redact_words((), error_body)
            return _result(response.exchange, response, body=error_body)
        status, headers, marker = response.exchange.http_status or 0, _joined(response.headers), response.marker
        content = ResponseBody(response.body, status, headers, is_pruned=marker is not None)
        parsed = await self._http.parsed(lambda: parse_in_pieces(parse, content), len(content.data))
        notes, one = response.notes, job is not None
        if lenient and is_damaged(parsed):
            repaired = await self._http.repaired(response)
            if repaired is not None:
                read = partial(parse_in_pieces, parse)
                read_repaired = partial(parse_repaired, read, repaired, content, one=one)
                parsed = await self._http.parsed(read_repaired, len(repaired.body))
                notes = (*notes, *repaired.notes)
        if marker is not None:
            parsed = without_markers(parsed, marker)
        parsed = with_notes(parsed, notes, one=one)
        problem = parsed.problem
        if problem is not None:
            problem, response = self._http.recognize_rate_limit(response, problem)
        exchange = self._http.finish(response, problem, parsed.ids)
        observations, redacted = await self._http.redact_words(parsed.observations, content.data)
        # A pruned body is not the one that the server sent.
        body = redacted if marker is None else None
        if problem is not None:
            return _result(exchange, response, body=body)
        return _result(exchange, response, observations, body, parsed)

    def _group_values(self, subject: Target | ListPage) -> dict[str, str] | None:
        """Return the URL variables other than the ID; a page without an account group uses the profile's.

        None if the account group does not fit the resource's URL.
        """
        resource = self._spec.resources.get(subject.resource)
        if resource is None:
            return None
        if isinstance(subject, Target):
            return resource.parse_account_group(subject.key.account_group, self._profile.variables)
        defaults: Mapping[str, str] = {} if subject.account_group else self._profile.variables
        return resource.parse_account_group(subject.account_group, defaults)

    def _build_request(self, subject: Target | ListPage) -> RequestSpec | str:
        """Return the request for a job or a page of jobs, or why there is none to send."""
        resource, values = self._spec.resources.get(subject.resource), self._group_values(subject)
        title = self._spec.title
        if isinstance(subject, Target):
            if resource is None or values is None:
                return f"not a job of {title}"
            path = resource.url.path({**values, ID: subject.key.id})
            where = self._filled(path, resource.query, {}, {ID: subject.key.id})
            body = self._filled_body(resource.body, values, subject.key.id)
            return replace(where, method=resource.method, body=body, states=self._states)
        listed = self._spec.list_showing(subject.resource)
        if resource is None or listed is None:
            return f"{title} cannot list these jobs"
        if values is None:
            return f"listing {title} jobs needs {', '.join(resource.group_variables)}"
        parameters = {
            listed.limit_parameter: _within(listed.page, subject.limit),
            listed.cursor_parameter or listed.page_parameter or listed.offset_parameter: subject.cursor,
            listed.status_parameter: subject.status,
        }
        return self._filled(listed.url.path(values), listed.query, parameters)

    def _part_request(self, request: PartRequest) -> RequestSpec | str:
        """Return the request for a part, or why there is none to send."""
        target, missing = request.target, request.missing
        resource, values = self._spec.resources.get(target.resource), self._group_values(target)
        source = None if resource is None else resource.parts.get(missing.part)
        if source is None or values is None:
            return f"not a job of {self._spec.title}"
        if source.url is not None:
            path = source.url.path({**values, ID: target.key.id})
            return self._filled(path, source.query, {}, {**values, ID: target.key.id})
        try:
            return RequestSpec(path_of_link(missing.url, self._profile), below_base=False)
        except LinkError as error:
            return str(error)

    def _permitted_cancel_spec(self, target: Target) -> RequestSpec | str:
        """Return the request that cancels a job, or why the profile may send none."""
        if obstacle := self._profile.cancel_obstacle(target.resource):
            return obstacle
        return self._cancel_spec(target) or f"not a job of {self._spec.title}"

    def _cancel_spec(self, target: Target) -> RequestSpec | None:
        """Return the request that cancels a job, even if the profile may not send it; None if the API has none."""
        action, values = self._spec.cancel_of(target.resource), self._group_values(target)
        if action is None or values is None:
            return None
        return replace(
            self._filled(action.url.path({**values, ID: target.key.id}), (), {}),
            method=action.method,
            body=self._filled_body(action.body, values, target.key.id),
        )

    @cached_property
    def _states(self) -> frozenset[int]:
        return frozenset(status for status in self._spec.phases.by_http_status if status >= 300)

    def _filled_body(self, body: str, values: Mapping[str, str], job_id: str) -> str:
        """Return a request's JSON with its variables, which are parts of strings, filled in."""
        if not body:
            return ""
        variables = {**self._profile.variables, **values, ID: job_id}
        return fill(body, {name: json_text(value)[1:-1] for name, value in variables.items()})

    def _values_request(self, name: str, variable: Variable | None, cursor: str | None) -> RequestSpec | str:
        if variable is None or variable.url is None:
            return f"{self._spec.title} cannot list {name.replace('_', ' ')}s"
        parameters = {variable.limit_parameter: str(variable.page), variable.cursor_parameter: cursor}
        return self._filled(variable.url.path(self._profile.variables), (), parameters)

    def _filled(
        self,
        path: str,
        query: tuple[tuple[str, str], ...],
        parameters: Mapping[str, str | None],
        values: Mapping[str, str] | None = None,
    ) -> RequestSpec:
        """Return a request with the `query` of the definition, its variables filled in, and further `parameters`."""
        variables = {**self._profile.variables, **(values or {})}
        named = {name: value for name, value in parameters.items() if name}
        filled = {**{name: fill(value, variables) for name, value in query}, **named}
        return RequestSpec(path, {name: value for name, value in filled.items() if value is not None})


def parse_in_pieces(parse: Parse, body: ResponseBody) -> ParsedBody:
    """Return the result of `parse` for a body; a large one is read and freed a piece at a time.

    A large body is parsed in a thread, which must not block the interpreter, because the screen needs it as well.
    """
    if len(body.data) < IN_THREAD:
        return parse(body)
    with _without_collection():
        try:
            document = LargeJson(body.data)
        except ValueError:
            return ParsedBody(problem=not_json(body.data, body.status))
        try:
            return parse(replace(body, document=document))
        finally:
            document.close()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Disable garbage collection: scanning millions of values takes a third of a second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _result(
    exchange: Exchange,
    response: Response,
    observations: tuple[Observation, ...] = (),
    body: bytes | None = None,
    parsed: ParsedBody | None = None,
) -> PollResult:
    wait = response.wait
    return PollResult(
        exchange,
        observations,
        response.windows,
        None if wait is None else wait.seconds,
        None if parsed is None else parsed.next_cursor,
        body,
        None if parsed is None else parsed.partial_error,
        None if wait is None else wait.requested,
        headers_that_matter(response.headers),
    )


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names; the values of a repeated header are joined by commas, as HTTP defines it."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _within(most: int, limit: int) -> str:
    """Return the number of rows to request, from 1 to `most`, as text."""
    return str(min(max(limit, 1), most))


def _counted(parsed: ParsedBody, listed: ListSpec, page: ListPage) -> ParsedBody:
    """Return a page with the cursor of the next one, if the list counts pages or rows."""
    if parsed.problem is not None or parsed.next_cursor is not None or parsed.rows is None:
        return parsed
    return parsed.with_cursor(listed.next_counted(page.cursor, page.limit, parsed.rows))
