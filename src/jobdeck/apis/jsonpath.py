"""JSONPath (RFC 9535) over foreign answers: plain paths as closures, all others by python-jsonpath.

Answers may be hostile, so no path costs more than its length times `MAX_VALUES`: descendants (``..``), filters on
anything but single values below ``@``, and regular expressions are refused when a definition is loaded, and only the
first `MAX_VALUES` values of an array or object are searched.

A plain path has only names, indices, lists of names, and ``[*]`` or ``.*``.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, TypeAlias

MAX_PATH = 500
MAX_VALUES = 1_000
"""Most values that one step of a path examines: an answer with more stages or rows does not fit on a screen."""

Key: TypeAlias = str | int | None
Getter: TypeAlias = Callable[[object], object]
Step: TypeAlias = str | int | tuple[str, ...] | None
"""A step of a plain path: a name, an index, one of several names, or None for all values."""

Finder: TypeAlias = Callable[[object], "list[Match]"]

_STEP = re.compile(
    # ASCII letters, `_` and all beyond ASCII, said by what it is not: that compiles 3 ms sooner than `\x80-\U0010ffff`.
    r"\.(?P<name>[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]{0,99})"
    r"|(?P<all>\.\*|\[\*\])"
    r"|\[(?P<index>0|-?[1-9][0-9]{0,8})\]"
    r"|\['(?P<single>[^'\\\x00-\x1f]{1,200})'\]"
    r"|\[(?P<names>'[^'\\\x00-\x1f]{1,200}'(?:, ?'[^'\\\x00-\x1f]{1,200}'){1,20})\]"
    r'|\["(?P<double>[^"\\\x00-\x1f]{1,200})"\]'
)


class PathError(ValueError):
    """A JSONPath cannot be used; the message says why, in one line."""


class Match(NamedTuple):
    """A value, and its name or index in its container (None: it is the root)."""

    value: object
    key: Key = None


@lru_cache(maxsize=2_048)
def compile_first(path: str) -> Getter:
    """Return a function that finds the first value other than null at a path, else None; raises `PathError`."""
    steps = _plain_steps(path)
    if steps is None:
        find = compile_all(path)
        return lambda value: next((match.value for match in find(value) if match.value is not None), None)
    if all(isinstance(step, str) for step in steps):
        return _by_names(tuple(str(step) for step in steps))
    find = _by_steps(steps)
    return lambda value: next((match.value for match in find(value) if match.value is not None), None)


@lru_cache(maxsize=2_048)
def compile_all(path: str) -> Finder:
    """Return a function that finds all values at a path, at most `MAX_VALUES`; raises `PathError`."""
    steps = _plain_steps(path)
    if steps is not None:
        return _by_steps(steps)
    from jobdeck.apis.jsonpath_filters import compile_filters  # noqa: PLC0415 - 30 ms, only for pages with filters

    return compile_filters(path)


@lru_cache(maxsize=2_048)
def compile_values(path: str) -> Callable[[object], list[object]]:
    """Return a function that finds the values other than null at a path, without keys; raises `PathError`."""
    steps = _plain_steps(path)
    if steps is None or steps.count(None) != 1 or any(isinstance(step, int | tuple) for step in steps):
        find = compile_all(path)
        return lambda value: [match.value for match in find(value) if match.value is not None]
    at = steps.index(None)
    holder = _by_names(tuple(str(step) for step in steps[:at]))
    inner = _by_names(tuple(str(step) for step in steps[at + 1 :]))

    def values(value: object) -> list[object]:
        held = holder(value)
        if type(held) is dict:
            held = held.values()
        elif type(held) is not list:
            return []
        return [found for item in islice(held, MAX_VALUES) if (found := inner(item)) is not None]

    return values


def is_plural(path: str) -> bool:
    """Whether a path may find several values."""
    return re.search(r"[*?:,]", path) is not None


def leads_through(path: str, value: object, test: Callable[[object], bool]) -> bool:
    """Whether `test` holds for some value that a path leads through in `value`.

    Of a path that is not plain, only the plain beginning is followed.
    """
    steps, is_plain = _steps(path)
    matches = [Match(value)]
    for step in steps:
        if any(test(match.value) for match in matches):
            return True
        matches = list(islice(_walk(matches, step), MAX_VALUES))
    return not is_plain and any(test(match.value) for match in matches)


def _plain_steps(path: str) -> tuple[Step, ...] | None:
    """Return the steps of a plain path; None if the path is not plain."""
    steps, is_plain = _steps(path)
    return steps if is_plain else None


def _steps(path: str) -> tuple[tuple[Step, ...], bool]:
    """Return the plain steps at the beginning of a path, and whether they are the whole path."""
    if not path or len(path) > MAX_PATH:
        raise PathError(f"a JSONPath has 1 to {MAX_PATH} characters")
    if path[0] != "$":
        raise PathError("a JSONPath must start with $")
    steps: list[Step] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            return tuple(steps), False
        position = match.end()
        if match["all"]:
            steps.append(None)
        elif match["names"]:
            steps.append(tuple(name.strip()[1:-1] for name in match["names"].split(",")))
        elif match["index"]:
            steps.append(int(match["index"]))
        else:
            steps.append(match["name"] or match["single"] or match["double"])
    return tuple(steps), True


def _by_names(names: tuple[str, ...]) -> Getter:
    if not names:
        return lambda value: value
    if len(names) == 1:
        (name,) = names
        return lambda value: value.get(name) if type(value) is dict else None

    def get(value: object) -> object:
        for name in names:
            if type(value) is not dict:
                return None
            value = value.get(name)
        return value

    return get


def _by_steps(steps: tuple[Step, ...]) -> Finder:
    names = tuple(step for step in steps[:-1] if isinstance(step, str))
    if steps and steps[-1] is None and len(names) == len(steps) - 1:
        return _all_below(_by_names(names))

    def find(value: object) -> list[Match]:
        matches = [Match(value)]
        for step in steps:
            matches = list(islice(_walk(matches, step), MAX_VALUES))
            if not matches:
                break
        return matches

    return find


def _all_below(holder: Getter) -> Finder:
    """Return a finder of all values of an array or object: the most common path of stages and rows."""

    def find(value: object) -> list[Match]:
        held = holder(value)
        if type(held) is dict:
            return [Match(inner, key) for key, inner in islice(held.items(), MAX_VALUES)]
        if type(held) is list:
            return [Match(inner, index) for index, inner in enumerate(islice(held, MAX_VALUES))]
        return []

    return find


def _walk(matches: list[Match], step: Step) -> Iterator[Match]:
    for match in matches:
        value = match.value
        if isinstance(step, str):
            if type(value) is dict and step in value:
                yield Match(value[step], step)
        elif isinstance(step, int):
            if type(value) is list and -len(value) <= step < len(value):
                yield Match(value[step], step)
        elif isinstance(step, tuple):
            if type(value) is dict:
                yield from (Match(value[name], name) for name in step if name in value)
        elif type(value) is dict:
            yield from [Match(inner, key) for key, inner in islice(value.items(), MAX_VALUES)]
        elif type(value) is list:
            yield from [Match(inner, index) for index, inner in enumerate(islice(value, MAX_VALUES))]
