"""Data on stdout: one JSON object per line, or a plain table."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jobdeck.domain.scope import Scope
from jobdeck.domain.text import one_line


def of_profile(arguments: argparse.Namespace, scopes: Mapping[str, Scope]) -> str:
    """Return " for profile … at …" for a command that is limited to one profile; empty if it is not."""
    name = arguments.profile
    if name is None:
        return ""
    return f" for profile {one_line(name, 80)}" + (f" at {scopes[name].origin}" if name in scopes else "")


def describe_scope(name: str, scope: Scope) -> str:
    """Return the origin of a scope, with the organization if that is not the profile's name."""
    origin = scope.origin or "unknown"
    return origin if scope.organization == name else f"{origin} ({one_line(scope.organization, 80)})"


def print_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object as one line of ASCII, flushed, so that a pipe gets it at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table whose columns are as wide as their widest cell; the last one is not padded."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.flush()


def print_table_of_scopes(
    header: Sequence[str], rows: Sequence[Sequence[str]], named: Sequence[tuple[str, Scope]]
) -> None:
    """Write a table of saved data with profile names; `named` has the name and scope of each row.

    A name that is no longer configured may stand for several servers: then a column tells them apart.
    """
    known: dict[str, Scope] = {}
    if any(known.setdefault(name, scope.budget) != scope.budget for name, scope in named):
        header = ("SERVER", *header)
        rows = [(describe_scope(*pair), *row) for pair, row in zip(named, rows, strict=True)]
    print_table(header, rows)
