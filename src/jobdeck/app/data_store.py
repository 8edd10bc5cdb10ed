"""The user's database: its location, and opening it for commands, the screen and the engine."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from uuid import uuid4

from jobdeck.config import ConfigError, Settings
from jobdeck.config.home import user_data_dir
from jobdeck.domain.scope import Scope
from jobdeck.files import expand_home
from jobdeck.store import Store, StoreError, open_store
from jobdeck.store.errors import StoreUnavailableError
from jobdeck.store.models import Cursor, Notice
from jobdeck.store.sqlite.opening import system_now_us

if TYPE_CHECKING:
    from jobdeck.config.team import TeamSettings

DATABASE = "jobdeck.db"


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """An opened store, with what an engine needs to start."""

    store: Store
    notices: tuple[Notice, ...]
    """For the user."""
    newest: int
    """The sequence number of the newest request on record."""
    estimates: Mapping[str, str]
    """The saved durations of each profile."""
    cursor: Cursor | None = None
    """The position in the change log; None unless everyone's watch lists are shown."""


class StoreUnusableError(ConfigError):
    """The team's shared store cannot be opened; `unreachable` means that a retry may succeed."""

    def __init__(self, message: str, *, unreachable: bool) -> None:
        super().__init__(message)
        self.unreachable = unreachable


async def open_own_store(
    env: Mapping[str, str],
    settings: Settings | None,
    *,
    keep: bool = True,
    now_us: Callable[[], int] = system_now_us,
    everyone: bool = False,
) -> OpenedStore:
    """Open the configured store, or one in memory if `keep` is False.

    That is the team's database if one is configured, with the watch lists of `everyone` or only one's own; otherwise a
    file in ``JOBDECK_DATA_DIR`` or the platform's data directory. Data saved under the name of a profile, but for
    another server, is not shown. Raises `ConfigError` if there is no place for a file, and `StoreUnusableError`.
    """
    scopes = {} if settings is None else settings.scopes
    if keep and settings is not None and settings.team is not None:
        store, notices = await _open_team_store(env, settings.team, scopes, now_us, everyone=everyone)
    else:
        path = data_dir(env) / DATABASE if keep else None
        opened = open_store(path, _new_client_name(), scopes=scopes, now_us=now_us)
        store, notices = opened.store, opened.notices
    cursor = await store.head() if everyone else None
    return OpenedStore(store, notices, await store.newest(), await store.load_estimates(), cursor)


async def _open_team_store(
    env: Mapping[str, str],
    team: "TeamSettings",
    scopes: Mapping[str, Scope],
    now_us: Callable[[], int],
    *,
    everyone: bool,
) -> tuple[Store, tuple[Notice, ...]]:
    url, postgres = team.url(env), load_postgres()
    try:
        opened = await postgres.open_team_store(
            url,
            _new_client_name(),
            user=team.user,
            scopes=scopes,
            now_us=now_us,
            everyone=everyone,
            local_share=team.polls_while_away,
        )
    except StoreError as error:
        raise StoreUnusableError(str(error), unreachable=isinstance(error, StoreUnavailableError)) from None
    return opened.store, opened.notices


def load_postgres() -> ModuleType:
    """Import `jobdeck.store.postgres`; raises `StoreUnusableError` without the optional driver."""
    try:
        return import_module("jobdeck.store.postgres")
    except ImportError:
        message = "the team database driver is not installed: pipx install 'jobdeck[team]'"
        raise StoreUnusableError(message, unreachable=False) from None


def data_dir(env: Mapping[str, str]) -> Path:
    """Return the data directory; raises `ConfigError` if there is none."""
    named = env.get("JOBDECK_DATA_DIR")
    if named:
        return expand_home(named)
    place = user_data_dir()
    if place is None:
        raise ConfigError("cannot determine your home directory: set HOME or JOBDECK_DATA_DIR, or use --no-store")
    return place


def _new_client_name() -> str:
    """Return a name for this run: machine, process, and eight random digits."""
    return f"{platform.node()}:{os.getpid()}-{uuid4().hex[:8]}"
