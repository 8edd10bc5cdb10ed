"""The APIs that profiles can name: built in, ``apis/NAME.toml`` beside the configuration, ``[providers.NAME]``."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from jobdeck.apis.pages import Page, PageLibrary, built_in_text
from jobdeck.apis.spec import ApiSpec
from jobdeck.apis.tables import PageError
from jobdeck.config.errors import ConfigError
from jobdeck.documents import MAX_TOML, DocumentError, parse_toml
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.files import as_utf8, read_regular

PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
FOLDER = "apis"
MAX_PROVIDERS = 200
"""Each is parsed at every start, in a quarter of a millisecond."""


def read_pages(raw: object, path: Path) -> PageLibrary:
    """Return the API definitions of a configuration file: its ``[providers]`` over the files in the folder beside it.

    Raises `ConfigError` with file, table, key and what was expected.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{path}: providers must be tables such as [providers.NAME]")
    if len(raw) > MAX_PROVIDERS:
        raise ConfigError(f"{path}: too many [providers.NAME] tables: {len(raw)}, at most {MAX_PROVIDERS} allowed")
    own = _pages_in(path.parent / FOLDER)
    for name, table in raw.items():
        where = f"{path}: [providers.{one_line(name, 80)}]"
        if not PROVIDER_NAME.fullmatch(name):
            raise ConfigError(f"{where}: a provider name may contain letters, digits, - and _, up to 64 characters")
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where} must be a table")
        own[name] = Page(table, str(path), f"providers.{name}")
    library = PageLibrary(MappingProxyType(own))
    for name in raw:
        read_spec(library, name, str(path))
    return library


def read_spec(library: PageLibrary, name: str, where: str) -> ApiSpec:
    """Return the API called `name`; raises `ConfigError`, starting with `where`, if it is unknown or invalid."""
    if name not in library.names:
        hint = did_you_mean(name, library.names) or ", or the name of your own API definition"
        raise ConfigError(f"{where}: provider must be one of {', '.join(library.names)}{hint}")
    try:
        return library.spec(name)
    except PageError as error:
        raise ConfigError(str(error)) from None


def read_page_text(library: PageLibrary, name: str) -> str:
    """Return the text of a definition, built in or beside the configuration; raises `ConfigError`."""
    page = library.own.get(name)
    return built_in_text(name) if page is None else _read(Path(page.file))


def _pages_in(folder: Path) -> dict[str, Page]:
    """Return the definitions in a folder by file name; empty if there is no such folder."""
    try:
        files = sorted(folder.glob("*.toml"))
    except OSError:
        return {}
    if len(files) > MAX_PROVIDERS:
        raise ConfigError(f"{folder}: too many API definitions: {len(files)}, at most {MAX_PROVIDERS} allowed")
    return {file.stem: _page(file) for file in files}


def _page(file: Path) -> Page:
    if not PROVIDER_NAME.fullmatch(file.stem):
        raise ConfigError(f"{file}: a provider name may contain letters, digits, - and _, up to 64 characters")
    try:
        return Page(parse_toml(_read(file)), str(file))
    except DocumentError as error:
        raise ConfigError(f"{file} is not valid TOML: {one_line(str(error), 200)}") from None


def _read(file: Path) -> str:
    try:
        return as_utf8(read_regular(file, MAX_TOML)).decode()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {one_line(str(error), 200)}") from None
