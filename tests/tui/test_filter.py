from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.job import Job, JobError
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.tui.job_filter import has_term, parse, quoted, replace_term
from jobdeck.tui.render.state import state_category
from tests.tui.world import NOON, ago, deck_of_every_state, job, problem, stage

DECK = deck_of_every_state()
WORDS = st.sampled_from(
    [
        "op_",
        "!",
        "!sonarly",
        "phase:",
        "phase:failed,partial",
        "!kind:search",
        "age>30s",
        "age<",
        "x:y",
        '"a b"',
        "=",
        "♞",
    ]
)


def passing(text: str, jobs: list[Job] | None = None) -> list[Job]:
    found = parse(text)
    return [one for one in jobs or DECK if found.admits(one, state_category(one).word, NOON)]


def test_jobs_are_found_by_who_watches_them() -> None:
    jobs = [
        replace(one, target=replace(one.target, watched_by=names))
        for one, names in zip(DECK, (("ann",), ("ann", "bob"), ("bob",), ()), strict=False)
    ]
    assert passing("who:ann", jobs) == jobs[:2]
    assert passing("who:ann !who:bob", jobs) == jobs[:1]
    assert passing('who=""', jobs) == jobs[3:]


@given(st.text(max_size=60))
def test_whatever_is_typed_is_understood_somehow(text: str) -> None:
    assert {one.key for one in passing(text)} <= {one.key for one in DECK}


@given(st.lists(WORDS, max_size=5), WORDS)
def test_every_further_term_lets_fewer_pass(words: list[str], more: str) -> None:
    before, after = passing(" ".join(words)), passing(" ".join([*words, more]))
    assert [one for one in before if one in after] == after


@given(st.sampled_from(["op_", "sonarly", "phase:failed", "kind:search", "age>30s", "progress>=50%", "error:time"]))
def test_a_term_and_its_negation_part_the_list(term: str) -> None:
    assert len(passing(term)) + len(passing(f"!{term}")) == len(DECK)


@given(st.text(min_size=1, max_size=40).filter(str.strip))
def test_a_quoted_value_finds_what_it_is_made_of_and_nothing_else(code: str) -> None:
    jobs = [job("op_a", Phase.FAILED, error=JobError(code)), job("op_b", Phase.FAILED, error=JobError(code + "x"))]
    assert passing(f"error={quoted(code)}", jobs) == jobs[:1]


def test_text_is_looked_for_in_ids_states_stages_and_errors_in_either_case() -> None:
    assert passing("UPSTREAM_timeout") == DECK[:1]
    assert passing("stalled") == [DECK[1]]
    assert DECK[2] in passing("507F1F77bcf86cd799439011")
    assert passing("import") == [DECK[0], DECK[2], DECK[5]]


def test_a_phase_is_one_of_the_domain_or_the_word_of_the_row() -> None:
    assert passing("phase:failed") == DECK[:1]
    assert passing('phase:"not found"') == [DECK[3]]
    assert passing("phase:failed,partial") == [DECK[0], DECK[4]]


@pytest.mark.parametrize("term", ["phase:bogus", "state:bogus", "state=bogus", "!state:failed,bogus"])
def test_a_state_that_there_is_not_is_complained_about(term: str) -> None:
    known = "failed, stalled, unreachable, not found, partial, running, queued, new, done, cancelled"
    assert parse(term).warnings == (f"unknown state bogus: use {known}",)
    assert parse("state:succeeded").warnings == (f"unknown state succeeded: use {known}",)


@pytest.mark.parametrize(
    "term", ["phase:run,fail,stall", "state:run,fail,stall", "state=done", "phase=succeeded", "state:", 'state:""']
)
def test_a_state_or_half_of_its_word_is_not_complained_about(term: str) -> None:
    assert parse(term).warnings == ()


def test_ages_are_compared_and_an_ended_job_has_none() -> None:
    jobs = [job("op_new", observed=ago(4)), job("op_old", observed=ago(90)), job("op_end", Phase.FAILED)]
    assert passing("age>30s", jobs) == [jobs[1]]
    assert passing("age<30", jobs) == [jobs[0]]
    assert passing("age>1m29s", jobs) == [jobs[1]]
    assert parse("age>30s").timed


def test_a_job_never_seen_is_older_than_any_age() -> None:
    never = Job(target=job("op_a").target, added=NOON)
    assert passing("age>999d", [never]) == [never]


def test_stage_status_and_error_have_keys_of_their_own() -> None:
    jobs = [
        job("op_a", stages=(stage("enrichment", Phase.RUNNING),), status="processing"),
        job("op_b", problem=problem(ProblemKind.RATE_LIMIT), failures=1),
    ]
    assert passing("stage:enrich", jobs) == passing("status:processing", jobs) == [jobs[0]]
    assert passing("error:rate_limit", jobs) == passing('error:"rate limited"', jobs) == [jobs[1]]


def test_an_unknown_key_is_said_and_taken_as_text() -> None:
    found = parse("hog:op_01HZ9K2QW3RV4M5N6P7Q8R9S0T")
    assert found.warnings[0].startswith("unknown filter key hog, searched as text")
    assert passing(found.text) == DECK[:1]


def test_what_cannot_be_compared_is_said() -> None:
    assert parse("age>soon").warnings == parse("age:30s").warnings == ("age needs a number: age>30s",)
    assert parse("kind>4").warnings == ("kind is text: use kind:… or kind=…",)
    assert not parse("age>soon")


@pytest.mark.parametrize(
    ("text", "narrowed"),
    [
        ("", 'profile="b c"'),
        ('a "b c" !d', 'a "b c" !d profile="b c"'),
        ('profile:x age>3s profile="y z" !PROFILE=w', 'age>3s profile="b c"'),
    ],
)
def test_a_term_takes_the_place_of_those_of_its_key(text: str, narrowed: str) -> None:
    assert replace_term(text, "profile", 'profile="b c"') == narrowed
    assert has_term(narrowed, 'profile="b c"')
    assert replace_term(narrowed, "profile", "") == replace_term(text, "profile", "")
