"""The user's own database: where it is, and opening it for commands, the screen and the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobdeck.config import ConfigError
from jobdeck.config.home import user_data_dir
from jobdeck.domain.scope import Scope
from jobdeck.files import expand_home
from jobdeck.store import Opened, open_store
from jobdeck.store.actors import new_actor
from jobdeck.store.aio import AsyncStore

DATABASE = "jobdeck.db"


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A store that was opened, and the newest request that was on record then."""

    opened: Opened
    store: AsyncStore
    newest: int


def open_own_store(env: Mapping[str, str], scopes: Mapping[str, Scope], *, keep: bool = True) -> Opened:
    """Open the user's database, below ``JOBDECK_DATA_DIR`` or the platform's place; in memory without `keep`.

    `scopes` are those of the configured profiles: what is remembered under the same name of another server is not
    theirs.
    """
    return open_store(data_dir(env) / DATABASE if keep else None, new_actor(), scopes=scopes)


def data_dir(env: Mapping[str, str]) -> Path:
    """Return where jobdeck keeps its data; raises `ConfigError` where there is no place for them."""
    named = env.get("JOBDECK_DATA_DIR")
    if named:
        return expand_home(named)
    place = user_data_dir()
    if place is None:
        raise ConfigError("cannot determine your home directory: set HOME or JOBDECK_DATA_DIR, or use --no-store")
    return place


def open_async_store(env: Mapping[str, str], scopes: Mapping[str, Scope], *, keep: bool = True) -> OpenedStore:
    """Open the user's database as `open_own_store` does, for an event loop that runs."""
    opened = open_own_store(env, scopes, keep=keep)
    return OpenedStore(opened, AsyncStore(opened.store), opened.store.newest())
