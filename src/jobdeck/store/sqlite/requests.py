"""Queries about the record of requests."""

from collections.abc import Iterable
from dataclasses import replace

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.scope import parse_scope
from jobdeck.domain.text import clean
from jobdeck.store.columns import RECORD_COLUMNS, Row, key_from, record_from, sql, text
from jobdeck.store.models import PhaseEvidence, RequestMatches, RequestRecord, ShownJob
from jobdeck.store.sqlite.checking import unreadable
from jobdeck.store.sqlite.lookups import first, job_row, readable
from jobdeck.store.sqlite.scopes import NAMES

FAILURES_AMONG = 20_000
"""The newest requests that are searched for failures, which have no index: some ten milliseconds."""

_REQUESTS = sql(
    "{names}"
    " SELECT n.name, s.name, c.name, {columns}"
    " FROM exchanges e CROSS JOIN names n ON n.profile = e.profile JOIN scopes s ON s.id = e.scope"
    " JOIN clients c ON c.id = e.client LEFT JOIN jobs j ON j.seq = e.job",
    names=NAMES,
    columns=RECORD_COLUMNS,
)
_OF_JOB = sql(
    "{requests} WHERE e.seq IN ("
    "SELECT seq FROM (SELECT seq FROM exchanges WHERE job = ?1 ORDER BY seq DESC LIMIT ?2)"
    " UNION SELECT exchange FROM (SELECT exchange FROM observations WHERE job = ?1 ORDER BY exchange DESC LIMIT ?2)"
    ") ORDER BY e.seq DESC LIMIT ?2",
    requests=_REQUESTS,
)
_IN_SCOPE = "e.profile IN (SELECT p.id FROM profiles p JOIN profile_scopes c ON c.scope = p.scope WHERE c.name = ?1)"
_ALL = sql(
    "{requests} WHERE ?1 IS NULL OR n.name = ?1 OR {in_scope} ORDER BY e.seq DESC LIMIT ?2",
    requests=_REQUESTS,
    in_scope=_IN_SCOPE,
)
_FAILURES = sql(
    "{requests} WHERE e.seq > (SELECT max(seq) FROM exchanges) - ?5 AND e.problem IS NOT NULL"
    " AND {in_scope} AND e.started_us BETWEEN ?2 AND ?3 ORDER BY e.seq DESC LIMIT ?4",
    requests=_REQUESTS,
    in_scope=_IN_SCOPE,
)
_WITH_ID = (
    "SELECT seq, scope, profile FROM exchanges WHERE request_id = ?1"
    " UNION SELECT seq, scope, profile FROM exchanges WHERE trace_id = ?1"
    " UNION SELECT seq, scope, profile FROM exchanges WHERE body_request_id = ?1 AND body_request_id IS NOT request_id"
)
_WITH_ID_HERE = sql(
    "SELECT seq FROM ({with_id}) WHERE profile IN (SELECT profile FROM profile_names) ORDER BY seq DESC LIMIT ?2",
    with_id=_WITH_ID,
)
_ELSEWHERE = sql(
    "SELECT name FROM scopes WHERE id IN (SELECT scope FROM ({with_id})"
    " UNION SELECT scope FROM jobs WHERE accepted_request_id = ?1 OR accepted_trace_id = ?1) ORDER BY id",
    with_id=_WITH_ID,
)
_BY_SEQUENCE = _REQUESTS + " WHERE e.seq = ?"
_SHOWN = (
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


def requests(connection: apsw.Connection, key: JobKey, limit: int) -> tuple[RequestRecord, ...]:
    """See `Store.requests`."""
    found = job_row(connection, key)
    if found is None:
        return ()
    records = readable(connection.execute(_OF_JOB, (found[0], limit)), _record_from)
    # Requests through another profile of the scope are about the same job.
    return tuple(
        record if record.exchange.job is None else replace(record, exchange=replace(record.exchange, job=key))
        for record in records
    )


def records(connection: apsw.Connection, sequences: Iterable[int]) -> dict[int, RequestRecord]:
    """See `Store.records`."""
    return {sequence: record for sequence in sequences if (record := _record(connection, sequence)) is not None}


def all_requests(connection: apsw.Connection, profile: str | None, limit: int) -> tuple[RequestRecord, ...]:
    """See `Store.all_requests`."""
    return tuple(readable(connection.execute(_ALL, (profile, limit)), _record_from))


def failures(
    connection: apsw.Connection, profile: str, between: tuple[int, int], limit: int
) -> tuple[RequestRecord, ...]:
    """See `Store.failures`."""
    rows = connection.execute(_FAILURES, (profile, *between, limit, FAILURES_AMONG))
    return tuple(readable(rows, _record_from))


def find_request(connection: apsw.Connection, id_: str, limit: int) -> RequestMatches:
    """See `Store.find_request`."""
    found = [int(seq) for (seq,) in connection.execute(_WITH_ID_HERE, (id_, limit))]
    accepted = tuple(readable(connection.execute(_ACCEPTED, (id_,)), lambda row: key_from(*row)))
    if not found and not accepted:
        elsewhere = readable(connection.execute(_ELSEWHERE, (id_,)), lambda row: parse_scope(clean(row[0])))
        return RequestMatches(elsewhere=tuple(elsewhere))
    return RequestMatches(
        requests=tuple(record for seq in found if (record := _record(connection, seq)) is not None),
        shown=tuple(shown for seq in found for shown in readable(connection.execute(_SHOWN, (seq,)), _shown_from)),
        accepted=accepted,
    )


def phase_evidence(connection: apsw.Connection, key: JobKey) -> PhaseEvidence | None:
    """See `Store.phase_evidence`."""
    found = job_row(connection, key)
    if found is None:
        return None
    row = first(connection.execute("SELECT first_shown, last_shown FROM jobs WHERE seq = ?", found[:1]), tuple)
    records = [record for seq in row or () if (record := _record(connection, seq)) is not None]
    return PhaseEvidence(*records) if len(records) == 2 else None


def unreadable_rows(connection: apsw.Connection) -> tuple[str, ...]:
    """Return which requests on record cannot be read."""
    found = unreadable(connection, "exchanges", _REQUESTS, _record_from, "e.seq")
    return (found,) if found else ()


def _record(connection: apsw.Connection, sequence: int) -> RequestRecord | None:
    return first(connection.execute(_BY_SEQUENCE, (sequence,)), _record_from)


def _record_from(row: Row) -> RequestRecord:
    profile, scope, client, *values = row
    return record_from(profile, scope, client, values)


def _shown_from(row: Row) -> ShownJob:
    profile, group, id_, changed, fields = row
    return ShownJob(key_from(profile, group, id_), bool(changed), text(fields))
