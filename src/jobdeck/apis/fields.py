"""Looking up fields in an answer; on request, the matches are recorded, to show how the answer was read."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from jobdeck.apis import coerce
from jobdeck.apis.jsonpath import Finder, Getter, Key, Match, compile_all, compile_first, compile_values, leads_through
from jobdeck.apis.spec import Paths
from jobdeck.http.json_pieces import LargeJson
from jobdeck.http.json_text import json_text
from jobdeck.http.marker import is_partial

HEADER = "header:"
_FIRST_NAME = re.compile(r"\$\.([A-Za-z_][A-Za-z0-9_]*)")
MAX_COUNTED = 5
MOST_NAMED = 50
"""Most members of an object that are written one by one, in case it was composed of large parts."""

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """The result of looking up a field."""

    field: str
    # The path that found a value; all paths if none did.
    paths: Paths
    value: object = None
    found: bool = False
    # A remark for the author of the definition.
    note: str = ""


class Field:
    """A field's paths, compiled."""

    __slots__ = ("_finders", "get", "name", "paths", "readers")

    def __init__(self, name: str, paths: Paths) -> None:
        """Compile the paths; raises `PathError`."""
        self.name = name
        self.paths = paths
        self.readers: tuple[tuple[str, Getter | None], ...] = tuple(
            (path, None if path.startswith(HEADER) else compile_first(path)) for path in paths
        )
        self.get: Getter | None = _first_of([get for _, get in self.readers])
        self._finders: tuple[tuple[str, Finder], ...] | None = None

    @property
    def finders(self) -> tuple[tuple[str, Finder], ...]:
        """Each path with a function that finds all of its values; compiled when first used."""
        if self._finders is None:
            self._finders = tuple((path, compile_all(path)) for path in self.paths if not path.startswith(HEADER))
        return self._finders


def _first_of(getters: list[Getter | None]) -> Getter | None:
    """Return a function that tries several in turn; None if a header is among them, which needs more than the value."""
    of_value = [get for get in getters if get is not None]
    if len(of_value) < len(getters):
        return None
    if len(of_value) == 1:
        return of_value[0]

    def get(value: object) -> object:
        for one in of_value:
            found = one(value)
            if found is not None:
                return found
        return None

    return get


def first_names(fields: Iterable[Field]) -> frozenset[str] | None:
    """Return the names with which the fields' paths begin; None if a path does not begin with a name."""
    found = [_FIRST_NAME.match(path) for one in fields for path in one.paths]
    return frozenset(match[1] for match in found if match) if all(found) else None


@dataclass(slots=True)
class FieldReader:
    """Looks up fields in `value` and in the answer's `headers`."""

    value: object
    # Names in lower case.
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    # The lookups so far; None if they are not recorded.
    matches: list[FieldMatch] | None = None
    # The key or index of `value` in its container.
    key: Key = None
    # Whether `value` names its job.
    is_named: bool = False
    # Whether parts of the answer were dropped.
    is_pruned: bool = False
    # The answer that `value` is a part of, if it is large.
    document: LargeJson | None = None

    def inside(self, value: object, key: Key = None, *, keep_matches: bool = True) -> "FieldReader":
        """Return a reader of a part of the answer."""
        matches = self.matches if keep_matches else None
        return FieldReader(value, self.headers, matches, key, is_pruned=self.is_pruned, document=self.document)

    def text_of(self, value: object) -> str:
        """Return a part of the answer, or an object or list of parts, as JSON text."""
        if self.document is None:
            return json_text(value)
        if isinstance(value, dict) and len(value) <= MOST_NAMED:
            return f"{{{','.join(f'{json_text(name)}:{self.document.text(part)}' for name, part in value.items())}}}"
        return self.document.text(value)

    def first(self, wanted: Field) -> object:
        """Return the first value other than null at one of the field's paths; None if there is none."""
        if not wanted.paths:
            return None
        if self.matches is None and wanted.get is not None:
            return wanted.get(self.value)
        for path, get in wanted.readers:
            found = get(self.value) if get is not None else self.headers.get(path[len(HEADER) :])
            if found is not None:
                if self.matches is not None:
                    self.matches.append(FieldMatch(wanted.name, (path,), found, found=True, note=self._count(path)))
                return found
        if self.matches is not None:
            self.matches.append(FieldMatch(wanted.name, wanted.paths))
        return None

    def word(self, wanted: Field) -> str | None:
        """Return the result of `first` as clean text of at most 256 characters; None if it is no text and no number."""
        # Most fields have no path, or a plain one: saving a call for each saves a tenth of the time to read a poll.
        if not wanted.paths:
            return None
        value = wanted.get(self.value) if self.matches is None and wanted.get is not None else self.first(wanted)
        if value is None:
            return None
        found = coerce.text(value)
        if found is None and value != "":
            self.note("ignored: neither a string nor a number")
        return found

    def all(self, wanted: Field) -> list[Match]:
        """Return the values other than null at the first of the field's paths that finds any."""
        for path, find in wanted.finders:
            found = [match for match in find(self.value) if match.value is not None]
            if found:
                if self.matches is not None:
                    self.matches.append(FieldMatch(wanted.name, (path,), found[0].value, found=True))
                return found
        if self.matches is not None and wanted.paths:
            self.matches.append(FieldMatch(wanted.name, wanted.paths))
        return []

    def values(self, wanted: Field) -> list[object]:
        """Return the values that `all` finds, without their keys."""
        if self.matches is not None:
            return [match.value for match in self.all(wanted)]
        for path in wanted.paths:
            if not path.startswith(HEADER) and (found := compile_values(path)(self.value)):
                return found
        return []

    def total(self, wanted: Field) -> int | float | None:
        """Return the sum of the field's numbers and lengths of lists; None if some value is neither."""
        values = self.values(wanted)
        found = coerce.total(values)
        if values and found is None:
            self.note("ignored: not all numbers or lists")
        elif len(values) > 1:
            self.note(f"first of {len(values)}, total {found}")
        return found

    def count(self, wanted: Field) -> str | None:
        """Return how often each word occurs among the field's values, the most frequent first; None without words."""
        words = Counter(value for value in self.values(wanted) if isinstance(value, str) and value.strip())
        if not words:
            return None
        return ", ".join(f"{coerce.text(word)} {count}" for word, count in words.most_common(MAX_COUNTED))

    def misses_part(self, *wanted: Field) -> bool:
        """Whether the path of one of these fields leads through a value of which a part was dropped."""
        return self.is_pruned and any(
            leads_through(path, self.value, is_partial)
            for one in wanted
            for path in one.paths
            if not path.startswith(HEADER)
        )

    def note(self, text: str) -> None:
        """Add a remark to the last match, unless it has one."""
        if self.matches and not self.matches[-1].note:
            self.matches[-1] = replace(self.matches[-1], note=text)

    def _count(self, path: str) -> str:
        """Return a note on how many values a path finds, if there are several; the first one counts."""
        count = 1 if path.startswith(HEADER) else len(compile_values(path)(self.value))
        return f"first of {count}" if count > 1 else ""
