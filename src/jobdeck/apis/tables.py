"""Reading TOML tables strictly: each unknown key or invalid value is an error that names file, table and key."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias, TypeVar

from jobdeck.apis.jsonpath import MAX_PATH, PathError, compile_first, is_plural
from jobdeck.apis.spec import Paths
from jobdeck.domain.humanize import parse_duration
from jobdeck.domain.text import did_you_mean, one_line

EnumT = TypeVar("EnumT", bound=StrEnum)

Raw: TypeAlias = Mapping[str, object]

MAX_ALTERNATIVES = 16
LONGEST_DURATION = 366 * 86_400.0
HEADER_PATH = re.compile(r"header:[a-z0-9-]{1,80}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TEXT = re.compile(r"[\x20-\x7e]{0,500}")
_OFTEN_MEANT = {"state": "status"}
"""Wrong keys and the keys that are meant, where another key would look more similar."""


class PageError(ValueError):
    """A definition is wrong; the message names file, table, key and what was expected."""


def overlay(below: Raw, above: Raw) -> dict[str, object]:
    """Return two tables as one: the values of `above` win, inner tables are merged, lists replaced."""
    merged: dict[str, object] = dict(below)
    for key, value in above.items():
        lower = merged.get(key)
        if isinstance(lower, Mapping) and isinstance(value, Mapping):
            merged[key] = _overlay_phases(lower, value) if key == "phases" else overlay(lower, value)
        else:
            merged[key] = value
    return merged


def _overlay_phases(below: Raw, above: Raw) -> dict[str, object]:
    """Return two tables of phases as one; a word with a new phase loses its old one."""
    moved = {word for words in above.values() if isinstance(words, list) for word in words if isinstance(word, str)}
    remaining = {
        phase: [word for word in words if word not in moved] if isinstance(words, list) else words
        for phase, words in below.items()
    }
    return {**remaining, **above}


class StrictTable:
    """One table. Read its keys, then call `finish`, which raises `PageError` for keys that were not read."""

    def __init__(self, raw: object, file: str, name: str) -> None:
        self.where = f"{file}: [{name}]" if name else file
        self._file = file
        self._name = name
        self._read: dict[str, None] = {}
        if not isinstance(raw, Mapping):
            raise PageError(f"{self.where} must be a table")
        self._raw: Mapping[str, object] = raw

    def error(self, key: str, expected: str) -> PageError:
        """Return the error for a key whose value is not as `expected`."""
        return PageError(f"{self.where}: {key} {expected}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return self.get(key) is not None

    def get(self, key: str) -> object:
        """Return a value of any type; None if it is missing."""
        self._read[key] = None
        return self._raw.get(key)

    def text(self, key: str, default: str = "") -> str:
        """Return a text of printable ASCII."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            raise self.error(key, "must be a string of printable ASCII characters")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false")
        return value

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return an integer from `low` to `high`; None if it is missing."""
        value = self.get(key)
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise self.error(key, f"must be a whole number from {low} to {high}")
        return value if type(value) is int else None

    def seconds(self, key: str, low: float = 1.0, high: float = LONGEST_DURATION) -> float | None:
        """Return a length of time such as ``"45s"`` or ``"1h30m"`` in seconds; None if it is missing."""
        text = self.text(key)
        if not text:
            return None
        found = parse_duration(text)
        if found is None or not 0 < found <= LONGEST_DURATION:
            raise self.error(key, f"must be a duration such as 45s, 30m or 1h30m, not {one_line(text, 40)!r}")
        if not low <= found <= high:
            raise self.error(key, f"must be from {low:g} to {high:g} seconds, not {one_line(text, 40)!r}")
        return found

    def choice(self, key: str, default: EnumT) -> EnumT:
        """Return a member of the enumeration of `default`."""
        value = self.get(key)
        if value is None:
            return default
        kind = type(default)
        if not isinstance(value, str) or value not in list(kind):
            shown = f", not {one_line(value, 40)}" if isinstance(value, str) else ""
            raise self.error(key, f"must be one of {', '.join(kind)}{shown}{did_you_mean(str(value), list(kind))}")
        return kind(value)

    def paths(self, key: str) -> Paths:
        """Return one JSONPath or several, of which the first that finds a value counts."""
        return self.as_paths(key, self.get(key))

    def as_paths(self, key: str, value: object) -> Paths:
        """Return a value of this table as paths; `key` names it in errors."""
        if value is None:
            return ()
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or len(found) > MAX_ALTERNATIVES:
            raise self.error(key, f"must be a JSONPath such as $.status, or a list of at most {MAX_ALTERNATIVES}")
        for path in found:
            if not isinstance(path, str) or len(path) > MAX_PATH:
                raise self.error(
                    key, f"must be a JSONPath such as $.status, up to {MAX_PATH} characters, or a list of them"
                )
            if HEADER_PATH.fullmatch(path):
                continue
            if path.startswith("header:"):
                raise self.error(key, f"must be a header name in lowercase, not {one_line(path, 80)!r}")
            try:
                compile_first(path)
            except PathError as error:
                shown = one_line(path[:MAX_PATH], 120)
                raise self.error(key, f"is not a valid JSONPath: {shown!r}: {error}") from None
        return tuple(found)

    def plural_paths(self, key: str, example: str) -> Paths:
        """Return paths to several values; a path to the array itself would find a single value, not its rows."""
        paths = self.paths(key)
        single = next((path for path in paths if not is_plural(path)), None)
        if single is not None:
            raise self.error(
                key, f"is a single value, {one_line(single, 120)!r}: give the path to each item, {example}"
            )
        return paths

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self.error(key, 'must be a list of strings, such as ["done", "finished"]')
        return tuple(value)

    def table(self, key: str) -> "StrictTable":
        """Return an inner table; an empty one if it is missing."""
        value = self.get(key)
        return StrictTable({} if value is None else value, self._file, f"{self._name}.{key}" if self._name else key)

    def over(self, below: "Raw") -> "StrictTable":
        """Return this table merged over another one."""
        return StrictTable(overlay(below, self._raw), self._file, self._name)

    @property
    def raw(self) -> "Raw":
        """The table as it was given."""
        return self._raw

    def tables(self, key: str) -> "list[StrictTable]":
        """Return a table, or an array of them, as a list."""
        value = self.get(key)
        if value is None:
            return []
        name = f"{self._name}.{key}" if self._name else key
        if isinstance(value, list):
            return [StrictTable(item, self._file, f"{name}.{index}") for index, item in enumerate(value)]
        return [StrictTable(value, self._file, name)]

    def strings(self, key: str) -> dict[str, str]:
        """Return a table of texts; integers are converted."""
        inner = self.table(key)
        return {name: inner.string_value(name) for name in inner.names}

    def string_value(self, name: str) -> str:
        """Return one value of a table of texts."""
        if not _NAME.fullmatch(name):
            raise self.error(one_line(name, 80), "must be a name of letters, digits, - and _")
        value = self.get(name)
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not _TEXT.fullmatch(text):
            raise self.error(name, "must be a string of printable ASCII characters")
        return text

    @property
    def names(self) -> tuple[str, ...]:
        """The keys that are there."""
        return tuple(self._raw)

    def at_most(self, key: str, count: int, limit: int) -> None:
        """Raise `PageError` if `count` exceeds `limit`."""
        if count > limit:
            raise self.error(key, f"are too many: {count}, at most {limit} allowed")

    def finish(self, *known: str) -> None:
        """Raise `PageError` for keys that were neither read nor `known`."""
        for key in self._raw:
            if key not in self._read and key not in known:
                raise self.unknown(key, [*self._read, *known])

    def unknown(self, key: str, known: Iterable[str]) -> PageError:
        """Return the error for a key that is not among the `known` ones."""
        names = list(dict.fromkeys(known))
        meant = _OFTEN_MEANT.get(key, "")
        hint = did_you_mean(meant if meant in names else key, names) or f" (known: {', '.join(names)})"
        return PageError(f"{self.where}: unknown key {one_line(key, 80)}{hint}")
