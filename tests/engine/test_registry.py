from dataclasses import replace

from jobdeck.app.context import AppContext
from jobdeck.domain.events import JobAdded, JobRemoved, PhaseChanged, ProblemMet, RunBegan
from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, MissingPart, Part, Source, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.engine.job_log import MAX_EXCHANGES
from jobdeck.engine.memory import BodyCache
from jobdeck.engine.registry import MAX_REMOVED, Registry
from jobdeck.http.base import PollResult
from jobdeck.recording.codec import Decoder, Encoder
from jobdeck.recording.entries import Added, Entry, Replied, Restored
from jobdeck.recording.recorder import RecordedRegistry
from jobdeck.recording.replay_state import FrameChanges, ReplayState
from jobdeck.scheduling.actions import JobUpdate
from tests.builders import START, body_of, make_exchange, make_job, make_observation, make_target
from tests.engine.running import settings_for
from tests.support.clocks import ManualClock

KEY = JobKey("hog", None, "op_1")


def registry_with(*ids: str) -> Registry:
    registry = Registry()
    for id_ in ids:
        registry.add(make_target(id_), START)
    return registry


def list_exchange(seconds: float = 0.0) -> Exchange:
    return replace(make_exchange(START.later(seconds)), job=None, url="https://developer.thehog.ai/api/operations")


def test_a_target_is_added_once() -> None:
    registry = Registry()
    added = registry.add(make_target(), START)
    assert added is not None
    assert added[1] == JobAdded(START, KEY)
    assert registry.add(make_target(), START) is None


def test_a_good_poll_changes_its_job_and_tells_the_scheduler() -> None:
    registry = registry_with("op_1")
    applied = registry.apply(KEY, PollResult(make_exchange(), (make_observation(Phase.RUNNING, 0.5),)), START)
    assert registry.jobs[KEY].progress == 0.5
    assert isinstance(applied.events[0], PhaseChanged)
    assert applied.updates == (
        JobUpdate(KEY, "operation", terminal=False, progress=0.5, changed=True, phase=Phase.RUNNING),
    )


def test_a_problem_is_told_and_nothing_is_seen() -> None:
    registry = registry_with("op_1")
    problem = Problem(ProblemKind.SERVER_ERROR, "x", 503)
    applied = registry.apply(KEY, PollResult(make_exchange(problem=problem)), START)
    assert applied.updates == ()
    assert applied.events == (ProblemMet(START, KEY, problem, 1),)
    assert registry.log_of(KEY).exchanges[0].problem == problem


def test_a_list_refreshes_every_watched_job_it_shows() -> None:
    registry = registry_with("op_1", "op_2")
    rows = tuple(make_observation(Phase.RUNNING, 0.1, id_=id_) for id_ in ("op_2", "op_9", "op_1"))
    applied = registry.apply(None, PollResult(list_exchange(), rows), START)
    assert {job.key.id for job in applied.jobs} == {"op_1", "op_2"}
    assert len(registry.log_of(KEY).exchanges) == 1


def test_lists_that_repeat_how_a_job_ended_are_no_looks_at_it() -> None:
    registry = registry_with("op_1")
    shown = replace(make_exchange(), request_id="showed the end")
    registry.apply(KEY, PollResult(shown, (make_observation(Phase.FAILED),)), START)
    for seconds in range(1, MAX_EXCHANGES + 1):
        again = replace(list_exchange(seconds), request_id=f"list {seconds}")
        applied = registry.apply(None, PollResult(again, (make_observation(Phase.FAILED),)), START.later(seconds))
        assert applied.jobs == ()
    assert registry.log_of(KEY).exchanges == (shown,)
    assert registry.jobs[KEY].request_id == "showed the end"
    later = START.later(MAX_EXCHANGES + 1)
    denial = replace(list_exchange(MAX_EXCHANGES + 1), request_id="denies it")
    denial_row = make_observation(Phase.RUNNING)
    registry.apply(None, PollResult(denial, (denial_row,)), later)
    assert registry.jobs[KEY].phase is Phase.FAILED, "the job's own next answer settles it"
    assert registry.jobs[KEY].doubt == denial_row.status
    assert registry.log_of(KEY).exchanges[0] == denial


def test_an_answer_for_a_job_no_longer_watched_is_ignored() -> None:
    registry = registry_with("op_1")
    assert registry.remove(KEY, START) == JobRemoved(START, KEY)
    assert registry.remove(KEY, START) is None
    assert registry.apply(KEY, PollResult(make_exchange(), (make_observation(),)), START).jobs == ()


def test_exchanges_are_newest_first_and_bounded() -> None:
    registry = registry_with("op_1")
    for seconds in range(MAX_EXCHANGES + 5):
        now = START.later(seconds)
        registry.apply(KEY, PollResult(make_exchange(now), (make_observation(),)), now)
    kept = registry.log_of(KEY).exchanges
    assert len(kept) == MAX_EXCHANGES
    assert kept[0].started == START.later(MAX_EXCHANGES + 4)


def test_the_past_of_a_job_is_its_moments_its_progress_and_its_state_before() -> None:
    registry = registry_with("op_1")
    for seconds, phase, progress in ((0, Phase.QUEUED, 0.0), (5, Phase.RUNNING, 0.4), (9, Phase.SUCCEEDED, 1.0)):
        now = START.later(seconds)
        registry.apply(KEY, PollResult(make_exchange(now), (make_observation(phase, progress),), body=b"{}"), now)
    trace = registry.log_of(KEY)
    assert [(moment.before, moment.after) for moment in trace.timeline] == [
        ("unknown", "queued"),
        ("queued", "running"),
        ("running", "succeeded"),
    ]
    assert [progress for _, progress in trace.progress_samples] == [0.0, 0.4, 1.0]
    assert trace.previous is not None
    assert trace.previous.phase is Phase.RUNNING
    assert body_of(registry.newest_content(KEY)) == b"{}"


def test_what_is_remembered_stands_behind_what_this_run_saw_and_only_once() -> None:
    registry = registry_with("op_1")
    now = START.later(5)
    mine = make_exchange(now)
    registry.apply(KEY, PollResult(mine, (make_observation(),)), now)
    # A clock that was set back since makes nothing newer.
    earlier = replace(make_exchange(START.later(-60)), started=Instant(START.us + 10**12, START.mono - 60))
    old = TimelineEvent(START.us - 60_000_000, TimelineEventKind.PHASE, "queued", None, "unknown", "queued")
    own = TimelineEvent(now.us, TimelineEventKind.PHASE, "processing", None, "queued", "running")
    assert registry.merge_history(KEY, [mine, earlier], [old, own]) is not None
    assert registry.log_of(KEY).exchanges == (mine, earlier)
    trace = registry.log_of(KEY)
    assert next(iter(trace.timeline)) == old
    assert len(trace.timeline) == 2
    assert registry.merge_history(KEY, [mine, earlier], []) is None


def test_a_job_that_was_removed_and_restored_has_its_history_once() -> None:
    registry = registry_with("op_1")
    registry.apply(KEY, PollResult(make_exchange(), (make_observation(),)), START)
    past = [
        TimelineEvent(START.us - ago, TimelineEventKind.PHASE, "queued", None, "unknown", "queued") for ago in (9, 5, 7)
    ]
    assert registry.merge_history(KEY, [], past) is not None
    before, job = registry.log_of(KEY).timeline, registry.jobs[KEY]
    registry.remove(KEY, START.later(1.0))
    assert registry.restore(job, START.later(2.0))
    assert registry.merge_history(KEY, [], past) is None
    assert registry.log_of(KEY).timeline == before


def content(number: int, size: int = 1_000) -> ExchangeContent:
    return ExchangeContent(make_exchange(START.later(number)), (("retry-after", "3"),), body=b"x" * size)


def test_bodies_stay_within_their_budget_and_the_newest_of_each_job_stays_longest() -> None:
    bodies = BodyCache(budget=6_000)
    other = JobKey("hog", None, "op_2")
    bodies.put(content(0), [KEY])
    for number in range(1, 9):
        bodies.put(content(number), [other])
    assert body_of(bodies.newest(KEY)) == b"x" * 1_000, "the other job was polled more often"
    there = [number for number in range(9) if bodies.get(content(number).exchange.id) is not None]
    assert there == [0, 7, 8]
    bodies.put(content(9, size=7_000), [KEY])
    assert bodies.newest(KEY) is None, "an older body would be taken for the newest"
    kept = bodies.get(content(9).exchange.id)
    assert kept is not None
    assert (kept.body, kept.headers) == (None, (("retry-after", "3"),))
    bodies.put(content(10), [KEY, other])
    bodies.drop(other)
    assert bodies.newest(other) is None
    assert body_of(bodies.newest(KEY)) == b"x" * 1_000


def test_a_list_answer_that_showed_a_job_to_fail_is_kept_and_one_that_changed_nothing_is_not() -> None:
    registry = registry_with("op_1")
    registry.apply(KEY, PollResult(make_exchange(), (make_observation(Phase.RUNNING),), body=b"own"), START)
    quiet, telling = list_exchange(1), list_exchange(2)
    registry.apply(None, PollResult(quiet, (make_observation(Phase.RUNNING),), body=b"quiet"), START.later(1))
    registry.apply(None, PollResult(telling, (make_observation(Phase.FAILED),), body=b"telling"), START.later(2))
    assert registry.content(quiet) is None
    assert body_of(registry.newest_content(KEY)) == b"telling"
    refused = make_exchange(START.later(3), Problem(ProblemKind.SERVER_ERROR, "down", 503))
    refused = replace(refused, http_status=503, sequence=telling.sequence + 1)
    registry.apply(KEY, PollResult(refused, body=b"<html>", headers=(("retry-after", "3"),)), START.later(3))
    assert body_of(registry.content(refused)) == b"<html>"
    assert body_of(registry.newest_content(KEY)) == b"telling", "an error shows no job"


def test_a_timeline_names_the_trace_id_where_there_is_no_request_id() -> None:
    registry = registry_with("op_1")
    traced = replace(make_exchange(), request_id=None, trace_id="trace-1")
    registry.apply(KEY, PollResult(traced, (make_observation(Phase.FAILED),)), START)
    trace = registry.log_of(KEY)
    assert [moment.request_id for moment in trace.timeline] == ["trace-1"]


def test_an_end_heard_of_without_its_result_is_only_outlined() -> None:
    theirs = registry_with("op_1")
    whole = replace(make_observation(Phase.SUCCEEDED, 1.0), result='{"rows": 1}')
    theirs.apply(KEY, PollResult(make_exchange(), (whole,)), START)
    ours = registry_with("op_1")
    applied = ours.merge_external(replace(theirs.jobs[KEY], result=None), None, result_missing=True)
    assert ours.jobs[KEY].source is Source.PEER, "another process's answer is no response of this run"
    assert applied.jobs == (ours.jobs[KEY],)
    assert ours.jobs[KEY].phase is Phase.SUCCEEDED
    assert ours.jobs[KEY].summary_only
    assert [seen.full for seen in applied.updates] == [False]
    later = START.later(1.0)
    ours.apply(KEY, PollResult(make_exchange(later), (whole,)), later)
    assert not ours.jobs[KEY].summary_only
    assert ours.jobs[KEY].confirmed


def test_a_result_that_another_process_did_not_share_never_wipes_ours() -> None:
    ours = registry_with("op_1")
    whole = replace(make_observation(Phase.SUCCEEDED, 1.0), result='{"rows": 1}')
    ours.apply(KEY, PollResult(make_exchange(), (whole,)), START)
    later = START.later(1.0)
    heard = replace(ours.jobs[KEY], result=None, asked=later, observed=later, sequence=ours.jobs[KEY].sequence + 1)
    applied = ours.merge_external(heard, None, result_missing=True)
    assert applied.jobs[0].observed == later
    assert ours.jobs[KEY].result == '{"rows": 1}'


def test_an_exchange_heard_of_with_every_change_stands_once_and_at_its_place() -> None:
    ours = registry_with("op_1")
    row = make_observation(Phase.RUNNING, 0.1)
    first, theirs, last = (
        replace(list_exchange(seconds), request_id=name)
        for seconds, name in ((0.0, "first"), (1.0, "theirs"), (2.0, "last"))
    )
    for exchange in (first, last):
        ours.apply(KEY, PollResult(exchange, (row,)), exchange.started)
    # The ledger's newest may be our own; another process's clock may say anything.
    theirs = replace(theirs, started=Instant(0, theirs.started.mono))
    for exchange in (theirs, theirs, last, first):
        ours.merge_external(ours.jobs[KEY], exchange)
    assert [item.request_id for item in ours.log_of(KEY).exchanges] == ["last", "theirs", "first"]


def test_what_another_process_learnt_counts_by_the_order_of_sending_alone() -> None:
    ours = registry_with("op_1")
    ours.apply(KEY, PollResult(make_exchange(), (make_observation(Phase.RUNNING),)), START)
    state = ours.jobs[KEY]
    ahead = Instant(START.us + 10**13, START.mono)
    old = replace(state, phase=Phase.QUEUED, status="queued", sequence=state.sequence - 1, asked=ahead, observed=ahead)
    assert ours.merge_external(old, None).jobs == ()
    ended = replace(state, phase=Phase.FAILED, status="failed", sequence=state.sequence + 1, asked=Instant(0, 0.0))
    ours.merge_external(ended, None)
    assert ours.jobs[KEY].phase is Phase.FAILED
    now = START.later(1.0)
    ours.apply(KEY, PollResult(make_exchange(now), (make_observation(Phase.SUCCEEDED),)), now)
    assert ours.jobs[KEY].phase is Phase.SUCCEEDED


RESULT, STAGES = MissingPart(Part.RESULT, tries=1), MissingPart(Part.STAGES)


def _with_parts_to_fetch(phase: Phase = Phase.SUCCEEDED) -> Registry:
    ours = registry_with("op_1")
    row = replace(make_observation(phase, stages=(Stage("a", "x", Phase.RUNNING),)), elsewhere=(RESULT, STAGES))
    ours.apply(KEY, PollResult(make_exchange(), (row,)), START)
    return ours


def test_an_end_that_another_process_repeats_still_waits_for_its_parts() -> None:
    ours = _with_parts_to_fetch()
    later = START.later(1.0)
    ours.merge_sighting(KEY, make_exchange(later), later)
    job = ours.jobs[KEY]
    assert (job.observed, job.confirmed, job.missing) == (later, True, (RESULT, STAGES))
    assert job.awaits_part


def test_parts_wait_until_another_process_has_them_too() -> None:
    ours = _with_parts_to_fetch()
    theirs = replace(ours.jobs[KEY], missing=(), sequence=ours.jobs[KEY].sequence + 1)
    ours.merge_external(theirs, None)
    assert ours.jobs[KEY].missing == (RESULT, STAGES)
    ours.merge_external(replace(theirs, sequence=theirs.sequence + 1, result="7"), None)
    assert (ours.jobs[KEY].result, ours.jobs[KEY].missing) == ("7", (STAGES,))
    ended = tuple(replace(record, stage=replace(record.stage, phase=Phase.SUCCEEDED)) for record in theirs.stages)
    ours.merge_external(replace(theirs, sequence=theirs.sequence + 2, result="7", stages=ended), None)
    assert not ours.jobs[KEY].awaits_part


def test_a_part_waits_while_another_process_has_not_shared_it() -> None:
    ours = _with_parts_to_fetch()
    theirs = replace(ours.jobs[KEY], missing=(), sequence=ours.jobs[KEY].sequence + 1)
    ours.merge_external(theirs, None, result_missing=True)
    assert ours.jobs[KEY].missing == (RESULT, STAGES)


def test_no_part_of_a_state_before_is_fetched_for_an_end_that_another_process_observed() -> None:
    ours = _with_parts_to_fetch(Phase.RUNNING)
    theirs = replace(ours.jobs[KEY], missing=(), sequence=ours.jobs[KEY].sequence + 1)
    ours.merge_external(theirs, None)
    assert ours.jobs[KEY].missing == (RESULT, STAGES)
    ended = replace(theirs, phase=Phase.FAILED, status="failed", sequence=theirs.sequence + 1)
    ours.merge_external(ended, None)
    assert (ours.jobs[KEY].phase, ours.jobs[KEY].missing) == (Phase.FAILED, ())


def test_a_run_that_another_process_saw_begin_is_counted_here_too() -> None:
    ours = registry_with("op_1")
    ours.apply(KEY, PollResult(make_exchange(), (make_observation(Phase.SUCCEEDED),)), START)
    state = ours.jobs[KEY]
    newer = replace(state, run=3, sequence=state.sequence + 1, phase=Phase.FAILED, status="failed")
    applied = ours.merge_external(newer, None)
    assert applied.jobs == (ours.jobs[KEY],)
    assert ours.jobs[KEY].run == 3


def _with_an_end(registry: Registry) -> Registry:
    """Return it with a job that is new, and remembered to have ended before an hour of failed looks."""
    earlier = registry_with("op_1")
    earlier.apply(KEY, PollResult(make_exchange(), (make_observation(Phase.SUCCEEDED, 1.0),)), START)
    registry.set_remembered([replace(earlier.jobs[KEY], problem=GONE, failures=9, misses=9)])
    registry.add(make_target(), START)
    return registry


GONE = Problem(ProblemKind.NOT_FOUND, "no such job", 404)
LATER = START.later(9.0)
ASKED_LATER = make_exchange(LATER)


def test_what_is_remembered_is_history_for_a_poll_or_a_list_that_says_otherwise() -> None:
    for asked, exchange in ((KEY, ASKED_LATER), (None, list_exchange(9.0))):
        registry = _with_an_end(Registry())
        assert registry.jobs[KEY].observed is None, "what is remembered is not passed off as seen"
        applied = registry.apply(asked, PollResult(exchange, (make_observation(Phase.RUNNING, 0.3),)), LATER)
        job = registry.jobs[KEY]
        assert (job.phase, job.progress, job.problem) == (Phase.RUNNING, 0.3, None)
        assert any(isinstance(event, RunBegan) for event in applied.events) == (asked is not None)
        assert [seen.terminal for seen in applied.updates] == [False]
        assert registry.log_of(KEY).exchanges == (exchange,)


def test_a_remembered_end_is_what_is_known_when_a_look_fails_and_no_answer_of_this_run() -> None:
    registry = _with_an_end(Registry())
    registry.apply(KEY, PollResult(replace(ASKED_LATER, problem=GONE)), LATER)
    job = registry.jobs[KEY]
    assert (job.phase, job.problem, job.misses, job.not_found) == (Phase.SUCCEEDED, GONE, 1, False)
    assert (job.source, job.confirmed) == (Source.MEMORY, False)


def test_an_end_that_is_seen_again_is_seen_as_though_it_were_new() -> None:
    registry = _with_an_end(Registry())
    applied = registry.apply(KEY, PollResult(ASKED_LATER, (make_observation(Phase.SUCCEEDED, 1.0),)), LATER)
    assert isinstance(applied.events[0], PhaseChanged)
    assert registry.jobs[KEY].ended == LATER
    assert registry.jobs[KEY].confirmed


def test_a_recorded_end_is_remembered_before_the_answer_that_contradicts_it() -> None:
    facts: list[Entry] = []
    recorded = _with_an_end(RecordedRegistry(facts.append, ManualClock()))
    recorded.apply(KEY, PollResult(ASKED_LATER, (make_observation(Phase.RUNNING, 0.3),)), LATER)
    assert [type(fact) for fact in facts] == [Added, Restored, Replied]


def test_an_end_is_known_in_full_when_the_jobs_own_answer_has_told_it() -> None:
    registry = registry_with("op_1")
    row = replace(make_observation(Phase.SUCCEEDED, 1.0), result="[1]")
    listed = registry.apply(None, PollResult(list_exchange(), (row,)), START)
    assert [(seen.terminal, seen.full) for seen in listed.updates] == [(True, False)]
    assert registry.jobs[KEY].summary_only, "a row that says everything is a row all the same"
    later = START.later(1.0)
    polled = registry.apply(KEY, PollResult(make_exchange(later), (row,)), later)
    assert [(seen.terminal, seen.full) for seen in polled.updates] == [(True, True)]
    assert registry.jobs[KEY].confirmed


def test_an_answer_that_was_overtaken_tells_the_scheduler_what_holds() -> None:
    registry = registry_with("op_1")
    now = START.later(2.0)
    registry.apply(KEY, PollResult(make_exchange(START.later(1.0)), (make_observation(Phase.SUCCEEDED),)), now)
    late = registry.apply(KEY, PollResult(make_exchange(), (make_observation(Phase.RUNNING),)), now)
    assert registry.jobs[KEY].phase is Phase.SUCCEEDED
    assert [seen.terminal for seen in late.updates] == [True]


def test_a_job_stays_in_its_batch_until_a_person_names_another() -> None:
    registry = Registry()
    registry.add(replace(make_target(), batch="night"), START)
    assert registry.move_to_batch(make_target()) is None
    assert registry.move_to_batch(replace(make_target(), batch="ids")) is None
    moved = registry.move_to_batch(replace(make_target(), batch="import 7", replaces_batch=True))
    assert moved is not None
    assert registry.jobs[KEY] is moved
    assert (moved.target.batch, moved.target.replaces_batch) == ("import 7", False)
    registry.restore(make_job(observed=START, phase=Phase.RUNNING), START)
    assert registry.jobs[KEY].target.batch == "import 7", "what is remembered of it moves it no more than a file does"


async def test_a_job_that_is_remembered_in_a_batch_is_watched_in_it() -> None:
    remembered = [replace(make_job(id_), target=replace(make_target(id_), batch="night")) for id_ in ("op_1", "op_2")]
    engine = AppContext({}, settings=settings_for("http://127.0.0.1:9")).engine()
    named = replace(make_target("op_2"), batch="import 7", replaces_batch=True)
    engine.add([replace(make_target(), batch="ids"), named], remembered)
    assert [job.target.batch for job in engine.jobs.values()] == ["night", "import 7"]
    await engine.aclose()


def test_a_move_to_another_batch_is_played_back() -> None:
    entries: list[Entry] = []
    recorded = RecordedRegistry(entries.append, ManualClock())
    recorded.add(make_target(), START)
    for name in ("ids", "ids", "other"):
        recorded.move_to_batch(replace(make_target(), batch=name))
    recorded.move_to_batch(replace(make_target(), batch="import 7", replaces_batch=True))
    encoder, decoder, state = Encoder(), Decoder(100), ReplayState()
    shown: list[str] = []
    for entry in entries:
        read = decoder.entry(encoder.line(entry))
        assert not isinstance(read, Instant)
        changes = FrameChanges(state.ranks)
        state.apply(read, changes)
        shown += [job.target.batch for job in changes.batch(state.registry).jobs]
    assert shown == ["", "ids", "import 7"]


def test_a_job_that_was_removed_and_added_again_is_a_new_one_in_its_batch() -> None:
    registry = Registry()
    registry.add(replace(make_target(), batch="night"), START)
    registry.apply(KEY, PollResult(make_exchange(), (make_observation(Phase.SUCCEEDED),), body=b"old"), START)
    before = registry.jobs[KEY]
    registry.remove(KEY, START)
    registry.add(replace(make_target(), batch="pasted"), START)
    assert registry.jobs[KEY].target.batch == "night"
    assert registry.restore(before, START)
    assert not registry.jobs[KEY].confirmed, "an answer from before it was added is none to a request since"
    registry.apply(
        KEY, PollResult(make_exchange(START.later(1)), (make_observation(Phase.SUCCEEDED),), body=b"new"), START
    )
    for number in range(MAX_REMOVED + 1):
        other = make_target(f"other_{number}")
        registry.add(other, START)
        registry.remove(other.key, START)
    assert body_of(registry.newest_content(KEY)) == b"new"


def test_an_older_body_is_not_the_newest_once_a_newer_one_is_not_kept() -> None:
    registry = registry_with("op_1")
    row = make_observation(Phase.RUNNING)
    registry.apply(KEY, PollResult(make_exchange(), (row,), body=b"old"), START)
    registry.apply(KEY, PollResult(make_exchange(START.later(1)), (row,)), START.later(1))
    assert registry.newest_content(KEY) is None
    assert body_of(registry.content(make_exchange())) == b"old", "it is still that of its exchange"
    registry.apply(KEY, PollResult(make_exchange(START.later(2)), (row,), body=b"new"), START.later(2))
    ended = PollResult(list_exchange(3), (make_observation(Phase.SUCCEEDED),))
    registry.apply(None, ended, START.later(3))
    assert registry.newest_content(KEY) is None


def test_a_cancel_request_of_another_process_is_kept_of_a_job_that_nobody_has_observed() -> None:
    ours = registry_with("op_1")
    sent = replace(make_exchange(), method="POST", http_status=202)
    applied = ours.merge_external(make_job(), sent)
    assert ours.log_of(KEY).exchanges == (sent,)
    assert applied.jobs == (ours.jobs[KEY],), "its row is drawn anew, with the request"
    assert ours.jobs[KEY].observed is None
    assert ours.merge_external(make_job(), sent).jobs == ()


def test_a_cancel_request_for_a_job_that_nobody_has_observed_is_played_back() -> None:
    entries: list[Entry] = []
    recorded, state = RecordedRegistry(entries.append, ManualClock()), ReplayState()
    recorded.add(make_target(), START)
    recorded.note_action(KEY, PollResult(replace(make_exchange(), method="POST", http_status=202)))
    for entry in entries:
        state.apply(entry, FrameChanges(state.ranks))
    assert [one.method for one in state.registry.log_of(KEY).exchanges] == ["POST"]


def test_an_exchange_that_is_in_the_history_already_is_kept_once() -> None:
    registry = registry_with("op_1")
    late, row = make_exchange(), make_observation(Phase.RUNNING)
    registry.merge_history(KEY, [late], [])
    registry.apply(KEY, PollResult(late, (row,)), START)
    assert registry.log_of(KEY).exchanges == (late,)
    listed = list_exchange(1)
    registry.apply(None, PollResult(listed, (row, row)), START.later(1))
    assert registry.log_of(KEY).exchanges == (listed, late)
