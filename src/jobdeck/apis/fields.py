"""Looking fields up in one value of an answer; what was found where is recorded for those who ask how it was read."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
"""Members of an object that are written one by one: it may be one of large parts, which nobody read as one."""

_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """Where a field was looked for: the path that found it and its value; all its paths, where none did.

    `note` is what a person who writes a page should know of it; empty where there is nothing to say.
    """

    field: str
    paths: Paths
    value: object = None
    found: bool = False
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
        """Each path with what finds all of its values; compiled when first used."""
        if self._finders is None:
            self._finders = tuple((path, compile_all(path)) for path in self.paths if not path.startswith(HEADER))
        return self._finders


def _first_of(getters: list[Getter | None]) -> Getter | None:
    """Return one function for several in turn; None where a header is among them, which needs more than the value."""
    known = [get for get in getters if get is not None]
    if len(known) < len(getters):
        return None
    if len(known) == 1:
        return known[0]

    def get(value: object) -> object:
        for one in known:
            found = one(value)
            if found is not None:
                return found
        return None

    return get


def first_names(fields: Iterable[Field]) -> frozenset[str] | None:
    """Return the names with which the fields' paths begin; None where one begins otherwise."""
    found = [_FIRST_NAME.match(path) for one in fields for path in one.paths]
    return frozenset(match[1] for match in found if match) if all(found) else None


@dataclass(slots=True)
class FieldReader:
    """Looks fields up in `value` and in the answer's `headers` (names in small letters).

    `matches` collects what was found, None to record nothing. `key` is the name under which the value stands in what
    holds it, `is_named` whether it says which job it is about, `is_pruned` whether something of the answer was dropped;
    `document` is the answer that it is a part of, where that is large.
    """

    value: object
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    matches: list[FieldMatch] | None = None
    key: Key = None
    is_named: bool = False
    is_pruned: bool = False
    document: LargeJson | None = None

    def inside(self, value: object, key: Key = None, *, record: bool = True) -> "FieldReader":
        """Return a reader of a part of the answer."""
        matches = self.matches if record else None
        return FieldReader(value, self.headers, matches, key, is_pruned=self.is_pruned, document=self.document)

    def text_of(self, value: object) -> str:
        """Return a part of the answer, or an object or list of parts, as JSON text."""
        if self.document is None:
            return json_text(value)
        if isinstance(value, dict) and len(value) <= MOST_NAMED:
            return f"{{{','.join(f'{json_text(name)}:{self.document.text(part)}' for name, part in value.items())}}}"
        return self.document.text(value)

    def first(self, wanted: Field) -> object:
        """Return the first value but null at one of the field's paths; None when there is none."""
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
        """Return what `first` finds as clean text of at most 256 characters; None where it is no text and no number."""
        # Most fields of most pages have no path, or a plain one: a call less each is a tenth of a poll's reading.
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
        """Return the values, null left out, at the first of the field's paths that finds any."""
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
        """Return what `all` finds, without the keys."""
        if self.matches is not None:
            return [match.value for match in self.all(wanted)]
        for path in wanted.paths:
            if not path.startswith(HEADER) and (found := compile_values(path)(self.value)):
                return found
        return []

    def total(self, wanted: Field) -> int | float | None:
        """Return what all values of the field add up to; None when they are no numbers and no lists."""
        values = self.values(wanted)
        found = coerce.total(values)
        if values and found is None:
            self.note("ignored: not all numbers or lists")
        elif len(values) > 1:
            self.note(f"first of {len(values)}, total {found}")
        return found

    def count(self, wanted: Field) -> str | None:
        """Return how often each word occurs among the field's values, the most frequent first; None without any."""
        words = Counter(value for value in self.values(wanted) if isinstance(value, str) and value.strip())
        if not words:
            return None
        return ", ".join(f"{coerce.text(word)} {count}" for word, count in words.most_common(MAX_COUNTED))

    def misses_part(self, *wanted: Field) -> bool:
        """Whether one of these fields was looked for in something of which a part was dropped."""
        return self.is_pruned and any(
            leads_through(path, self.value, is_partial)
            for one in wanted
            for path in one.paths
            if not path.startswith(HEADER)
        )

    def note(self, text: str) -> None:
        """Add a remark to what was found last, unless it has one already."""
        if self.matches and not self.matches[-1].note:
            self.matches[-1] = replace(self.matches[-1], note=text)

    def was_found(self, name: str) -> bool:
        """Whether a recorded field was there at all, whatever it held."""
        recorded: Sequence[FieldMatch] = self.matches or ()
        return any(match.field == name and match.found for match in recorded)

    def _count(self, path: str) -> str:
        """Return how many values a path finds, where it is more than the one that counts."""
        count = 1 if path.startswith(HEADER) else len(compile_values(path)(self.value))
        return f"first of {count}" if count > 1 else ""
