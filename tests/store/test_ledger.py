from dataclasses import replace

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.store import POLL, Store
from jobdeck.store.records import LedgerState, Refused, Spent
from jobdeck.store.stored import wall
from tests.builders import START, make_observation, make_target
from tests.store.conftest import Open
from tests.store.doing import KEY, NOW, PLENTY, SECOND, a_problem, an_exchange, claim, list_page, poll, spend


def test_an_exchange_comes_back_as_it_was(store: Store) -> None:
    problem = Problem(ProblemKind.RATE_LIMIT, "slow down", 429, "r-1", "t-1", NOW + 5 * SECOND)
    exchange = replace(
        an_exchange(NOW, problem, request_id="r-1"), body_request_id="b-1", trace_id="t-1", duration=1.234567
    )
    store.complete(claim(store, NOW), exchange, (), None, NOW + 2 * SECOND)
    (entry,) = store.exchanges(KEY)
    assert entry.exchange(wall(NOW + 9 * SECOND)) == replace(exchange, sequence=entry.sequence)
    assert entry.sequence > 0, "its place in the order of sending is that of its record"
    again = entry.exchange(START.later(9))
    assert again is not None
    assert again.started == START


def test_a_request_without_an_answer_is_no_exchange(store: Store) -> None:
    claim(store, NOW)
    assert store.exchanges(KEY)[0].exchange(START) is None


def test_a_jobs_requests_are_its_polls_and_the_lists_that_showed_it_newest_first(store: Store) -> None:
    store.watch([make_target("op_2")], NOW)
    poll(store, NOW, request_id="poll")
    list_page(store, NOW + SECOND, make_observation(), make_observation(id_="op_2"))
    poll(store, NOW + 2 * SECOND, make_observation(id_="op_2"), make_target("op_2").key)
    poll(store, NOW + 3 * SECOND, a_problem(), request_id="failed")
    found = [entry.request_id for entry in store.exchanges(KEY)]
    assert found == ["failed", f"request-{NOW + SECOND}", "poll"]
    assert [entry.request_id for entry in store.exchanges(KEY, 1)] == ["failed"]
    assert store.exchanges(JobKey("hog", None, "op_stranger")) == ()


def test_all_requests_are_listed_or_those_of_a_profile(store: Store) -> None:
    other = make_target("op_1", "other")
    store.watch([other], NOW)
    store.set_limit("other", POLL, PLENTY, NOW)
    poll(store, NOW, request_id="good")
    poll(store, NOW + SECOND, a_problem(), request_id="bad")
    poll(store, NOW + 2 * SECOND, make_observation(), other.key, request_id="other")

    assert [entry.request_id for entry in store.all_exchanges()] == ["other", "bad", "good"]
    assert [entry.request_id for entry in store.all_exchanges("hog")] == ["bad", "good"]
    assert len(store.all_exchanges(limit=1)) == 1


def test_a_request_id_leads_to_its_exchange_and_what_it_answered(store: Store) -> None:
    poll(store, NOW, make_observation(Phase.RUNNING, 0.5), request_id="r-1")
    poll(store, NOW + SECOND, make_observation(Phase.RUNNING, 0.5), request_id="r-2")
    first, second = store.find_request("r-1"), store.find_request("r-2")
    assert [entry.key for entry in second.exchanges] == [KEY]
    assert [sighting.changed for sighting in (*first.sightings, *second.sightings)] == [True, False]
    assert first.sightings[0].fields == second.sightings[0].fields
    assert '"progress":0.5' in str(first.sightings[0].fields)


def test_of_requests_that_share_an_id_the_newest_are_told(store: Store) -> None:
    for number in range(5):
        poll(store, NOW + number * SECOND, request_id="always the same")
    found = store.find_request("always the same", 2)
    assert [entry.sent_us - NOW for entry in found.exchanges] == [4 * SECOND, 3 * SECOND]
    assert len(found.sightings) == 2


def test_trace_ids_body_ids_and_accepting_ids_are_found_too(store: Store) -> None:
    store.watch([replace(make_target(), accepted_request_id="accepted")], NOW)
    exchange = replace(an_exchange(NOW, request_id="header"), body_request_id="body", trace_id="trace")
    store.complete(claim(store, NOW), exchange, [make_observation()], None, NOW)
    for id_ in ("header", "body", "trace"):
        assert [entry.request_id for entry in store.find_request(id_).exchanges] == ["header"]
    assert store.find_request("accepted").accepted == (KEY,)
    assert store.find_request("nobody's").exchanges == ()


def test_the_newest_activity_comes_first_in_the_history(store: Store) -> None:
    store.watch([make_target("op_2"), make_target("op_3", "other")], NOW + 1)
    poll(store, NOW + SECOND, make_observation(Phase.FAILED))
    store.unwatch([KEY], NOW + 2 * SECOND)

    assert [job.last.key.id for job in store.jobs()] == ["op_1", "op_3", "op_2"]
    assert [job.last.key.id for job in store.jobs(limit=1)] == ["op_1"]
    assert [job.last.key.id for job in store.jobs("other")] == ["op_3"]


def test_what_a_killed_process_had_sent_is_on_record(open_file: Open) -> None:
    store = open_file("the killed")
    store.watch([make_target()], NOW)
    claim(store, NOW)
    entries = open_file("the next").exchanges(KEY)
    assert [(entry.actor, entry.state) for entry in entries] == [("the killed", LedgerState.SENT)]


def test_what_acts_on_a_job_is_on_record_with_it_and_says_nothing_of_how_it_is(store: Store) -> None:
    store.watch([make_target()], NOW)
    before = store.load_job(KEY)
    unanswered = store.spend("hog", POLL, NOW, "https://x/cancel", method="POST", about=KEY)
    assert isinstance(unanswered, Spent)
    granted = store.spend("hog", POLL, NOW + SECOND, "https://x/cancel", method="POST", about=KEY)
    assert isinstance(granted, Spent)
    refused = Problem(ProblemKind.PROTOCOL, "too late", http_status=422)
    exchange = replace(an_exchange(NOW + SECOND), method="POST", problem=refused)
    store.complete(granted, exchange, (), None, NOW + SECOND)
    found = store.exchanges(KEY)
    assert [(entry.method, entry.state, entry.problem) for entry in found] == [
        ("POST", LedgerState.ANSWERED, refused),
        ("POST", LedgerState.SENT, None),
    ]
    assert store.load_job(KEY) == before
    assert store.spend("hog", POLL, NOW, about=replace(KEY, id="nobody")) == Refused("unknown", 0)


def test_strings_from_the_file_are_cleaned(store: Store) -> None:
    hostile = replace(an_exchange(NOW, request_id="r\x1b[2J"), url="https://x/\u202e")
    store.complete(spend(store, NOW), hostile, (), None, NOW)
    entry = store.all_exchanges()[0]
    assert (entry.request_id, entry.url) == ("r\\x1b[2J", "https://x/\\u202e")
