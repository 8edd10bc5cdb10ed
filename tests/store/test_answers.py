from dataclasses import replace

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, Observation, Source, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.transitions import apply_failure, apply_observation
from jobdeck.store import POLL, Store, open_store
from jobdeck.store.records import Spent, TimelineKind
from jobdeck.store.stored import on_wall, wall
from tests.builders import START, STATUS_OF, make_job, make_observation, make_target
from tests.store.doing import KEY, NOW, PLENTY, SECOND, a_problem, an_exchange, claim, list_page, poll
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
told = st.one_of(observations(), problems)


@examples(20, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(told, st.booleans(), st.integers(0, 3)), max_size=12))
def test_what_is_remembered_is_what_the_rules_of_the_domain_say(
    steps: list[tuple[Observation | Problem, bool, int]],
) -> None:
    store = open_store(None, "me", keep_results=True, now_us=NOW).store
    store.watch([make_target()], NOW)
    store.set_limit("hog", POLL, PLENTY, NOW)
    job = make_job(added=wall(NOW), kind="operation")
    at_us, sent = NOW, 0
    for what, as_list, repeat in steps:
        for _ in range(repeat + 1):
            at_us += SECOND
            sent += 1
            own, now = replace(an_exchange(at_us), sequence=sent), wall(at_us + SECOND // 10)
            exchange = replace(own, job=None) if as_list and not isinstance(what, Problem) else own
            if isinstance(what, Problem):
                poll(store, at_us, what)
                job, _ = apply_failure(job, replace(exchange, problem=what, http_status=500), what, now)
            elif as_list and job.terminal and what.phase is job.phase:
                # An ended job that a list shows again is not written: its age no longer counts.
                list_page(store, at_us, what)
                before, (job, _) = job, apply_observation(job, what, exchange, now)
                if (before.status, before.stages, before.error, before.facts) == (
                    job.status, job.stages, job.error, job.facts,
                ):  # fmt: skip
                    poll(store, at_us, replace(what, whole=True))
                    sent += 1
                    job, _ = apply_observation(job, replace(what, whole=True), replace(own, sequence=sent), now)
            elif as_list:
                list_page(store, at_us, what)
                job, _ = apply_observation(job, what, exchange, now)
            else:
                poll(store, at_us, replace(what, whole=True))
                job, _ = apply_observation(job, replace(what, whole=True), exchange, now)
    remembered = store.load_job(KEY)
    assert remembered is not None
    assert _comparable(remembered.last) == _comparable(job)
    store.close()


def _comparable(job: Job) -> Job:
    return replace(job, version=0, whole=None, source=Source.NONE, doubt=None)


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
        (TimelineKind.RUN, None, None, None, "was failed at 20:26:43Z, the server now says processing", "r-5"),
        (TimelineKind.ANOMALY, None, None, None, "was failed at 20:26:43Z, the server now says processing", "r-5"),
        (TimelineKind.PHASE, None, Phase.UNKNOWN, Phase.RUNNING, "processing", "r-5"),
        (TimelineKind.STAGE, "import", None, Phase.RUNNING, "running", "r-5"),
    ]
    assert store.timeline(make_target("op_nobody").key) == ()


def test_the_first_and_last_exchange_that_showed_the_failure_are_known(store: Store) -> None:
    assert store.shown(KEY) is None
    poll(store, NOW, request_id="running")
    for n, name in enumerate(["first", "again", "last"], 1):
        poll(store, NOW + n * SECOND, make_observation(Phase.FAILED), request_id=name)
    poll(store, NOW + 4 * SECOND, a_problem(), request_id="problem")
    shown = store.shown(KEY)
    assert shown is not None
    assert (shown.first.request_id, shown.last.request_id) == ("first", "last")
    for n, phase in enumerate([Phase.RUNNING, Phase.FAILED], 5):
        poll(store, NOW + n * SECOND, make_observation(phase), request_id=f"of the next run {n}")
    shown = store.shown(KEY)
    assert shown is not None
    assert shown.first.request_id == "of the next run 6"


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


def test_old_news_is_what_was_sent_earlier_whatever_the_clock_says(store: Store) -> None:
    slow = store.spend("hog", POLL, NOW)
    assert isinstance(slow, Spent)
    poll(store, NOW + SECOND, make_observation(Phase.SUCCEEDED))
    for at_us in (NOW, NOW + 10**12):
        done = store.complete(slow, an_exchange(at_us, id_=None), [make_observation()], None, at_us)
        assert (done.changed, done.seen) == ((), ())
    for at_us in (NOW - 3_600 * SECOND, NOW + 10**12, NOW):
        phase = Phase.FAILED if at_us > NOW else Phase.RUNNING
        assert poll(store, at_us, make_observation(phase)).changed == (KEY,)


def test_an_own_answer_that_says_what_a_list_said_confirms_it(store: Store) -> None:
    """A row may say all that the answer says, and is a row all the same."""
    list_page(store, NOW, make_observation(Phase.SUCCEEDED))
    for summary_only in (True, False):
        remembered = store.load_job(KEY)
        assert remembered is not None
        assert remembered.last.summary_only == summary_only
        poll(store, NOW + SECOND, make_observation(Phase.SUCCEEDED))


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
