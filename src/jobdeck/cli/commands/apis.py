"""``jobdeck apis``: list the APIs that profiles can use, or print the definition of one."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from jobdeck.apis.pages import PageLibrary
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.log import log
from jobdeck.cli.output import print_table
from jobdeck.config import ConfigError, load_settings
from jobdeck.config.apis import read_page_text, read_spec
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.http.origin import origin_of_base

_HEADER = ("NAME", "TITLE", "ORIGIN", "FROM")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List the definitions of APIs, or print one."""
    library = load_settings(os.environ, Path(arguments.config) if arguments.config else None).apis
    if arguments.name is not None:
        sys.stdout.write(_text(library, arguments.name))
        return ExitCode.OK
    print_table(_HEADER, [_row(library, name) for name in library.names])
    return ExitCode.OK


def _row(library: PageLibrary, name: str) -> tuple[str, str, str, str]:
    page = library.own.get(name)
    source = "built in" if page is None else page.file
    if library.replaces(name):
        source += ", overrides the built-in one"
    try:
        spec = read_spec(library, name, name)
    except ConfigError as error:
        log(str(error))
        return name, "–", "–", f"{source}, invalid"
    origin = str(origin_of_base(spec.base_url)) if spec.base_url else ""
    variable = f"${spec.base_url_env}" if spec.base_url_env else "set per profile"
    return name, one_line(spec.title), origin or variable, source


def _text(library: PageLibrary, name: str) -> str:
    if name not in library.names:
        hint = did_you_mean(name, library.names) or "; run 'jobdeck apis' for a list"
        raise CommandError(f"unknown API {one_line(name, 80)}{hint}")
    page = library.own.get(name)
    if page is not None and page.table:
        return to_toml(page.tables)
    return read_page_text(library, name)


def to_toml(table: Mapping[str, object]) -> str:
    """Return tables as TOML, without comments."""
    return "\n".join(_lines(table, ())).strip("\n") + "\n"


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    for key, value in table.items():
        if not _is_table(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        inner = (*path, key)
        name = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            yield from ("", f"[{name}]", *_lines(value, inner))
        elif isinstance(value, list) and _is_table(value):
            for one in value:
                yield from ("", f"[[{name}]]", *_lines(one, inner))


def _is_table(value: object) -> bool:
    """Whether a value needs a table header: a table, or a list of tables only."""
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)
    )


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
        case _:
            # TOML's basic strings escape like JSON, except for surrogates, which TOML does not have.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
