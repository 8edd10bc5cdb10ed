"""One API, asked through one profile: requests by its page, answers by its extractor."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

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
from jobdeck.http.client import DEADLINE, IN_THREAD, HttpClient, RequestSpec, Response
from jobdeck.http.http_head import headers_that_matter
from jobdeck.http.json_pieces import LargeJson
from jobdeck.http.json_text import json_text
from jobdeck.http.problems import not_json
from jobdeck.http.redactor import Redactor
from jobdeck.scheduling.actions import ListPage


class ApiClient:
    """A `Provider` by an API's page. Nothing is opened before its first request; no method raises but cancellation.

    Its credentials are added to `redactor`, and all that are in there are taken out of its answers.
    """

    def __init__(
        self, profile: Profile, clock: Clock, *, deadline: float = DEADLINE, redactor: Redactor | None = None
    ) -> None:
        self._profile = profile
        self._spec = profile.spec
        self._http = HttpClient(profile.http, clock, deadline=deadline, redactor=redactor)
        self._extractor: Extractor | None = None

    @property
    def profile_name(self) -> str:
        """The profile that is asked for."""
        return self._profile.name

    def url_of(self, asked: Target | PartRequest | ListPage) -> str:
        """Return where a request for that goes; the base URL, where none would be sent."""
        return self._http.url_of(self._part_address(asked) if isinstance(asked, PartRequest) else self._address(asked))

    def request_for(self, target: Target) -> tuple[str, str, str]:
        """Return method, URL and body of a poll, as exchanges tell them; of what is not sent at all, the base URL."""
        return self._as_told(self._address(target))

    def requests_about(self, target: Target) -> tuple[tuple[str, str, str], ...]:
        """Return method, URL and body of a poll and, where the API has such, of the request that cancels the job."""
        cancelling = self._address_of_cancel(target)
        found = (self._address(target), *(() if cancelling is None else (cancelling,)))
        return tuple(map(self._as_told, found))

    def _as_told(self, where: RequestSpec | str) -> tuple[str, str, str]:
        method, body = ("GET", "") if isinstance(where, str) else (where.method, where.body)
        return method, self._http.url_of(where), self._http.shown(body)

    async def poll(self, target: Target) -> PollResult:
        """Ask for one job; the reply has one observation, of that job, or a problem."""

        def parse(body: ResponseBody) -> ParsedBody:
            key = target.key
            parsed = self._extract.job(target.resource, body, key.id, key.account_group)
            rows = tuple(check_links(row, self._profile) for row in parsed.observations)
            return replace(parsed, observations=rows)

        return await self._send(self._address(target), parse, target.key)

    def has_part(self, target: Target, part: Part) -> bool:
        """Whether such a job may have a part at a URL of its own."""
        resource = self._spec.resources.get(target.resource)
        return resource is not None and part in resource.parts

    async def fetch_part(self, request: PartRequest) -> PollResult:
        """Ask for a part of a job; the reply has one observation with that part alone, or a problem."""
        target, missing = request.target, request.missing

        def parse(body: ResponseBody) -> ParsedBody:
            return self._extract.part(target.resource, missing.part, body, target.key.id, target.key.account_group)

        reply = await self._send(self._part_address(request), parse, target.key, lenient=False)
        return replace(reply, exchange=replace(reply.exchange, part=missing))

    def cancel_request(self, target: Target) -> CancelRequest | str:
        """Return the request that cancels a job; or why there is none through this profile, in one line."""
        action, where = self._spec.cancel_of(target.resource), self._cancel_address(target)
        if action is None or isinstance(where, str):
            return str(where)
        return CancelRequest(where.method, self._http.url_of(where), action.phases)

    async def cancel(self, target: Target) -> PollResult:
        """Have a job cancelled, by one request; the reply has no observation, whatever its body says."""
        return await self._send(self._cancel_address(target), self._extract.action, target.key, lenient=False)

    async def list_page(self, page: ListPage) -> PollResult:
        """Ask for one page of jobs: of the page's place, else of the profile's."""
        listed = self._spec.list_showing(page.resource)

        def parse(body: ResponseBody) -> ParsedBody:
            if listed is None:  # then there is no address, and nothing is sent
                return ParsedBody()
            place = self._place(page)
            scope = None if place is None else self._spec.resources[page.resource].scope_of(place)
            parsed = self._extract.page(listed, body, scope, status=page.status)
            return _counted(parsed, listed, page)

        return await self._send(self._address(page), parse)

    async def list_values(self, variable: str, cursor: str | None = None) -> ValuePage:
        """Ask for one page of the values that a variable may have, such as the account groups a key can see."""
        known = self._spec.variables.get(variable)
        values: tuple[str, ...] = ()

        def parse(body: ResponseBody) -> ParsedBody:
            nonlocal values
            values, parsed = self._extract.values(variable, body)
            return parsed

        reply = await self._send(self._values_address(variable, known, cursor), parse)
        return ValuePage(reply.exchange, values if reply.problem is None else (), reply.next_cursor)

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
        """Send a request, and join a good answer with what its body says; one that is no JSON `lenient`ly.

        `where` may be the reason why there is nothing to send, which is the reply's problem then.
        """
        if isinstance(where, str):
            return PollResult(self._http.refuse(where, job).exchange)
        answer = await self._http.get(where, job)
        if answer.body is None:
            error_body = answer.error_body
            if error_body:
                _, error_body = await self._http.without_words((), error_body)
            return _reply(answer.exchange, answer, body=error_body)
        status, headers, marker = answer.exchange.http_status or 0, _joined(answer.headers), answer.marker
        response = ResponseBody(answer.body, status, headers, is_pruned=marker is not None)
        parsed = await self._http.parsed(lambda: parse_in_pieces(parse, response), len(response.data))
        notes, one = answer.notes, job is not None
        if lenient and is_damaged(parsed):
            repaired = await self._http.repaired(answer)
            if repaired is not None:
                read = partial(parse_in_pieces, parse)
                mend = partial(parse_repaired, read, repaired, response, one=one)
                parsed = await self._http.parsed(mend, len(repaired.body))
                notes = (*notes, *repaired.notes)
        if marker is not None:
            parsed = without_markers(parsed, marker)
        parsed = with_notes(parsed, notes, one=one)
        problem = parsed.problem
        if problem is not None:
            problem, answer = self._http.refusal(answer, problem)
        exchange = self._http.finish(answer, problem, parsed.ids)
        observations, parsed_from = await self._http.without_words(parsed.observations, response.data)
        # A pruned one is none that the server sent.
        body = parsed_from if marker is None else None
        if problem is not None:
            return _reply(exchange, answer, body=body)
        return _reply(exchange, answer, observations, body, parsed)

    def _place(self, asked: Target | ListPage) -> dict[str, str] | None:
        """Return the variables of the URL but the ID; those of the profile serve a page that names none."""
        resource = self._spec.resources.get(asked.resource)
        if resource is None:
            return None
        if isinstance(asked, Target):
            return resource.parse_scope(asked.key.account_group, self._profile.variables)
        known: Mapping[str, str] = {} if asked.account_group else self._profile.variables
        return resource.parse_scope(asked.account_group, known)

    def _address(self, asked: Target | ListPage) -> RequestSpec | str:
        """Return where a request goes, or why there is none to send."""
        resource, place, title = self._spec.resources.get(asked.resource), self._place(asked), self._spec.title
        if isinstance(asked, Target):
            if resource is None or place is None:
                return f"not a job of {title}"
            path = resource.url.path({**place, ID: asked.key.id})
            where = self._filled(path, resource.query, {}, {ID: asked.key.id})
            body = self._filled_body(resource.body, place, asked.key.id)
            return replace(where, method=resource.method, body=body, states=self._states)
        listed = self._spec.list_showing(asked.resource)
        if resource is None or listed is None:
            return f"{title} cannot list these jobs"
        if place is None:
            return f"listing {title} jobs needs {', '.join(resource.place)}"
        asking = {
            listed.limit_parameter: _within(listed.page, asked.limit),
            listed.cursor_parameter or listed.page_parameter or listed.offset_parameter: asked.cursor,
            listed.status_parameter: asked.status,
        }
        return self._filled(listed.url.path(place), listed.query, asking)

    def _part_address(self, request: PartRequest) -> RequestSpec | str:
        """Return where a request for a part goes, or why there is none to send."""
        target, missing = request.target, request.missing
        resource, place = self._spec.resources.get(target.resource), self._place(target)
        source = None if resource is None else resource.parts.get(missing.part)
        if source is None or place is None:
            return f"not a job of {self._spec.title}"
        if source.url is not None:
            path = source.url.path({**place, ID: target.key.id})
            return self._filled(path, source.query, {}, {**place, ID: target.key.id})
        try:
            return RequestSpec(path_of_link(missing.url, self._profile), below_base=False)
        except LinkError as error:
            return str(error)

    def _cancel_address(self, target: Target) -> RequestSpec | str:
        """Return where a request to cancel a job goes, or why none may be sent."""
        if obstacle := self._profile.cancel_obstacle(target.resource):
            return obstacle
        return self._address_of_cancel(target) or f"not a job of {self._spec.title}"

    def _address_of_cancel(self, target: Target) -> RequestSpec | None:
        """Return where a request to cancel a job goes, whether or not the profile allows one; None for no such job."""
        action, place = self._spec.cancel_of(target.resource), self._place(target)
        if action is None or place is None:
            return None
        known = {**place, ID: target.key.id}
        return replace(
            self._filled(action.url.path(known), (), {}),
            method=action.method,
            body=self._filled_body(action.body, place, target.key.id),
        )

    @property
    def _states(self) -> frozenset[int]:
        return frozenset(status for status in self._spec.phases.by_http_status if status >= 300)

    def _filled_body(self, body: str, place: Mapping[str, str], job_id: str) -> str:
        """Return the JSON to ask with, its variables filled in as parts of strings."""
        known = {**self._profile.variables, **place, ID: job_id}
        return fill(body, {name: json_text(value)[1:-1] for name, value in known.items()})

    def _values_address(self, name: str, variable: Variable | None, cursor: str | None) -> RequestSpec | str:
        if variable is None or variable.url is None:
            return f"{self._spec.title} cannot list {name.replace('_', ' ')}s"
        asking = {variable.limit_parameter: str(variable.page), variable.cursor_parameter: cursor}
        return self._filled(variable.url.path(self._profile.variables), (), asking)

    def _filled(
        self,
        path: str,
        query: tuple[tuple[str, str], ...],
        asking: Mapping[str, str | None],
        known: Mapping[str, str] | None = None,
    ) -> RequestSpec:
        variables = {**self._profile.variables, **(known or {})}
        named = {name: value for name, value in asking.items() if name}
        return RequestSpec.of(path, {**{name: fill(value, variables) for name, value in query}, **named})


def parse_in_pieces(parse: Parse, body: ResponseBody) -> ParsedBody:
    """Return what `parse` finds in a body, of which a large one is read and let go of a piece at a time.

    A large one is read in a thread, and nothing there may hold the interpreter, which the screen needs as well.
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
    """Let no garbage be collected: going through millions of values for some takes a third of a second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _reply(
    exchange: Exchange,
    answer: Response,
    observations: tuple[Observation, ...] = (),
    body: bytes | None = None,
    parsed: ParsedBody | None = None,
) -> PollResult:
    wait = answer.wait
    return PollResult(
        exchange,
        observations,
        answer.windows,
        None if wait is None else wait.seconds,
        None if parsed is None else parsed.next_cursor,
        body,
        None if parsed is None else parsed.partial_error,
        None if wait is None else wait.asked,
        headers_that_matter(answer.headers),
    )


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names; one that is there several times is a list, as HTTP has it."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _within(most: int, limit: int) -> str:
    """Return how many rows to ask for, as a query says it: 1 to `most`."""
    return str(min(max(limit, 1), most))


def _counted(parsed: ParsedBody, listed: ListSpec, page: ListPage) -> ParsedBody:
    """Return a page with the cursor of the next one, where pages or rows are counted."""
    if parsed.problem is not None or parsed.next_cursor is not None or parsed.rows is None:
        return parsed
    return parsed.with_cursor(listed.next_counted(page.cursor, page.limit, parsed.rows))
