"""What we remember between two runs: a `Store`, and SQLite behind it.

The asynchronous front is `jobdeck.store.aio`, imported apart because asyncio takes 30 ms.
"""

from jobdeck.store.base import LIST, POLL, Store
from jobdeck.store.errors import CursorLostError, NewerSchemaError, StoreClosedError, StoreError, UnknownJobError
from jobdeck.store.sqlite.opening import Opened, open_read_only, open_store
from jobdeck.store.stored import StoredJob

__all__ = [
    "LIST",
    "POLL",
    "CursorLostError",
    "NewerSchemaError",
    "Opened",
    "Store",
    "StoreClosedError",
    "StoreError",
    "StoredJob",
    "UnknownJobError",
    "open_read_only",
    "open_store",
]
