"""The user's own keys, which run programs for the selected jobs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobdeck.config.errors import ConfigError
from jobdeck.config.hooks import read_program
from jobdeck.domain.text import did_you_mean, one_line

KEYS = MappingProxyType(
    {
        "run": "the program and its arguments, as a list (no shell is involved; `~` in the program path is expanded)",
        "label": "its name in the help and the palette (default: the name of the program)",
    }
)
"""The settings of a key, with explanations for the reference."""

MAX_KEYS = 32
LONGEST_LABEL = 40
_KEY = re.compile(r"ctrl\+[a-z]|alt\+[a-z0-9]|f(?:[1-9]|1[0-2])|[A-Za-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class UserKey:
    """A key, the program it runs, and its label."""

    key: str
    run: tuple[str, ...]
    label: str


def read_user_keys(raw: object, where: str) -> tuple[UserKey, ...]:
    """Read the table ``[keys]``; raises `ConfigError` with what is wrong and where."""
    if not isinstance(raw, dict) or not all(isinstance(item, dict) for item in raw.values()):
        raise ConfigError(f'{where}: keys must be tables, written "ctrl+o" = {{ run = ["my-tool"] }} under [keys]')
    if len(raw) > MAX_KEYS:
        raise ConfigError(f"{where}: at most {MAX_KEYS} keys, not {len(raw)}")
    return tuple(_user_key(name, item, f"{where}: [keys] {one_line(name, 40)}") for name, item in raw.items())


def _user_key(name: str, item: Mapping[str, object], where: str) -> UserKey:
    if not _KEY.fullmatch(name):
        raise ConfigError(
            f"{where}: must be a letter, a digit or f1 to f12, optionally with ctrl+ or alt+, such as ctrl+o"
        )
    for key in item:
        if key not in KEYS:
            hint = did_you_mean(key, KEYS) or f" (known: {', '.join(KEYS)})"
            raise ConfigError(f"{where}: unknown key {one_line(key, 80)}{hint}")
    run = read_program(item, where)
    label = item.get("label", run[0].rsplit("/", 1)[-1])
    if not isinstance(label, str) or not label.strip():
        raise ConfigError(f"{where}: label must be a non-empty string")
    return UserKey(name, run, one_line(label.strip(), LONGEST_LABEL))
