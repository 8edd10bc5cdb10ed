"""The tables within a description, each to what it says; `DescriptionError` for all that is wrong in one."""

import re
from types import MappingProxyType

from jobdeck.domain.phase import Phase
from jobdeck.domain.text import one_line
from jobdeck.providers.described.tables import Table
from jobdeck.providers.description import (
    Auth,
    AuthScheme,
    Fields,
    JobList,
    Paths,
    Phases,
    ProgressPaths,
    ProgressUnit,
    StageFields,
    TimeUnit,
)
from jobdeck.providers.throttling import RateLimitWords
from jobdeck.providers.url_template import ID, TemplateError, UrlTemplate

HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,80}")
MAX_FACTS = 20
MAX_PAGE = 1_000
SHORTEST_MESSAGE = 5
_PLAIN = re.compile(r"[A-Za-z0-9 ._:;,=/+*()@-]{0,200}")
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "cookie", "host", "transfer-encoding", "user-agent"}
)

_SECRET_HEADER = re.compile(r"key|token|secret|auth|cookie|password|credential", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"(?:api|access|auth)?[_-]?(?:key|token|secret|password|signature|sig|code)", re.IGNORECASE
)
_MANY = re.compile(r"[*?:,]")
"""What a path has in it that can find more than one value, wherever that stands."""


def read_template(table: Table, key: str, *, needs_id: bool) -> UrlTemplate:
    """Return the template of a path; `needs_id` says whether an ID must be in it, or must not."""
    text = table.text(key)
    if not text:
        raise table.wrong(key, "is missing: the path of a job, such as /v1/jobs/{id}" if needs_id else "is missing")
    try:
        template = UrlTemplate.parse(text)
    except TemplateError as error:
        raise table.wrong(key, f"{error}: {one_line(text, 120)}") from None
    if needs_id and ID not in template.variables:
        raise table.wrong(key, f"must have {{id}} in it, or query a parameter with it: {one_line(text, 120)}")
    if not needs_id and ID in template.variables:
        raise table.wrong(key, f"must not have {{id}} in it: {one_line(text, 120)}")
    return template


def read_query(table: Table) -> tuple[tuple[str, str], ...]:
    """Return the parameters to ask with; none may hold a secret."""
    found = table.strings("query")
    for name in found:
        if _SECRET_PARAMETER.fullmatch(name):
            raise table.wrong(
                f"query.{name}", "is refused: URLs are kept and shown, so a key goes into a header (auth)"
            )
    return tuple(found.items())


def read_headers(table: Table, auth: Auth) -> tuple[tuple[str, str], ...]:
    """Return the further headers to send; none may hold a secret, or be one of jobdeck's own."""
    found = table.strings("headers")
    for name, value in found.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in _OURS | {auth.header.lower()}:
            raise table.wrong(f"headers.{name}", "cannot be set: it is jobdeck's own, or that of auth")
        if _SECRET_HEADER.search(name):
            raise table.wrong(
                f"headers.{name}", "is refused: what could be a key belongs into auth, and its value into token"
            )
        if not _PLAIN.fullmatch(value):
            raise table.wrong(f"headers.{name}", "must be letters, digits and . _ : ; , = / + * ( ) @ -")
    return tuple(found.items())


def read_auth(table: Table) -> Auth:
    """Return how a token is sent."""
    auth = Auth(
        scheme=table.choice("scheme", AuthScheme.BEARER),
        header=table.text("header", "Authorization"),
        prefix=table.text("prefix"),
        user=table.text("user"),
        optional=table.flag("optional"),
    )
    table.finish()
    if not HEADER_NAME.fullmatch(auth.header) or auth.header.lower() in _OURS:
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


def read_fields(table: Table) -> Fields:
    """Return where in an answer what is."""
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
        failures=table.paths("failures"),
        result=table.paths("result"),
        request_id=table.paths("request_id"),
        trace_id=table.paths("trace_id"),
        created=table.paths("created"),
        updated=table.paths("updated"),
        ended=table.paths("ended"),
        started=table.paths("started"),
        attempt=table.paths("attempt"),
        time_unit=table.choice("time_unit", TimeUnit.RFC3339),
        facts=tuple((one_line(name, 80), facts.paths(name)) for name in facts.keys()),  # noqa: SIM118 - a method
    )
    table.finish()
    if not (fields.status or fields.done):
        raise table.wrong("status", "is missing: give the JSONPath of the status, or of the boolean done")
    if fields.done_needs_result and not fields.result:
        raise table.wrong("done_needs_result", "needs result, the JSONPath of the result")
    return fields


def read_stages(table: Table) -> StageFields:
    """Return where the stages are, and what in one of them."""
    stages = StageFields(
        items=_many(table, "such as $.steps[*]"),
        name=table.paths("name"),
        status=table.paths("status"),
        outcome=table.paths("outcome"),
        progress=_progress(table),
    )
    table.finish()
    if table.keys() and not table.has("items"):
        raise table.wrong("items", "is missing: the JSONPath of the stages, such as $.steps[*]")
    return stages


def read_phases(table: Table, fields: Fields) -> Phases:
    """Return what the statuses mean."""
    words: dict[str, Phase] = {}
    for phase in Phase:
        if phase is Phase.UNKNOWN:
            continue
        for word in table.texts(phase.value):
            if words.setdefault(word, phase) is not phase:
                raise table.wrong(phase.value, f"has {one_line(word, 80)!r}, which {words[word].value} has as well")
    outcome = frozenset(table.texts("outcome"))
    other = table.choice("other", Phase.UNKNOWN)
    done = frozenset(table.texts("done"))
    missing = table.choice("missing", Phase.UNKNOWN)
    codes = frozenset(table.texts("cancelled_codes"))
    table.finish()
    twice = sorted((outcome | done) & words.keys() | outcome & done)
    if twice:
        raise table.wrong(
            "outcome" if twice[0] in outcome else "done", f"has {one_line(twice[0], 80)!r}, which has a phase as well"
        )
    if other.terminal:
        raise table.wrong("other", "must be queued, running or unknown: an unknown word never ends a job")
    if missing.terminal:
        raise table.wrong("missing", "must be queued or running: no status at all never ends a job")
    if missing is not Phase.UNKNOWN and not (fields.id and fields.id_required):
        raise table.wrong("missing", "needs the field id, which tells an answer without a status from any other")
    if codes and not (fields.error or fields.error_code):
        raise table.wrong("cancelled_codes", "needs the field error or error_code, where the codes are")
    if bool(outcome) is not bool(fields.outcome):
        raise table.wrong("outcome", "and the field outcome need each other: which statuses have one, and where it is")
    if not fields.done and not done and not any(phase.terminal for phase in words.values()):
        raise table.wrong("succeeded", "or another phase that ends a job is missing: no status would ever end one")
    return Phases(MappingProxyType(words), outcome, done, other, missing, codes)


def read_rate_limit(table: Table) -> RateLimitWords:
    """Return what makes a rate limit of a refusal; a message of a letter or two would make one of any."""
    words = RateLimitWords(frozenset(table.texts("codes")), table.texts("messages"))
    table.finish()
    short = next((text for text in words.messages if len(text.strip()) < SHORTEST_MESSAGE), None)
    if short is not None:
        raise table.wrong(
            "messages", f"has {one_line(short, 80)!r}, and must have at least {SHORTEST_MESSAGE} characters"
        )
    return words


def read_list(table: Table, job: UrlTemplate) -> JobList:
    """Return how jobs are listed; `job` is the template that has to know all variables."""
    url = read_template(table, "url", needs_id=False)
    strange = next((name for name in url.variables if name not in job.variables), None)
    if strange is not None:
        raise table.wrong("url", f"has {{{strange}}}, which the URL of a job has not")
    found = JobList(
        url=url,
        items=_many(table, "such as $.jobs[*]"),
        query=read_query(table),
        cursor=table.paths("cursor"),
        cursor_parameter=table.text("cursor_parameter") or None,
        page_parameter=table.text("page_parameter") or None,
        offset_parameter=table.text("offset_parameter") or None,
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
    ways = [key for key in ("cursor_parameter", "page_parameter", "offset_parameter") if table.has(key)]
    if len(ways) > 1:
        raise table.wrong(ways[1], f"and {ways[0]} are two ways to the next page: give one")
    asked = [name for name, _ in found.query]
    for key in (*ways, "limit_parameter", "status_parameter"):
        name = table.text(key)
        if name and name in asked:
            raise table.wrong(key, f"is {one_line(name, 80)!r}, which is asked with anyway")
        asked.append(name)
    return found


def _many(table: Table, example: str) -> Paths:
    """Return paths to several values; one to the array itself would find a single thing that is no row."""
    paths = table.paths("items")
    single = next((path for path in paths if not _MANY.search(path)), None)
    if single is not None:
        raise table.wrong("items", f"is one value, {one_line(single, 120)!r}: give the path to each, {example}")
    return paths
