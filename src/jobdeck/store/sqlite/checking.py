"""Whether a database is sound, and which of its rows cannot be read."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import apsw

from jobdeck.store.columns import ROW_FAULTS, sql
from jobdeck.store.errors import StoreCorruptError

_OF_A_ROW = re.compile(r"(?:non-)?[A-Z]+ value in \S+|CHECK constraint failed in \S+")
"""A message of `PRAGMA integrity_check` about a value of the wrong type, which costs a row and not the file."""

_OF_AN_INDEX = re.compile(r".* index \S+")
"""Its message about an index that does not fit its table: lookups would find the row of another key."""

_TABLES = "SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table'"
_SHOWN = 5


def damage(connection: apsw.Connection) -> str:
    """Return the first fault in the structure of a database, or "ok"."""
    found = [" ".join(str(line).split()) for (line,) in connection.execute("PRAGMA integrity_check(1000)")]
    return next((line for line in found if line != "ok" and not _OF_A_ROW.fullmatch(line)), "ok")


def check(connection: apsw.Connection, path: Path) -> None:
    """Raise `StoreCorruptError` when the structure of a database is damaged; rebuild an index that does not fit."""
    found = damage(connection)
    if _OF_AN_INDEX.fullmatch(found):
        with suppress(apsw.ConstraintError):
            connection.execute("REINDEX")
            found = damage(connection)
    if found != "ok":
        raise StoreCorruptError(f"{path} is damaged: {found}")


def check_tables(connection: apsw.Connection, model: apsw.Connection, path: Path) -> None:
    """Raise `StoreCorruptError` or `apsw.CorruptError` when a table lacks a column of `model`, which is closed.

    `PRAGMA integrity_check` need not report a missing column, nor a row that SQLite cannot read.
    """
    columns = sorted(model.execute(_TABLES))
    model.close()
    missing = set(columns) - set(connection.execute(_TABLES))
    if missing:
        raise StoreCorruptError(f"{path} is damaged: {'.'.join(min(missing))} is missing")
    for table, of_table in groupby(columns, key=itemgetter(0)):
        read_each = " AND ".join(f"typeof({column}) <> ''" for _, column in of_table)
        query = sql("SELECT count(*) FROM {table} WHERE {read_each}", table=table, read_each=read_each)
        connection.execute(query).fetchall()


def unreadable(
    connection: apsw.Connection, table: str, query: str, make: Callable[[Any], object], number: str = "seq"
) -> str:
    """Return how many rows of a table cannot be read, and which; empty when all can.

    `query` selects the rows, and ends where a condition on the column `number` can be added.
    """
    count = sum(not fine for fine in _attempts(connection.execute(query), make))
    if not count:
        return ""
    every = sql("SELECT {column} FROM {table} ORDER BY 1", column=number.rpartition(".")[2], table=table)
    numbers = [seq for (seq,) in connection.execute(every)]
    bad: list[int] = []
    for seq in numbers:
        if len(bad) == min(count, _SHOWN):
            break
        if not all(_attempts(connection.execute(f"{query} WHERE {number} = ?", (seq,)), make)):
            bad.append(seq)
    return f"{count} of {table} (row {', '.join(map(str, bad))}{', …' if count > len(bad) else ''})"


def _attempts(rows: Iterator[Any], make: Callable[[Any], object]) -> Iterator[bool]:
    while True:
        try:
            make(next(rows))
        except StopIteration:
            return
        except ROW_FAULTS:
            yield False
        else:
            yield True
