"""A team's shared store, and the user's name in it."""

import getpass
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from jobdeck.config.credentials import SecretRef, require_private
from jobdeck.config.errors import ConfigError
from jobdeck.config.settings import STORE_URL
from jobdeck.domain.database_url import parse_database_url
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.http.credentials import MalformedSecretError, Secret

STORE_KEYS = MappingProxyType(
    {
        "url": "the PostgreSQL database of the team, `postgresql://…`, by reference: `env:NAME`, `file:PATH` or "
        "`keyring:SERVICE/USER` (default: `JOBDECK_STORE_URL`, else your own SQLite file)",
        "when_store_is_down": '`"wait"`: send nothing while the database is unreachable; `"local"`: continue with your '
        'share of the rate limit (default: `"wait"`)',
    }
)
"""The keys of ``[store]``, with explanations for the reference."""

ME_KEYS = MappingProxyType({"name": "your name in the team database (default: your login)"})
"""The keys of ``[me]``."""

_NAME = re.compile(r"[\w.@ +-]{1,64}")


class WhenAway(StrEnum):
    """What to do while a team's database is unreachable."""

    WAIT = "wait"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class TeamSettings:
    """The configuration of a team's store."""

    ref: SecretRef
    """The URL of the database."""
    when_away: WhenAway
    user: str
    """The user's name."""

    @property
    def polls_while_away(self) -> bool:
        """Whether to continue with a share of the rate limit while the database is unreachable."""
        return self.when_away is WhenAway.LOCAL

    def url(self, env: Mapping[str, str]) -> str:
        """Return the URL; raises `ConfigError` if it cannot be loaded.

        Its password is treated as a secret from then on.
        """
        url = self.ref.resolve(env).reveal()
        parsed = parse_database_url(url)
        if parsed is None:
            raise ConfigError(f"{self.ref.where}: not a PostgreSQL URL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        if parsed.password:
            with suppress(MalformedSecretError):  # a password too short to redact is registered all the same
                Secret(parsed.password)
        return url


def read_team(store: object, me: object, path: Path | None, env: Mapping[str, str]) -> TeamSettings | None:
    """Read ``[store]`` and ``[me]``; None if no shared store is configured. Raises `ConfigError`."""
    where = f"{path}: [store]"
    stored = _table(store, STORE_KEYS, where)
    mine = _table(me, ME_KEYS, f"{path}: [me]")
    when_away = stored.get("when_store_is_down", WhenAway.WAIT)
    if when_away not in list(WhenAway):
        raise ConfigError(f"{where}: when_store_is_down must be {' or '.join(repr(str(one)) for one in WhenAway)}")
    ref = None
    if "url" in stored:
        ref = SecretRef(stored["url"], f"{where}: url")
        if ref.prompted:
            raise ConfigError(f"{where}: url must be env:NAME, file:PATH or keyring:SERVICE/USER")
        if ref.plain and path is not None:
            require_private(path, "the password of a database")
    elif env.get(STORE_URL, "").strip():
        ref = SecretRef(f"env:{STORE_URL}", STORE_URL)
    name = mine.get("name") or _login()
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{path}: [me]: name may contain letters, digits, spaces and . @ + - _, up to 64 characters")
    return None if ref is None else TeamSettings(ref, WhenAway(when_away), name)


def _table(raw: object, known: Mapping[str, str], where: str) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where} must be a table")
    for key, value in raw.items():
        if key not in known:
            hint = did_you_mean(key, known) or f" (known: {', '.join(known)})"
            raise ConfigError(f"{where}: unknown key {one_line(key, 80)}{hint}")
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{where}: {key} must be a non-empty string")
    return {key: value.strip() for key, value in raw.items()}


def _login() -> str:
    try:
        return re.sub(r"[^\w.@ +-]", "-", getpass.getuser())[:64] or "somebody"
    except (OSError, KeyError, ImportError):
        return "somebody"
