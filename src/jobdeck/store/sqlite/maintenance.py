"""Deletes old rows in chunks, and reports the state of the database."""

from pathlib import Path

import apsw

from jobdeck.store.columns import sql
from jobdeck.store.models import Health, Purged
from jobdeck.store.sqlite import jobs, requests, watchlist
from jobdeck.store.sqlite.checking import damage
from jobdeck.store.sqlite.database import Session
from jobdeck.store.sqlite.files import companions
from jobdeck.store.sqlite.migrate import schema_of

# Rows are in the order of time, so the search ends with the first chunk.
_OLD_EXCHANGES = "SELECT seq FROM (SELECT seq, sent_us FROM exchanges ORDER BY seq LIMIT ?2) WHERE sent_us < ?1"
_OLD_CHANGES = "SELECT seq FROM (SELECT seq, at_us FROM change_log ORDER BY seq LIMIT ?2) WHERE at_us < ?1"
_OLD_STATES = "SELECT seq FROM (SELECT seq, at_us FROM states ORDER BY seq LIMIT ?2) WHERE at_us < ?1"
_FORGET_EXCHANGES = sql("DELETE FROM exchanges WHERE seq IN ({old})", old=_OLD_EXCHANGES)
_FORGET_CHANGES = sql("DELETE FROM change_log WHERE seq IN ({old})", old=_OLD_CHANGES)
_FORGET_OBSERVATIONS = (
    "DELETE FROM observations WHERE (job, exchange) IN (SELECT o.job, o.exchange FROM jobs j CROSS JOIN observations o"
    " ON o.job = j.seq AND o.exchange < coalesce((SELECT min(seq) FROM exchanges),"
    " (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'exchanges'), 0) LIMIT ?)"
)
_FORGET_STATES = sql("DELETE FROM states WHERE seq IN ({old})", old=_OLD_STATES)
_FORGET_JOBS = (
    "DELETE FROM jobs WHERE seq IN (SELECT j.seq FROM jobs j WHERE j.active_us < ?1 AND coalesce(j.observed_us, 0) < ?1"
    " AND NOT EXISTS (SELECT 1 FROM watches w WHERE w.job = j.seq)"
    " AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.job = j.seq AND n.note <> '')"
    " ORDER BY j.active_us LIMIT ?2)"
)
_COUNTS = {
    "jobs": "SELECT count(*) FROM jobs",
    "watches": "SELECT count(*) FROM watches",
    "annotations": "SELECT count(*) FROM annotations",
    "exchanges": "SELECT count(*) FROM exchanges",
    "observations": "SELECT count(*) FROM observations",
    "states": "SELECT count(*) FROM states",
    "timeline": "SELECT count(*) FROM timeline",
    "results": "SELECT count(*) FROM results",
    "change_log": "SELECT count(*) FROM change_log",
}


def purge(session: Session, before_us: int, chunk: int) -> Purged:
    """Delete one chunk of what is older than `before_us`; see `Store.purge`."""
    exchanges = _delete(session, _FORGET_EXCHANGES, (before_us, chunk))
    observations = _delete(session, _FORGET_OBSERVATIONS, (chunk,))
    states = _delete(session, _FORGET_STATES, (before_us, chunk))
    # Old changes last, so that the log never refers to deleted requests.
    changes = _delete(session, _FORGET_CHANGES, (before_us, chunk))
    gone = _delete(session, _FORGET_JOBS, (before_us, chunk))
    more = chunk in {exchanges, observations, states, changes, gone}
    return Purged(exchanges, observations + states, gone, changes, more)


def health(connection: apsw.Connection, path: Path | None, *, check: bool) -> Health:
    """See `Store.health`."""
    pages, page_size = connection.pragma("page_count"), connection.pragma("page_size")
    size = pages * page_size if path is None else sum(file.stat().st_size for file in companions(path))
    return Health(
        place="in memory" if path is None else str(path),
        size=size,
        schema=schema_of(connection),
        server_version=f"SQLite {apsw.sqlite_lib_version()}",
        rows={name: int(connection.execute(count).get) for name, count in _COUNTS.items()},
        check=damage(connection) if check else None,
        unreadable=_unreadable(connection) if check else (),
    )


def _unreadable(connection: apsw.Connection) -> tuple[str, ...]:
    # Counted in SQL, since even the name of a table may not be valid text.
    lost = connection.execute("SELECT count(*) FROM pragma_foreign_key_check").get
    dangling = (f"{lost} orphaned rows",) if lost else ()
    return (
        *jobs.unreadable_rows(connection),
        *requests.unreadable_rows(connection),
        *watchlist.unreadable_rows(connection),
        *dangling,
    )


def _delete(session: Session, sql: str, bindings: tuple[int, ...]) -> int:
    session.connection.execute(sql, bindings)
    return session.connection.changes()
