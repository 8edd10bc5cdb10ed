"""JSONPath (RFC 9535) over somebody else's answers: what a path may be, and how far it walks.

The answers may be hostile, so no path costs more than its length times `MOST_VALUES`: descendants (``..``), filters
that look elsewhere than at the value itself, and regular expressions are refused when a description is read, and an
array or object is searched no further than that many values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.filter import FilterQuery, FunctionExtension, RelativeFilterQuery, walk
from jsonpath.segments import JSONPathRecursiveDescentSegment, JSONPathSegment
from jsonpath.selectors import Filter, IndexSelector, NameSelector, SliceSelector

from jobdeck.domain.text import one_line

MAX_PATH = 500
MOST_VALUES = 1_000
"""Values that one step of a path looks at: an answer with more stages or rows than that is not for a screen."""

_REGULAR = frozenset({"match", "search"})
_ENVIRONMENT = JSONPathEnvironment(strict=True, filter_caching=False)

Key: TypeAlias = str | int | None


class PathError(ValueError):
    """A JSONPath cannot be used; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value, and the name or index under which it is in what holds it (None: it is the whole)."""

    value: object
    key: Key = None


@lru_cache(maxsize=1_024)
def compile_path(text: str) -> JSONPath:
    """Return a path ready for use; raises `PathError`."""
    if not text or len(text) > MAX_PATH:
        raise PathError(f"a JSONPath has 1 to {MAX_PATH} characters")
    try:
        path = _ENVIRONMENT.compile(text)
        reason = _objection(path)
    except (JSONPathError, RecursionError, ValueError) as error:
        # The library's own str() of an error can raise.
        said = error.args[0] if error.args and isinstance(error.args[0], str) else type(error).__name__
        raise PathError(_reworded(said)) from None
    if reason is not None or not isinstance(path, JSONPath):
        raise PathError(reason or "no single path")
    return path


def find_all(text: str, value: object) -> list[Found]:
    """Return what a path finds in `value`, at most `MOST_VALUES`; nothing at all where its way does not exist."""
    nodes = [Found(value)]
    for step in _steps(text):
        nodes = list(islice(_step(step, nodes), MOST_VALUES))
    return nodes


@lru_cache(maxsize=1_024)
def _steps(text: str) -> tuple[JSONPath, ...]:
    path = compile_path(text)
    return tuple(JSONPath(env=_ENVIRONMENT, segments=(segment,)) for segment in path.segments)


def _step(step: JSONPath, nodes: list[Found]) -> Iterator[Found]:
    left = MOST_VALUES
    cheap = _cheap(step.segments[0])
    for node in nodes:
        value = node.value
        if not isinstance(value, dict | list):
            continue
        if not cheap:
            if left <= 0:
                return
            value = _cut(value, left)
            left -= len(value)
        for match in step.finditer(value):
            yield Found(match.obj, match.parts[-1] if match.parts else None)


def _cut(value: dict[str, object] | list[object], most: int) -> Mapping[str, object] | list[object]:
    if len(value) <= most:
        return value
    return dict(islice(value.items(), most)) if isinstance(value, dict) else value[:most]


def _cheap(segment: JSONPathSegment) -> bool:
    return all(isinstance(selector, NameSelector | IndexSelector | SliceSelector) for selector in segment.selectors)


def _objection(path: JSONPath | CompoundJSONPath) -> str | None:
    """Return why a valid path is not accepted all the same; None when it is."""
    if not isinstance(path, JSONPath):
        return "a union or an intersection of paths: give a list of paths instead"
    for segment in path.segments:
        if isinstance(segment, JSONPathRecursiveDescentSegment):
            return "descendants (..) are not searched: write the whole way"
        filters = (selector for selector in segment.selectors if isinstance(selector, Filter))
        for expression in (each for selector in filters for each in walk(selector.expression)):
            if isinstance(expression, FunctionExtension) and expression.name in _REGULAR:
                return f"{expression.name}() is not available: compare with == instead"
            if isinstance(expression, FilterQuery) and not (
                isinstance(expression, RelativeFilterQuery) and expression.path.singular_query()
            ):
                return "a filter may look at single values below @ only"
    return None


def _reworded(reason: str) -> str:
    words = {
        "expected 'TOKEN_ROOT', found 'TOKEN_NAME'": "a JSONPath begins with $",
        "expected 'TOKEN_ROOT', found 'TOKEN_EOF'": "a JSONPath begins with $",
    }
    return words.get(reason, one_line(reason, 200))
