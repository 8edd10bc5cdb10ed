"""Databases of older jobdecks: what they held is there, and none of it is shown as another server's."""

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.scope import Scope
from jobdeck.store import POLL, Store, open_store
from jobdeck.store.models import ChangeKind, Cursor, RequestState
from jobdeck.store.sqlite.files import create_private
from jobdeck.store.sqlite.migrate import load_migrations, migrate
from tests.builders import START, make_observation, make_target
from tests.store.engines import LocalClock
from tests.store.steps import KEY, NOW, PLENTY, SECOND, Lease, lease_of, poll, saved, watched_ids

BEFORE_ORIGINS = 2
"""The newest schema in which a profile's name was all that told whose jobs they are."""

BEFORE_CLIENTS = 6
"""The newest schema that had actors, choices, and when a job was due."""

PRODUCTION = Scope("https://api.example.com", "hog", "thehog")
STAGING = Scope("http://127.0.0.1:8080", "hog", "thehog")


class Old:
    """Writes rows as jobdeck did with schema 2."""

    def __init__(self, path: Path) -> None:
        self.clock = LocalClock()
        create_private(path)
        self.path = path
        self.sql = apsw.Connection(str(path))
        self.sql.pragma("foreign_keys", True)
        migrate(self.sql, None, load_migrations()[:BEFORE_ORIGINS], NOW)
        self.sql.execute("INSERT INTO actors (id, name) VALUES (1, 'old')")
        self._stores: list[Store] = []

    def scope(self, name: str) -> int:
        self.sql.execute("INSERT OR IGNORE INTO scopes (name) VALUES (?)", (name,))
        return int(self.sql.execute("SELECT id FROM scopes WHERE name = ?", (name,)).get)

    def job(
        self, id_: str, phase: str | None = None, *, name: str = "hog", watched: bool = True, api: str = "thehog"
    ) -> int:
        """A job in a phase (None: never observed), with a note that has its ID."""
        self.sql.execute(
            "INSERT INTO jobs (id, scope, actor, account_group, job_id, provider, resource, kind, added_us, active_us,"
            " phase, status, observed_us, asked_us, failures, misses, accepted_request_id)"
            " VALUES (randomblob(16), ?, 1, '', ?, ?, 'operation', 'operation', ?, ?, ?, ?, ?, ?, 2, 2, 'acc')",
            (self.scope(name), id_, api, NOW, NOW, phase or "unknown", phase, phase and NOW, phase and NOW),
        )
        job = self.sql.last_insert_rowid()
        if watched:
            self.sql.execute("INSERT INTO watches (job, actor, since_us) VALUES (?, 1, ?)", (job, NOW))
        self.sql.execute("INSERT INTO annotations VALUES (?, 1, 1, ?, ?)", (job, f"note on {id_}", NOW))
        return job

    def request(self, url: str | None, job: int | None = None, *told: int, name: str = "hog") -> int:
        """A request, about a job or (a list) about none, and the jobs that its answer told of, with a line each."""
        self.sql.execute(
            "INSERT INTO exchanges (id, scope, actor, job, bucket, state, sent_us, started_us, duration_us, method,"
            " url, http_status, request_id)"
            " VALUES (randomblob(16), ?, 1, ?, 'poll', 'answered', ?, ?, 1, 'GET', ?, ?, ?)",
            (self.scope(name), job, NOW, NOW, url, 200 if told else 404, f"request-{url}"),
        )
        row = self.sql.last_insert_rowid()
        for each in told:
            self.sql.execute("INSERT INTO observations VALUES (?, ?)", (each, row))
            self.sql.execute(
                "INSERT INTO states (job, exchange, at_us, fields) VALUES (?, ?, ?, '{}')", (each, row, NOW)
            )
            self.sql.execute(
                "INSERT INTO timeline (job, exchange, at_us, kind, phase_after, words) VALUES (?, ?, ?, 'phase', ?, ?)",
                (each, row, NOW, "running", url),
            )
        return row

    async def open(self, **scopes: Scope) -> Store:
        """Open it as jobdeck does now."""
        self.sql.close()
        await self.clock.set(NOW + SECOND)
        name = f"me {len(self._stores)}"
        store = open_store(self.path, name, now_us=self.clock.now_us, fallback=False, scopes=scopes).store
        self._stores.append(store)
        assert (await store.health(check=True)).check == "ok"
        return store

    async def close(self) -> None:
        self.sql.close()
        for store in self._stores:
            await store.close()


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Old]:
    old = Old(tmp_path / "jobdeck.db")
    yield old
    await old.close()


def key(id_: str) -> JobKey:
    return JobKey("hog", None, id_)


async def phases(store: Store) -> dict[str, Phase]:
    return {job.last.key.id: job.last.phase for job in await store.jobs("hog")}


async def words(store: Store, id_: str) -> list[str]:
    return [event.text for event in await store.timeline(key(id_))]


async def note_on(store: Store, id_: str) -> str:
    return (await store.annotations([key(id_)]))[key(id_)].note


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/api/operations/op_1",
        "https://api.example.com:443/v1/api/operations/op_1",
        "https://API.Example.COM/api/operations/op_1",
    ],
)
async def test_where_all_requests_went_to_one_server_everything_is_its_own(old: Old, url: str) -> None:
    first = old.job("op_1", "succeeded")
    old.job("op_2")
    old.request(url, first, first)
    old.request(None)
    old.sql.execute("INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0)")
    old.sql.execute("INSERT INTO estimates VALUES (1, 1, 'learnt', 1)")
    old.sql.execute("INSERT INTO told VALUES (?, 'hooks:succeeded', 1, 1)", (first,))
    store = await old.open(hog=PRODUCTION)
    assert await phases(store) == {"op_1": Phase.SUCCEEDED, "op_2": Phase.UNKNOWN}
    assert await watched_ids(store) == ["op_1", "op_2"]
    assert (await store.limit("hog", POLL), await store.load_estimates()) == (77, {"hog": "learnt"})
    assert not await store.claim_event(key("op_1"), "hooks:succeeded")
    assert len(await store.requests(key("op_1"))) == 1
    assert await words(store, "op_1") == [url]
    assert await note_on(store, "op_1") == "note on op_1"
    await poll(store, old.clock, NOW + SECOND, key=key("op_2"))
    other = await old.open(hog=STAGING)
    assert (await phases(other), await watched_ids(other), await other.limit("hog", POLL)) == ({}, [], None)
    assert await other.load_estimates() == {}


async def test_where_they_went_to_two_servers_each_keeps_its_own(old: Old) -> None:
    ours, theirs = old.job("op_ours", "succeeded"), old.job("op_theirs", "failed")
    lost = old.job("op_lost")
    # One watch list was polled at both, and each server knew its own jobs alone.
    for job, id_, home in ((ours, "op_ours", PRODUCTION), (theirs, "op_theirs", STAGING)):
        for scope in (PRODUCTION, STAGING):
            told = (job,) if scope is home else ()
            old.request(f"{scope.origin}/api/operations/{id_}", job, *told)
    old.request(f"{PRODUCTION.origin}/api/operations/op_lost", lost)
    old.request(f"{STAGING.origin}/api/operations?limit=100", None, theirs)
    old.sql.execute("INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0)")
    production = await old.open(hog=PRODUCTION)
    staging = await old.open(hog=STAGING)
    for store, scope, id_, other, phase in (
        (production, PRODUCTION, "op_ours", "op_theirs", Phase.SUCCEEDED),
        (staging, STAGING, "op_theirs", "op_ours", Phase.FAILED),
    ):
        stored = await saved(store, key(id_))
        assert (stored.last.phase, stored.last.failures, stored.last.misses) == (phase, 0, 0)
        assert {record.exchange.url for record in await store.requests(key(id_)) if record.exchange.job} == {
            f"{scope.origin}/api/operations/{id_}"
        }
        foreign = await saved(store, key(other))
        assert (foreign.last.phase, foreign.last.observed) == (Phase.UNKNOWN, None)
        assert await words(store, other) == []
        assert {record.scope for record in await store.all_requests()} == {scope}
        assert await store.limit("hog", POLL) is None, "nobody knows whose limit that was"
    assert len(await words(staging, "op_theirs")) == 2
    assert await watched_ids(production) == ["op_ours", "op_lost"]
    assert await watched_ids(staging) == ["op_theirs"]
    assert (await saved(production, key("op_lost"))).last.misses == 2
    assert await staging.load([key("op_lost")]) == {}


async def test_a_job_that_two_servers_answered_about_is_watched_at_both_and_its_mixed_state_is_shown_at_none(
    old: Old,
) -> None:
    job = old.job("op_1", "succeeded")
    for scope in (PRODUCTION, STAGING):
        old.request(f"{scope.origin}/api/operations/op_1", job, job)
    for scope in (PRODUCTION, STAGING):
        store = await old.open(hog=scope)
        assert await phases(store) == {"op_1": Phase.UNKNOWN}
        assert await watched_ids(store) == ["op_1"]
        assert await words(store, "op_1") == [f"{scope.origin}/api/operations/op_1"]
        assert len(await store.requests(key("op_1"))) == 1
        note = (await store.annotations([key("op_1")]))[key("op_1")]
        assert (note.note, note.acknowledged) == ("note on op_1", False)
    store = await old.open(cow=Scope(PRODUCTION.origin, "cow", "thehog"))
    assert {stored.scope.origin for stored in await store.jobs("hog")} == {"", PRODUCTION.origin, STAGING.origin}


async def test_an_end_whose_answers_are_gone_is_not_given_to_a_server_that_only_failed_since(old: Old) -> None:
    job, other = old.job("op_1", "succeeded"), old.job("op_2", "succeeded")
    old.request(f"{PRODUCTION.origin}/api/operations/op_2", other, other)
    old.request(f"{STAGING.origin}/api/operations/op_1", job)
    staging = await old.open(hog=STAGING)
    assert await phases(staging) == {"op_1": Phase.UNKNOWN}
    assert await phases(await old.open(hog=PRODUCTION)) == {"op_2": Phase.SUCCEEDED}


async def test_what_no_request_tells_the_server_of_stays_on_the_watch_list_without_a_state(old: Old) -> None:
    old.job("op_1", "succeeded")
    old.job("op_2", watched=False)
    store = await old.open(hog=PRODUCTION)
    assert await phases(store) == {"op_1": Phase.UNKNOWN}
    assert await watched_ids(store) == ["op_1"]
    stored = await saved(store, key("op_1"))
    assert stored.last.target.accepted_request_id is None
    assert await note_on(store, "op_1") == "note on op_1"
    assert await watched_ids(await old.open(hog=STAGING)) == [], "whoever came first has it"
    kept = {(stored.last.key.id, stored.scope.origin) for stored in await (await old.open()).jobs("hog")}
    assert kept == {("op_1", PRODUCTION.origin), ("op_1", ""), ("op_2", "")}


async def test_scopes_of_several_names_do_not_mix(old: Old) -> None:
    for name in ("hog", "cow"):
        job = old.job("op_1", "succeeded", name=name)
        for scope in (PRODUCTION, STAGING):
            told = (job,) if (name == "hog") == (scope is PRODUCTION) else ()
            old.request(f"{scope.origin}/api/operations/op_1", job, *told, name=name)
    store = await old.open(hog=PRODUCTION, cow=Scope(PRODUCTION.origin, "cow", "thehog"))
    assert {(item.last.key.profile, item.last.phase) for item in await store.jobs()} == {
        ("hog", Phase.SUCCEEDED), ("cow", Phase.UNKNOWN),
    }  # fmt: skip
    assert [job.key.profile for job in await store.watched(START)] == ["hog"]


async def test_a_name_that_spoke_two_apis_at_one_server_has_a_scope_for_each(old: Old) -> None:
    first, second = old.job("op_1", "failed", api="exports"), old.job("op_2", "succeeded", api="imports")
    for job in (first, second):
        old.request(f"{PRODUCTION.origin}/{job}", job, job)
    old.sql.execute("INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0)")
    old.sql.execute("INSERT INTO estimates VALUES (1, 1, 'learnt', 1)")
    for api, id_, phase in (("exports", "op_1", Phase.FAILED), ("imports", "op_2", Phase.SUCCEEDED)):
        store = await old.open(hog=Scope(PRODUCTION.origin, "hog", api))
        assert await phases(store) == {id_: phase}
        assert await watched_ids(store) == [id_]
        assert (
            len(await store.all_requests()) == len(await store.requests(key(id_))) == len(await words(store, id_)) == 1
        )
        assert await store.limit("hog", POLL) == 77
    assert await store.load_estimates() == {"hog": "learnt"}
    store = await old.open(cow=Scope(PRODUCTION.origin, "hog", "exports"))
    assert next(job.key for job in await store.watched(START)) == JobKey("cow", None, "op_1")


async def test_requests_without_jobs_go_to_whoever_has_the_name_at_their_server(old: Old) -> None:
    old.request(f"{PRODUCTION.origin}/api/operations?limit=100")
    old.sql.execute("INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0)")
    assert await (await old.open(hog=STAGING)).all_requests() == ()
    store = await old.open(hog=PRODUCTION)
    assert [record.exchange.profile for record in await store.all_requests("hog")] == ["hog"]
    assert await store.limit("hog", POLL) == 77


async def test_an_empty_database_is_migrated(old: Old) -> None:
    assert await (await old.open(hog=PRODUCTION)).jobs() == ()


AHEAD = NOW + 10**13
URL = "https://hog.example/api/operations/op_1"

OF_CLOCKS = f"""
INSERT INTO scopes VALUES (1, 'hog');
INSERT INTO actors VALUES (1, 'an earlier run');
INSERT INTO exchanges (seq, id, scope, actor, job, bucket, state, sent_us, started_us, duration_us, method, url,
  http_status, request_id) VALUES
  (41, x'00000000000000000000000000000041', 1, 1, 1, 'poll', 'answered', {NOW}, {NOW}, 1, 'GET', '{URL}', 200, 'r-41'),
  (42, x'00000000000000000000000000000042', 1, 1, 1, 'poll', 'answered', {AHEAD}, {AHEAD}, 1, 'GET',
   '{URL}', 200, 'r-42');
INSERT INTO jobs (seq, id, scope, actor, account_group, job_id, provider, resource, accepted_request_id, added_us,
  active_us, status, phase, kind, observed_us, asked_us, ended_seen_us, misses, failures, first_shown, last_shown)
  VALUES
  (1, x'00000000000000000000000000000001', 1, 1, '', 'op_1', 'thehog', 'operation', 'accepting', {NOW}, {AHEAD},
   'processing', 'running', 'search', {AHEAD}, {AHEAD}, NULL, 0, 0, 41, 42),
  (2, x'00000000000000000000000000000002', 1, 1, '', 'op_2', 'thehog', 'operation', NULL, {NOW}, {NOW},
   NULL, 'unknown', 'operation', NULL, NULL, NULL, 2, 2, NULL, NULL);
INSERT INTO observations VALUES (1, 41), (1, 42);
INSERT INTO timeline (seq, job, exchange, at_us, kind, phase_before, phase_after, words)
  VALUES (1, 1, 41, {NOW}, 'phase', 'unknown', 'running', 'processing');
INSERT INTO watches VALUES (1, 1, 1, {NOW});
INSERT INTO annotations VALUES (1, 1, 0, 'it hangs', {NOW});
INSERT INTO told VALUES (1, 'hooks:failed', 1, {NOW});
"""


async def test_what_was_ordered_by_clocks_is_there_and_older_than_what_is_sent_from_now_on(tmp_path: Path) -> None:
    """A clock that was ahead hid every answer."""
    path, clock = tmp_path / "jobdeck.db", LocalClock()
    create_private(path)
    connection = apsw.Connection(str(path))
    migrate(connection, None, load_migrations()[:BEFORE_ORIGINS], NOW)
    connection.execute(OF_CLOCKS)
    connection.close()

    scopes = {"hog": Scope("https://hog.example", "hog", "thehog")}
    store = open_store(path, "me", now_us=clock.now_us, fallback=False, scopes=scopes).store
    job, unseen = (await saved(store)).last, (await saved(store, key("op_2"))).last
    assert (job.phase, job.status, job.kind, job.sequence, job.run) == (Phase.RUNNING, "processing", "search", 42, 1)
    assert job.target.accepted
    assert (unseen.misses, unseen.not_found, unseen.sequence) == (2, True, 0)
    assert [record.exchange.request_id for record in await store.requests(KEY)] == ["r-42", "r-41"]
    assert await words(store, "op_1") == ["processing"]
    assert await note_on(store, "op_1") == "it hangs"
    assert not await store.claim_event(KEY, "hooks:failed")

    await store.set_limits("hog", {POLL: PLENTY})
    assert await store.watch([make_target()]) == ()
    assert (await poll(store, clock, NOW + SECOND, make_observation(Phase.FAILED))).changed == (KEY,)
    job = (await saved(store)).last
    assert (job.phase, job.sequence) == (Phase.FAILED, 43)
    await store.close()


OF_ACTORS = f"""
INSERT INTO scopes (id, name) VALUES (1, 'https://hog.example hog');
INSERT INTO scopes (id, name, budget) VALUES (2, 'https://hog.example hog thehog', 1);
INSERT INTO profiles (id, name, scope) VALUES (1, 'hog', 2);
INSERT INTO actors (id, name) VALUES (1, 'box:123-0123abcd'), (2, 'box:456-4567cdef');
INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0);
INSERT INTO estimates VALUES (1, 1, 'learnt', 1);
INSERT INTO meta (name, value) VALUES ('choice.order', 'KIND'), ('choice.theme', 'dark'), ('choices', 'not one');
INSERT INTO exchanges (seq, id, scope, profile, actor, job, bucket, state, sent_us, started_us, duration_us, method,
  url, http_status, request_id) VALUES
  (1, randomblob(16), 2, 1, 1, 1, 'poll', 'answered', {NOW}, {NOW}, 1, 'GET', '{URL}', 200, 'r-1'),
  (2, randomblob(16), 2, 1, 2, 1, 'poll', 'sent', {NOW}, NULL, NULL, 'GET', '{URL}', NULL, NULL);
INSERT INTO jobs (seq, id, scope, profile, actor, account_group, job_id, provider, resource, added_us, active_us, fence,
  lease_owner, lease_until_us, next_poll_us, status, phase, kind, observed_us, asked_us, first_shown, last_shown,
  outlined, sequence) VALUES
  (1, randomblob(16), 2, 1, 1, '', 'op_1', 'thehog', 'operation', {NOW}, {NOW}, 5, 2, {NOW + 45 * SECOND}, {NOW},
   'processing', 'running', 'search', {NOW}, {NOW}, 1, 1, 1, 1);
INSERT INTO observations VALUES (1, 1);
INSERT INTO states (job, exchange, at_us, fields) VALUES (1, 1, {NOW}, '{{}}');
INSERT INTO timeline (job, exchange, at_us, kind, phase_before, phase_after, words, request_id)
  VALUES (1, 1, {NOW}, 'phase', 'unknown', 'running', 'processing', 'r-1');
INSERT INTO watches (job, profile, actor, since_us) VALUES (1, 1, 1, {NOW});
INSERT INTO annotations VALUES (1, 1, 0, 'it hangs', {NOW});
INSERT INTO told VALUES (1, 'hooks:failed', 1, {NOW});
INSERT INTO change_log (at_us, scope, actor, kind, jobs, exchange) VALUES
  ({NOW}, 2, 1, 'watched', '[1]', NULL), ({NOW}, 2, 1, 'sent', '[1]', 1), ({NOW}, 2, 1, 'answered', '[1]', 1),
  ({NOW}, 2, 1, 'told', '[1]', NULL), ({NOW}, NULL, 1, 'chosen', NULL, NULL);
"""


async def test_what_actors_chose_and_told_are_preferences_and_events_of_clients(tmp_path: Path) -> None:
    path, clock = tmp_path / "jobdeck.db", LocalClock()
    create_private(path)
    connection = apsw.Connection(str(path))
    connection.pragma("foreign_keys", True)
    migrate(connection, None, load_migrations()[:BEFORE_CLIENTS], NOW)
    connection.execute(OF_ACTORS)
    connection.close()

    scopes = {"hog": Scope("https://hog.example", "hog", "thehog")}
    store = open_store(path, "me", now_us=clock.now_us, fallback=False, scopes=scopes).store
    health = await store.health(check=True)
    assert (health.check, health.unreadable) == ("ok", ())
    assert await store.load_preferences() == {"order": "KIND", "theme": "dark"}
    assert await store.load_estimates() == {"hog": "learnt"}
    assert await store.limit("hog", POLL) == 77
    assert await watched_ids(store) == ["op_1"]
    assert await note_on(store, "op_1") == "it hangs"
    assert not await store.claim_event(KEY, "hooks:failed")
    job = await saved(store)
    assert (job.last.phase, job.last.summary_only) == (Phase.RUNNING, True)
    assert await lease_of(store) == Lease(5, "box:456-4567cdef", NOW + 45 * SECOND)
    records = await store.requests(KEY)
    assert [(one.exchange.sequence, one.client, one.state, one.exchange.request_id) for one in records] == [
        (2, "box:456-4567cdef", RequestState.SENT, None),
        (1, "box:123-0123abcd", RequestState.ANSWERED, "r-1"),
    ]
    assert await words(store, "op_1") == ["processing"]
    changes, _ = await store.changes(Cursor(f"{(await store.head()).partition(':')[0]}:0"))
    # Those of kinds that no change has any more are left out.
    assert [(change.kind, change.client, change.keys, change.seen) for change in changes] == [
        (kind, "box:123-0123abcd", (KEY,), ()) for kind in (ChangeKind.WATCHED, ChangeKind.ANSWERED)
    ]
    # A lease of 45 s was taken by an older jobdeck, which nobody renews: longer than any is now, it does not count.
    assert (await poll(store, clock, NOW + SECOND, make_observation(Phase.FAILED))).changed == (KEY,)
    await store.close()

    with closing(apsw.Connection(str(path))) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        columns = {
            f"{table}.{column}"
            for table in tables
            for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        }
        left = {name for (name,) in connection.execute("SELECT name FROM meta")}
    assert tables & {"actors", "clients", "told", "notifications"} == {"clients", "notifications"}
    assert not {column for column in columns if column.endswith((".actor", ".outlined", ".next_poll_us"))}
    assert not {"jobs.id", "exchanges.id"} & columns
    assert {"preference.order", "preference.theme", "choices", "database"} == left
