from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, Observation, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.transitions import miss, observe
from jobdeck.store import POLL, Store, open_store
from jobdeck.store.records import TimelineKind
from jobdeck.store.stored import on_wall, wall
from tests.builders import START, STATUS_OF, make_job, make_observation, make_target
from tests.store.doing import KEY, NOW, PLENTY, SECOND, a_problem, an_exchange, claim, list_page, poll

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
told = st.one_of(observations(), problems)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(told, st.booleans(), st.integers(0, 3)), max_size=12))
def test_what_is_remembered_is_what_the_rules_of_the_domain_say(
    steps: list[tuple[Observation | Problem, bool, int]],
) -> None:
    store = open_store(None, "me", keep_results=True, now_us=NOW).store
    store.watch([make_target()], NOW)
    store.set_limit("hog", POLL, PLENTY, NOW)
    job = make_job(added=wall(NOW), kind="operation")
    at_us = NOW
    for what, as_list, repeat in steps:
        for _ in range(repeat + 1):
            at_us += SECOND
            exchange, now = an_exchange(at_us), wall(at_us + SECOND // 10)
            if isinstance(what, Problem):
                poll(store, at_us, what)
                job, _ = miss(job, replace(exchange, problem=what, http_status=500), what, now)
            elif as_list and job.terminal and what.phase is job.phase:
                # An ended job that a list shows again is not written: its age no longer counts.
                list_page(store, at_us, what)
                before, (job, _) = job, observe(job, what, exchange, now)
                if (before.status, before.stages, before.error, before.facts) == (
                    job.status, job.stages, job.error, job.facts,
                ):  # fmt: skip
                    poll(store, at_us, what)
            else:
                list_page(store, at_us, what) if as_list else poll(store, at_us, what)
                job, _ = observe(job, what, exchange, now)
    remembered = store.load_job(KEY)
    assert remembered is not None
    assert _comparable(remembered.last) == _comparable(job)
    store.close()


def _comparable(job: Job) -> Job:
    return replace(job, version=0, whole=None)


def test_a_job_comes_back_on_the_clocks_of_another_run(store: Store) -> None:
    poll(store, NOW, make_observation(Phase.RUNNING, 0.5, (Stage("import", "running", Phase.RUNNING, 0.25),)))
    remembered = store.load_job(KEY)
    assert remembered is not None
    now = Instant(NOW + 100 * SECOND, 7.0)
    job = remembered.at(now)
    assert job.observed is not None
    assert job.age(now) == 99.9
    assert job.observed.mono == 7.0 - 99.9
    assert job.stages[0].started == job.observed
    assert on_wall(job) == remembered.last


def test_an_unchanged_answer_costs_one_link_and_no_state(store: Store) -> None:
    assert poll(store, NOW).changed == (KEY,)
    for n in range(1, 4):
        done = poll(store, NOW + n * SECOND)
        assert (done.changed, done.seen) == ((), (KEY,))
    rows = store.health().rows
    assert (rows["observations"], rows["states"], rows["timeline"]) == (4, 1, 1)


def test_a_list_does_not_write_of_ended_or_unwatched_jobs_again(store: Store) -> None:
    store.watch([make_target("op_2")], NOW)
    store.unwatch([make_target("op_2").key], NOW)
    ended, other = make_observation(Phase.SUCCEEDED), make_observation(id_="op_2")
    stranger = make_observation(id_="op_stranger")
    assert len(list_page(store, NOW, ended, other, stranger).changed) == 2
    before = store.health().rows
    for n in range(1, 6):
        done = list_page(store, NOW + n * SECOND, ended, other, stranger)
        assert (done.changed, done.seen) == ((), ())
    after = store.health().rows
    assert (after["observations"], after["states"]) == (before["observations"], before["states"])


def test_the_timeline_tells_every_change_with_the_request_that_showed_it(store: Store) -> None:
    queued = Stage("import", "queued", Phase.QUEUED, 0.0)
    running = Stage("import", "running", Phase.RUNNING, 0.4)
    poll(store, NOW, make_observation(Phase.QUEUED, stages=(queued,)), request_id="r-1")
    poll(store, NOW + SECOND, make_observation(Phase.RUNNING, stages=(running,)), request_id="r-2")
    poll(store, NOW + 2 * SECOND, a_problem(), request_id="r-3")
    poll(store, NOW + 3 * SECOND, make_observation(Phase.FAILED, stages=(running,)), request_id="r-4")
    poll(store, NOW + 4 * SECOND, make_observation(Phase.RUNNING, stages=(running,)), request_id="r-5")
    lines = [
        (line.kind, line.stage, line.before, line.after, line.text, line.request_id) for line in store.timeline(KEY)
    ]
    assert lines == [
        (TimelineKind.PHASE, None, Phase.UNKNOWN, Phase.QUEUED, "queued", "r-1"),
        (TimelineKind.STAGE, "import", None, Phase.QUEUED, "queued", "r-1"),
        (TimelineKind.PHASE, None, Phase.QUEUED, Phase.RUNNING, "processing", "r-2"),
        (TimelineKind.STAGE, "import", Phase.QUEUED, Phase.RUNNING, "running", "r-2"),
        (TimelineKind.PHASE, None, Phase.RUNNING, Phase.FAILED, "failed", "r-4"),
        (TimelineKind.ANOMALY, None, None, None, "ended as failed, but the server now says processing", "r-5"),
    ]
    assert store.timeline(make_target("op_nobody").key) == ()


def test_the_first_and_last_exchange_that_showed_the_failure_are_known(store: Store) -> None:
    assert store.shown(KEY) is None
    poll(store, NOW, request_id="running")
    for n, name in enumerate(["first", "again", "last"], 1):
        poll(store, NOW + n * SECOND, make_observation(Phase.FAILED), request_id=name)
    poll(store, NOW + 4 * SECOND, make_observation(Phase.RUNNING), request_id="contradiction")
    poll(store, NOW + 5 * SECOND, a_problem(), request_id="problem")
    shown = store.shown(KEY)
    assert shown is not None
    assert (shown.first.request_id, shown.last.request_id) == ("first", "last")


def test_results_are_kept_only_when_that_was_asked_for() -> None:
    done = replace(make_observation(Phase.SUCCEEDED), result='{"secret":"in the answer"}')
    for keep in (False, True):
        store = open_store(None, "me", keep_results=keep, now_us=NOW).store
        store.watch([make_target()], NOW)
        poll(store, NOW, done)
        remembered = store.load_job(KEY)
        assert remembered is not None
        assert remembered.last.result == (done.result if keep else None)
        assert remembered.result_bytes == 26
        store.close()


def test_another_result_is_a_change_even_when_results_are_not_kept(store: Store) -> None:
    done = replace(make_observation(Phase.SUCCEEDED), result="[1]")
    assert poll(store, NOW, done).changed == (KEY,)
    assert poll(store, NOW + SECOND, done).changed == ()
    assert poll(store, NOW + 2 * SECOND, replace(done, result="[1,2]")).changed == (KEY,)


def test_old_news_changes_nothing_unless_the_clock_was_set_back(store: Store) -> None:
    slow = store.spend("hog", POLL, NOW)
    poll(store, NOW + SECOND, make_observation(Phase.SUCCEEDED))
    assert not hasattr(slow, "until_us")
    done = store.complete(slow, an_exchange(NOW, id_=None), [make_observation()], None, NOW + 2 * SECOND)  # type: ignore[arg-type] - checked above
    assert (done.changed, done.seen) == ((), ())
    store.watch([make_target("op_2")], NOW)
    key = make_target("op_2").key
    poll(store, NOW + 3 * SECOND, make_observation(Phase.QUEUED, id_="op_2"), key)
    an_hour_ago = NOW - 3_600 * SECOND
    assert poll(store, an_hour_ago, make_observation(id_="op_2"), key).changed == (key,)


def test_an_answer_whose_ledger_row_is_gone_is_written_anew(store: Store) -> None:
    claimed = claim(store, NOW)
    while store.purge(NOW + 1).more:
        pass
    assert store.exchanges(KEY) == ()
    store.complete(claimed, an_exchange(NOW, request_id="r-1"), [make_observation()], None, NOW + SECOND)
    (entry,) = store.exchanges(KEY)
    assert (entry.id, entry.request_id) == (claimed.exchange_id, "r-1")


def test_moments_start_from_when_the_target_was_added(store: Store) -> None:
    remembered = store.load_job(KEY)
    assert remembered is not None
    assert remembered.at(START).added == START
    assert remembered.at(START).observed is None
    assert remembered.last.kind == "operation"
