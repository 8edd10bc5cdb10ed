"""The `Store`: everything that outlives a run, shared by all running clients; in SQLite unless a team has a server."""

from jobdeck.store.errors import CursorLostError, NewerSchemaError, StoreClosedError, StoreError, UnknownJobError
from jobdeck.store.models import LIST, POLL, SavedJob
from jobdeck.store.protocol import Store
from jobdeck.store.sqlite.opening import Opened, open_read_only, open_store

__all__ = [
    "LIST",
    "POLL",
    "CursorLostError",
    "NewerSchemaError",
    "Opened",
    "SavedJob",
    "Store",
    "StoreClosedError",
    "StoreError",
    "UnknownJobError",
    "open_read_only",
    "open_store",
]
