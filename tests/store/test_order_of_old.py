"""A database of when clocks told which answer is newer."""

from pathlib import Path

import apsw

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.scope import Scope
from jobdeck.store import POLL, open_store
from jobdeck.store.sqlite.migrate import load_migrations, migrate
from jobdeck.store.sqlite.place import create_private
from tests.builders import make_observation, make_target
from tests.store.doing import KEY, NOW, PLENTY, SECOND, poll

AHEAD = NOW + 10**13
URL = "https://hog.example/api/operations/op_1"

OLD = f"""
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


def test_what_the_second_schema_held_is_there_and_older_than_what_is_sent_from_now_on(tmp_path: Path) -> None:
    """Its states were ordered by clocks, and the one that was ahead hid every answer."""
    path = tmp_path / "jobdeck.db"
    create_private(path)
    connection = apsw.Connection(str(path))
    migrate(connection, None, load_migrations()[:2], NOW)
    connection.execute(OLD)
    connection.close()

    scopes = {"hog": Scope("https://hog.example", "hog", "thehog")}
    store = open_store(path, "me", now_us=NOW, fallback=False, scopes=scopes).store
    stored, unseen = store.load_job(KEY), store.load_job(JobKey("hog", None, "op_2"))
    assert stored is not None
    assert unseen is not None
    job = stored.last
    assert (job.phase, job.status, job.kind, job.sequence, job.run) == (Phase.RUNNING, "processing", "search", 42, 1)
    assert job.target.accepted
    assert (unseen.last.misses, unseen.last.not_found, unseen.last.sequence) == (2, True, 0)
    assert [entry.request_id for entry in store.exchanges(KEY)] == ["r-42", "r-41"]
    assert [line.text for line in store.timeline(KEY)] == ["processing"]
    assert store.annotations([KEY])[KEY].note == "it hangs"
    assert not store.once(KEY, "hooks:failed", NOW)

    store.set_limit("hog", POLL, PLENTY, NOW)
    assert store.watch([make_target()], NOW) == ()
    assert poll(store, NOW + SECOND, make_observation(Phase.FAILED)).changed == (KEY,)
    stored = store.load_job(KEY)
    assert stored is not None
    assert (stored.last.phase, stored.last.sequence) == (Phase.FAILED, 43)
    store.close()
