"""What is taken along when the store must leave its file and go on in memory."""

from pathlib import Path

import apsw

from jobdeck.store.errors import StoreIOError
from jobdeck.store.sqlite.migrate import schema_of
from jobdeck.store.sqlite.place import require_files

_WAIT_MS = 500

FIRST_IN_MEMORY = 10**11
"""Requests of a store that went on in memory are numbered from here: newer is what has the higher number, and the
file's own highest may be what could not be read."""

# The ledger's newest rows only: with requests in flight their answers find their row, and a million rows would
# take 300 MB. Results and old observations stay in the file.
_COPIES = (
    "INSERT OR REPLACE INTO main.meta SELECT * FROM old.meta",
    "INSERT INTO main.scopes SELECT * FROM old.scopes",
    "INSERT INTO main.profiles SELECT * FROM old.profiles",
    "INSERT INTO main.actors SELECT * FROM old.actors",
    "INSERT INTO main.jobs SELECT * FROM old.jobs",
    "INSERT INTO main.watches SELECT * FROM old.watches",
    "INSERT INTO main.annotations SELECT * FROM old.annotations",
    "INSERT INTO main.told SELECT * FROM old.told",
    "INSERT INTO main.budgets SELECT * FROM old.budgets",
    "INSERT INTO main.estimates SELECT * FROM old.estimates",
    "INSERT INTO main.timeline SELECT * FROM old.timeline",
    "INSERT INTO main.exchanges SELECT * FROM old.exchanges ORDER BY seq DESC LIMIT 1000",
    (
        "INSERT INTO main.observations SELECT * FROM old.observations"
        " WHERE exchange >= (SELECT min(seq) FROM main.exchanges)"
    ),
    # One row, so that a reader's cursor goes on where it was.
    "INSERT INTO main.change_log SELECT * FROM old.change_log ORDER BY seq DESC LIMIT 1",
)


def carry_over(memory: apsw.Connection, path: Path) -> bool:
    """Copy what can still be read of the file at `path` into `memory`; returns whether that worked.

    All or nothing: a file that fails half-way leaves `memory` empty.
    """
    memory.execute("DELETE FROM sqlite_sequence WHERE name = 'exchanges'")
    memory.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('exchanges', ?)", (FIRST_IN_MEMORY,))
    try:
        require_files(path)
    except (StoreIOError, OSError):
        return False
    memory.set_busy_timeout(_WAIT_MS)
    # A log cannot be read where its index cannot be written; then the file as of the last checkpoint must do.
    return any(_copy(memory, f"{path.absolute().as_uri()}?{mode}") for mode in ("mode=ro", "immutable=1"))


def _copy(memory: apsw.Connection, uri: str) -> bool:
    try:
        memory.execute("ATTACH ? AS old", (uri,))
    except apsw.Error:
        return False
    try:
        if memory.pragma("user_version", schema="old") != schema_of(memory):
            return False
        memory.execute("BEGIN")
        for copy in _COPIES:
            memory.execute(copy)
        memory.execute("COMMIT")
    except apsw.Error:
        if memory.in_transaction:
            memory.execute("ROLLBACK")
        return False
    finally:
        memory.execute("DETACH old")
    return True
