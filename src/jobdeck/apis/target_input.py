"""Reading targets from standard input, a file or a pasted text: in all their forms, and in any mixture."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from jobdeck.apis.accepted_response import rows_of, target_of_body, target_of_response
from jobdeck.apis.targets import MAX_INPUT, ProfileRegistry, TargetError, is_absolute, name_of, parse_target
from jobdeck.domain.job import JobKey, Target
from jobdeck.domain.text import safe_excerpt
from jobdeck.files import as_utf8
from jobdeck.http.http_head import Head, read_head
from jobdeck.http.repair import repair
from jobdeck.http.skip import MAX_DEPTH

MAX_TARGETS = 100_000
MAX_REFUSED = 1_000
"""Refused targets after which an input is no list of targets: 8 MiB of them took 20 s to read."""

_BLANK = re.compile(rb"[ \t\r\n\f\v]+")
_LINE = re.compile(rb"[^\r\n]*")
_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|[{}\[\]]')


@dataclass(frozen=True, slots=True)
class Parsed:
    """The contents of an input: each job once, in order, and (text, reason) for each refused item, both clean."""

    targets: tuple[Target, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def parse_input(data: bytes, registry: ProfileRegistry) -> Parsed:
    """Return the targets in standard input, a file or a pasted text; never raises.

    It accepts targets, one on each line; accepted bodies as JSON (one, several concatenated or indented, one on each
    line, arrays, list answers), also with their heads as ``curl -i`` prints them; JSON strings; and any mixture. Blank
    lines and lines that begin with ``#`` are skipped.
    """
    if len(data) > MAX_INPUT:
        return Parsed(refused=(("input", f"{len(data)} bytes is too large (at most {MAX_INPUT})"),))
    collected = _Collected()
    for item in _items(as_utf8(data)):
        if len(collected.targets) >= MAX_TARGETS:
            collected.refuse("rest of the input", f"more than {MAX_TARGETS} targets")
            break
        if len(collected.refused) >= MAX_REFUSED:
            collected.refuse("rest of the input", f"not read after {MAX_REFUSED} invalid targets")
            break
        collected.take(item, registry)
    return Parsed(tuple(collected.targets.values()), tuple(collected.refused))


@dataclass(frozen=True, slots=True)
class _Broken:
    text: str
    reason: str


_BETWEEN = re.compile(r"[\s,]+")
_PREFIXED_ID = re.compile(r"([A-Za-z][A-Za-z0-9]*)_(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LONG_ID = re.compile(r"(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{17,}")
"""An ID of letters and digits, longer than a time such as 20260428T140200Z."""


@dataclass(frozen=True, slots=True)
class _Response:
    head: Head
    body: dict[str, object] | None = None


class _Collected:
    def __init__(self) -> None:
        self.targets: dict[JobKey, Target] = {}
        self.refused: list[tuple[str, str]] = []

    def take(self, item: object, registry: ProfileRegistry) -> None:
        try:
            if isinstance(item, str):
                for target in _targets_of_line(item.strip(), registry):
                    self._add(target)
            elif isinstance(item, dict):
                self._add(target_of_body(item, registry))
            elif isinstance(item, _Response):
                self._add(target_of_response(item.head, item.body, registry))
            elif isinstance(item, _Broken):
                self.refuse(item.text, item.reason)
            else:
                self.refuse(str(item), "neither a target nor a 202 response")
        except TargetError as error:
            self.refuse(_name_of(item), str(error))

    def refuse(self, text: str, reason: str) -> None:
        self.refused.append((safe_excerpt(text), reason))

    def _add(self, target: Target) -> None:
        earlier = self.targets.get(target.key)
        if earlier is None or not earlier.accepted:
            self.targets[target.key] = target


def _targets_of_line(line: str, registry: ProfileRegistry) -> list[Target]:
    """Return the target of a line, or its targets separated by spaces or commas; raises `TargetError`.

    Several are accepted only if no word can be anything else, so that a sentence or a line of a log has none.
    """
    words = [word for word in _BETWEEN.split(line) if word]
    if len(words) > 1 and _are_all_targets(words, registry):
        with suppress(TargetError):
            return [parse_target(word, registry) for word in words]
    return [parse_target(line, registry)]


def _are_all_targets(words: list[str], registry: ProfileRegistry) -> bool:
    """Whether each word is a URL, a path or ``PROFILE:ID``, or looks like an ID and has the shape of the other IDs.

    A request ID looks like an ID, too, but has another shape.
    """
    bare = [word for word in words if not _is_explicit(word, registry)]
    shapes = {_shape_of(word.rpartition("/")[2]) for word in bare}
    return None not in shapes and len(shapes) <= 1


def _is_explicit(word: str, registry: ProfileRegistry) -> bool:
    return word.startswith("/") or is_absolute(word) or word.partition(":")[0] in registry.profiles


def _shape_of(word: str) -> str | None:
    """Return the shape of an ID, which the IDs of an API share: prefix or length; None if it may be a common word."""
    if prefixed := _PREFIXED_ID.fullmatch(word):
        return prefixed[1]
    return str(len(word)) if _UUID.fullmatch(word) or _LONG_ID.fullmatch(word) else None


def _name_of(item: object) -> str:
    if isinstance(item, str):
        return name_of(item) if is_absolute(item) else item
    if isinstance(item, dict):
        for source in (item, item.get("data")):
            for name in ("operationId", "id", "jobId"):
                if isinstance(source, dict) and isinstance(source.get(name), str):
                    return str(source[name])
    return "a response" if isinstance(item, _Response) else "a JSON object"


def _items(data: bytes) -> Iterator[object]:
    """Yield strings (lines), dicts (bodies), answers with heads, and `_Broken`, in the order of the input."""
    position, stop = 0, len(data)
    open_ended = True
    head: Head | None = None
    while True:
        blank = _BLANK.match(data, position)
        position = blank.end() if blank else position
        if position >= stop:
            break
        if (found := read_head(data, position)) is not None:
            if head is not None:
                yield _Response(head)
            head, position = found
            if head.headers.get("content-length") == "0":
                yield _Response(head)
                head = None
            continue
        line_end = _line_end(data, position)
        if data[position] not in b"{[":
            if head is None:  # else the text after a head, which adds nothing to it
                yield from _line(data[position:line_end])
            position = line_end
            continue
        # After one incomplete value, others must end on their line: else each opening bracket of a hostile input would
        # cost a scan of all the rest.
        end, depth = _end_of_value(data, position, stop if open_ended else line_end)
        if end is None:
            open_ended = False
            if head is None:
                yield _Broken(_text(data[position:line_end]), "incomplete JSON")
            position = line_end
            continue
        for item in _value(data[position:end], depth, head):
            yield _Response(head) if head is not None and isinstance(item, _Broken) else item
        head = None
        position = end
    if head is not None:
        yield _Response(head)


def _end_of_value(data: bytes, start: int, stop: int) -> tuple[int | None, int]:
    """Return the end of the object or array at `start`, None if it is not before `stop`; and its depth.

    A decoder's `raw_decode` is no help: it finds no end of a damaged value, which is repaired later, and needs all of
    the input as text. Strings are skipped and brackets counted, without recursion; the parser checks validity.
    """
    depth = deepest = 0
    for token in _TOKEN.finditer(data, start, stop):
        first = data[token.start()]
        if first in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"}]":
            depth -= 1
            if depth == 0:
                return token.end(), deepest
    return None, deepest


def _line_end(data: bytes, position: int) -> int:
    match = _LINE.match(data, position)
    return match.end() if match else len(data)


def _line(line: bytes) -> Iterator[object]:
    if line.startswith(b"#"):
        return
    stripped = line.strip()
    if len(stripped) > 1 and stripped.startswith(b'"') and stripped.endswith(b'"'):
        yield from _value(stripped, 0)
    else:
        yield _text(stripped)


def _value(raw: bytes, depth: int, head: Head | None = None) -> Iterator[object]:
    if depth > MAX_DEPTH:
        yield _Broken(_text(raw[:200]), f"JSON nested deeper than {MAX_DEPTH} levels")
        return
    from jobdeck.http.json_text import read_json  # noqa: PLC0415 - 30 ms, and most targets are not JSON

    try:
        value = read_json(raw)
    except ValueError as error:
        repaired = repair(raw)
        if repaired is None or repaired.cut:
            yield _Broken(_text(raw[:200]), f"not valid JSON: {safe_excerpt(str(error))}")
            return
        value = read_json(repaired.body)
    for row in rows_of(value):
        # The head of a list answer is not the head of the answer that accepted one of its jobs.
        yield _Response(head, row) if head is not None and row is value and isinstance(row, dict) else row


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
