"""Opens a team's database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncpg

from jobdeck.domain.scope import Scope
from jobdeck.store.errors import StoreError
from jobdeck.store.models import Notice, NoticeKind
from jobdeck.store.postgres.change_feed import Doorbell
from jobdeck.store.postgres.connect import Server, ServerAddress, close_connection, connect, translate_error
from jobdeck.store.postgres.local_share import LocalShare
from jobdeck.store.postgres.migrate import read_state, require_current
from jobdeck.store.postgres.queries import ProfileScopes
from jobdeck.store.postgres.store import PostgresStore

_ADD_CLIENT = (
    "INSERT INTO jobdeck.clients (name, user_name, has_session, opened_us) VALUES ($1, $2, $3, jobdeck.now_us())"
    " ON CONFLICT (name) DO UPDATE SET user_name = $2, has_session = $3, opened_us = excluded.opened_us RETURNING id"
)

NO_NOTIFICATIONS = (
    "the team database sends no notifications (a pooler in transaction mode?): checking for changes every 2 s"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open store, with notices about it."""

    store: PostgresStore
    notices: tuple[Notice, ...] = ()


async def open_team_store(
    url: str,
    client: str,
    *,
    user: str,
    scopes: Mapping[str, Scope],
    now_us: Callable[[], int],
    everyone: bool = False,
    keep_results: bool = False,
    local_share: bool = False,
) -> Opened:
    """Open the database at `url`; raises `StoreError` if that fails.

    `client` is the name of this run, `now_us` its clock, and `user` the owner of the watch list and the preferences;
    with `everyone` the watch list is that of all users. With `local_share`, polling goes on with a share of the limits
    while the server is away.
    """
    address = ServerAddress.parse(url)
    connection = await connect(address)
    try:
        require_current(await read_state(connection), address)
    except asyncpg.PostgresError as error:
        raise translate_error(error, address) from error
    finally:
        await close_connection(connection)
    store: PostgresStore | None = None

    def ring() -> None:
        if store is not None:
            store.ring()

    doorbell, server = Doorbell(address, ring), Server(address)
    try:
        await doorbell.open()
        await server.open(prepared=doorbell.works)
        row = int(await server.value(_ADD_CLIENT, client, user, doorbell.works))
        await doorbell.hold(row)
        store = PostgresStore(
            server,
            doorbell,
            ProfileScopes(server, scopes),
            client=(row, client),
            user=user,
            now_us=now_us,
            everyone=everyone,
            keep_results=keep_results,
            share=LocalShare(now_us) if local_share else None,
        )
        await store.start()
    except (StoreError, asyncpg.PostgresError, OSError) as error:
        await doorbell.close()
        await server.close()
        raise translate_error(error, address) from error
    notices = () if doorbell.works else (Notice(NoticeKind.STALE, NO_NOTIFICATIONS),)
    return Opened(store, notices)
