"""``jobdeck apis``: the APIs that profiles can name, and the page of one of them, to be copied."""

import argparse
import os
import sys
from pathlib import Path

from jobdeck.apis.pages import PageLibrary
from jobdeck.apis.toml_text import to_toml
from jobdeck.cli.errors import CommandError
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.narration import narrate
from jobdeck.cli.output import print_table
from jobdeck.config import ConfigError, load_settings
from jobdeck.config.apis import read_page_text, read_spec
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.providers.origin import origin_of_base

_HEADER = ("NAME", "TITLE", "ORIGIN", "FROM")


def run(arguments: argparse.Namespace) -> ExitCode:
    """List the pages of APIs, or print one."""
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
        source += ", replaces the built-in one"
    try:
        spec = read_spec(library, name, name)
    except ConfigError as error:
        narrate(str(error))
        return name, "–", "–", f"{source}, cannot be used"
    origin = str(origin_of_base(spec.base_url)) if spec.base_url else ""
    variable = f"${spec.base_url_env}" if spec.base_url_env else "each profile's"
    return name, one_line(spec.title), origin or variable, source


def _text(library: PageLibrary, name: str) -> str:
    if name not in library.names:
        hint = did_you_mean(name, library.names) or "; jobdeck apis lists them"
        raise CommandError(f"no API is called {one_line(name, 80)}{hint}")
    page = library.own.get(name)
    if page is not None and page.table:
        return to_toml(page.tables)
    return read_page_text(library, name)
