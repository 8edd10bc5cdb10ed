"""The sources of definitions (pages): built in, ``apis/NAME.toml`` beside the configuration, ``[providers.NAME]``."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from jobdeck.apis.loader import load_page, merge
from jobdeck.apis.spec import ApiSpec, fill
from jobdeck.apis.tables import PageError, Raw
from jobdeck.http.origin import Origin, origin_of_base

_ENV_TABLE = re.compile(r"^env = \{(.*)\}$", re.MULTILINE)
_ENV_NAME = re.compile(r'= "([A-Z][A-Z0-9_]*)"')
_AUTOMATIC = re.compile(r"^automatic_profile = (\d+)$", re.MULTILINE)
_BUILT_IN = Path(__file__).with_name("builtin")
"""Their folder; `importlib.resources` would import 3 ms of zip files and adapters."""

MAX_LIKE = 8
"""Most definitions in a chain of ``like``."""


@cache
def built_in_names() -> tuple[str, ...]:
    """Return the names of the built-in definitions, sorted."""
    return tuple(sorted(page.stem for page in _BUILT_IN.glob("*.toml")))


@cache
def built_in_text(name: str) -> str:
    """Return the text of a built-in definition; raises KeyError if there is none."""
    if name not in built_in_names():
        raise KeyError(name)
    return (_BUILT_IN / f"{name}.toml").read_text("utf-8")


@cache
def _built_in_tables(name: str) -> Raw:
    return tomllib.loads(built_in_text(name))


def automatic_names() -> tuple[str, ...]:
    """Return the names of the built-in APIs with an automatic profile, in order of preference."""
    # Search the text: parsing two dozen files for a number would take 60 ms.
    ranks = {name: match for name in built_in_names() if (match := _AUTOMATIC.search(built_in_text(name)))}
    return tuple(sorted(ranks, key=lambda name: int(ranks[name][1])))


@cache
def customary_variables(name: str) -> frozenset[str]:
    """Return the environment variables that customarily hold the secrets of a built-in API."""
    # Search the text, for the same reason.
    return frozenset(_ENV_NAME.findall(" ".join(_ENV_TABLE.findall(built_in_text(name)))))


def names_with(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the built-in APIs with a customary variable in `env`."""
    return tuple(name for name in built_in_names() if not customary_variables(name).isdisjoint(env))


def names_at(origin: Origin) -> tuple[str, ...]:
    """Return the names of the built-in APIs whose base URL is at `origin`."""
    near = (name for name in built_in_names() if f"://{origin.host}" in built_in_text(name))
    return tuple(name for name in near if _base_origin(PageLibrary().spec(name).base_url) == origin)


def _base_origin(url: str) -> Origin | None:
    return origin_of_base(url) if url else None


@dataclass(frozen=True, slots=True)
class Page:
    """The tables of one definition, its file, and its table within that file (empty: the whole file)."""

    tables: Raw
    file: str
    table: str = ""


@dataclass(frozen=True)
class PageLibrary:
    """The definitions that profiles can name; a user's (`own`) replace built-in ones of the same name.

    A definition is loaded when it is first needed, so that a start does not pay for the others.
    """

    own: Mapping[str, Page] = field(default_factory=lambda: MappingProxyType({}))
    _specs: dict[str, ApiSpec] = field(default_factory=dict, compare=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all definitions, sorted."""
        return tuple(sorted({*built_in_names(), *self.own}))

    def replaces(self, name: str) -> bool:
        """Whether a user's definition replaces a built-in one."""
        return name in self.own and name in built_in_names()

    def spec(self, name: str) -> ApiSpec:
        """Return the API with this name; raises KeyError if there is none, `PageError` if its definition is wrong."""
        if name not in self._specs:
            page = self._page(name)
            base = self._base_of(name, (name,))
            self._specs[name] = load_page(name, page.tables, page.file, base, page.table)
        return self._specs[name]

    def _page(self, name: str) -> Page:
        if name in self.own:
            return self.own[name]
        return Page(_built_in_tables(name), f"{name}.toml (built in)")

    def _base_of(self, name: str, path: tuple[str, ...]) -> Callable[[str], Raw | None]:
        page = self._page(name)

        def base(like: str) -> Raw | None:
            if like == name and name in self.own and name in built_in_names():
                return _built_in_tables(name)
            if like in path:
                where = f"{page.file}: [{page.table}]" if page.table else page.file
                raise PageError(f"{where}: circular like: {' → '.join((*path, like))}")
            if like not in self.names:
                return None
            if len(path) > MAX_LIKE:
                first = self._page(path[0])
                where = f"{first.file}: [{first.table}]" if first.table else first.file
                raise PageError(f"{where}: like is nested more than {MAX_LIKE} levels deep")
            below = self._page(like)
            return merge(below.tables, below.file, self._base_of(like, (*path, like)))

        return base


def built_in_meanings(name: str) -> Mapping[str, Mapping[str, str]]:
    """Return the meanings of the values of facts, by a built-in definition; empty if there is none."""
    return PageLibrary().spec(name).explain if name in built_in_names() else {}


def customary_headers(name: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of a built-in API with its customary environment variables in shell syntax (``$NAME``)."""
    if name not in built_in_names():
        return ()
    spec = PageLibrary().spec(name)
    if not spec.auth:
        return ()
    variables = {secret: f"${variable}" for secret, variable in spec.auth[0].env.items()}
    return tuple((header, fill(template, variables)) for header, template in spec.auth[0].headers.items())
