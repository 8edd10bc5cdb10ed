"""Reading the request ledger."""

from dataclasses import replace

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.scope import parse_scope
from jobdeck.domain.text import clean
from jobdeck.store.records import Found, LedgerEntry, Shown, Sighting
from jobdeck.store.sqlite.checking import unreadable
from jobdeck.store.sqlite.codec import Row, entry_from, first, key_of, readable
from jobdeck.store.sqlite.rows import job_row
from jobdeck.store.sqlite.scopes import NAMES
from jobdeck.store.sqlite.sql import sql

FAILURES_AMONG = 20_000
"""Requests that are gone through for those that failed, which no index knows: some ten milliseconds."""

_ENTRIES = sql(
    "{names}"
    " SELECT e.id, n.name, s.name, a.name, e.state, e.bucket, e.sent_us, j.account_group, j.job_id, e.method, e.url,"
    " e.started_us, e.duration_us, e.http_status, e.request_id, e.body_request_id, e.trace_id, e.size, e.problem, e.seq"
    " FROM exchanges e CROSS JOIN names n ON n.profile = e.profile JOIN scopes s ON s.id = e.scope"
    " JOIN actors a ON a.id = e.actor LEFT JOIN jobs j ON j.seq = e.job",
    names=NAMES,
)
_OF_JOB = sql(
    "{entries} WHERE e.seq IN ("
    "SELECT seq FROM (SELECT seq FROM exchanges WHERE job = ?1 ORDER BY seq DESC LIMIT ?2)"
    " UNION SELECT exchange FROM (SELECT exchange FROM observations WHERE job = ?1 ORDER BY exchange DESC LIMIT ?2)"
    ") ORDER BY e.seq DESC LIMIT ?2",
    entries=_ENTRIES,
)
_IN_SCOPE = "e.profile IN (SELECT p.id FROM profiles p JOIN profile_scopes c ON c.scope = p.scope WHERE c.name = ?1)"
_ALL = sql(
    "{entries} WHERE ?1 IS NULL OR n.name = ?1 OR {in_scope} ORDER BY e.seq DESC LIMIT ?2",
    entries=_ENTRIES,
    in_scope=_IN_SCOPE,
)
_FAILURES = sql(
    "{entries} WHERE e.seq > (SELECT max(seq) FROM exchanges) - ?5 AND e.problem IS NOT NULL"
    " AND {in_scope} AND e.started_us BETWEEN ?2 AND ?3 ORDER BY e.seq DESC LIMIT ?4",
    entries=_ENTRIES,
    in_scope=_IN_SCOPE,
)
_WITH_ID = (
    "SELECT seq, scope, profile FROM exchanges WHERE request_id = ?1"
    " UNION SELECT seq, scope, profile FROM exchanges WHERE trace_id = ?1"
    " UNION SELECT seq, scope, profile FROM exchanges WHERE body_request_id = ?1 AND body_request_id IS NOT request_id"
)
_ANSWERING_TO = sql(
    "SELECT seq FROM ({with_id}) WHERE profile IN (SELECT profile FROM profile_names) ORDER BY seq DESC LIMIT ?2",
    with_id=_WITH_ID,
)
_ELSEWHERE = sql(
    "SELECT name FROM scopes WHERE id IN (SELECT scope FROM ({with_id})"
    " UNION SELECT scope FROM jobs WHERE accepted_request_id = ?1 OR accepted_trace_id = ?1) ORDER BY id",
    with_id=_WITH_ID,
)
_BY_SEQ = _ENTRIES + " WHERE e.seq = ?"
_SIGHTINGS = (
    # CROSS JOIN keeps the order of the tables: a probe for each job instead of a search through all observations.
    "SELECT n.name, j.account_group, j.job_id, st.exchange = o.exchange, st.fields"
    " FROM jobs j CROSS JOIN observations o ON o.job = j.seq AND o.exchange = ?1"
    " JOIN profile_names n ON n.profile = j.profile"
    " LEFT JOIN states st ON st.seq = (SELECT seq FROM states WHERE job = j.seq AND exchange <= ?1"
    " ORDER BY exchange DESC LIMIT 1)"
)
_ACCEPTED = (
    "SELECT n.name, j.account_group, j.job_id FROM jobs j JOIN profile_names n ON n.profile = j.profile"
    " WHERE j.accepted_request_id = ?1 OR j.accepted_trace_id = ?1"
)


def exchanges(connection: apsw.Connection, key: JobKey, limit: int) -> tuple[LedgerEntry, ...]:
    """See `Store.exchanges`."""
    found = job_row(connection, key)
    if found is None:
        return ()
    entries = readable(connection.execute(_OF_JOB, (found[0], limit)), entry_from)
    # Sent through another profile of the same scope, they are about the same job.
    return tuple(replace(entry, key=key) if entry.key is not None else entry for entry in entries)


def all_exchanges(connection: apsw.Connection, profile: str | None, limit: int) -> tuple[LedgerEntry, ...]:
    """See `Store.all_exchanges`."""
    return tuple(readable(connection.execute(_ALL, (profile, limit)), entry_from))


def failures(
    connection: apsw.Connection, profile: str, between: tuple[int, int], limit: int
) -> tuple[LedgerEntry, ...]:
    """See `Store.failures`."""
    rows = connection.execute(_FAILURES, (profile, *between, limit, FAILURES_AMONG))
    return tuple(readable(rows, entry_from))


def find_request(connection: apsw.Connection, id_: str, limit: int) -> Found:
    """See `Store.find_request`."""
    rows = [int(seq) for (seq,) in connection.execute(_ANSWERING_TO, (id_, limit))]
    accepted = tuple(readable(connection.execute(_ACCEPTED, (id_,)), lambda row: key_of(*row)))
    if not rows and not accepted:
        elsewhere = readable(connection.execute(_ELSEWHERE, (id_,)), lambda row: parse_scope(clean(row[0])))
        return Found(elsewhere=tuple(elsewhere))
    return Found(
        exchanges=tuple(entry for row in rows if (entry := _entry(connection, row)) is not None),
        sightings=tuple(sighting for row in rows for sighting in _sightings(connection, row)),
        accepted=accepted,
    )


def shown(connection: apsw.Connection, key: JobKey) -> Shown | None:
    """See `Store.shown`."""
    found = job_row(connection, key)
    if found is None:
        return None
    rows = first(connection.execute("SELECT first_shown, last_shown FROM jobs WHERE seq = ?", found[:1]), tuple)
    entries = [entry for seq in rows or () if (entry := _entry(connection, seq)) is not None]
    return Shown(*entries) if len(entries) == 2 else None


def unreadable_rows(connection: apsw.Connection) -> tuple[str, ...]:
    """Return which requests on record cannot be read."""
    requests = unreadable(connection, "exchanges", _ENTRIES, entry_from, "e.seq")
    return (requests,) if requests else ()


def _entry(connection: apsw.Connection, row: int) -> LedgerEntry | None:
    return first(connection.execute(_BY_SEQ, (row,)), entry_from)


def _sightings(connection: apsw.Connection, row: int) -> list[Sighting]:
    return list(readable(connection.execute(_SIGHTINGS, (row,)), _sighting_from))


def _sighting_from(row: Row) -> Sighting:
    profile, group, id_, changed, fields = row
    return Sighting(key_of(profile, group, id_), bool(changed), None if fields is None else clean(fields))
