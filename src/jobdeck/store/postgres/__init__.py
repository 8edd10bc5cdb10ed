"""The store in a PostgreSQL database that a team shares; imported only where one is configured."""

from jobdeck.store.postgres.connect import ServerAddress
from jobdeck.store.postgres.migrate import describe, migrate
from jobdeck.store.postgres.opening import open_team_store

__all__ = ["ServerAddress", "describe", "migrate", "open_team_store"]
