"""First steps of commands: read the settings, open the store to read it, create a recording."""

import argparse
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobdeck.apis.pages import automatic_names
from jobdeck.apis.spec import ApiSpec
from jobdeck.app.context import AppContext
from jobdeck.app.data_store import open_own_store
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.log import log
from jobdeck.config import ConfigError, Settings, load_settings
from jobdeck.config.settings import default_path
from jobdeck.domain.scope import Scope
from jobdeck.store import Opened, Store, StoreError, open_read_only
from jobdeck.store.models import Notice, NoticeKind

if TYPE_CHECKING:
    from jobdeck.recording.recorder import Recorder


def open_context(arguments: argparse.Namespace) -> AppContext:
    """Return the context for a command's arguments; raises `ConfigError`, also if there is no profile."""
    context = AppContext(
        os.environ,
        Path(arguments.config) if arguments.config else None,
        keep=not arguments.no_store,
        everyone=getattr(arguments, "team", False),
    )
    if getattr(arguments, "team", False) and context.settings.team is None:
        raise ConfigError("--team requires a team database: see docs/team.md")
    if not context.settings.profiles and not context.settings.unlisted:
        place = context.settings.path or default_path(os.environ)
        variables = ", or ".join(_variables(context.settings.apis.spec(name)) for name in automatic_names())
        message = f"no profile configured: set {variables}, or create {place}; to try it out, run: jobdeck demo"
        raise ConfigError("\n".join((*context.settings.notices, message)))
    for notice in context.settings.notices:
        log(notice)
    return context


def _variables(spec: ApiSpec) -> str:
    """Return the environment variables of an API: those of the first authentication, others in brackets."""
    first, *others = (" and ".join(way.env.values()) for way in spec.auth if way.env)
    return f"{first} (or {', or '.join(others)})" if others else first


def make_recorder(path: str | None, context: AppContext) -> "Recorder | None":
    """Create the file of a recording; None without a path. Raises `CommandError` (exit 2) if it cannot be created.

    Call it last: a command that fails earlier should leave no file behind.
    """
    if path is None:
        return None
    from jobdeck.recording import entries, recorder  # noqa: PLC0415 - pydantic's 100 ms for recording alone

    profiles = {name: str(settings.profile.provider) for name, settings in context.settings.profiles.items()}
    try:
        return recorder.Recorder(Path(path), profiles, context.clock)
    except entries.RecordingError as error:
        raise CommandError(str(error)) from None


def read_settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings, which may contain no profile; raises `ConfigError`."""
    return load_settings(os.environ, Path(arguments.config) if arguments.config else None)


@asynccontextmanager
async def open_store_for(
    arguments: argparse.Namespace, settings: Settings | None, *, needed: bool = False
) -> AsyncIterator[Store]:
    """Open the store for reading, with the profiles of these settings; its notices go to stderr.

    A file that cannot be written, as on a full disk, is opened read-only. If the store is `needed`, because the command
    only reads it, an unusable one raises `CommandError`: an empty replacement would claim that nothing is saved.
    """
    opened = await open_own_store(os.environ, settings, keep=not arguments.no_store)
    store = opened.store
    try:
        for notice in opened.notices:
            if notice.kind is not NoticeKind.IN_MEMORY:
                log(notice.message)
                continue
            read = _read_only(notice, {} if settings is None else settings.scopes)
            if read is not None:
                await store.close()
                store = read.store
                log(". ".join((notice.reason, "Opened read-only", *(also.message for also in read.notices))))
            elif needed:
                raise CommandError(notice.reason, ExitCode.INTERNAL)
            else:
                log(notice.message)
        yield store
    finally:
        await store.close()


def _read_only(notice: Notice, scopes: Mapping[str, Scope]) -> Opened | None:
    """Open a file that cannot be written, for reading; None if it cannot be read either."""
    try:
        return None if notice.path is None else open_read_only(notice.path, "reader", scopes)
    except StoreError:
        return None
