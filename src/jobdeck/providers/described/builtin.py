"""The descriptions that come with jobdeck, and how a name finds its description."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jobdeck.providers.described.parse import Raw, merge, parse_description
from jobdeck.providers.described.tables import DescriptionError
from jobdeck.providers.description import Description
from jobdeck.providers.profile import BUILT_IN

MAX_LIKE = 8
"""Descriptions that one may be ``like``, in a row."""


@cache
def built_in(name: str) -> Description:
    """Return the description that comes with jobdeck under `name`; raises KeyError when there is none."""
    return parse_description(name, built_in_tables(name), f"{name}.toml (built in)", lambda _: None)


@cache
def built_in_tables(name: str) -> Raw:
    """Return its tables; raises KeyError when there is none."""
    if name not in BUILT_IN:
        raise KeyError(name)
    return tomllib.loads((files(__package__) / f"{name}.toml").read_text("utf-8"))


def describe(name: str, tables: Mapping[str, object], file: str) -> Description:
    """Return the description `name` of all `tables` of a file, which may be ``like`` each other or a built-in one.

    Raises `DescriptionError`.
    """

    def base(of: str, path: tuple[str, ...]) -> Raw | None:
        if of in BUILT_IN:
            return built_in_tables(of)
        if of in path:
            raise DescriptionError(f"{file}: [providers.{of}]: like leads back to itself: {' → '.join((*path, of))}")
        if of not in tables:
            return None
        if len(path) >= MAX_LIKE:
            raise DescriptionError(f"{file}: [providers.{path[0]}]: like leads through more than {MAX_LIKE} others")
        return merge(tables[of], f"{file}: [providers.{of}]", lambda next_: base(next_, (*path, of)))

    return parse_description(name, tables[name], file, lambda of: base(of, (name,)))
