"""What belongs to an origin and an organization, whatever a profile is called."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.scope import Scope
from jobdeck.store import POLL, Store, open_store
from jobdeck.store.records import Claim, Refused, Spent
from tests.builders import START, make_observation, make_target
from tests.store.doing import KEY, MINUTE, NOW, PLENTY, SECOND, a_problem, an_exchange, listed, poll

PRODUCTION = Scope("https://developer.thehog.ai", "hog")
STAGING = Scope("https://staging.thehog.ai", "hog")
ACME = Scope("https://developer.thehog.ai", "acme")
OTHER = JobKey("pig", None, "op_1")


class Stores:
    """Opens one database as processes with other configurations do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[Store] = []

    def __call__(self, actor: str, **scopes: Scope) -> Store:
        store = open_store(self.path, actor, now_us=NOW, fallback=False, scopes=scopes).store
        self._open.append(store)
        return store

    def close(self) -> None:
        for store in self._open:
            store.close()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path / "jobdeck.db")
    yield stores
    stores.close()


def ready(store: Store) -> Store:
    store.watch([make_target()], NOW)
    store.set_limit("hog", POLL, PLENTY, NOW)
    return store


def test_two_servers_under_one_name_share_nothing(stores: Stores) -> None:
    production, staging = ready(stores("me", hog=PRODUCTION)), stores("you", hog=STAGING)
    poll(production, NOW, make_observation(Phase.SUCCEEDED), request_id="request-1")
    production.save_estimates("hog", "{}", NOW)
    production.annotate(KEY, now_us=NOW, note="ask Ada", acknowledged=True)
    assert staging.load_job(KEY) is None
    assert (staging.watched(START), staging.jobs(), staging.jobs("hog")) == ((), (), ())
    assert (staging.timeline(KEY), staging.exchanges(KEY), staging.all_exchanges(), staging.shown(KEY)) == (
        (), (), (), None,
    )  # fmt: skip
    assert (staging.all_exchanges("hog"), staging.failures("hog", 0, NOW + MINUTE)) == ((), ())
    assert (staging.limit("hog", POLL), staging.load_estimates("hog"), staging.annotations([KEY])) == (None, None, {})
    found = staging.find_request("request-1")
    assert (found.exchanges, found.sightings, found.accepted, found.elsewhere) == ((), (), (), (PRODUCTION,))
    assert [change.keys for change in staging.changes(None)[0] if change.keys] == []
    assert production.unwatch([KEY], NOW) == (KEY,)


def test_the_same_job_at_two_servers_is_two_jobs(stores: Stores) -> None:
    production, staging = ready(stores("me", hog=PRODUCTION)), ready(stores("you", hog=STAGING))
    poll(production, NOW, make_observation(Phase.SUCCEEDED))
    poll(staging, NOW + SECOND, make_observation(Phase.RUNNING))
    for store, scope, phase in ((production, PRODUCTION, Phase.SUCCEEDED), (staging, STAGING, Phase.RUNNING)):
        (stored,) = store.jobs()
        assert (stored.last.key, stored.scope, stored.last.phase) == (KEY, scope, phase)
        assert listed(store) == (make_target(),)
        assert len(store.exchanges(KEY)) == 1
        assert store.once(KEY, "hooks:ended", NOW)
    assert staging.unwatch([KEY], NOW) == (KEY,)
    assert listed(production) == (make_target(),)


def test_two_servers_under_one_name_have_a_budget_and_leases_each(stores: Stores) -> None:
    production, staging = stores("me", hog=PRODUCTION), stores("you", hog=STAGING)
    for store in (production, staging):
        store.watch([make_target()], NOW)
        store.set_limit("hog", POLL, 1, NOW)
        assert isinstance(store.claim(KEY, NOW, 40.0), Claim)
        assert isinstance(store.spend("hog", POLL, NOW), Refused)
    limited = Problem(ProblemKind.RATE_LIMIT, "too many", http_status=429, retry_at_us=NOW + 5 * MINUTE)
    later = NOW + 2 * MINUTE
    granted = production.spend("hog", POLL, later)
    assert isinstance(granted, Spent)
    production.complete(granted, an_exchange(later, limited, None), (), None, later)
    assert production.spend("hog", POLL, later + 70 * SECOND) == Refused("silence", NOW + 5 * MINUTE)
    assert isinstance(staging.spend("hog", POLL, later + 70 * SECOND), Spent)


def test_an_organization_shares_under_every_name(stores: Stores) -> None:
    hog, pig = ready(stores("me", hog=ACME)), stores("you", hog=PRODUCTION, pig=ACME)
    poll(hog, NOW, make_observation(Phase.SUCCEEDED), request_id="request-1")
    hog.save_estimates("hog", "learnt", NOW)
    hog.annotate(KEY, now_us=NOW, note="ask Ada")
    stored = pig.load_job(OTHER)
    assert stored is not None
    assert (stored.last.key, stored.last.phase, stored.scope) == (OTHER, Phase.SUCCEEDED, ACME)
    assert pig.load_job(KEY) is None, "this name is another organization here"
    assert len(pig.timeline(OTHER)) == 1
    assert pig.annotations([OTHER, KEY])[OTHER].note == "ask Ada"
    assert list(pig.annotations([make_target(f"op_{n}").key for n in range(60)] + [OTHER])) == [OTHER]
    (entry,) = pig.exchanges(OTHER)
    assert (entry.key, entry.profile, entry.scope) == (OTHER, "pig", ACME)
    assert pig.limit("pig", POLL) == PLENTY
    assert pig.load_estimates("pig") == "learnt"
    assert [job.key for job in pig.watched(START)] == [OTHER]
    assert {key for change in pig.changes(None)[0] for key in change.keys} == {OTHER}
    assert [item.key for item in pig.find_request("request-1").sightings] == [OTHER]
    assert hog.once(KEY, "hooks:ended", NOW)
    assert not pig.once(OTHER, "hooks:ended", NOW)


def test_an_organization_has_one_budget_and_one_lease_a_job(stores: Stores) -> None:
    hog, pig = stores("me", hog=ACME), stores("you", pig=ACME)
    hog.watch([make_target(), make_target("op_2")], NOW)
    hog.set_limit("hog", POLL, 1, NOW)
    assert isinstance(hog.claim(KEY, NOW, 40.0), Claim)
    refused = pig.claim(OTHER, NOW, 40.0)
    assert isinstance(refused, Refused)
    assert refused.reason == "leased"
    refused = pig.claim(replace(OTHER, id="op_2"), NOW, 40.0)
    assert isinstance(refused, Refused)
    assert refused.reason == "budget"


def test_each_profile_of_an_organization_has_its_own_places_on_the_watch_list(stores: Stores) -> None:
    store = ready(stores("me", hog=ACME, pig=ACME))
    poll(store, NOW, make_observation(Phase.RUNNING))
    assert store.watch([replace(make_target(), key=OTHER)], NOW) == (OTHER,)
    assert [(job.key, job.phase) for job in store.watched(START)] == [(KEY, Phase.RUNNING), (OTHER, Phase.RUNNING)]
    assert [stored.last.key for stored in store.jobs()] == [OTHER], "under the profile that watched it last"
    assert [stored.last.key for stored in store.jobs("hog")] == [KEY]
    changes, _ = store.changes(None)
    assert set(changes[-1].keys) == {KEY, OTHER}
    poll(store, NOW + SECOND, make_observation(Phase.SUCCEEDED), OTHER)
    assert {job.phase for job in store.watched(START)} == {Phase.SUCCEEDED}
    assert [(entry.profile, entry.key) for entry in store.all_exchanges("hog")] == [("pig", OTHER), ("hog", KEY)]
    assert store.unwatch([KEY], NOW) == (KEY,)
    assert [job.key for job in store.watched(START)] == [OTHER]


def test_two_profiles_of_an_organization_do_not_overwrite_what_the_other_learnt(stores: Stores) -> None:
    store = stores("me", hog=ACME, pig=ACME)
    store.save_estimates("hog", "the hog's", NOW)
    assert store.load_estimates("pig") == "the hog's"
    store.save_estimates("pig", "the pig's", NOW + 1)
    assert (store.load_estimates("hog"), store.load_estimates("pig")) == ("the hog's", "the pig's")


def test_a_profile_that_was_renamed_keeps_what_its_organization_knows(stores: Stores) -> None:
    poll(ready(stores("me", hog=ACME)), NOW, make_observation(Phase.RUNNING))
    store = stores("you", pig=ACME)
    assert [stored.last.key for stored in store.jobs()] == [OTHER]
    assert [job.key for job in store.watched(START)] == [OTHER]
    assert store.unwatch([OTHER], NOW) == (OTHER,)


def test_what_is_remembered_of_a_profile_that_is_gone_keeps_its_name(stores: Stores) -> None:
    poll(ready(stores("me", hog=PRODUCTION)), NOW)
    gone = stores("you", pig=ACME)
    assert [(stored.last.key, stored.scope) for stored in gone.jobs()] == [(KEY, PRODUCTION)]
    assert [stored.last.key for stored in gone.jobs("hog")] == [KEY]
    assert gone.jobs("pig") == ()
    poll(ready(stores("them", hog=STAGING)), NOW)
    gone = stores("it", pig=ACME)
    assert {stored.scope for stored in gone.jobs("hog")} == {PRODUCTION, STAGING}
    assert {entry.scope for entry in gone.all_exchanges("hog")} == {PRODUCTION, STAGING}
    assert gone.load_job(KEY) is None, "nobody knows which of the two is meant"


def test_two_apis_of_an_organization_at_one_origin_share_the_budget_and_no_job(stores: Stores) -> None:
    imports, exports = replace(ACME, api="imports"), replace(ACME, api="exports")
    store = stores("me", hog=imports, pig=exports)
    other = stores("you", hog=exports)
    store.watch([make_target(), replace(make_target(), key=OTHER)], NOW)
    store.set_limit("hog", POLL, PLENTY, NOW)
    poll(store, NOW, make_observation(Phase.SUCCEEDED))
    poll(store, NOW + SECOND, make_observation(Phase.RUNNING), OTHER)
    assert {stored.last.key: stored.last.phase for stored in store.jobs()} == {
        KEY: Phase.SUCCEEDED, OTHER: Phase.RUNNING,
    }  # fmt: skip
    assert [stored.last.key for stored in store.jobs("hog")] == [KEY]
    assert [entry.profile for entry in store.all_exchanges("pig")] == ["pig"]
    assert [stored.last.phase for stored in other.jobs()] == [Phase.RUNNING]
    assert store.limit("pig", POLL) == other.limit("hog", POLL) == PLENTY
    assert isinstance(store.claim(KEY, NOW + MINUTE, 40.0), Claim)
    assert isinstance(other.claim(KEY, NOW + MINUTE, 40.0), Claim), "it is another job"
    limited = Problem(ProblemKind.RATE_LIMIT, "too many", http_status=429, retry_at_us=NOW + 5 * MINUTE)
    granted = store.spend("pig", POLL, NOW + MINUTE)
    assert isinstance(granted, Spent)
    store.complete(granted, an_exchange(NOW + MINUTE, limited, None), (), None, NOW + MINUTE)
    assert other.spend("hog", POLL, NOW + MINUTE) == Refused("silence", NOW + 5 * MINUTE)


def test_a_store_that_leaves_its_file_goes_on_with_the_same_scopes(stores: Stores) -> None:
    poll(ready(stores("you", hog=STAGING)), NOW, make_observation(Phase.FAILED))
    store = ready(stores("me", hog=PRODUCTION, pig=ACME))
    poll(store, NOW, make_observation(Phase.RUNNING))
    database = store._db  # type: ignore[attr-defined]
    database._session.connection.pragma("query_only", True)
    store.watch([replace(make_target(), key=OTHER)], NOW)
    assert store.degraded is not None
    assert [job.key for job in store.watched(START)] == [KEY, OTHER]
    stored = store.load_job(KEY)
    assert stored is not None
    assert (stored.last.phase, stored.scope) == (Phase.RUNNING, PRODUCTION)


def test_in_memory_profiles_of_one_organization_share_as_well() -> None:
    store = open_store(None, "me", now_us=NOW, scopes={"hog": ACME, "pig": ACME, "cow": STAGING}).store
    ready(store)
    poll(store, NOW, a_problem())
    assert store.limit("pig", POLL) == PLENTY
    assert store.limit("cow", POLL) is None
    assert store.load_job(OTHER) is not None
    store.close()
