"""A database of when a profile's name was all that told whose jobs these are."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.scope import Scope
from jobdeck.store import POLL, Store, open_store
from jobdeck.store.sqlite.migrate import load_migrations, migrate
from jobdeck.store.sqlite.place import create_private
from tests.builders import START
from tests.store.doing import NOW, SECOND, poll

BEFORE = 2
"""The newest schema in which a scope was a name."""

PRODUCTION = Scope("https://api.example.com", "hog", "thehog")
STAGING = Scope("http://127.0.0.1:8080", "hog", "thehog")


class Old:
    """Writes rows as jobdeck did in those days."""

    def __init__(self, path: Path) -> None:
        create_private(path)
        self.path = path
        self.sql = apsw.Connection(str(path))
        self.sql.pragma("foreign_keys", True)
        migrate(self.sql, None, load_migrations()[:BEFORE], NOW)
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

    def open(self, **scopes: Scope) -> Store:
        """Open it as jobdeck does now."""
        self.sql.close()
        store = open_store(
            self.path, f"me {len(self._stores)}", now_us=NOW + SECOND, fallback=False, scopes=scopes
        ).store
        self._stores.append(store)
        assert store.health(check=True).check == "ok"
        return store

    def close(self) -> None:
        self.sql.close()
        for store in self._stores:
            store.close()


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Old]:
    old = Old(tmp_path / "jobdeck.db")
    yield old
    old.close()


def key(id_: str) -> JobKey:
    return JobKey("hog", None, id_)


def phases(store: Store) -> dict[str, Phase]:
    return {stored.last.key.id: stored.last.phase for stored in store.jobs("hog")}


def watched(store: Store) -> list[str]:
    return [job.key.id for job in store.watched(START)]


def words(store: Store, id_: str) -> list[str]:
    return [entry.text for entry in store.timeline(key(id_))]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/api/operations/op_1",
        "https://api.example.com:443/v1/api/operations/op_1",
        "https://API.Example.COM/api/operations/op_1",
    ],
)
def test_where_all_requests_went_to_one_server_everything_is_its_own(old: Old, url: str) -> None:
    first = old.job("op_1", "succeeded")
    old.job("op_2")
    old.request(url, first, first)
    old.request(None)
    old.sql.execute("INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0)")
    old.sql.execute("INSERT INTO estimates VALUES (1, 1, 'learnt', 1)")
    old.sql.execute("INSERT INTO told VALUES (?, 'hooks:succeeded', 1, 1)", (first,))
    store = old.open(hog=PRODUCTION)
    assert phases(store) == {"op_1": Phase.SUCCEEDED, "op_2": Phase.UNKNOWN}
    assert watched(store) == ["op_1", "op_2"]
    assert (store.limit("hog", POLL), store.load_estimates("hog")) == (77, "learnt")
    assert not store.once(key("op_1"), "hooks:succeeded", NOW)
    assert len(store.exchanges(key("op_1"))) == 1
    assert words(store, "op_1") == [url]
    assert store.annotations([key("op_1")])[key("op_1")].note == "note on op_1"
    poll(store, NOW + SECOND, key=key("op_2"))
    other = old.open(hog=STAGING)
    assert (phases(other), watched(other), other.limit("hog", POLL)) == ({}, [], None)
    assert other.load_estimates("hog") is None


def test_where_they_went_to_two_servers_each_keeps_its_own(old: Old) -> None:
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
    production = old.open(hog=PRODUCTION)
    staging = old.open(hog=STAGING)
    for store, scope, id_, other, phase in (
        (production, PRODUCTION, "op_ours", "op_theirs", Phase.SUCCEEDED),
        (staging, STAGING, "op_theirs", "op_ours", Phase.FAILED),
    ):
        stored = store.load_job(key(id_))
        assert stored is not None
        assert (stored.last.phase, stored.last.failures, stored.last.misses) == (phase, 0, 0)
        assert {entry.url for entry in store.exchanges(key(id_)) if entry.key} == {
            f"{scope.origin}/api/operations/{id_}"
        }
        foreign = store.load_job(key(other))
        assert foreign is not None, "it was asked about here as well"
        assert (foreign.last.phase, foreign.last.observed) == (Phase.UNKNOWN, None)
        assert words(store, other) == []
        assert {entry.scope for entry in store.all_exchanges()} == {scope}
        assert store.limit("hog", POLL) is None, "nobody knows whose limit that was"
    assert len(words(staging, "op_theirs")) == 2
    assert watched(production) == ["op_ours", "op_lost"]
    assert watched(staging) == ["op_theirs"]
    lost_job = production.load_job(key("op_lost"))
    assert lost_job is not None
    assert lost_job.last.misses == 2
    assert staging.load_job(key("op_lost")) is None


def test_a_job_that_two_servers_answered_about_is_watched_at_both_and_its_mixed_state_is_shown_at_none(
    old: Old,
) -> None:
    job = old.job("op_1", "succeeded")
    for scope in (PRODUCTION, STAGING):
        old.request(f"{scope.origin}/api/operations/op_1", job, job)
    for scope in (PRODUCTION, STAGING):
        store = old.open(hog=scope)
        assert phases(store) == {"op_1": Phase.UNKNOWN}
        assert watched(store) == ["op_1"]
        assert words(store, "op_1") == [f"{scope.origin}/api/operations/op_1"]
        assert len(store.exchanges(key("op_1"))) == 1
        note = store.annotations([key("op_1")])[key("op_1")]
        assert (note.note, note.acknowledged) == ("note on op_1", False)
    store = old.open(cow=Scope(PRODUCTION.origin, "cow", "thehog"))
    assert {stored.scope.origin for stored in store.jobs("hog")} == {"", PRODUCTION.origin, STAGING.origin}


def test_an_end_whose_answers_are_gone_is_not_given_to_a_server_that_only_failed_since(old: Old) -> None:
    job, other = old.job("op_1", "succeeded"), old.job("op_2", "succeeded")
    old.request(f"{PRODUCTION.origin}/api/operations/op_2", other, other)
    old.request(f"{STAGING.origin}/api/operations/op_1", job)
    staging = old.open(hog=STAGING)
    assert phases(staging) == {"op_1": Phase.UNKNOWN}
    assert phases(old.open(hog=PRODUCTION)) == {"op_2": Phase.SUCCEEDED}


def test_what_no_request_tells_the_server_of_stays_on_the_watch_list_without_a_state(old: Old) -> None:
    old.job("op_1", "succeeded")
    old.job("op_2", watched=False)
    store = old.open(hog=PRODUCTION)
    assert phases(store) == {"op_1": Phase.UNKNOWN}
    assert watched(store) == ["op_1"]
    stored = store.load_job(key("op_1"))
    assert stored is not None
    assert stored.last.target.accepted_request_id is None
    assert store.annotations([key("op_1")])[key("op_1")].note == "note on op_1"
    assert watched(old.open(hog=STAGING)) == [], "whoever came first has it"
    kept = {(stored.last.key.id, stored.scope.origin) for stored in old.open().jobs("hog")}
    assert kept == {("op_1", PRODUCTION.origin), ("op_1", ""), ("op_2", "")}


def test_scopes_of_several_names_do_not_mix(old: Old) -> None:
    for name in ("hog", "cow"):
        job = old.job("op_1", "succeeded", name=name)
        for scope in (PRODUCTION, STAGING):
            told = (job,) if (name == "hog") == (scope is PRODUCTION) else ()
            old.request(f"{scope.origin}/api/operations/op_1", job, *told, name=name)
    store = old.open(hog=PRODUCTION, cow=Scope(PRODUCTION.origin, "cow", "thehog"))
    assert {(item.last.key.profile, item.last.phase) for item in store.jobs()} == {
        ("hog", Phase.SUCCEEDED), ("cow", Phase.UNKNOWN),
    }  # fmt: skip
    assert [job.key.profile for job in store.watched(START)] == ["hog"]


def test_a_name_that_spoke_two_apis_at_one_server_has_a_scope_for_each(old: Old) -> None:
    first, second = old.job("op_1", "failed", api="exports"), old.job("op_2", "succeeded", api="imports")
    for job in (first, second):
        old.request(f"{PRODUCTION.origin}/{job}", job, job)
    old.sql.execute("INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0)")
    old.sql.execute("INSERT INTO estimates VALUES (1, 1, 'learnt', 1)")
    for api, id_, phase in (("exports", "op_1", Phase.FAILED), ("imports", "op_2", Phase.SUCCEEDED)):
        store = old.open(hog=Scope(PRODUCTION.origin, "hog", api))
        assert phases(store) == {id_: phase}
        assert watched(store) == [id_]
        assert len(store.all_exchanges()) == len(store.exchanges(key(id_))) == len(words(store, id_)) == 1
        assert store.limit("hog", POLL) == 77
    assert store.load_estimates("hog") == "learnt"
    store = old.open(cow=Scope(PRODUCTION.origin, "hog", "exports"))
    assert next(job.key for job in store.watched(START)) == JobKey("cow", None, "op_1")


def test_requests_without_jobs_go_to_whoever_has_the_name_at_their_server(old: Old) -> None:
    old.request(f"{PRODUCTION.origin}/api/operations?limit=100")
    old.sql.execute("INSERT INTO budgets VALUES (1, 'poll', 1, 77, 0, 0)")
    assert old.open(hog=STAGING).all_exchanges() == ()
    store = old.open(hog=PRODUCTION)
    assert [entry.profile for entry in store.all_exchanges("hog")] == ["hog"]
    assert store.limit("hog", POLL) == 77


def test_an_empty_database_is_migrated(old: Old) -> None:
    assert old.open(hog=PRODUCTION).jobs() == ()
