"""Parsing an API's answers by its definition: pure functions from bytes to observations or a problem."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jobdeck.apis import coerce
from jobdeck.apis.fields import Field, FieldMatch, FieldReader
from jobdeck.apis.job_fields import TOO_LARGE, JobFields, protocol_problem, read_error_of
from jobdeck.apis.jsonpath import MAX_VALUES, compile_all
from jobdeck.apis.spec import ApiSpec, ListSpec, Paths, Resource
from jobdeck.apis.url_template import is_id
from jobdeck.domain.job import Observation, Part
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import clean, one_line
from jobdeck.http.json_pieces import LargeJson
from jobdeck.http.json_text import read_json
from jobdeck.http.marker import is_partial
from jobdeck.http.problems import ProblemDraft, describe_error, kind_of_code, not_json

_NO_OBJECT = "unexpected response: not a JSON object"

Ids = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """The contents of a good answer's body."""

    observations: tuple[Observation, ...] = ()
    problem: ProblemDraft | None = None
    # Request ID and trace ID in the body.
    ids: Ids = (None, None)
    # The cursor of a list's next page.
    next_cursor: str | None = None
    # The number of a list's rows.
    rows: int | None = None
    # Which rows of a list could not be read, and why; None if all could.
    partial_error: str | None = None
    # Where each field was found; empty unless matches are recorded.
    matches: tuple[FieldMatch, ...] = ()
    # The ID of the job that the answer names.
    id: str | None = None
    # Whether the problem is that the envelope reports a failure of the request.
    reports_failure: bool = False

    def with_cursor(self, cursor: str | None) -> "ParsedBody":
        """Return this with the cursor of the next page."""
        return replace(self, next_cursor=cursor)


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """The body of an answer that is no error, with its HTTP status and headers."""

    data: bytes
    status: int = 200
    # Names in lower case.
    headers: Mapping[str, str] = field(default_factory=dict)
    # Whether it was too large to keep, and has markers in place of large values.
    is_pruned: bool = False
    # The parsed JSON of a large body.
    document: LargeJson | None = None


class Extractor:
    """Parses the answers of one API. Every path of its definition is compiled once, when the first answer needs it.

    With `name_paths`, for authors of definitions, problems name the paths at which nothing was found. With
    `keep_matches`, the results say where each field was found.
    """

    def __init__(self, spec: ApiSpec, *, name_paths: bool = False) -> None:
        self.spec = spec
        self._name_paths = name_paths
        envelope = spec.envelope
        self._data = Field("envelope.data", envelope.data)
        self._error = Field("envelope.error", envelope.error)
        self._failed = tuple((Field(path, (path,)), value) for path, value in envelope.failed)
        self._request_id = Field("request_id", envelope.request_id)
        self._trace_id = Field("trace_id", envelope.trace_id)
        self._jobs = {
            name: JobFields(resource, spec.phases, name_paths=name_paths) for name, resource in spec.resources.items()
        }

    def job(
        self,
        resource: str,
        body: ResponseBody,
        wanted: str | None,
        account_group: str | None = None,
        *,
        keep_matches: bool = False,
    ) -> ParsedBody:
        """Return the contents of an answer about the job with the ID `wanted` (None: about any job)."""
        spec, fields = self.spec.resources[resource], self._jobs[resource]
        opened = self._open(body, fields, keep_matches=keep_matches)
        if isinstance(opened, ParsedBody):
            return opened
        outer, inner, ids = opened
        if not isinstance(inner.value, dict):
            problem = protocol_problem("the response has no data" if self._data.paths else _NO_OBJECT)
            return ParsedBody(problem=problem, ids=ids, matches=tuple(outer.matches or ()))
        if spec.item:
            found = inner.first(fields.item)
            if found is None:
                problem = protocol_problem(f"the response has no job: nothing at {' or '.join(spec.item)}")
                return ParsedBody(problem=problem, ids=ids, matches=tuple(outer.matches or ()))
            inner = inner.inside(found)
        named = fields.id_in(inner)
        # An answer without a body, which shows the state by its status, is about the requested job.
        mismatch = _identity_problem(spec, named, wanted, inner) if body.data.strip() else None
        outcome = mismatch or fields.observation(inner, wanted or named or "", account_group, spec.kind, body.status)
        matches = tuple(outer.matches or ())
        if isinstance(outcome, ProblemDraft):
            return ParsedBody(problem=outcome, ids=ids, matches=matches, id=named)
        return ParsedBody((outcome,), ids=ids, matches=matches, id=named)

    def page(
        self,
        listed: ListSpec,
        body: ResponseBody,
        account_group: str | None = None,
        *,
        status: str | None = None,
        keep_matches: bool = False,
    ) -> ParsedBody:
        """Return the contents of a page of jobs; with `status`, only the rows with it, if the API cannot filter.

        A page whose rows are all unreadable is a problem.
        """
        fields = self._jobs[listed.shows[0]]
        opened = self._open(body, fields, keep_matches=keep_matches)
        if isinstance(opened, ParsedBody):
            return opened
        outer, inner, ids = opened
        if not isinstance(inner.value, dict | list):
            return ParsedBody(problem=protocol_problem("the response has no list of jobs"), ids=ids)
        items = Field("items", listed.items)
        rows = _rows(inner, items)
        if rows is None and not listed.missing_is_empty:
            nothing = (
                f"nothing at {' or '.join(listed.items)}" if self._name_paths else "the response has no list of jobs"
            )
            return ParsedBody(problem=protocol_problem(nothing), ids=ids)
        rows = rows or []
        kind = self.spec.resources[listed.shows[0]].kind if len(listed.shows) == 1 else ""
        read = [
            fields.row(inner.inside(row, keep_matches=index == 0), account_group, kind, whole=listed.whole)
            for index, row in enumerate(rows)
        ]
        good = [one for one in read if isinstance(one, Observation)]
        gap = None
        if unread := [one for one in read if isinstance(one, str)]:
            most = f"{len(unread)} of {len(rows)} rows could not be read"
            gap = f"{most if good else f'none of {len(rows)} rows could be read'}: {unread[0]}"
            if not good:
                return ParsedBody(problem=protocol_problem(gap), ids=ids, matches=tuple(outer.matches or ()))
        if status is not None and not listed.status_parameter:
            good = [one for one in good if one.status == status]
        return ParsedBody(
            tuple(good),
            ids=ids,
            next_cursor=self._next(listed, inner),
            rows=len(rows),
            partial_error=gap,
            matches=tuple(outer.matches or ()),
        )

    def part(
        self,
        resource: str,
        part: Part,
        body: ResponseBody,
        job_id: str,
        account_group: str | None,
        *,
        keep_matches: bool = False,
    ) -> ParsedBody:
        """Return the contents of an answer about a part of a job: an observation with only that part."""
        spec, fields = self.spec.resources[resource], self._jobs[resource]
        # The HTTP status does not show the job's state here, so an answer without a body shows nothing.
        opened = self._open(body, None, keep_matches=keep_matches, needs_body=True)
        if isinstance(opened, ParsedBody):
            return opened
        outer, inner, ids = opened
        part_row = Observation(job_id, "", Phase.UNKNOWN, account_group=account_group, whole=False)
        paths = spec.stages.items if part is Part.STAGES else spec.result.path if spec.result is not None else ()
        if part is Part.STAGES:
            stages, facts = fields.stages_in(inner)
            part_row = replace(part_row, stages=stages, facts=facts)
            is_there = bool(stages) or _rows(inner, Field("stages", paths)) is not None
        else:
            found = inner.first(Field("result", paths))
            part_row = replace(part_row, result=None if found is None else inner.text_of(found))
            is_there = found is not None
        matches = tuple(outer.matches or ())
        if not is_there:
            nothing = protocol_problem(f"not in the response: nothing at {' or '.join(paths)}")
            return ParsedBody(problem=read_error_of(outer.value) or nothing, ids=ids, matches=matches)
        return ParsedBody((part_row,), ids=ids, matches=matches)

    def action(self, body: ResponseBody) -> ParsedBody:
        """Return the IDs in the answer to an action, and a problem if the envelope reports a failure.

        Any other body with a 2xx status counts as success: APIs answer with the job, a text, or nothing.
        """
        opened = self._open(body, None, keep_matches=False)
        if not isinstance(opened, ParsedBody):
            return ParsedBody(ids=opened[2])
        return opened if opened.reports_failure else ParsedBody(ids=opened.ids)

    def values(self, variable: str, body: ResponseBody) -> tuple[tuple[str, ...], ParsedBody]:
        """Return the values in a page of a variable's list, and the page's IDs, cursor or problem."""
        spec = self.spec.variables[variable]
        opened = self._open(body, None, keep_matches=False)
        if isinstance(opened, ParsedBody):
            return (), opened
        _, inner, ids = opened
        rows = _rows(inner, Field("items", spec.items))
        if rows is None:
            return (), ParsedBody(problem=protocol_problem("the response has no list of items"), ids=ids)
        value = Field("value", spec.value or ("$",))
        found = (inner.inside(row).word(value) for row in (rows[:-1] if is_partial(rows) else rows))
        following = _next_cursor(inner, spec.cursor, spec.cursor_parameter, spec.more)
        return tuple(one for one in found if one is not None and is_id(one)), ParsedBody(
            ids=ids, next_cursor=following, rows=len(rows)
        )

    def _open(
        self, body: ResponseBody, fields: "JobFields | None", *, keep_matches: bool, needs_body: bool = False
    ) -> tuple[FieldReader, FieldReader, Ids] | ParsedBody:
        """Return readers of the whole answer and of the data in its envelope, with the answer's IDs; or its problem."""
        if not needs_body and self.spec.phases.needs_no_body(body.status) and not body.data.strip():
            value: object = {}
        else:
            try:
                value = read_json(body.data) if body.document is None else body.document.value
            except ValueError:
                return ParsedBody(problem=not_json(body.data, body.status))
        matches: list[FieldMatch] | None = [] if keep_matches else None
        outer = FieldReader(value, body.headers, matches, is_pruned=body.is_pruned, document=body.document)
        request_id, trace_id = outer.word(self._request_id), outer.word(self._trace_id)
        if fields is not None:
            request_id = request_id or outer.word(fields.request_id)
            trace_id = trace_id or outer.word(fields.trace_id)
        ids = (request_id, trace_id)
        if not self.spec.envelope.data:
            return outer, outer, ids
        if not isinstance(value, dict):
            return ParsedBody(problem=protocol_problem(_NO_OBJECT), ids=ids)
        if outer.misses_part(self._error, self._data, *(path for path, _ in self._failed)):
            return ParsedBody(problem=TOO_LARGE, ids=ids)
        error = outer.first(self._error)
        failed = any(_is_same(outer.first(path), value) for path, value in self._failed)
        data = outer.first(self._data)
        if failed or (data is None and error):
            code = coerce.text(error.get("code")) if isinstance(error, dict) else None
            message = one_line(describe_error(error) or "") or "the response reports a failure without a reason"
            problem = ProblemDraft(kind_of_code(code or ""), message)
            return ParsedBody(problem=problem, ids=ids, reports_failure=True)
        if not isinstance(data, dict | list):
            return ParsedBody(problem=protocol_problem("the response has no data"), ids=ids)
        return outer, outer.inside(data), ids

    def _next(self, listed: ListSpec, page: FieldReader) -> str | None:
        return _next_cursor(page, listed.cursor, listed.cursor_parameter, listed.more)


def _rows(reader: FieldReader, items: Field) -> list[object] | None:
    """Return the rows of the first path that leads to a list, even an empty one; None if no path does.

    A null in place of a list counts as empty, unless a later path leads to a list.
    """
    is_null = False
    for path, find in items.finders:
        holder = path[: -len("[*]")] if path.endswith("[*]") else None
        if holder is None:
            if found := find(reader.value):
                return [match.value for match in found]
            continue
        for match in compile_all(holder)(reader.value):
            if isinstance(match.value, list):
                return match.value[:MAX_VALUES]
            is_null = is_null or (match.value is None and holder != "$")
    return [] if is_null else None


def _next_cursor(page: FieldReader, cursor: Paths, parameter: str, more: Paths) -> str | None:
    if not cursor or (more and page.first(Field("more", more)) is False):
        return None
    if cursor == ("header:link",):
        link = coerce.next_link(page.headers.get("link", ""))
        return coerce.cursor(link, parameter) if link is not None else None
    return coerce.cursor(page.first(Field("cursor", cursor)), parameter)


def _identity_problem(
    resource: Resource, found: str | None, wanted: str | None, reader: FieldReader
) -> ProblemDraft | None:
    """Return the problem of an answer that is about another job, or does not name its job; else None."""
    fields = resource.fields
    if not fields.id or (found is None and not fields.id_required):
        return None
    if found is None:
        error = read_error_of(reader.value)
        return error or protocol_problem("the response does not say which job it is for")
    if wanted is not None and not resource.is_same_id(found, wanted):
        return protocol_problem(
            f"the response is for another job: {clean(found, limit=200)} instead of {clean(wanted, limit=200)}"
        )
    return None


def _is_same(found: object, value: object) -> bool:
    """Whether two values are equal and of the same type: 0 is not false."""
    return type(found) is type(value) and found == value
