"""Opening the store to read in it, for commands that look at what is remembered."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jobdeck.app.data_store import open_own_store
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.log import log
from jobdeck.config import load_settings
from jobdeck.domain.scope import Scope
from jobdeck.store import Opened, Store, StoreError, open_read_only
from jobdeck.store.records import Notice, NoticeKind


def read_scopes(arguments: argparse.Namespace) -> Mapping[str, Scope]:
    """Return the scopes of the configured profiles, of which there may be none; raises `ConfigError`."""
    return load_settings(os.environ, Path(arguments.config) if arguments.config else None).scopes


@contextmanager
def open_store_for(
    arguments: argparse.Namespace, scopes: Mapping[str, Scope], *, needed: bool = False
) -> Iterator[Store]:
    """Open the store, as profiles with these `scopes` know it, to read in it; its notices go to standard error.

    A file that cannot be written, as on a full disk, is read as it is. Where it is `needed`, because the command does
    nothing but read it, one that cannot be used raises `CommandError`: an empty stand-in would say that nothing is
    remembered.
    """
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


def _read_only(notice: Notice, scopes: Mapping[str, Scope]) -> Opened | None:
    """Return the store of a file that cannot be written, with all that is in it; None where it cannot be read."""
    try:
        return None if notice.path is None else open_read_only(notice.path, "reader", scopes)
    except StoreError:
        return None
