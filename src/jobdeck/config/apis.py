"""The table ``[providers]``: which API a profile's ``provider`` names.

What reads descriptions is imported when there is one to read: nobody else's start waits for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jobdeck.config.errors import ConfigError
from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.providers.profile import BUILT_IN, DEFAULT_BASE_URL, Api, ProviderName

if TYPE_CHECKING:
    from jobdeck.providers.description import Description

PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAX_PROVIDERS = 200
"""Each is read at every start, in a quarter of a millisecond."""

_OWN: dict[str, ProviderName] = {name: name for name in DEFAULT_BASE_URL}


@dataclass(frozen=True, slots=True)
class Apis:
    """The APIs that profiles can speak: those with code of their own, those built in, those that a file describes."""

    found: "Mapping[str, Description]" = field(default_factory=dict)

    @classmethod
    def read(cls, raw: object, path: Path) -> "Apis":
        """Read ``[providers]``; raises `ConfigError` that names table, key and what was expected."""
        if not isinstance(raw, Mapping):
            raise ConfigError(f"{path}: providers must be tables, written [providers.NAME]")
        if not raw:
            return cls()
        if len(raw) > MAX_PROVIDERS:
            raise ConfigError(f"{path}: at most {MAX_PROVIDERS} tables [providers.NAME], not {len(raw)}")
        for name in raw:
            if not PROVIDER_NAME.fullmatch(name):
                where = f"{path}: [providers.{one_line(name, 80)}]"
                raise ConfigError(f"{where}: a provider's name is letters, digits, - and _, at most 64")
            if name in _OWN or name in BUILT_IN:
                raise ConfigError(
                    f"{path}: [providers.{name}]: {name} is built in: give yours another name" + _like(name)
                )
        from jobdeck.providers.described.builtin import describe  # noqa: PLC0415 - see above
        from jobdeck.providers.described.tables import DescriptionError  # noqa: PLC0415 - the same

        try:
            return cls({name: describe(name, raw, str(path)) for name in raw})
        except DescriptionError as error:
            raise ConfigError(str(error)) from None

    def named(self, name: str, where: str) -> Api:
        """Return the API called `name`; raises `ConfigError`, about `where`, when there is none."""
        if name in _OWN:
            return _OWN[name]
        if name in self.found:
            return self.found[name]
        if name in BUILT_IN:
            from jobdeck.providers.described.builtin import built_in  # noqa: PLC0415 - see above

            return built_in(name)
        known = sorted({*_OWN, *BUILT_IN, *self.found})
        hint = did_you_mean(name, known) or ", or the NAME of a table [providers.NAME]"
        raise ConfigError(f"{where}: provider must be one of {', '.join(known)}{hint}")


def _like(name: str) -> str:
    return f' and write like = "{name}"' if name in BUILT_IN else ""
