"""Loading an `ApiSpec` from the tables of a definition; every error in it is found here, before a request is sent."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobdeck.apis.load_fields import load_fields, load_phases, load_result, load_stages
from jobdeck.apis.load_urls import BRACES, check_braces, load_query, load_template
from jobdeck.apis.spec import (
    Accepted,
    ActionSpec,
    ApiSpec,
    AuthMethod,
    Envelope,
    ListSpec,
    Phases,
    Resource,
    Variable,
    placeholders,
)
from jobdeck.apis.tables import PageError, Raw, StrictTable, overlay
from jobdeck.apis.url_template import ID
from jobdeck.domain.phase import Phase
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.http.origin import OriginError, origin_of_base
from jobdeck.http.throttling import RateLimitWords

MAX_REQUESTS_PER_MINUTE = 60_000
MAX_RESOURCES = 20
MAX_LISTS = 10
MAX_AUTH = 6
MAX_PAGE = 1_000
SHORTEST_MESSAGE = 5

HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,80}")
_PLAIN = re.compile(r"[A-Za-z0-9 ._:;,=/+*()@-]{0,200}")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_OWN_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "cookie", "host", "transfer-encoding"}
    | {"user-agent"}
)
_PROFILE_KEYS = frozenset({"provider", "base_url", "requests_per_minute", "variables", "organization", "allow"})
_SECRET_HEADER = re.compile(r"key|token|secret|auth|cookie|password|credential", re.IGNORECASE)
_DEFAULT_INTERVAL = 5.0
_NO_AUTH = AuthMethod({"Authorization": "Bearer {token}"})


def load_page(name: str, raw: object, file: str, base: Callable[[str], Raw | None], table: str = "") -> ApiSpec:
    """Return the API `name` as its definition describes it; `base` returns the tables of the API it is ``like``.

    `table` is the name of the definition within `file`, empty if it is the whole file. Raises `PageError`.
    """
    merged = merge(raw, f"{file}: [{table}]" if table else file, base)
    page = StrictTable(merged, file, table)
    phases_table, lists = page.table("phases"), page.tables("lists")
    if page.has("list"):
        lists.append(page.table("list"))
    resources = _resources(page)
    phases = load_phases(phases_table, list(resources.values()))
    # Only checked here: `PageLibrary` finds the built-in APIs that have it without reading their pages.
    page.whole("automatic_profile", 1, 99)
    spec = ApiSpec(
        name=name,
        source=file,
        title=page.text("title", name),
        resources=MappingProxyType(resources),
        base_url=_base_url(page),
        base_url_env=_env_name(page, "base_url_env", page.text("base_url_env")),
        typical=page.seconds("typical"),
        requests_per_minute=page.whole("requests_per_minute", 1, MAX_REQUESTS_PER_MINUTE),
        request_id_headers=_header_names(page, "request_id_headers", ("x-request-id",)),
        trace_id_headers=_header_names(page, "trace_id_headers", ("x-trace-id",)),
        headers=MappingProxyType(_headers(page)),
        forbidden_may_be_rate_limit=page.flag("forbidden_may_be_rate_limit"),
        rate_limit=_rate_limit(page.table("rate_limit")),
        auth=_auth(page),
        auth_optional=any(method.flag("optional") for method in page.tables("auth")),
        envelope=_envelope(page.table("envelope")),
        variables=MappingProxyType(_variables(page.table("variables"))),
        phases=phases,
        lists=_lists(page, lists, resources, phases),
        accepted=_accepted(page.table("accepted")),
        cancel=_cancel(page.table("actions"), resources),
        explain=MappingProxyType(_explanations(page.table("explain"))),
    )
    page.finish("like", "title")
    _check_variables(spec, page)
    return spec


def merge(raw: object, where: str, base: Callable[[str], Raw | None]) -> Raw:
    """Return the tables merged over those of ``like``; raises `PageError`."""
    if not isinstance(raw, Mapping):
        raise PageError(f"{where} must be a table")
    like = raw.get("like")
    if like is None:
        return raw
    below = base(like) if isinstance(like, str) else None
    if below is None:
        raise PageError(f"{where}: like refers to an unknown API: {one_line(str(like), 80)}")
    return overlay(below, raw)


def profile_variables(spec: ApiSpec) -> frozenset[str]:
    """Return the variables that a profile of this API may set."""
    found = {name for resource in spec.resources.values() for name in resource.group_variables}
    found |= {name for listed in spec.lists for name in listed.url.variables}
    texts = [*_request_texts(spec), *spec.headers.values()]
    return (frozenset(found) | {name for text in texts for name in placeholders(text)}) - {ID}


def required_variables(spec: ApiSpec) -> frozenset[str]:
    """Return the variables that no target has a value for, so that a profile must set those without a default."""
    of_targets = {name for resource in spec.resources.values() for name in resource.group_variables}
    return frozenset({name for text in _request_texts(spec) for name in placeholders(text)}) - of_targets - {ID}


def _request_texts(spec: ApiSpec) -> list[str]:
    """Return the texts of requests that may contain variables, other than paths and headers."""
    resources = spec.resources.values()
    queries = [resource.query for resource in resources] + [listed.query for listed in spec.lists]
    queries += [source.query for resource in resources for source in resource.parts.values()]
    texts = [value for query in queries for _, value in query]
    return [*texts, *(method.basic_user for method in spec.auth), *(resource.body for resource in resources)]


@dataclass(frozen=True, slots=True)
class _AnswerTables:
    """The tables that locate the fields in answers."""

    fields: StrictTable
    stages: StrictTable
    result: StrictTable

    def under(self, resource: StrictTable) -> "_AnswerTables":
        """Return the tables of a resource, merged over these."""
        return _AnswerTables(
            resource.table("fields").over(self.fields.raw),
            resource.table("stages").over(self.stages.raw),
            resource.table("result").over(self.result.raw),
        )


def _resources(page: StrictTable) -> dict[str, Resource]:
    """Return the resources of ``[resources.NAME]``, or the only one of ``[job]``."""
    answer, kind = _AnswerTables(page.table("fields"), page.table("stages"), page.table("result")), page.text("kind")
    if not page.has("resources"):
        return {"job": _resource("job", page.table("job"), answer, kind or "job")}
    if page.has("job"):
        raise page.error("job", "and resources cannot be combined")
    tables = page.table("resources")
    if not tables.names:
        raise page.error("resources", "must have one table per kind of job, such as [resources.job]")
    page.at_most("resources", len(tables.names), MAX_RESOURCES)
    found: dict[str, Resource] = {}
    raws: dict[str, Raw] = {}
    for name in tables.names:
        if not _NAME.fullmatch(name):
            raise tables.error(one_line(name, 80), "must be a name of lowercase letters, digits, - and _")
        one = tables.table(name)
        like = one.text("like")
        if like and like not in raws:
            raise one.error("like", f"refers to no earlier resource: {one_line(like, 80)}")
        if like:
            one = one.over({key: value for key, value in raws[like].items() if key != "kind"})
        raws[name] = one.raw
        found[name] = _resource(name, one, answer.under(one), name)
    return found


def _resource(name: str, table: StrictTable, answer: _AnswerTables, kind: str) -> Resource:
    query = load_query(table)
    by_parameter = f"{{{ID}}}" in (value for _, value in query)
    method = table.text("method", "GET").upper()
    body = table.text("body")
    if method not in {"GET", "POST"}:
        raise table.error("method", "must be GET or POST")
    if body and method == "GET":
        raise table.error("body", 'requires method = "POST"')
    _check_body(table, body)
    needs_id = not by_parameter and f"{{{ID}}}" not in body
    pattern = table.text("id_pattern")
    _check_pattern(table, pattern)
    interval = table.seconds("interval", 1.0, 900.0)
    url, read = load_template(table, "url", needs_id=needs_id), load_fields(answer.fields)
    variables = (*url.variables, ID)
    found = Resource(
        name=name,
        url=url,
        query=query,
        dropped_query=frozenset(table.texts("dropped_query")),
        method=method,
        body=body,
        item=table.paths("item"),
        kind=table.text("kind", kind),
        id_pattern=pattern,
        interval=_DEFAULT_INTERVAL if interval is None else interval,
        young=table.flag("poll_young_sooner"),
        typical=table.seconds("typical"),
        accepted_if=table.paths("accepted_if"),
        fields=read,
        stages=load_stages(answer.stages, variables),
        result=load_result(answer.result, read, variables),
    )
    table.finish("like", "fields", "stages", "result")
    return found


def _check_pattern(table: StrictTable, pattern: str) -> None:
    """Raise `PageError` for a pattern that is invalid, or could cost more than its length times the ID's."""
    if not pattern:
        return
    # Classes, literals, alternatives and repetitions of single characters: none of these can backtrack for long.
    safe = re.compile(r"(?:\[[^\]\\]{1,80}\]|[A-Za-z0-9_.~:@+-]|\\d|\(\?:|[|)]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\}|[?+*])+")
    nested = re.search(r"[+*}]\)[+*{]", pattern)
    try:
        re.compile(pattern)
    except re.error as error:
        raise table.error("id_pattern", f"is not a valid regular expression: {error}") from None
    if not safe.fullmatch(pattern) or nested:
        raise table.error("id_pattern", "may use only classes such as [0-9a-f], (?:a|b) and repetitions such as {24}")


def _headers(page: StrictTable) -> dict[str, str]:
    """Return the additional headers to send; none may hold a secret, or be one of jobdeck's own."""
    found = page.strings("headers")
    for name, value in found.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS | {"authorization"}:
            raise page.error(f"headers.{name}", "cannot be set: it is reserved for jobdeck or auth")
        if _SECRET_HEADER.search(name):
            raise page.error(f"headers.{name}", "may contain a credential: put it in auth")
        check_braces(page, f"headers.{name}", value)
        if not _PLAIN.fullmatch(BRACES.sub("", value)):
            raise page.error(f"headers.{name}", "may contain only letters, digits and . _ : ; , = / + * ( ) @ -")
    return found


def _auth(page: StrictTable) -> tuple[AuthMethod, ...]:
    """Return the ways to authenticate in the order in which they are tried; by default, a bearer token."""
    tables = page.tables("auth")
    page.at_most("auth", len(tables), MAX_AUTH)
    if not tables:
        return (_NO_AUTH,)
    methods = [_auth_method(table) for table in tables]
    return tuple(method for method in methods if method is not None)


def _auth_method(table: StrictTable) -> AuthMethod | None:
    scheme = table.text("scheme", "headers" if table.has("headers") else "bearer")
    schemes = ("bearer", "header", "headers", "basic", "none")
    if scheme not in schemes:
        raise table.error("scheme", f"must be one of bearer, header, basic, none, not {one_line(scheme, 40)}")
    header, prefix, user = table.text("header"), table.text("prefix"), table.text("user")
    env = {name: _env_name(table, f"env.{name}", value) for name, value in table.strings("env").items()}
    given = table.strings("headers")
    table.finish("optional")
    for key, text, wanted in (("header", header, "header"), ("prefix", prefix, "header"), ("user", user, "basic")):
        if text and scheme != wanted:
            raise table.error(key, f'requires scheme = "{wanted}"')
    match scheme:
        case "none":
            return None
        case "header":
            if not header:
                raise table.error("header", 'is missing: scheme = "header" requires it')
            if not _PLAIN.fullmatch(prefix):
                raise table.error("prefix", 'must be plain text to put before the token, such as "Token "')
            headers = {header: f"{prefix}{{token}}"}
        case "headers":
            headers = given
        case "basic":
            if not user:
                raise table.error("user", 'is missing: scheme = "basic" requires a name, or "{user}", a variable')
            check_braces(table, "user", user)
            method = AuthMethod({}, user, "{token}", MappingProxyType(env))
            return _checked(table, method)
        case _:
            headers = {"Authorization": "Bearer {token}"}
    return _checked(table, AuthMethod(MappingProxyType(headers), env=MappingProxyType(env)))


def _checked(table: StrictTable, method: AuthMethod) -> AuthMethod:
    for name, template in method.headers.items():
        if not HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise table.error("header", f"must be a header that may carry a credential, not {one_line(name, 80)}")
        check_braces(table, f"headers.{name}", template)
        if not _PLAIN.fullmatch(BRACES.sub("", template)):
            raise table.error(f"headers.{name}", "may contain only letters, digits and . _ : ; , = / + * ( ) @ -")
    if not method.secrets:
        raise table.error("headers", 'contain no secret: name one in braces, such as "Bearer {token}"')
    for name in method.secrets:
        if name in _PROFILE_KEYS:
            raise table.error("headers", f"use {name!r} as a secret, but that is a profile key")
    for name in method.env:
        if name not in method.secrets:
            raise table.unknown(f"env.{name}", [f"env.{secret}" for secret in method.secrets])
    return method


def _rate_limit(table: StrictTable) -> RateLimitWords:
    """Return the API's own signs of a rate limit; a message of a few characters would match any refusal."""
    words = RateLimitWords(frozenset(table.texts("codes")), table.texts("messages"))
    table.finish()
    short = next((text for text in words.messages if len(text.strip()) < SHORTEST_MESSAGE), None)
    if short is not None:
        raise table.error("messages", f"has {one_line(short, 80)!r}, but needs at least {SHORTEST_MESSAGE} characters")
    return words


def _env_name(table: StrictTable, key: str, name: str) -> str:
    if name and not re.fullmatch(r"[A-Z][A-Z0-9_]{0,99}", name):
        raise table.error(key, f"must be the name of an environment variable, not {one_line(name, 80)!r}")
    return name


def _base_url(page: StrictTable) -> str:
    url = page.text("base_url")
    if url:
        try:
            origin_of_base(url)
        except OriginError as error:
            raise page.error("base_url", f"is not allowed: {error}") from None
    return url


def _header_names(table: StrictTable, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    names = table.texts(key, default)
    for name in names:
        if not HEADER_NAME.fullmatch(name):
            raise table.error(key, f"must be header names, not {one_line(name, 80)}")
    return tuple(name.lower() for name in names)


def _envelope(table: StrictTable) -> Envelope:
    failed = table.table("failed")
    pairs: list[tuple[str, object]] = []
    for path in failed.names:
        failed.as_paths(path, path)
        value = failed.get(path)
        if not isinstance(value, str | bool | int):
            raise failed.error(path, "must be the value that means failure: a string, a number, true or false")
        pairs.append((path, value))
    found = Envelope(
        data=table.paths("data"),
        error=table.paths("error"),
        failed=tuple(pairs),
        request_id=table.paths("request_id"),
        trace_id=table.paths("trace_id"),
    )
    table.finish()
    if (found.error or found.failed) and not found.data:
        raise table.error("data", "is missing: the path of the payload, such as $.data")
    return found


def _lists(
    page: StrictTable, tables: list[StrictTable], resources: Mapping[str, Resource], phases: Phases
) -> tuple[ListSpec, ...]:
    page.at_most("lists", len(tables), MAX_LISTS)
    found = tuple(_list(table, resources, phases) for table in tables)
    for listed in found:
        for name in listed.shows:
            if not resources[name].fields.id:
                raise page.error("lists", f"need the id field of {name} to tell which job a row is for")
    return found


def _list(table: StrictTable, resources: Mapping[str, Resource], phases: Phases) -> ListSpec:
    """Return a list of the API's jobs."""
    shows = table.texts("shows", tuple(resources)[:1])
    for name in shows:
        if name not in resources:
            raise table.error("shows", f"unknown resource: {one_line(name, 80)} (known: {', '.join(resources)})")
    url = load_template(table, "url", needs_id=False)
    strange = next((name for name in url.variables if name not in resources[shows[0]].url.variables), None)
    if strange is not None:
        raise table.error("url", f"has {{{strange}}}, which is not in the job URL")
    status_parameter = table.text("status_parameter")
    words = (phases.in_phases(Phase.RUNNING, Phase.QUEUED), phases.in_phases(*_ENDED)) if status_parameter else ((), ())
    query = load_query(table)
    if f"{{{ID}}}" in dict(query).values():
        raise table.error("query", "must not contain {id}: a list is not for a single job")
    found = ListSpec(
        url=url,
        shows=shows,
        items=table.plural_paths("items", "such as $.jobs[*]"),
        query=query,
        cursor=table.paths("cursor"),
        cursor_parameter=table.text("cursor_parameter"),
        more=table.paths("more"),
        page_parameter=table.text("page_parameter"),
        offset_parameter=table.text("offset_parameter"),
        limit_parameter=table.text("limit_parameter"),
        status_parameter=status_parameter,
        live=table.texts("live", words[0]),
        ended=table.texts("ended", words[1]),
        page=table.whole("page", 1, MAX_PAGE) or 100,
        newest_first=table.flag("newest_first"),
        whole=table.flag("whole"),
        missing_is_empty=table.flag("missing_is_empty"),
    )
    table.finish()
    if not found.items:
        raise table.error("items", "is missing: the JSONPath of the rows, such as $.jobs[*]")
    if bool(found.cursor) is not bool(found.cursor_parameter):
        raise table.error("cursor", "and cursor_parameter must be used together")
    ways = [key for key in ("cursor_parameter", "page_parameter", "offset_parameter") if table.has(key)]
    if len(ways) > 1:
        raise table.error(ways[1], f"and {ways[0]} cannot be combined")
    for key in ("live", "ended"):
        if table.has(key) and not status_parameter:
            raise table.error(key, "requires status_parameter")
    parameters = [name for name, _ in found.query]
    for key in (*ways, "limit_parameter", "status_parameter"):
        name = table.text(key)
        if name and name in parameters:
            raise table.error(key, f"is {one_line(name, 80)!r}, which is already set")
        parameters.append(name)
    return found


_ENDED = (Phase.SUCCEEDED, Phase.FAILED, Phase.PARTIAL, Phase.CANCELLED)


def _variables(table: StrictTable) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for name in table.names:
        if not isinstance(table.get(name), Mapping):
            found[name] = Variable(default=table.string_value(name))
            continue
        one = table.table(name)
        variable = Variable(
            default=one.text("default"),
            url=load_template(one, "url", needs_id=False) if one.has("url") else None,
            items=one.plural_paths("items", "such as $.items[*]"),
            value=one.paths("value"),
            cursor=one.paths("cursor"),
            cursor_parameter=one.text("cursor_parameter"),
            more=one.paths("more"),
            limit_parameter=one.text("limit_parameter"),
            page=one.whole("page", 1, MAX_PAGE) or 100,
        )
        one.finish()
        if variable.url is not None and not variable.items:
            raise one.error("items", "is missing: the JSONPath of the values, such as $.items[*]")
        if variable.url is None and not variable.default:
            raise one.error("url", "or default is missing")
        if bool(variable.cursor) is not bool(variable.cursor_parameter):
            raise one.error("cursor", "and cursor_parameter must be used together")
        found[name] = variable
    return found


def _accepted(table: StrictTable) -> Accepted:
    refuse = table.table("refuse")
    reasons: list[tuple[str, str]] = []
    for path in refuse.names:
        refuse.as_paths(path, path)
        reasons.append((path, refuse.text(path)))
    found = Accepted(
        id=table.paths("id"), url=table.paths("url"), account_group=table.paths("scope"), refuse=tuple(reasons)
    )
    table.finish()
    return found


def _check_body(table: StrictTable, body: str) -> None:
    if body:
        try:
            json.loads(BRACES.sub("x", body))
        except ValueError:
            raise table.error("body", "must be JSON, with variables such as {id} only inside strings") from None


def _cancel(actions: StrictTable, resources: Mapping[str, Resource]) -> tuple[ActionSpec, ...]:
    found: list[ActionSpec] = []
    for table in actions.tables("cancel"):
        action = _action(table, resources)
        duplicate = next((name for each in found for name in action.resources if name in each.resources), None)
        if duplicate is not None:
            raise table.error("resources", f"has {duplicate}, which another cancel action already has")
        found.append(action)
    actions.finish()
    return tuple(found)


def _action(table: StrictTable, resources: Mapping[str, Resource]) -> ActionSpec:
    names = table.texts("resources", tuple(resources))
    unknown = next((name for name in names if name not in resources), None)
    if unknown is not None:
        hint = did_you_mean(unknown, resources) or f" (known: {', '.join(resources)})"
        raise table.error("resources", f"has {one_line(unknown, 80)}, which is not a resource{hint}")
    method, body = table.text("method", "POST").upper(), table.text("body")
    if method not in {"POST", "DELETE", "PUT", "PATCH"}:
        raise table.error("method", "must be POST, PUT, PATCH or DELETE")
    phases = table.texts("phases", ("queued", "running"))
    if not set(phases) <= {"queued", "running", "unknown"}:
        raise table.error("phases", "may be queued, running and unknown")
    url = load_template(table, "url", needs_id=True)
    _check_body(table, body)
    for name in names:
        variables = resources[name].url.variables
        strange = next((each for each in (*url.variables, *placeholders(body)) if each not in {*variables, ID}), None)
        if strange is not None:
            only = "; name those that have it in resources" if len(resources) > 1 else ""
            raise table.error("url" if strange in url.variables else "body", _STRANGE.format(strange, name, only))
    table.finish()
    return ActionSpec(url, tuple(names), method, body, tuple(Phase(phase) for phase in phases))


_STRANGE = "has {{{}}}, which is not in the job URL of {}{}"


def _explanations(table: StrictTable) -> dict[str, Mapping[str, str]]:
    return {name: MappingProxyType(table.strings(name)) for name in table.names}


def _check_variables(spec: ApiSpec, page: StrictTable) -> None:
    used = profile_variables(spec)
    for name in spec.variables:
        if name not in used:
            raise page.error(f"variables.{name}", f"is not used (used: {', '.join(sorted(used)) or 'none'})")
