"""What an API's answers say about jobs, by its page: pure functions of bytes that give observations or a problem."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jobdeck.apis import coerce
from jobdeck.apis.fields import Field, FieldMatch, FieldReader
from jobdeck.apis.ids import is_id
from jobdeck.apis.job_fields import TOO_LARGE, JobFields, protocol_problem, read_error_of
from jobdeck.apis.jsonpath import MAX_VALUES, compile_all
from jobdeck.apis.spec import ApiSpec, ListSpec, Paths, Resource
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
    """What a good answer's body says: observations or a problem, and the (request ID, trace ID) in it.

    Of a list, `next_cursor` asks for the next page, `rows` counts its rows and `partial_error` says what of it could
    not be read; None when all could. `matches` says where each field was found, if that was asked for, and `id`
    which job the answer names. With `reports_failure` the problem is that of the request, as the envelope says.
    """

    observations: tuple[Observation, ...] = ()
    problem: ProblemDraft | None = None
    ids: Ids = (None, None)
    next_cursor: str | None = None
    rows: int | None = None
    partial_error: str | None = None
    matches: tuple[FieldMatch, ...] = ()
    id: str | None = None
    reports_failure: bool = False

    def with_cursor(self, cursor: str | None) -> "ParsedBody":
        """Return the same with the cursor of the next page."""
        return replace(self, next_cursor=cursor)


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """The bytes of an answer that is no error, with its HTTP status and headers (names in small letters).

    One that `is_pruned` was too large to keep, and markers stand for what is large in it. A large one may have been
    read already (`document`).
    """

    data: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_pruned: bool = False
    document: LargeJson | None = None


class Extractor:
    """Reads the answers of one API. Every path of its page is compiled once, when the first answer needs it.

    With `name_paths`, for whoever writes a page, problems say where nothing was found.
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
        self, resource: str, body: ResponseBody, wanted: str | None, scope: str | None = None, *, record: bool = False
    ) -> ParsedBody:
        """Return what an answer says about the job `wanted` (None: about whatever job it is about)."""
        known, fields = self.spec.resources[resource], self._jobs[resource]
        opened = self._open(body, fields, record=record)
        if isinstance(opened, ParsedBody):
            return opened
        whole, inner, ids = opened
        if not isinstance(inner.value, dict):
            problem = protocol_problem("the response has no data" if self._data.paths else _NO_OBJECT)
            return ParsedBody(problem=problem, ids=ids, matches=tuple(whole.matches or ()))
        if known.item:
            found = inner.first(fields.item)
            if found is None:
                problem = protocol_problem(f"the response has no job: nothing at {' or '.join(known.item)}")
                return ParsedBody(problem=problem, ids=ids, matches=tuple(whole.matches or ()))
            inner = inner.inside(found)
        named = fields.id_in(inner)
        # The answer to a request for one job is about that job, where its status alone says how it is.
        stranger = _identity_problem(known, named, wanted, inner) if body.data.strip() else None
        outcome = stranger or fields.observation(inner, wanted or named or "", scope, known.kind, body.status)
        matches = tuple(whole.matches or ())
        if isinstance(outcome, ProblemDraft):
            return ParsedBody(problem=outcome, ids=ids, matches=matches, id=named)
        return ParsedBody((outcome,), ids=ids, matches=matches, id=named)

    def page(
        self,
        listed: ListSpec,
        body: ResponseBody,
        scope: str | None = None,
        *,
        status: str | None = None,
        record: bool = False,
    ) -> ParsedBody:
        """Return what a page of jobs says; with `status`, only the rows of that one, where the API cannot filter.

        A page of which no row could be read is a problem.
        """
        fields = self._jobs[listed.shows[0]]
        opened = self._open(body, fields, record=record)
        if isinstance(opened, ParsedBody):
            return opened
        whole, inner, ids = opened
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
            fields.row(inner.inside(row, record=index == 0), scope, kind, whole=listed.whole)
            for index, row in enumerate(rows)
        ]
        good = [one for one in read if isinstance(one, Observation)]
        gap = None
        if unread := [one for one in read if isinstance(one, str)]:
            most = f"{len(unread)} of {len(rows)} rows could not be read"
            gap = f"{most if good else f'none of {len(rows)} rows could be read'}: {unread[0]}"
            if not good:
                return ParsedBody(problem=protocol_problem(gap), ids=ids, matches=tuple(whole.matches or ()))
        if status is not None and not listed.status_parameter:
            good = [one for one in good if one.status == status]
        return ParsedBody(
            tuple(good),
            ids=ids,
            next_cursor=self._next(listed, inner),
            rows=len(rows),
            partial_error=gap,
            matches=tuple(whole.matches or ()),
        )

    def part(
        self, resource: str, part: Part, body: ResponseBody, job_id: str, scope: str | None, *, record: bool = False
    ) -> ParsedBody:
        """Return what an answer says about a part of a job alone: an observation with nothing else in it."""
        known, fields = self.spec.resources[resource], self._jobs[resource]
        # Its status says nothing of how the job is, so no body at all is no answer.
        opened = self._open(body, None, record=record, needs_body=True)
        if isinstance(opened, ParsedBody):
            return opened
        whole, inner, ids = opened
        part_row = Observation(job_id, "", Phase.UNKNOWN, account_group=scope, whole=False)
        paths = known.stages.items if part is Part.STAGES else known.result.path if known.result is not None else ()
        if part is Part.STAGES:
            stages, facts = fields.stages_in(inner)
            part_row = replace(part_row, stages=stages, facts=facts)
            is_there = bool(stages) or _rows(inner, Field("stages", paths)) is not None
        else:
            found = inner.first(Field("result", paths))
            part_row = replace(part_row, result=None if found is None else inner.text_of(found))
            is_there = found is not None
        matches = tuple(whole.matches or ())
        if not is_there:
            nothing = protocol_problem(f"not in the response: nothing at {' or '.join(paths)}")
            return ParsedBody(problem=read_error_of(whole.value) or nothing, ids=ids, matches=matches)
        return ParsedBody((part_row,), ids=ids, matches=matches)

    def action(self, body: ResponseBody) -> ParsedBody:
        """Return what an answer to an action says: its IDs, and a problem where the envelope reports a failure.

        Anything else that came with a good status is taken for a yes: APIs answer with the job, a text, or nothing.
        """
        opened = self._open(body, None, record=False)
        if not isinstance(opened, ParsedBody):
            return ParsedBody(ids=opened[2])
        return opened if opened.reports_failure else ParsedBody(ids=opened.ids)

    def values(self, variable: str, body: ResponseBody) -> tuple[tuple[str, ...], ParsedBody]:
        """Return the values that a page of a variable's list has, and the rest of what the page says."""
        known = self.spec.variables[variable]
        opened = self._open(body, None, record=False)
        if isinstance(opened, ParsedBody):
            return (), opened
        _, inner, ids = opened
        rows = _rows(inner, Field("items", known.items))
        if rows is None:
            return (), ParsedBody(problem=protocol_problem("the response has no list of items"), ids=ids)
        value = Field("value", known.value or ("$",))
        found = (inner.inside(row).word(value) for row in (rows[:-1] if is_partial(rows) else rows))
        following = _next_cursor(inner, known.cursor, known.cursor_parameter, known.more)
        return tuple(one for one in found if one is not None and is_id(one)), ParsedBody(
            ids=ids, next_cursor=following, rows=len(rows)
        )

    def _open(
        self, body: ResponseBody, fields: "JobFields | None", *, record: bool, needs_body: bool = False
    ) -> tuple[FieldReader, FieldReader, Ids] | ParsedBody:
        """Return readers of the whole answer and of what its envelope holds, with its IDs; or its problem."""
        if not needs_body and self.spec.phases.needs_no_body(body.status) and not body.data.strip():
            value: object = {}
        else:
            try:
                value = read_json(body.data) if body.document is None else body.document.value
            except ValueError:
                return ParsedBody(problem=not_json(body.data, body.status))
        matches: list[FieldMatch] | None = [] if record else None
        whole = FieldReader(value, body.headers, matches, is_pruned=body.is_pruned, document=body.document)
        request_id, trace_id = whole.word(self._request_id), whole.word(self._trace_id)
        if fields is not None:
            request_id = request_id or whole.word(fields.request_id)
            trace_id = trace_id or whole.word(fields.trace_id)
        ids = (request_id, trace_id)
        if not self.spec.envelope.data:
            return whole, whole, ids
        if not isinstance(value, dict):
            return ParsedBody(problem=protocol_problem(_NO_OBJECT), ids=ids)
        if whole.misses_part(self._error, self._data, *(path for path, _ in self._failed)):
            return ParsedBody(problem=TOO_LARGE, ids=ids)
        error = whole.first(self._error)
        failed = any(_is_same(whole.first(path), value) for path, value in self._failed)
        data = whole.first(self._data)
        if failed or (data is None and error):
            code = coerce.text(error.get("code")) if isinstance(error, dict) else None
            words = one_line(describe_error(error) or "") or "the response reports a failure without a reason"
            problem = ProblemDraft(kind_of_code(code or ""), words)
            return ParsedBody(problem=problem, ids=ids, reports_failure=True)
        if not isinstance(data, dict | list):
            return ParsedBody(problem=protocol_problem("the response has no data"), ids=ids)
        return whole, whole.inside(data), ids

    def _next(self, listed: ListSpec, page: FieldReader) -> str | None:
        return _next_cursor(page, listed.cursor, listed.cursor_parameter, listed.more)


def _rows(reader: FieldReader, items: Field) -> list[object] | None:
    """Return the rows of the first path that leads to a list, an empty one too; None when no path does.

    A list that is null counts as empty, unless a later path has one.
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
    """Return the problem of an answer that is about another job, or does not say about which it is."""
    fields = resource.fields
    if not fields.id or (found is None and not fields.id_required):
        return None
    if found is None:
        said = read_error_of(reader.value)
        return said or protocol_problem("the response does not say which job it is for")
    if wanted is not None and not resource.is_same_id(found, wanted):
        return protocol_problem(
            f"the response is for another job: {clean(found, limit=200)} instead of {clean(wanted, limit=200)}"
        )
    return None


def _is_same(found: object, value: object) -> bool:
    """Whether two values are equal and of one type: 0 is not false."""
    return type(found) is type(value) and found == value
