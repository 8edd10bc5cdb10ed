"""Loading the URLs of requests from a definition: path templates, parameters, and paths to URLs in answers."""

import re

from jobdeck.apis.links import SECRET_PARAMETER
from jobdeck.apis.spec import PartSource
from jobdeck.apis.tables import StrictTable
from jobdeck.apis.url_template import ID, TemplateError, UrlTemplate
from jobdeck.domain.text import one_line

BRACES = re.compile(r"\{[a-z][a-z0-9_]{0,31}\}")
"""A variable in a text."""


def load_template(table: StrictTable, key: str, *, needs_id: bool | None) -> UrlTemplate:
    """Return the template of a path; `needs_id`: it must contain the ID (True), must not (False), or may (None)."""
    text = table.text(key)
    if not text:
        raise table.error(key, "is missing: the path of a job, such as /v1/jobs/{id}" if needs_id else "is missing")
    try:
        template = UrlTemplate.parse(text)
    except TemplateError as error:
        raise table.error(key, f"{error}: {one_line(text, 120)}") from None
    if needs_id and ID not in template.variables:
        raise table.error(key, f"must contain {{id}}, or query must have a parameter with it: {one_line(text, 120)}")
    if needs_id is False and ID in template.variables:
        raise table.error(key, f"must not contain {{id}}: {one_line(text, 120)}")
    return template


def load_query(table: StrictTable) -> tuple[tuple[str, str], ...]:
    """Return the parameters of a request; none may hold a secret."""
    found = table.strings("query")
    for name, value in found.items():
        if SECRET_PARAMETER.fullmatch(name):
            raise table.error(
                f"query.{name}", "is not allowed: URLs are saved and shown, so send credentials in a header (auth)"
            )
        check_braces(table, f"query.{name}", value)
        if f"{{{ID}}}" in value and value != f"{{{ID}}}":
            raise table.error(f"query.{name}", "may be exactly {id}, but must not contain it in a longer value")
    return tuple(found.items())


def load_source(table: StrictTable, variables: tuple[str, ...]) -> PartSource | None:
    """Return the source of a part with a URL of its own; None if the table has no URL.

    `variables` are those that its path may have.
    """
    query, value = load_query(table), table.get("url")
    if value is None:
        if query:
            raise table.error("query", "requires url, the path to request")
        return None
    if not isinstance(value, str) or not value.startswith("/"):
        links = table.paths("url") if _may_be_paths(value) else ()
        if not links:
            meant = (
                "such as /jobs/{id}/result, or the location of a URL in the response: a JSONPath, or header:location"
            )
            raise table.error("url", f"must be a path, {meant}")
        if query:
            raise table.error("query", "works only with a path: a URL in a response has its own query")
        return PartSource(link=links)
    url = load_template(table, "url", needs_id=None if any(f"{{{ID}}}" == value for _, value in query) else True)
    strange = next((name for name in url.variables if name not in variables), None)
    if strange is not None:
        raise table.error("url", f"has {{{strange}}}, which is not in the job URL")
    return PartSource(url=url, query=query)


def _may_be_paths(value: object) -> bool:
    found = [value] if isinstance(value, str) else value
    return isinstance(found, list) and all(
        isinstance(each, str) and each.startswith(("$", "header:")) for each in found
    )


def check_braces(table: StrictTable, key: str, text: str) -> None:
    """Raise `PageError` for braces that are no variable."""
    rest = BRACES.sub("", text)
    if "{" in rest or "}" in rest:
        raise table.error(key, f"has {one_line(text, 80)!r}; variables must look like {{name}}")
