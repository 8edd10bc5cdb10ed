"""Opens the store for commands that read saved data."""

import argparse
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from jobdeck.app.data_store import open_own_store
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.log import log
from jobdeck.config import Settings, load_settings
from jobdeck.domain.scope import Scope
from jobdeck.store import Opened, Store, StoreError, open_read_only
from jobdeck.store.models import Notice, NoticeKind


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
