"""JSONPaths with filters, slices or unions, by python-jsonpath; imported only for definitions that have one."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.filter import FilterQuery, FunctionExtension, RelativeFilterQuery, walk
from jsonpath.segments import JSONPathRecursiveDescentSegment, JSONPathSegment
from jsonpath.selectors import Filter, IndexSelector, NameSelector, SliceSelector

from jobdeck.apis.jsonpath import MAX_VALUES, Finder, Match, PathError
from jobdeck.domain.text import one_line

_REGULAR = frozenset({"match", "search"})
_ENVIRONMENT = JSONPathEnvironment(strict=True, filter_caching=False)


@lru_cache(maxsize=1_024)
def compile_filters(text: str) -> Finder:
    """Return a function that finds all values at a path, at most `MAX_VALUES`; raises `PathError`."""
    path = _parse(text)
    steps = tuple(
        (JSONPath(env=_ENVIRONMENT, segments=(segment,)), _looks_at_few(segment)) for segment in path.segments
    )

    def find(value: object) -> list[Match]:
        matches = [Match(value)]
        for step, looks_at_few in steps:
            matches = list(islice(_walk(step, matches, looks_at_few=looks_at_few), MAX_VALUES))
        return matches

    return find


def _parse(text: str) -> JSONPath:
    try:
        path = _ENVIRONMENT.compile(text)
        reason = _objection(path)
    except (JSONPathError, RecursionError, ValueError) as error:
        # The library's own str() of an error can raise.
        message = error.args[0] if error.args and isinstance(error.args[0], str) else type(error).__name__
        raise PathError(one_line(message, 200)) from None
    if reason is not None or not isinstance(path, JSONPath):
        raise PathError(reason or "not a single path")
    return path


def _walk(step: JSONPath, matches: list[Match], *, looks_at_few: bool) -> Iterator[Match]:
    left = MAX_VALUES
    for match in matches:
        value = match.value
        if not isinstance(value, dict | list):
            continue
        if not looks_at_few:
            if left <= 0:
                return
            value = _cut(value, left)
            left -= len(value)
        for found in step.finditer(value):
            yield Match(found.obj, found.parts[-1] if found.parts else None)


def _cut(value: dict[str, object] | list[object], most: int) -> dict[str, object] | list[object]:
    if len(value) <= most:
        return value
    return dict(islice(value.items(), most)) if isinstance(value, dict) else value[:most]


def _looks_at_few(segment: JSONPathSegment) -> bool:
    return all(isinstance(selector, NameSelector | IndexSelector | SliceSelector) for selector in segment.selectors)


def _objection(path: JSONPath | CompoundJSONPath) -> str | None:
    """Return why a valid path is refused; None if it is accepted."""
    if not isinstance(path, JSONPath):
        return "unions and intersections are not supported: use a list of paths"
    for segment in path.segments:
        if isinstance(segment, JSONPathRecursiveDescentSegment):
            return "descendants (..) are not supported: write the full path"
        filters = (selector for selector in segment.selectors if isinstance(selector, Filter))
        for expression in (each for selector in filters for each in walk(selector.expression)):
            if isinstance(expression, FunctionExtension) and expression.name in _REGULAR:
                return f"{expression.name}() is not supported: compare with == instead"
            if isinstance(expression, FilterQuery) and not (
                isinstance(expression, RelativeFilterQuery) and expression.path.singular_query()
            ):
                return "a filter may only use single values below @"
    return None
