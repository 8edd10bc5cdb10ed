"""Reading a description's tables strictly: each wrong key or value is an error that names file, table and key."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from jobdeck.domain.text import did_you_mean, one_line
from jobdeck.domain.words import seconds_of
from jobdeck.providers.description import Paths

EnumT = TypeVar("EnumT", bound=StrEnum)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TEXT = re.compile(r"[\x20-\x7e]{0,500}")
_SIMPLE = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_]{0,63}|\.\*|\[\*\]|\[[0-9]\]){0,7}")
"""Paths that nobody has to look at: importing what does costs 30 ms, for which the first frame need not wait."""

_MEANT = {"state": "status"}
"""What many APIs call it, where another key is spelt more like that."""

MAX_ALTERNATIVES = 16
MAX_PATH = 1_000
LONGEST_DURATION = 366 * 86_400.0


class DescriptionError(ValueError):
    """A description is wrong: the message names file, table, key and what was expected."""


class Table:
    """One table. Ask for its keys, then `finish`, which refuses those that nobody asked for."""

    def __init__(self, raw: object, file: str, name: str) -> None:
        self.where = f"{file}: [{name}]"
        self._file = file
        self._name = name
        self._asked: dict[str, None] = {}
        if not isinstance(raw, Mapping):
            raise DescriptionError(f"{self.where} must be a table")
        self._raw: Mapping[str, object] = raw

    def wrong(self, key: str, expected: str) -> DescriptionError:
        """Return the error of a key that is not what was expected."""
        return DescriptionError(f"{self.where}: {key} {expected}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return self._get(key) is not None

    def text(self, key: str, default: str = "") -> str:
        """Return a text of printable ASCII."""
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            raise self.wrong(key, "must be a text of printable ASCII characters")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return a whole number from `low` to `high`; None when it is not there."""
        value = self._get(key)
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise self.wrong(key, f"must be a whole number from {low} to {high}")
        return value if type(value) is int else None

    def duration(self, key: str) -> float | None:
        """Return the seconds of a length of time of up to a year; None when it is not there."""
        text = self.text(key)
        if not text:
            return None
        seconds = seconds_of(text)
        if seconds is None or not 0 < seconds <= LONGEST_DURATION:
            raise self.wrong(key, f"must be a length of time such as 45s, 30m or 1h30m, not {one_line(text, 40)!r}")
        return seconds

    def choice(self, key: str, default: EnumT) -> EnumT:
        """Return one of the words of the enumeration of `default`."""
        value = self._get(key)
        if value is None:
            return default
        kind = type(default)
        if not isinstance(value, str) or value not in list(kind):
            shown = f", not {one_line(value, 40)}" if isinstance(value, str) else ""
            raise self.wrong(key, f"must be one of {', '.join(kind)}{shown}{did_you_mean(str(value), list(kind))}")
        return kind(value)

    def paths(self, key: str) -> Paths:
        """Return a JSONPath, or several of which the first that finds something counts."""
        value = self._get(key)
        if value is None:
            return ()
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or len(found) > MAX_ALTERNATIVES:
            raise self.wrong(key, f"must be a JSONPath such as $.status, or a list of at most {MAX_ALTERNATIVES}")
        for path in found:
            if not isinstance(path, str) or len(path) > MAX_PATH:
                raise self.wrong(
                    key, f"must be a JSONPath such as $.status of at most {MAX_PATH} characters, or a list of them"
                )
            reason = None if _SIMPLE.fullmatch(path) else _objection(path)
            if reason is not None:
                raise self.wrong(key, f"is not a valid JSONPath: {one_line(path, 120)!r}: {reason}")
        return tuple(found)

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.wrong(key, 'must be a list of texts, such as ["done", "finished"]')
        return tuple(value)

    def table(self, key: str) -> "Table":
        """Return a table within; an empty one when it is not there."""
        value = self._get(key)
        return Table({} if value is None else value, self._file, f"{self._name}.{key}")

    def strings(self, key: str) -> dict[str, str]:
        """Return a table of texts (numbers count as such)."""
        inner = self.table(key)
        found: dict[str, str] = {}
        for name, value in inner._raw.items():
            if not _NAME.fullmatch(name):
                raise inner.wrong(one_line(name, 80), "must be a name of letters, digits, - and _")
            text = str(value) if type(value) is int else value
            if not isinstance(text, str) or not _TEXT.fullmatch(text):
                raise inner.wrong(name, "must be a text of printable ASCII characters")
            found[name] = text
        return found

    def keys(self) -> tuple[str, ...]:
        """Return the keys that are there."""
        return tuple(self._raw)

    def finish(self) -> None:
        """Refuse keys that nobody asked for."""
        for key in self._raw:
            if key not in self._asked:
                known = list(self._asked)
                hint = did_you_mean(_MEANT.get(key, key), known) or f" (known: {', '.join(known)})"
                raise DescriptionError(f"{self.where}: unknown key {one_line(key, 80)}{hint}")

    def _get(self, key: str) -> object:
        self._asked[key] = None
        return self._raw.get(key)


def _objection(path: str) -> str | None:
    from jobdeck.providers.described.paths import PathError, compile_path  # noqa: PLC0415 - see _SIMPLE

    try:
        compile_path(path)
    except PathError as error:
        return str(error)
    return None
