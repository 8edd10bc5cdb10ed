from dataclasses import replace
from itertools import count

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, Observation, Source, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import TimelineEventKind
from jobdeck.domain.transitions import apply_failure, apply_observation
from jobdeck.store import POLL, Store
from jobdeck.store.models import Answer, Completed, Grant, RequestState, from_epoch, poll_request
from tests.builders import START, STATUS_OF, make_job, make_observation, make_target
from tests.store.engines import Clock, Database
from tests.store.steps import (
    KEY,
    NOW,
    PLENTY,
    SECOND,
    a_list,
    a_problem,
    an_exchange,
    answer,
    claim,
    claim_list,
    lease_of,
    list_page,
    poll,
    saved,
)
from tests.support.examples import examples

phases = st.sampled_from(list(Phase))
fractions = st.none() | st.sampled_from([0.0, 0.25, 1 / 3, 1.0])


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    phase = draw(phases)
    stages = tuple(
        Stage(name, STATUS_OF[at], at, draw(fractions))
        for name, at in zip(["import", "enrichment"], draw(st.lists(phases, max_size=2)), strict=False)
    )
    return Observation(
        id="op_1",
        status=STATUS_OF[phase],
        phase=phase,
        progress=draw(fractions),
        stages=stages,
        error=draw(st.sampled_from([None, JobError("UPSTREAM", "no\nanswer", '{"a":1}')])),
        result=draw(st.sampled_from([None, '{"data":[1]}', '{"data":[2]}'])),
        kind=draw(st.sampled_from([None, "search"])),
        updated_us=draw(st.sampled_from([None, NOW, NOW + 1])),
        facts=draw(st.sampled_from([(), (("providerOutcome", "hit"),)])),
        whole=draw(st.booleans()),
    )


problems = st.builds(a_problem, st.sampled_from([ProblemKind.SERVER_ERROR, ProblemKind.NOT_FOUND]))
said = st.one_of(observations(), problems)
names = (f"op_{number}" for number in count())


@examples(20, suppress_health_check=list(HealthCheck), deadline=None)
@given(steps=st.lists(st.tuples(said, st.booleans(), st.integers(0, 3)), max_size=12))
async def test_what_is_remembered_is_what_the_rules_of_the_domain_say(
    database: Database, steps: list[tuple[Observation | Problem, bool, int]]
) -> None:
    store, clock = await database.open_client("me", keep_results=True), database.clock
    target = make_target(next(names))
    key = target.key
    await store.watch([target])
    await store.set_limits("hog", {POLL: PLENTY})
    at_us, job = clock.us, make_job(key.id, from_epoch(clock.us), kind="operation")

    async def follow(what: Observation | Problem, *, as_list: bool) -> None:
        """Have both told the same of the job."""
        nonlocal at_us, job
        at_us += SECOND
        if as_list and not isinstance(what, Problem):
            await list_page(store, clock, at_us, what)
        else:
            await poll(store, clock, at_us, what, key)
        sent = await store.newest()
        exchange = replace(an_exchange(at_us, id_=key.id), sequence=sent)
        now = from_epoch(at_us + SECOND // 10)
        if isinstance(what, Problem):
            job, _ = apply_failure(job, replace(exchange, problem=what, http_status=500), what, now)
        else:
            exchange = replace(exchange, job=None) if as_list else exchange
            job, _ = apply_observation(job, what, exchange, now)

    for what, as_list, repeat in steps:
        for _ in range(repeat + 1):
            if isinstance(what, Problem):
                await follow(what, as_list=False)
                continue
            one = replace(what, id=key.id)
            if not as_list:
                await follow(replace(one, whole=True), as_list=False)
                continue
            before = job
            await follow(one, as_list=True)
            same = (before.status, before.stages, before.error, before.facts) == (
                job.status, job.stages, job.error, job.facts,
            )  # fmt: skip
            if before.terminal and one.phase is before.phase and same:
                # An ended job that a list shows again is not written: its age no longer counts.
                await follow(replace(one, whole=True), as_list=False)
    assert _comparable((await saved(store, key)).last) == _comparable(job)
    await store.close()


def _comparable(job: Job) -> Job:
    return replace(job, version=0, whole=None, source=Source.NONE, doubt=None)


async def test_a_job_comes_back_on_the_clocks_of_another_run(store: Store, clock: Clock) -> None:
    running = make_observation(Phase.RUNNING, 0.5, (Stage("import", "running", Phase.RUNNING, 0.25),))
    await poll(store, clock, NOW, running)
    remembered = await saved(store)
    now = Instant(NOW + 100 * SECOND, 7.0)
    job = remembered.at(now)
    assert job.observed is not None
    assert job.age(now) == 99.9
    assert job.observed.mono == 7.0 - 99.9
    assert job.stages[0].started == job.observed
    assert replace(remembered, last=job).at(from_epoch(0)) == remembered.last


async def test_an_unchanged_answer_costs_one_link_and_no_state(store: Store, clock: Clock) -> None:
    assert (await poll(store, clock, NOW)).changed == (KEY,)
    for n in range(1, 4):
        done = await poll(store, clock, NOW + n * SECOND)
        assert (done.changed, done.seen) == ((), (KEY,))
    rows = (await store.health()).rows
    assert (rows["observations"], rows["states"], rows["timeline"]) == (4, 1, 1)


async def test_an_answer_finds_jobs_as_the_answer_before_it_in_the_same_call_left_them(
    store: Store, clock: Clock
) -> None:
    await poll(store, clock, NOW)
    older = await claim_list(store, clock, NOW + SECOND)
    newer = await claim(store, clock, NOW + 2 * SECOND)
    await clock.set(NOW + 3 * SECOND)
    row = make_observation(Phase.QUEUED)
    done = await store.complete(
        [
            Answer(newer, an_exchange(NOW + 2 * SECOND, request_id="newer"), (make_observation(Phase.RUNNING),)),
            Answer(older, an_exchange(NOW + SECOND, id_=None), (row, row)),
        ]
    )
    assert done == (Completed(seen=(KEY,)), Completed())
    job = (await saved(store)).last
    assert (job.phase, job.sequence, job.request_id) == (Phase.RUNNING, newer.sequence, "newer")


async def test_a_list_that_shows_a_job_twice_counts_it_once(store: Store, clock: Clock) -> None:
    running = make_observation(Phase.RUNNING)
    assert await list_page(store, clock, NOW, running, running) == Completed(changed=(KEY,))
    assert await list_page(store, clock, NOW + SECOND, running, running) == Completed(seen=(KEY,))
    assert (await store.health()).rows["observations"] == 2


async def test_a_list_does_not_write_of_ended_or_unwatched_jobs_again(store: Store, clock: Clock) -> None:
    await store.watch([make_target("op_2")])
    await store.unwatch([make_target("op_2").key])
    ended, other = make_observation(Phase.SUCCEEDED), make_observation(id_="op_2")
    stranger = make_observation(id_="op_stranger")
    assert len((await list_page(store, clock, NOW, ended, other, stranger)).changed) == 2
    before = (await store.health()).rows
    for n in range(1, 6):
        done = await list_page(store, clock, NOW + n * SECOND, ended, other, stranger)
        assert (done.changed, done.seen) == ((), ())
    after = (await store.health()).rows
    assert (after["observations"], after["states"]) == (before["observations"], before["states"])


async def test_the_timeline_has_the_first_problem_of_a_streak_and_the_recovery(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW, request_id="r-0")
    for n in range(1, 4):
        await poll(store, clock, NOW + n * SECOND, a_problem(), request_id=f"r-{n}")
    for n in range(4, 6):
        await poll(store, clock, NOW + n * SECOND, request_id=f"r-{n}")
    lines = [(line.kind, line.text, line.request_id) for line in await store.timeline(KEY)]
    assert lines == [
        (TimelineEventKind.PHASE, "processing", "r-0"),
        (TimelineEventKind.PROBLEM, "server error: the server said no", "r-1"),
        (TimelineEventKind.RECOVERED, "after 3 failed polls", "r-4"),
    ]


async def test_the_timeline_tells_every_change_with_the_request_that_showed_it(store: Store, clock: Clock) -> None:
    queued = Stage("import", "queued", Phase.QUEUED, 0.0)
    running = Stage("import", "running", Phase.RUNNING, 0.4)
    await poll(store, clock, NOW, make_observation(Phase.QUEUED, stages=(queued,)), request_id="r-1")
    await poll(store, clock, NOW + SECOND, make_observation(Phase.RUNNING, stages=(running,)), request_id="r-2")
    await poll(store, clock, NOW + 2 * SECOND, a_problem(), request_id="r-3")
    await poll(store, clock, NOW + 3 * SECOND, make_observation(Phase.FAILED, stages=(running,)), request_id="r-4")
    await poll(store, clock, NOW + 4 * SECOND, make_observation(Phase.RUNNING, stages=(running,)), request_id="r-5")
    lines = [
        (line.kind, line.stage, line.before, line.after, line.text, line.request_id)
        for line in await store.timeline(KEY)
    ]
    contradicted = "was failed at 20:26:43Z, the server now says processing"
    assert lines == [
        (TimelineEventKind.PHASE, None, Phase.UNKNOWN, Phase.QUEUED, "queued", "r-1"),
        (TimelineEventKind.STAGE, "import", None, Phase.QUEUED, "queued", "r-1"),
        (TimelineEventKind.PHASE, None, Phase.QUEUED, Phase.RUNNING, "processing", "r-2"),
        (TimelineEventKind.STAGE, "import", Phase.QUEUED, Phase.RUNNING, "running", "r-2"),
        (TimelineEventKind.PROBLEM, None, None, None, "server error: the server said no", "r-3"),
        (TimelineEventKind.RECOVERED, None, None, None, "", "r-4"),
        (TimelineEventKind.PHASE, None, Phase.RUNNING, Phase.FAILED, "failed", "r-4"),
        (TimelineEventKind.RUN, None, None, None, contradicted, "r-5"),
        (TimelineEventKind.ANOMALY, None, None, None, contradicted, "r-5"),
        (TimelineEventKind.PHASE, None, Phase.UNKNOWN, Phase.RUNNING, "processing", "r-5"),
        (TimelineEventKind.STAGE, "import", None, Phase.RUNNING, "running", "r-5"),
    ]
    assert await store.timeline(make_target("op_nobody").key) == ()


async def test_the_first_and_last_exchange_that_showed_the_failure_are_known(store: Store, clock: Clock) -> None:
    async def shown() -> list[str | None]:
        evidence = await store.phase_evidence(KEY)
        return [] if evidence is None else [one.exchange.request_id for one in (evidence.first, evidence.last)]

    assert await shown() == []
    await poll(store, clock, NOW, request_id="running")
    for n, name in enumerate(["first", "again", "last"], 1):
        await poll(store, clock, NOW + n * SECOND, make_observation(Phase.FAILED), request_id=name)
    await poll(store, clock, NOW + 4 * SECOND, a_problem(), request_id="problem")
    assert await shown() == ["first", "last"]
    for n, phase in enumerate([Phase.RUNNING, Phase.FAILED], 5):
        await poll(store, clock, NOW + n * SECOND, make_observation(phase), request_id=f"of the next run {n}")
    assert await shown() == ["of the next run 6"] * 2


async def test_results_are_kept_only_when_that_was_asked_for(database: Database) -> None:
    done = replace(make_observation(Phase.SUCCEEDED), result='{"secret":"in the answer"}')
    for keep, name in ((False, "op_1"), (True, "op_2")):
        store, target = await database.open_client(name, keep_results=keep), make_target(name)
        await store.watch([target])
        await poll(store, database.clock, NOW, replace(done, id=name), target.key)
        remembered = await saved(store, target.key)
        assert remembered.last.result == (done.result if keep else None)
        assert remembered.result_bytes == 26
        (watched,) = [job for job in await store.watched(START) if job.key == target.key]
        assert watched.result == remembered.last.result
        assert [job.last.result for job in await store.jobs() if job.last.key == target.key] == [None]


async def test_another_result_is_a_change_even_when_results_are_not_kept(store: Store, clock: Clock) -> None:
    done = replace(make_observation(Phase.SUCCEEDED), result="[1]")
    assert (await poll(store, clock, NOW, done)).changed == (KEY,)
    assert (await poll(store, clock, NOW + SECOND, done)).changed == ()
    assert (await poll(store, clock, NOW + 2 * SECOND, replace(done, result="[1,2]"))).changed == (KEY,)


async def test_old_news_is_what_was_sent_earlier_whatever_the_clock_says(store: Store, clock: Clock) -> None:
    slow = await claim_list(store, clock, NOW)
    await poll(store, clock, NOW + SECOND, make_observation(Phase.SUCCEEDED))
    for at_us in (NOW, NOW + 10**12):
        done = await answer(store, clock, at_us, slow, an_exchange(at_us, id_=None), make_observation())
        assert (done.changed, done.seen) == ((), ())
    for at_us in (NOW - 3_600 * SECOND, NOW + 10**12, NOW):
        phase = Phase.FAILED if at_us > NOW else Phase.RUNNING
        assert (await poll(store, clock, at_us, make_observation(phase))).changed == (KEY,)


async def test_several_answers_are_recorded_in_their_order(store: Store, clock: Clock) -> None:
    others = [make_target("op_2"), make_target("op_3")]
    await store.watch(others)
    await clock.set(NOW)
    keys = [KEY, *(target.key for target in others)]
    grants = [grant for grant in await store.claim([*map(poll_request, keys), a_list()]) if isinstance(grant, Grant)]
    rows = (make_observation(Phase.SUCCEEDED), make_observation(Phase.RUNNING, 0.75, id_="op_3"))
    polled = [
        Answer(grants[0], an_exchange(NOW), (make_observation(),)),
        Answer(grants[1], an_exchange(NOW, a_problem(), "op_2")),
        Answer(grants[2], an_exchange(NOW, id_="op_3"), (make_observation(id_="op_3"),)),
        Answer(grants[3], an_exchange(NOW, id_=None), rows),
    ]
    completed = await store.complete(polled)
    assert [done.changed for done in completed] == [(KEY,), (), (keys[2],), (KEY, keys[2])]
    assert [done.seen for done in completed] == [(), (keys[1],), (), ()]
    assert not any(done.late for done in completed)
    found = await store.load(keys)
    assert [found[key].last.phase for key in keys] == [Phase.SUCCEEDED, Phase.UNKNOWN, Phase.RUNNING]
    assert [found[key].last.failures for key in keys] == [0, 1, 0]
    assert [(await lease_of(store, key)).owner for key in keys] == [None] * 3
    assert {record.state for record in await store.all_requests()} == {RequestState.ANSWERED}
    assert await store.complete([]) == ()


async def test_an_own_answer_that_says_what_a_list_said_confirms_it(store: Store, clock: Clock) -> None:
    """A row may say all that the answer says, and is a row all the same."""
    await list_page(store, clock, NOW, make_observation(Phase.SUCCEEDED))
    for summary_only in (True, False):
        assert (await saved(store)).last.summary_only == summary_only
        await poll(store, clock, NOW + SECOND, make_observation(Phase.SUCCEEDED))


async def test_an_answer_to_a_request_whose_record_is_gone_is_put_on_record_anew(store: Store, clock: Clock) -> None:
    grant = await claim(store, clock, NOW)
    await store.purge(NOW + 1)
    assert await store.requests(KEY) == ()
    exchange = an_exchange(NOW, request_id="r-1")
    assert (await answer(store, clock, NOW + SECOND, grant, exchange, make_observation())).changed == (KEY,)
    (record,) = await store.requests(KEY)
    assert (record.exchange.request_id, record.state) == ("r-1", RequestState.ANSWERED)


async def test_moments_start_from_when_the_target_was_added(store: Store) -> None:
    remembered = await saved(store)
    assert remembered.at(START).added == START
    assert remembered.at(START).observed is None
    assert remembered.last.kind == "operation"
