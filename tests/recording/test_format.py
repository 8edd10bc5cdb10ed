"""What is recorded is read back as it was: every fact, for any sequence of them."""

from dataclasses import fields, replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.events import OutageBegan, OutageEnded, ProfileHalted, SleepNoticed
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobError, JobKey, MissingPart, Observation, Part, Stage, StageRecord, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import Moment, MomentKind
from jobdeck.recording import facts as f
from jobdeck.recording import wire
from jobdeck.recording.encoding import WIRE_NAMES
from jobdeck.recording.limits import MAX_TEXT
from jobdeck.recording.patch import PatchError, apply_patch, make_patch
from jobdeck.recording.reader import read_recording
from jobdeck.scheduling.actions import BudgetView
from tests.builders import make_target
from tests.recording.making import HEADER, ZERO, at, write
from tests.support.examples import examples

TARGETS = (
    make_target("op_1"),
    replace(make_target("op_2"), accepted_request_id="req-1"),
    make_target("507f1f77bcf86cd799439012", "sonarly", "prospecting"),
)
WORDS = st.sampled_from(["", "processing", "queued", "a b", "ünï", "x" * 300, '"quoted", [1]'])
US = st.integers(-(10**12), 10**12)


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


@st.composite
def instants(draw: st.DrawFn) -> Instant:
    return at(draw(st.integers(0, 4 * 10**9)) / 1e6)


FRACTIONS = maybe(st.floats(0, 1) | st.integers(0, 1000).map(lambda tenths: tenths / 10 / 100))
PROBLEMS = st.builds(
    Problem,
    st.sampled_from(ProblemKind),
    st.sampled_from(["no answer", "HTTP 500: oh"]),
    maybe(st.integers(100, 599)),
    maybe(WORDS),
    maybe(WORDS),
    maybe(st.integers(ZERO.us, ZERO.us + 10**10)),
)
STAGES = st.lists(
    st.builds(Stage, st.sampled_from(["import", "enrichment"]), WORDS, st.sampled_from(Phase), FRACTIONS), max_size=3
).map(tuple)
ERRORS = st.builds(JobError, maybe(WORDS), maybe(WORDS), maybe(st.just('{"a":1}')))
FACTS = st.lists(st.tuples(WORDS, WORDS), max_size=2).map(tuple)


def exchanges(profile: str, job: JobKey | None) -> st.SearchStrategy[Exchange]:
    return st.builds(
        Exchange,
        profile=st.just(profile),
        method=st.sampled_from(["GET", "POST"]),
        url=st.sampled_from(["https://a.example/x", "https://a.example/y?limit=100", ""]),
        started=instants(),
        duration=st.integers(0, 10**8).map(lambda us: us / 1e6),
        job=st.just(job),
        http_status=maybe(st.sampled_from([200, 429, 500])),
        request_id=maybe(WORDS),
        body_request_id=maybe(WORDS),
        trace_id=maybe(WORDS),
        size=st.integers(0, 10**9),
        date_us=maybe(st.integers(10**9, 2 * 10**9).map(lambda seconds: seconds * 1_000_000)),
        problem=maybe(PROBLEMS),
        sequence=st.integers(-(10**9), 10**12),
        part=maybe(st.builds(MissingPart, st.sampled_from(Part), tries=st.integers(0, 3))),
    )


def observations(key: JobKey) -> st.SearchStrategy[Observation]:
    return st.builds(
        Observation,
        id=st.just(key.id),
        status=WORDS,
        phase=st.sampled_from(Phase),
        progress=FRACTIONS,
        stages=STAGES,
        error=maybe(ERRORS),
        result=maybe(st.sampled_from(['{"people":[1,2,3]}', "[]"])),
        kind=maybe(WORDS),
        account_group=st.just(key.account_group),
        created_us=maybe(US),
        updated_us=maybe(US),
        ended_us=maybe(US),
        facts=FACTS,
        whole=st.booleans(),
        elsewhere=st.lists(st.builds(MissingPart, st.sampled_from(Part)), max_size=2).map(tuple),
        attempt=maybe(WORDS),
        started_us=maybe(US),
    )


def jobs(target: Target) -> st.SearchStrategy[Job]:
    record = st.builds(
        StageRecord,
        STAGES.filter(bool).map(lambda stages: stages[0]),
        maybe(instants()),
        maybe(instants()),
        maybe(instants()),
    )
    return st.builds(
        Job,
        target=st.just(target),
        added=instants(),
        status=maybe(WORDS),
        phase=st.sampled_from(Phase),
        kind=WORDS,
        progress=FRACTIONS,
        stages=st.lists(record, max_size=2).map(tuple),
        error=maybe(ERRORS),
        result=maybe(st.just("[1]")),
        facts=FACTS,
        created_us=maybe(US),
        updated_us=maybe(US),
        ended_us=maybe(US),
        observed=maybe(instants()),
        asked=maybe(instants()),
        whole=maybe(instants()),
        changed=maybe(instants()),
        ended=maybe(instants()),
        seen_queued=st.booleans(),
        summary_only=st.booleans(),
        sequence=st.integers(0, 10**12),
        run=st.integers(1, 99),
        begun=maybe(instants()),
        attempt=maybe(WORDS),
        started_us=maybe(US),
        missing_since=maybe(instants()),
        not_found=st.booleans(),
        problem=maybe(PROBLEMS),
        failures=st.integers(0, 9),
        misses=st.integers(0, 9),
        http_status=maybe(st.integers(100, 599)),
        request_id=maybe(WORDS),
        trace_id=maybe(WORDS),
        anomalies=st.lists(WORDS, max_size=2).map(tuple),
        outage=maybe(PROBLEMS),
        acknowledged=st.booleans(),
        interval=st.floats(0.2, 900),
        eta=maybe(st.tuples(st.floats(-100, 1e6), st.floats(-100, 1e6))),
        stall_after=maybe(st.floats(0, 1e6)),
    )


BUDGETS = st.builds(
    BudgetView,
    limit=st.integers(1, 600).map(float),
    used=st.integers(0, 600),
    blocked_until=maybe(st.integers(0, 10**9).map(lambda us: us / 1e6)),
    resets=maybe(st.integers(0, 10**9).map(lambda us: us / 1e6)),
    paused=st.booleans(),
    halted=st.booleans(),
    list_limit=maybe(st.just(60.0)),
    pages=st.integers(0, 9),
    covered=st.integers(0, 9),
    alone=st.integers(0, 9),
)
MOMENTS = st.builds(
    Moment, US, st.sampled_from(MomentKind), WORDS, maybe(WORDS), maybe(WORDS), maybe(WORDS), maybe(WORDS)
)
BODIES = maybe(st.lists(st.sampled_from(['{"id":"op_1",', '"progress":41,', "\n", "ü", '"x"}', "1,2"])).map("".join))


@st.composite
def sequences(draw: st.DrawFn) -> list[f.Fact]:
    """Facts as they come: every job is added before it is spoken of; the clocks agree."""
    told: list[f.Fact] = [f.Added(at(0), target) for target in TARGETS]
    for _ in range(draw(st.integers(1, 12))):
        when = draw(instants())
        target = draw(st.sampled_from(TARGETS))
        key = target.key
        match draw(st.integers(0, 10)):
            case 0:
                body = draw(BODIES)
                told.append(f.Replied(when, key, draw(exchanges(key.profile, key)), (draw(observations(key)),), body))
            case 1:
                told.append(f.Replied(when, key, draw(exchanges(key.profile, key)), (), None))
            case 2:
                of = [one.key for one in TARGETS if one.key.profile == key.profile]
                rows = tuple(draw(observations(draw(st.sampled_from(of)))) for _ in range(draw(st.integers(0, 3))))
                told.append(f.Replied(when, None, draw(exchanges(key.profile, None)), rows, draw(BODIES)))
            case 3:
                told.append(f.Restored(when, draw(jobs(target))))
            case 4:
                told.append(
                    f.Adopted(when, draw(jobs(target)), draw(maybe(exchanges(key.profile, key))), draw(st.booleans()))
                )
            case 5:
                looks = tuple(draw(st.lists(exchanges(key.profile, key) | exchanges(key.profile, None), max_size=2)))
                told.append(f.Recalled(when, key, looks, tuple(draw(st.lists(MOMENTS, max_size=2)))))
            case 6:
                told.append(f.Darkened(when, key.profile, draw(maybe(PROBLEMS))))
            case 7:
                told.append(f.Removed(when, key) if draw(st.booleans()) else f.Acknowledged(when, key, True))
            case 8:
                events = [
                    ProfileHalted(when, "hog", draw(PROBLEMS)),
                    OutageBegan(when, "hog", draw(PROBLEMS)),
                    OutageEnded(when, "hog", 12.5),
                    SleepNoticed(when, 600.0),
                ]
                told.append(f.Happened(when, draw(st.sampled_from(events))))
            case 9:
                told.append(f.Expected(when, key, 5.0, draw(maybe(st.just((20.0, 45.0)))), draw(maybe(st.just(90.0)))))
            case _:
                halted = {"hog": draw(PROBLEMS)} if draw(st.booleans()) else {}
                told.append(f.Standing(when, draw(st.booleans()), {"hog": draw(BUDGETS)}, halted))
    return told


def without_repetition(told: list[f.Fact]) -> list[f.Fact]:
    """What is left when nothing is said twice: a standing that is as before takes no line."""
    kept: list[f.Fact] = []
    standing: tuple[object, ...] = (False, {}, {})
    for fact in told:
        if isinstance(fact, f.Standing):
            now = (fact.paused, fact.budgets, fact.halted)
            if now == standing:
                continue
            standing = now
        kept.append(fact)
    return kept


def plain(fact: f.Fact) -> f.Fact:
    """A fact without what a recording rightly changes: the moments of expectations that are written together."""
    return replace(fact, at=ZERO) if isinstance(fact, f.Expected) else fact


def test_no_field_is_left_out() -> None:
    """A field that is new in the domain must be recorded, or every recording loses it without a word."""

    def names(kind: type) -> set[str]:
        return {one.name for one in fields(kind)}

    ours = {WIRE_NAMES.get(name, name) for name in names(Job)}
    # Where a state comes from, what a row says against it and what is yet to be fetched follows from the facts.
    assert (
        ours - {"target", "version", "source", "doubt", "disputed_end", "missing"} == wire.JobWire.model_fields.keys()
    )
    assert names(BudgetView) == wire.BudgetWire.model_fields.keys()
    by_others = {"id", "account_group", "whole"}
    assert names(Observation) - by_others == wire.ObservationWire.model_fields.keys() - {"row", "moved", "percent"}
    told = "profile method url started duration job http_status request_id body_request_id trace_id size date_us"
    assert names(Exchange) == {*told.split(), "problem", "sequence", "part"}
    assert names(Problem) == {"kind", "message", "http_status", "request_id", "trace_id", "retry_at_us"}
    assert names(StageRecord) | names(Stage) == {
        *["stage", "started", "changed", "ended", "name", "status", "phase", "progress"]
    }
    assert names(Moment) == {"at_us", "kind", "text", "stage", "before", "after", "request_id"}
    target = {"key", "provider", "resource", "accepted_request_id", "accepted_trace_id", "accepted"}
    # What nobody asks of a recording is how long to wait before the first poll.
    assert names(Target) - {"retry_after"} == target


@examples(12)
@given(sequences())
def test_any_facts_are_read_back_as_they_were(tmp_path_factory: object, told: list[f.Fact]) -> None:
    path = Path(tmp_path_factory.mktemp("recording")) / "one.jobdeck"  # type: ignore[attr-defined] - pytest's own
    read = read_recording(write(path, told, end=at(4_000)))
    assert read.header == HEADER
    assert read.complete
    assert [plain(placed.fact) for placed in read.facts] == [plain(fact) for fact in without_repetition(told)]
    places = [placed.at for placed in read.facts]
    assert places == sorted(places)


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_patch_of_any_two_texts_gives_the_second(old: str, new: str) -> None:
    assert apply_patch(old, make_patch(old, new), 1_000) == new


def test_a_body_that_changes_in_one_number_is_told_in_a_few_characters() -> None:
    old = "{" + ",".join(f'"field{n}":"{n * 7919}"' for n in range(300)) + ',"progress":41,"end":true}'
    patch = make_patch(old, old.replace(":41,", ":42,"))
    assert len(patch) == 3
    assert patch[1] == '"progress":42,'


def test_a_patch_that_points_outside_or_grows_too_large_is_refused() -> None:
    for patch in [[(0, 9)], [(-1, 1)], [(0, 3), (0, 1)], [(0, 2), (-3, 1)]]:
        try:
            apply_patch("abc", patch, 100)
        except PatchError:
            continue
        raise AssertionError(patch)
    try:
        apply_patch("abc" * 100, [(0, 300), (-300, 300), (-300, 300), (-300, 300)], 1_000)
    except PatchError:
        return
    raise AssertionError("1,200 characters passed")


def test_what_is_too_large_is_left_out_and_said(tmp_path: Path) -> None:
    key = TARGETS[0].key
    huge = '"' + "x" * MAX_TEXT + '"'
    exchange = Exchange("hog", "GET", "https://a.example", at(1), 0.1, job=key, http_status=200, size=len(huge))
    seen = Observation(key.id, "succeeded", Phase.SUCCEEDED, result=huge)
    told: list[f.Fact] = [f.Added(at(0), TARGETS[0]), f.Replied(at(1), key, exchange, (seen,), huge)]
    (_, placed) = read_recording(write(tmp_path / "r", told)).facts
    assert isinstance(placed.fact, f.Replied)
    assert placed.fact.observations[0].result == '"a result of 262,146 characters is left out of the recording"'
    assert placed.fact.body == '"a body of 262,146 characters is left out of the recording"'
    assert placed.fact.exchange.size == len(huge)


def test_a_clock_that_was_set_and_a_machine_that_slept_are_told_apart(tmp_path: Path) -> None:
    """The wall clock jumps by an hour, the other does not: dates follow the first, ages and places the second."""
    later = Instant(ZERO.us + 3_610_000_000, 10.0)
    told: list[f.Fact] = [f.Added(at(5), TARGETS[0]), f.Removed(later, TARGETS[0].key)]
    read = read_recording(write(tmp_path / "r", told))
    assert [placed.fact.at for placed in read.facts] == [at(5), later]
    assert [placed.at for placed in read.facts] == [5.0, 10.0]
