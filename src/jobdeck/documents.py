"""TOML and JSON from users, parsed with limits: at most a second and 100 MB, and never a traceback."""

import json
import re
import tomllib
from typing import Any

MAX_TOML = 128 * 1024
"""Bytes of a TOML file: tomllib takes 0.6 s and 60 MB for the worst case of this size."""

MAX_JSON = 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 60_000
"""Tables, lists, texts and numbers: if every one is wrong, each causes a message of 1.5 kB."""

_INTEGERS = range(-(2**63), 2**63)

_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_MANY_PARTS = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{32}}")
"""A key of more than 32 parts: tomllib takes time and memory by the square of them (4 GB for one of 65 kB)."""


class DocumentError(ValueError):
    """The document is invalid; the message is one line, without the document's name."""


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raises `DocumentError`."""
    if len(text) > MAX_TOML:
        raise DocumentError(f"it is larger than {MAX_TOML // 1024} KiB")
    if found := _MANY_PARTS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise DocumentError(f"a dotted key has more than 32 parts (line {line})")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(str(error)) from None
    except RecursionError:
        raise DocumentError("too deeply nested") from None
    except ValueError:  # Python's limit on the digits of an int, without a position
        raise DocumentError("a number has too many digits") from None
    _check(table)
    return table


def parse_json(data: bytes) -> object:
    """Parse JSON; raises `DocumentError`."""
    if len(data) > MAX_JSON:
        raise DocumentError(f"it is larger than {MAX_JSON // 1024 // 1024} MiB")
    try:
        value: object = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DocumentError(str(error)) from None
    except RecursionError:
        raise DocumentError("too deeply nested") from None
    except ValueError:
        raise DocumentError("a number has too many digits") from None
    _check(value)
    return value


def _check(document: object) -> None:
    """Reject numbers that cannot be printed and nesting too deep to follow."""
    level, count = [document], 0
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
            elif isinstance(value, int) and value not in _INTEGERS:
                raise DocumentError("a number has too many digits")
        if not inner:
            return
        level, count = inner, count + len(inner)
        if count > MAX_VALUES:
            raise DocumentError(f"it contains more than {MAX_VALUES:,} values")
    raise DocumentError(f"it is nested more than {MAX_DEPTH} levels deep")
