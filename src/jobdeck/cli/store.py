"""Opening the store to read in it, for commands that look at what is remembered."""

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
    """Return the configuration, in which there may be no profile; raises `ConfigError`."""
    return load_settings(os.environ, Path(arguments.config) if arguments.config else None)


@asynccontextmanager
async def open_store_for(
    arguments: argparse.Namespace, settings: Settings | None, *, needed: bool = False
) -> AsyncIterator[Store]:
    """Open the store, as the profiles of these settings know it, to read in it; its notices go to standard error.

    A file that cannot be written, as on a full disk, is read as it is. Where it is `needed`, because the command does
    nothing but read it, one that cannot be used raises `CommandError`: an empty stand-in would say that nothing is
    remembered.
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
    """Return the store of a file that cannot be written, with all that is in it; None where it cannot be read."""
    try:
        return None if notice.path is None else open_read_only(notice.path, "reader", scopes)
    except StoreError:
        return None
