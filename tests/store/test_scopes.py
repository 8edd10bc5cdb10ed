"""What belongs to an origin and an organization, whatever a profile is called."""

from dataclasses import replace

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.scope import Scope
from jobdeck.store import POLL, Store
from jobdeck.store.models import Denied, Grant, RequestMatches, poll_request
from tests.builders import START, make_observation, make_target
from tests.store.conftest import OpenClient
from tests.store.engines import Clock, Database
from tests.store.steps import (
    KEY,
    MINUTE,
    NOW,
    PLENTY,
    SECOND,
    a_list,
    a_problem,
    an_exchange,
    answer,
    ask,
    claim,
    claim_list,
    listed,
    poll,
    prepare,
    saved,
)

PRODUCTION = Scope("https://developer.thehog.ai", "hog")
STAGING = Scope("https://staging.thehog.ai", "hog")
ACME = Scope("https://developer.thehog.ai", "acme")
OTHER = JobKey("pig", None, "op_1")


async def job_keys(store: Store, profile: str | None = None) -> list[JobKey]:
    return [job.last.key for job in await store.jobs(profile)]


async def watched_keys(store: Store) -> list[JobKey]:
    return [job.key for job in await store.watched(START)]


async def test_two_servers_under_one_name_share_nothing(
    open_client: OpenClient, clock: Clock, database: Database
) -> None:
    production = await prepare(await open_client("me", scopes={"hog": PRODUCTION}))
    staging = await open_client("you", scopes={"hog": STAGING})
    begin = await staging.head()
    await poll(production, clock, NOW, make_observation(Phase.SUCCEEDED), request_id="request-1")
    await production.save_estimates("hog", "{}")
    await production.annotate([KEY], "ask Ada")
    await production.acknowledge([KEY], acknowledged=True)
    assert await staging.load([KEY]) == {}
    assert (await staging.watched(START), await staging.jobs(), await staging.jobs("hog")) == ((), (), ())
    assert (await staging.timeline(KEY), await staging.requests(KEY), await staging.all_requests()) == ((), (), ())
    assert await staging.phase_evidence(KEY) is None
    assert (await staging.all_requests("hog"), await staging.failures("hog", 0, NOW + MINUTE)) == ((), ())
    assert (await staging.limit("hog", POLL), await staging.load_estimates()) == (None, {})
    assert (await staging.annotations([KEY]), await staging.count_watched()) == ({}, {})
    elsewhere = (PRODUCTION,) if database.sees_all_scopes else ()
    assert await staging.find_request("request-1") == RequestMatches(elsewhere=elsewhere)
    changes, _ = await staging.changes(begin)
    assert (len(changes) > 2) == database.sees_all_scopes
    assert [change.keys for change in changes if change.keys] == []
    assert await production.unwatch([KEY]) == (KEY,)


async def test_the_same_job_at_two_servers_is_two_jobs(open_client: OpenClient, clock: Clock) -> None:
    production = await prepare(await open_client("me", scopes={"hog": PRODUCTION}))
    staging = await prepare(await open_client("you", scopes={"hog": STAGING}))
    await poll(production, clock, NOW, make_observation(Phase.SUCCEEDED))
    await poll(staging, clock, NOW + SECOND, make_observation(Phase.RUNNING))
    for store, scope, phase in ((production, PRODUCTION, Phase.SUCCEEDED), (staging, STAGING, Phase.RUNNING)):
        (job,) = await store.jobs()
        assert (job.last.key, job.scope, job.last.phase) == (KEY, scope, phase)
        assert await listed(store) == (make_target(),)
        assert len(await store.requests(KEY)) == 1
        assert await store.claim_event(KEY, "hooks:ended")
    assert await staging.unwatch([KEY]) == (KEY,)
    assert await listed(production) == (make_target(),)


async def test_two_servers_under_one_name_have_a_budget_and_leases_each(open_client: OpenClient, clock: Clock) -> None:
    production = await open_client("me", scopes={"hog": PRODUCTION})
    staging = await open_client("you", scopes={"hog": STAGING})
    for store in (production, staging):
        await store.watch([make_target()])
        await store.set_limits("hog", {POLL: 1})
        await claim(store, clock, NOW)
        assert isinstance(await ask(store, clock, NOW, a_list()), Denied)
    limited = Problem(ProblemKind.RATE_LIMIT, "too many", http_status=429, retry_at_us=NOW + 5 * MINUTE)
    later = NOW + 2 * MINUTE
    grant = await claim_list(production, clock, later)
    await answer(production, clock, later, grant, an_exchange(later, limited, None))
    assert await ask(production, clock, later + 70 * SECOND, a_list()) == Denied("cooldown", NOW + 5 * MINUTE)
    await claim_list(staging, clock, later + 70 * SECOND)


async def test_an_organization_shares_under_every_name(open_client: OpenClient, clock: Clock) -> None:
    hog = await open_client("me", scopes={"hog": ACME})
    begin = await hog.head()
    await prepare(hog)
    pig = await open_client("you", scopes={"hog": PRODUCTION, "pig": ACME})
    await poll(hog, clock, NOW, make_observation(Phase.SUCCEEDED), request_id="request-1")
    await hog.save_estimates("hog", "learnt")
    await hog.annotate([KEY], "ask Ada")
    found = await pig.load([OTHER, KEY])
    assert list(found) == [OTHER], "the other name is another organization here"
    job = found[OTHER]
    assert (job.last.key, job.last.phase, job.scope) == (OTHER, Phase.SUCCEEDED, ACME)
    assert len(await pig.timeline(OTHER)) == 1
    assert (await pig.annotations([OTHER, KEY]))[OTHER].note == "ask Ada"
    assert list(await pig.annotations([make_target(f"op_{n}").key for n in range(60)] + [OTHER])) == [OTHER]
    (record,) = await pig.requests(OTHER)
    assert (record.exchange.job, record.exchange.profile, record.scope) == (OTHER, "pig", ACME)
    assert await pig.limit("pig", POLL) == PLENTY
    assert await pig.load_estimates() == {"pig": "learnt"}
    assert await watched_keys(pig) == [OTHER]
    assert {key for change in (await pig.changes(begin))[0] for key in change.keys} == {OTHER}
    assert [shown.key for shown in (await pig.find_request("request-1")).shown] == [OTHER]
    assert await hog.claim_event(KEY, "hooks:ended")
    assert not await pig.claim_event(OTHER, "hooks:ended")


async def test_an_organization_has_one_budget_and_one_lease_a_job(open_client: OpenClient, clock: Clock) -> None:
    hog, pig = await open_client("me", scopes={"hog": ACME}), await open_client("you", scopes={"pig": ACME})
    await hog.watch([make_target(), make_target("op_2")])
    await hog.set_limits("hog", {POLL: 1})
    await claim(hog, clock, NOW)
    decided = await pig.claim([poll_request(OTHER), poll_request(replace(OTHER, id="op_2"))])
    assert [one.reason for one in decided if isinstance(one, Denied)] == ["leased", "budget"]


async def test_each_profile_of_an_organization_has_its_own_places_on_the_watch_list(
    open_client: OpenClient, clock: Clock
) -> None:
    store = await prepare(await open_client("me", scopes={"hog": ACME, "pig": ACME}))
    await poll(store, clock, NOW, make_observation(Phase.RUNNING))
    cursor = await store.head()
    assert await store.watch([replace(make_target(), key=OTHER)]) == (OTHER,)
    assert [(job.key, job.phase) for job in await store.watched(START)] == [
        (KEY, Phase.RUNNING), (OTHER, Phase.RUNNING),
    ]  # fmt: skip
    assert await job_keys(store) == [OTHER], "under the profile that watched it last"
    assert await job_keys(store, "hog") == [KEY]
    ((watched,), _) = await store.changes(cursor)
    assert set(watched.keys) == {KEY, OTHER}
    await poll(store, clock, NOW + SECOND, make_observation(Phase.SUCCEEDED), OTHER)
    assert {job.phase for job in await store.watched(START)} == {Phase.SUCCEEDED}
    exchanges = [record.exchange for record in await store.all_requests("hog")]
    assert [(one.profile, one.job) for one in exchanges] == [("pig", OTHER), ("hog", KEY)]
    assert await store.unwatch([KEY]) == (KEY,)
    assert await watched_keys(store) == [OTHER]


async def test_two_profiles_of_an_organization_do_not_overwrite_the_estimates_of_the_other(
    open_client: OpenClient, clock: Clock
) -> None:
    store = await open_client("me", scopes={"hog": ACME, "pig": ACME})
    await store.save_estimates("hog", "the hog's")
    assert await store.load_estimates() == {"hog": "the hog's", "pig": "the hog's"}
    await clock.set(NOW + 1)
    await store.save_estimates("pig", "the pig's")
    assert await store.load_estimates() == {"hog": "the hog's", "pig": "the pig's"}


async def test_a_profile_that_was_renamed_keeps_what_its_organization_knows(
    open_client: OpenClient, clock: Clock
) -> None:
    await poll(await prepare(await open_client("me", scopes={"hog": ACME})), clock, NOW)
    store = await open_client("you", scopes={"pig": ACME})
    assert await job_keys(store) == [OTHER]
    assert await watched_keys(store) == [OTHER]
    assert await store.unwatch([OTHER]) == (OTHER,)


async def test_rows_of_a_profile_that_is_gone_keep_its_name(
    open_client: OpenClient, clock: Clock, database: Database
) -> None:
    await poll(await prepare(await open_client("me", scopes={"hog": PRODUCTION})), clock, NOW)
    gone = await open_client("you", scopes={"pig": ACME})
    if not database.sees_all_scopes:
        assert await gone.jobs() == (), "a client sees the scopes of its own profiles"
        return
    assert [(job.last.key, job.scope) for job in await gone.jobs()] == [(KEY, PRODUCTION)]
    assert await job_keys(gone, "hog") == [KEY]
    assert await gone.jobs("pig") == ()
    await poll(await prepare(await open_client("them", scopes={"hog": STAGING})), clock, NOW)
    gone = await open_client("it", scopes={"pig": ACME})
    assert {job.scope for job in await gone.jobs("hog")} == {PRODUCTION, STAGING}
    assert {record.scope for record in await gone.all_requests("hog")} == {PRODUCTION, STAGING}
    assert await gone.load([KEY]) == {}, "nobody knows which of the two is meant"


async def test_two_apis_of_an_organization_at_one_origin_share_the_budget_and_no_job(
    open_client: OpenClient, clock: Clock
) -> None:
    imports, exports = replace(ACME, api="imports"), replace(ACME, api="exports")
    store = await open_client("me", scopes={"hog": imports, "pig": exports})
    other = await open_client("you", scopes={"hog": exports})
    await store.watch([make_target(), replace(make_target(), key=OTHER)])
    await store.set_limits("hog", {POLL: PLENTY})
    await poll(store, clock, NOW, make_observation(Phase.SUCCEEDED))
    await poll(store, clock, NOW + SECOND, make_observation(Phase.RUNNING), OTHER)
    assert {job.last.key: job.last.phase for job in await store.jobs()} == {
        KEY: Phase.SUCCEEDED, OTHER: Phase.RUNNING,
    }  # fmt: skip
    assert await job_keys(store, "hog") == [KEY]
    assert [record.exchange.profile for record in await store.all_requests("pig")] == ["pig"]
    assert [job.last.phase for job in await other.jobs()] == [Phase.RUNNING]
    assert await store.limit("pig", POLL) == await other.limit("hog", POLL) == PLENTY
    await claim(store, clock, NOW + MINUTE)
    await claim(other, clock, NOW + MINUTE)  # it is another job
    limited = Problem(ProblemKind.RATE_LIMIT, "too many", http_status=429, retry_at_us=NOW + 5 * MINUTE)
    grant = await ask(store, clock, NOW + MINUTE, a_list(profile="pig"))
    assert isinstance(grant, Grant)
    await answer(store, clock, NOW + MINUTE, grant, an_exchange(NOW + MINUTE, limited, None))
    assert await ask(other, clock, NOW + MINUTE, a_list()) == Denied("cooldown", NOW + 5 * MINUTE)


async def test_the_profiles_of_one_client_share_what_their_organization_knows(database: Database) -> None:
    store = await prepare(await database.open_client("me", scopes={"hog": ACME, "pig": ACME, "cow": STAGING}))
    await poll(store, database.clock, NOW, a_problem())
    assert await store.limit("pig", POLL) == PLENTY
    assert await store.limit("cow", POLL) is None
    assert (await saved(store, OTHER)).last.failures == 1
    assert await store.load([replace(KEY, profile="cow")]) == {}
