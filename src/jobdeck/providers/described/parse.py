"""Tables to a `Description`: everything that can be wrong with one is found here, before any request."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobdeck.domain.text import one_line
from jobdeck.providers.described.sections import (
    HEADER_NAME,
    read_auth,
    read_fields,
    read_headers,
    read_list,
    read_phases,
    read_query,
    read_rate_limit,
    read_stages,
    read_template,
)
from jobdeck.providers.described.tables import DescriptionError, Table
from jobdeck.providers.description import Description
from jobdeck.providers.profile import MAX_REQUESTS_PER_MINUTE, OriginError, origin_of_base
from jobdeck.providers.url_template import ID

VARIABLE = re.compile(r"\{([a-z][a-z0-9_]{0,31})\}")
_TABLES = ("headers", "variables", "auth", "job", "list", "fields", "stages", "phases", "rate_limit")

Raw = Mapping[str, object]


def parse_description(name: str, raw: object, file: str, base: Callable[[str], Raw | None]) -> Description:
    """Return what a table ``[providers.NAME]`` describes; `base` gives the tables of the one it is ``like``.

    Raises `DescriptionError`.
    """
    where = f"providers.{name}"
    merged = merge(raw, f"{file}: [{where}]", base)
    table = Table(merged, file, where)
    # Strange keys first: of a misspelt table, all that would be said else is what is missing in it.
    for known in ("like", *_TABLES):
        table.has(known)
    plain = _Plain.of(table, name)
    table.finish()
    job = table.table("job")
    query = read_query(job)
    by_parameter = f"{{{ID}}}" in (value for _, value in query)
    url = read_template(job, "url", needs_id=not by_parameter)
    fields = read_fields(table.table("fields"))
    auth = read_auth(table.table("auth"))
    description = Description(
        name=name,
        source=file,
        url=url,
        title=plain.title,
        base_url=plain.base_url,
        query=query,
        dropped_query=frozenset(job.texts("dropped_query")),
        item=job.paths("item"),
        kind=plain.kind,
        typical=plain.typical,
        requests_per_minute=plain.requests_per_minute,
        request_id_headers=plain.request_id_headers,
        trace_id_headers=plain.trace_id_headers,
        headers=read_headers(table, auth),
        forbidden_may_be_rate_limit=plain.forbidden_may_be_rate_limit,
        rate_limit=read_rate_limit(table.table("rate_limit")),
        variables=MappingProxyType(table.strings("variables")),
        auth=auth,
        fields=fields,
        stages=read_stages(table.table("stages")),
        phases=read_phases(table.table("phases"), fields),
        list=read_list(table.table("list"), url) if table.has("list") else None,
    )
    job.finish()
    if description.list is not None and not fields.id:
        raise table.wrong("list", "needs the field id: only its ID says which job a row is about")
    _check_variables(description, table)
    return description


@dataclass(frozen=True, slots=True)
class _Plain:
    """What stands in the table itself."""

    title: str
    base_url: str | None
    kind: str
    typical: float | None
    requests_per_minute: int | None
    request_id_headers: tuple[str, ...]
    trace_id_headers: tuple[str, ...]
    forbidden_may_be_rate_limit: bool

    @classmethod
    def of(cls, table: Table, name: str) -> "_Plain":
        return cls(
            title=table.text("title", name),
            base_url=_base_url(table),
            kind=table.text("kind", "job"),
            typical=table.duration("typical"),
            requests_per_minute=table.whole("requests_per_minute", 1, MAX_REQUESTS_PER_MINUTE),
            request_id_headers=_header_names(table, "request_id_headers", ("x-request-id",)),
            trace_id_headers=_header_names(table, "trace_id_headers", ("x-trace-id",)),
            forbidden_may_be_rate_limit=table.flag("forbidden_may_be_rate_limit"),
        )


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
    return (frozenset(description.place) | {name for text in texts for name in VARIABLE.findall(text)}) - {ID}


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


def _base_url(table: Table) -> str | None:
    url = table.text("base_url")
    if not url:
        return None
    try:
        origin_of_base(url)
    except OriginError as error:
        raise table.wrong("base_url", f"is refused: {error}") from None
    return url


def _header_names(table: Table, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    names = table.texts(key, default)
    for name in names:
        if not HEADER_NAME.fullmatch(name):
            raise table.wrong(key, f"must be names of headers, not {one_line(name, 80)}")
    return tuple(name.lower() for name in names)


def _check_variables(description: Description, table: Table) -> None:
    known = variables_of(description)
    for name in description.variables:
        if name not in known:
            raise table.wrong(f"variables.{name}", f"is used nowhere (used: {', '.join(sorted(known)) or 'none'})")
    for text in (*(value for _, value in description.query), description.auth.user):
        if "{" in VARIABLE.sub("", text) or "}" in VARIABLE.sub("", text):
            raise table.wrong("job.query", f"has {one_line(text, 80)!r}, where a variable must read {{name}}")
    listed = description.list.query if description.list is not None else ()
    asked = [value for _, value in description.query if value != f"{{{ID}}}"]
    if any(f"{{{ID}}}" in text for text in (*asked, *(value for _, value in listed), description.auth.user)):
        raise table.wrong("{id}", "may stand in job.url, or be the whole of one value of job.query, and nowhere else")
