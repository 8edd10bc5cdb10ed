"""What commands do first: read the settings, open the store."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobdeck.apis.pages import automatic_names, built_in_names
from jobdeck.apis.spec import ApiSpec
from jobdeck.cli.errors import CommandError
from jobdeck.cli.exit_codes import ExitCode
from jobdeck.cli.narration import narrate
from jobdeck.config import ConfigError, load_settings
from jobdeck.config.settings import default_path
from jobdeck.wiring import Wiring, open_own_store

if TYPE_CHECKING:
    from jobdeck.domain.scope import Scope
    from jobdeck.store import Opened, Store
    from jobdeck.store.records import Notice


def open_wiring(arguments: argparse.Namespace) -> Wiring:
    """Return the wiring for a command's arguments; raises `ConfigError`, also when there is no profile at all."""
    wiring = Wiring(os.environ, Path(arguments.config) if arguments.config else None, keep=not arguments.no_store)
    if not wiring.settings.profiles and not any(name in wiring.settings.profiles for name in built_in_names()):
        place = wiring.settings.path or default_path(os.environ)
        variables = ", or ".join(_variables(wiring.settings.apis.spec(name)) for name in automatic_names())
        message = f"no profile: set {variables}, or write {place}; to look around first: jobdeck demo"
        raise ConfigError("\n".join((*wiring.settings.notices, message)))
    for notice in wiring.settings.notices:
        narrate(notice)
    return wiring


def _variables(spec: ApiSpec) -> str:
    """Name the environment variables of an API: those of the first way to authenticate, the other ways in brackets."""
    first, *others = (" and ".join(way.env.values()) for way in spec.auth if way.env)
    return f"{first} (or {', or '.join(others)})" if others else first


def read_scopes(arguments: argparse.Namespace) -> Mapping[str, "Scope"]:
    """Return the scopes of the configured profiles, of which there may be none; raises `ConfigError`."""
    return load_settings(os.environ, Path(arguments.config) if arguments.config else None).scopes


@contextmanager
def open_store_for(
    arguments: argparse.Namespace, scopes: Mapping[str, "Scope"], *, needed: bool = False
) -> Iterator["Store"]:
    """Open the store, as profiles with these `scopes` know it, to read in it; its notices go to standard error.

    A file that cannot be written, as on a full disk, is read as it is. Where it is `needed`, because the command does
    nothing but read it, one that cannot be used raises `CommandError`: an empty stand-in would say that nothing is
    remembered.
    """
    from jobdeck.store.records import NoticeKind  # noqa: PLC0415 - not before the first frame

    opened = open_own_store(os.environ, scopes, keep=not arguments.no_store)
    store = opened.store
    try:
        for notice in opened.notices:
            if notice.kind is not NoticeKind.IN_MEMORY:
                narrate(notice.message)
                continue
            read = _read_only(notice, scopes)
            if read is not None:
                store.close()
                store = read.store
                narrate(". ".join((notice.reason, "Opened read-only", *(also.message for also in read.notices))))
            elif needed:
                raise CommandError(notice.reason, ExitCode.INTERNAL)
            else:
                narrate(notice.message)
        yield store
    finally:
        store.close()


def _read_only(notice: "Notice", scopes: Mapping[str, "Scope"]) -> "Opened | None":
    """Return the store of a file that cannot be written, with all that is in it; None where it cannot be read."""
    from jobdeck.store import StoreError, open_read_only  # noqa: PLC0415 - not before the first frame

    try:
        return None if notice.path is None else open_read_only(notice.path, "reader", scopes)
    except StoreError:
        return None
