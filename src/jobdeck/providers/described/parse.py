"""Tables to a `Description`: everything that can be wrong with one is found here, before any request."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line
from jobdeck.providers.described.tables import DescriptionError, Table
from jobdeck.providers.description import (
    Auth,
    AuthScheme,
    Description,
    Fields,
    JobList,
    Phases,
    ProgressPaths,
    ProgressUnit,
    StageFields,
    TimeUnit,
)
from jobdeck.providers.profile import MAX_REQUESTS_PER_MINUTE, Origin, OriginError
from jobdeck.providers.url_template import ID, TemplateError, UrlTemplate

VARIABLE = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
MAX_FACTS = 20
MAX_PAGE = 1_000
_TOKEN = re.compile(r"[A-Za-z0-9-]{1,80}")
_PLAIN = re.compile(r"[A-Za-z0-9 ._:;,=/+*()@-]{0,200}")
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "cookie", "host", "transfer-encoding", "user-agent"}
)

_SECRET_HEADER = re.compile(r"key|token|secret|auth|cookie|password|credential", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"(?:api|access|auth)?[_-]?(?:key|token|secret|password|signature|sig|code)", re.IGNORECASE
)

Raw = Mapping[str, object]


def parse_description(name: str, raw: object, file: str, base: Callable[[str], Raw | None]) -> Description:
    """Return what a table ``[providers.NAME]`` describes; `base` gives the tables of the one it is ``like``.

    Raises `DescriptionError`.
    """
    where = f"providers.{name}"
    merged = merge(raw, f"{file}: [{where}]", base)
    table = Table(merged, file, where)
    table.has("like")
    job = table.table("job")
    url = _template(job, "url", needs_id=True)
    fields = _fields(table.table("fields"))
    auth = _auth(table.table("auth"))
    description = Description(
        name=name,
        source=file,
        url=url,
        title=table.text("title", name),
        base_url=_base_url(table),
        query=_query(job),
        dropped_query=frozenset(job.texts("dropped_query")),
        kind=table.text("kind", "job"),
        requests_per_minute=table.whole("requests_per_minute", 1, MAX_REQUESTS_PER_MINUTE),
        request_id_headers=_header_names(table, "request_id_headers", ("x-request-id",)),
        trace_id_headers=_header_names(table, "trace_id_headers", ("x-trace-id",)),
        headers=_headers(table, auth),
        forbidden_may_be_rate_limit=table.flag("forbidden_may_be_rate_limit"),
        variables=MappingProxyType(table.strings("variables")),
        auth=auth,
        fields=fields,
        stages=_stages(table.table("stages")),
        phases=_phases(table.table("phases"), fields),
        list=_list(table.table("list"), url) if table.has("list") else None,
    )
    job.finish()
    table.finish()
    _check_variables(description, table)
    return description


def merge(raw: object, where: str, base: Callable[[str], Raw | None]) -> Raw:
    """Return the tables with those of ``like`` underneath; raises `DescriptionError`."""
    if not isinstance(raw, Mapping):
        raise DescriptionError(f"{where} must be a table")
    like = raw.get("like")
    if like is None:
        return raw
    below = base(like) if isinstance(like, str) else None
    if below is None:
        raise DescriptionError(f"{where}: like names no description: {one_line(str(like), 80)}")
    return _over(below, raw)


def variables_of(description: Description) -> frozenset[str]:
    """Return the variables that a profile may give."""
    queries = [*description.query, *(description.list.query if description.list is not None else ())]
    texts = [*(value for _, value in queries), description.auth.user]
    return frozenset(description.place) | {name for text in texts for name in VARIABLE.findall(text)}


def needed_variables(description: Description) -> frozenset[str]:
    """Return the variables that no target can give, so that a profile must where there is no default."""
    return variables_of(description) - frozenset(description.place)


def filled(template: str, variables: Mapping[str, str]) -> str:
    """Return a text with the variables that are known in place of their names."""
    return VARIABLE.sub(lambda match: variables.get(match[1], match[0]), template)


def _over(below: Raw, above: Raw) -> Raw:
    merged: dict[str, object] = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        if key == "phases" and both:
            merged[key] = _over_phases(known, value)  # type: ignore[arg-type] # both are mappings, as just seen
        else:
            merged[key] = _over(known, value) if both else value  # type: ignore[arg-type] # the same
    return merged


def _over_phases(below: Raw, above: Raw) -> Raw:
    """A word that is given a new meaning loses its old one."""
    moved = {word for words in above.values() if isinstance(words, list) for word in words if isinstance(word, str)}
    kept = {
        phase: [word for word in words if word not in moved] if isinstance(words, list) else words
        for phase, words in below.items()
    }
    return {**kept, **above}


def _template(table: Table, key: str, *, needs_id: bool) -> UrlTemplate:
    text = table.text(key)
    if not text:
        raise table.wrong(key, "is missing: the path of a job, such as /v1/jobs/{id}" if needs_id else "is missing")
    try:
        template = UrlTemplate.parse(text)
    except TemplateError as error:
        raise table.wrong(key, f"{error}: {one_line(text, 120)}") from None
    if needs_id and ID not in template.variables:
        raise table.wrong(key, f"must have {{id}} in it: {one_line(text, 120)}")
    if not needs_id and ID in template.variables:
        raise table.wrong(key, f"must not have {{id}} in it: {one_line(text, 120)}")
    return template


def _base_url(table: Table) -> str | None:
    url = table.text("base_url")
    if not url:
        return None
    try:
        Origin.of(url)
    except OriginError as error:
        raise table.wrong("base_url", f"is refused: {error}") from None
    return url


def _header_names(table: Table, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    names = table.texts(key, default)
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise table.wrong(key, f"must be names of headers, not {one_line(name, 80)}")
    return tuple(name.lower() for name in names)


def _query(table: Table) -> tuple[tuple[str, str], ...]:
    found = table.strings("query")
    for name in found:
        if _SECRET_PARAMETER.fullmatch(name):
            raise table.wrong(
                f"query.{name}", "is refused: URLs are kept and shown, so a key goes into a header (auth)"
            )
    return tuple(found.items())


def _headers(table: Table, auth: Auth) -> tuple[tuple[str, str], ...]:
    found = table.strings("headers")
    for name, value in found.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS | {auth.header.lower()}:
            raise table.wrong(f"headers.{name}", "cannot be set: it is jobdeck's own, or that of auth")
        if _SECRET_HEADER.search(name):
            raise table.wrong(
                f"headers.{name}", "is refused: what could be a key belongs into auth, and its value into token"
            )
        if not _PLAIN.fullmatch(value):
            raise table.wrong(f"headers.{name}", "must be letters, digits and . _ : ; , = / + * ( ) @ -")
    return tuple(found.items())


def _auth(table: Table) -> Auth:
    auth = Auth(
        scheme=table.choice("scheme", AuthScheme.BEARER),
        header=table.text("header", "Authorization"),
        prefix=table.text("prefix"),
        user=table.text("user"),
        optional=table.flag("optional"),
    )
    table.finish()
    if not _TOKEN.fullmatch(auth.header) or auth.header.lower() in _OURS:
        raise table.wrong("header", "must be the name of a header that may hold a key")
    if not _PLAIN.fullmatch(auth.prefix):
        raise table.wrong("prefix", 'must be plain words before the key, such as "Token "')
    custom = table.has("header") or table.has("prefix")
    if custom and auth.scheme is not AuthScheme.HEADER:
        raise table.wrong("header" if table.has("header") else "prefix", 'is for scheme = "header" only')
    if auth.scheme is AuthScheme.HEADER and not table.has("header"):
        raise table.wrong("header", 'is missing: scheme = "header" needs its name')
    if auth.scheme is AuthScheme.BASIC and not auth.user:
        raise table.wrong(
            "user", 'is missing: scheme = "basic" needs one, a name or "{user}", a variable of the profile'
        )
    if auth.user and auth.scheme is not AuthScheme.BASIC:
        raise table.wrong("user", 'is for scheme = "basic" only')
    return auth


def _progress(table: Table) -> ProgressPaths:
    found = ProgressPaths(
        table.paths("progress"),
        table.paths("progress_total"),
        table.choice("progress_unit", ProgressUnit.FRACTION),
    )
    if found.total and found.unit is not ProgressUnit.COUNT:
        raise table.wrong("progress_total", 'is for progress_unit = "count" only')
    if found.unit is ProgressUnit.COUNT and not found.total:
        raise table.wrong("progress_total", 'is missing: progress_unit = "count" needs the total')
    return found


def _fields(table: Table) -> Fields:
    facts = table.table("facts")
    if len(facts.keys()) > MAX_FACTS:
        raise table.wrong("facts", f"are {len(facts.keys())}, and at most {MAX_FACTS}")
    fields = Fields(
        id=table.paths("id"),
        id_after_last=table.text("id_after_last"),
        id_required=table.flag("id_required", default=True),
        kind=table.paths("kind"),
        status=table.paths("status"),
        outcome=table.paths("outcome"),
        done=table.paths("done"),
        done_needs_result=table.flag("done_needs_result"),
        progress=_progress(table),
        error=table.paths("error"),
        error_code=table.paths("error_code"),
        error_message=table.paths("error_message"),
        result=table.paths("result"),
        request_id=table.paths("request_id"),
        trace_id=table.paths("trace_id"),
        created=table.paths("created"),
        updated=table.paths("updated"),
        ended=table.paths("ended"),
        time_unit=table.choice("time_unit", TimeUnit.RFC3339),
        facts=tuple((one_line(name, 80), facts.paths(name)) for name in facts.keys()),  # noqa: SIM118 - a method
    )
    table.finish()
    if not (fields.status or fields.done):
        raise table.wrong("status", "is missing: give the JSONPath of the status, or of the boolean done")
    if fields.done_needs_result and not fields.result:
        raise table.wrong("done_needs_result", "needs result, the JSONPath of the result")
    if fields.done and not (fields.id and fields.id_required):
        raise table.wrong(
            "id", "is missing: an answer may leave done out, so only its ID tells that it is one about a job"
        )
    return fields


def _stages(table: Table) -> StageFields:
    stages = StageFields(
        items=table.paths("items"),
        name=table.paths("name"),
        status=table.paths("status"),
        outcome=table.paths("outcome"),
        progress=_progress(table),
    )
    table.finish()
    if table.keys() and not table.has("items"):
        raise table.wrong("items", "is missing: the JSONPath of the stages, such as $.steps[*]")
    return stages


def _phases(table: Table, fields: Fields) -> Phases:
    words: dict[str, Phase] = {}
    for phase in Phase:
        if phase is Phase.UNKNOWN:
            continue
        for word in table.texts(phase.value):
            if words.setdefault(word, phase) is not phase:
                raise table.wrong(phase.value, f"has {one_line(word, 80)!r}, which {words[word].value} has as well")
    outcome = frozenset(table.texts("outcome"))
    other = table.choice("other", Phase.UNKNOWN)
    codes = frozenset(table.texts("cancelled_codes"))
    table.finish()
    if outcome & words.keys():
        raise table.wrong("outcome", f"has {one_line(min(outcome & words.keys()), 80)!r}, which has a phase as well")
    if other.terminal:
        raise table.wrong("other", "must be queued, running or unknown: an unknown word never ends a job")
    if bool(outcome) is not bool(fields.outcome):
        raise table.wrong("outcome", "and the field outcome need each other: which statuses have one, and where it is")
    if not fields.done and not any(phase.terminal for phase in words.values()):
        raise table.wrong("succeeded", "or another phase that ends a job is missing: no status would ever end one")
    return Phases(MappingProxyType(words), outcome, other, codes)


def _list(table: Table, job: UrlTemplate) -> JobList:
    url = _template(table, "url", needs_id=False)
    strange = next((name for name in url.variables if name not in job.variables), None)
    if strange is not None:
        raise table.wrong("url", f"has {{{strange}}}, which the URL of a job has not")
    found = JobList(
        url=url,
        items=table.paths("items"),
        query=_query(table),
        cursor=table.paths("cursor"),
        cursor_parameter=table.text("cursor_parameter") or None,
        limit_parameter=table.text("limit_parameter") or None,
        status_parameter=table.text("status_parameter") or None,
        page=table.whole("page", 1, MAX_PAGE) or 100,
        newest_first=table.flag("newest_first"),
        whole=table.flag("whole"),
    )
    table.finish()
    if not found.items:
        raise table.wrong("items", "is missing: the JSONPath of the rows, such as $.jobs[*]")
    if bool(found.cursor) is not bool(found.cursor_parameter):
        raise table.wrong("cursor", "and cursor_parameter need each other")
    return found


def _check_variables(description: Description, table: Table) -> None:
    known = variables_of(description)
    for name in description.variables:
        if name not in known:
            raise table.wrong(f"variables.{name}", f"is used nowhere (used: {', '.join(sorted(known)) or 'none'})")
    for text in (*(value for _, value in description.query), description.auth.user):
        if "{" in VARIABLE.sub("", text) or "}" in VARIABLE.sub("", text):
            raise table.wrong("job.query", f"has {one_line(text, 80)!r}, where a variable must read {{name}}")
