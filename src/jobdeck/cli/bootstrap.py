"""What commands do first: read the settings, open the store."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobdeck.apis.pages import automatic_names, built_in_names
from jobdeck.apis.spec import ApiSpec
from jobdeck.app.context import AppContext, open_own_store
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.log import log
from jobdeck.config import ConfigError, load_settings
from jobdeck.config.settings import default_path

if TYPE_CHECKING:
    from jobdeck.domain.scope import Scope
    from jobdeck.recording.recorder import Recorder
    from jobdeck.store import Opened, Store
    from jobdeck.store.records import Notice


def open_context(arguments: argparse.Namespace) -> AppContext:
    """Return the context for a command's arguments; raises `ConfigError`, also when there is no profile at all."""
    context = AppContext(os.environ, Path(arguments.config) if arguments.config else None, keep=not arguments.no_store)
    if not context.settings.profiles and not any(name in context.settings.profiles for name in built_in_names()):
        place = context.settings.path or default_path(os.environ)
        variables = ", or ".join(_variables(context.settings.apis.spec(name)) for name in automatic_names())
        message = f"no profile: set {variables}, or write {place}; to look around first: jobdeck demo"
        raise ConfigError("\n".join((*context.settings.notices, message)))
    for notice in context.settings.notices:
        log(notice)
    return context


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
                log(notice.message)
                continue
            read = _read_only(notice, scopes)
            if read is not None:
                store.close()
                store = read.store
                log(". ".join((notice.reason, "Opened read-only", *(also.message for also in read.notices))))
            elif needed:
                raise CommandError(notice.reason, ExitCode.INTERNAL)
            else:
                log(notice.message)
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


def make_recorder(path: str | None, context: AppContext) -> "Recorder | None":
    """Make the file of a recording; None without a path. Raises `CommandError` (exit 2) when it cannot be made.

    Call it last: a command that goes no further should leave no file behind.
    """
    if path is None:
        return None
    from jobdeck.recording.entries import RecordingError  # noqa: PLC0415 - pydantic's 100 ms for recording alone
    from jobdeck.recording.recorder import Recorder  # noqa: PLC0415 - the same

    profiles = {name: str(settings.profile.provider) for name, settings in context.settings.profiles.items()}
    try:
        return Recorder(Path(path), profiles, context.clock)
    except RecordingError as error:
        raise CommandError(str(error)) from None
