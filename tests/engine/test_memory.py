"""Results in memory: together within a budget, and had again when somebody looks."""

from dataclasses import replace

import pytest

from jobdeck.domain.job import JobKey, Observation
from jobdeck.domain.phase import Phase
from jobdeck.engine import memory
from jobdeck.engine.memory import ResultBudget
from jobdeck.engine.registry import Registry
from jobdeck.http.base import PollResult
from tests.builders import START, make_exchange, make_observation, make_target

LARGE = '"' + "x" * 10_000 + '"'


def key(name: str) -> JobKey:
    return JobKey("hog", None, name)


def ended(name: str, result: str | None = LARGE) -> Observation:
    return replace(make_observation(Phase.SUCCEEDED, 1.0, id_=name), result=result)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """One with three jobs and room for two large results."""
    monkeypatch.setattr(memory.ResultBudget.__init__, "__defaults__", (25_000,))
    made = Registry()
    for name in ("op_1", "op_2", "op_3"):
        made.add(make_target(name), START)
    return made


def answer(registry: Registry, name: str, seconds: float = 0.0, result: str | None = LARGE) -> None:
    exchange = replace(make_exchange(START.later(seconds)), job=key(name))
    registry.apply(key(name), PollResult(exchange, (ended(name, result),)), exchange.started)


def test_the_oldest_and_largest_go_first_and_never_the_newest_or_the_one_that_is_looked_at() -> None:
    held = ResultBudget(budget=1_000)
    for name, size in (("a", 300), ("b", 500), ("c", 100)):
        held.put(key(name), "x" * (size - 49))
    assert held.evict() == []
    held.put(key("d"), "x" * 400)
    assert held.evict() == [key("b")], "older than c, and larger than both"
    held.viewed = key("a")
    held.put(key("e"), "x" * 2_000)
    assert held.evict() == [key("d"), key("c")], "no others may go"
    held.put(key("e"), None)
    assert held.copy().evict() == []


def test_a_result_that_has_to_go_leaves_its_size_and_is_told_once(registry: Registry) -> None:
    for name in ("op_1", "op_2", "op_3"):
        answer(registry, name)
    (evicted,) = registry.pop_evicted()
    assert (evicted.key, evicted.result, evicted.evicted_result) == (key("op_1"), None, len(LARGE))
    assert evicted == registry.jobs[key("op_1")]
    assert evicted.phase is Phase.SUCCEEDED
    assert registry.pop_evicted() == ()
    assert [registry.jobs[key(name)].result for name in ("op_2", "op_3")] == [LARGE, LARGE]
    registry.set_selected(key("op_1"))
    answer(registry, "op_1", 1.0)
    assert registry.jobs[key("op_1")].result == LARGE, "asked again"
    assert registry.jobs[key("op_1")].evicted_result is None
    assert [job.key for job in registry.pop_evicted()] == [key("op_2")]


def test_what_is_said_again_of_a_job_whose_result_had_to_go_changes_nothing(registry: Registry) -> None:
    for name in ("op_1", "op_2", "op_3"):
        answer(registry, name)
    before = registry.jobs[key("op_1")]
    page = PollResult(replace(make_exchange(START.later(2.0)), job=None), (ended("op_1"),))
    assert registry.apply(None, page, START.later(2.0)).jobs == ()
    heard = replace(before, facts=(), sequence=before.sequence + 10)
    applied = registry.merge_external(heard, None, result_missing=True)
    assert applied.jobs[0].evicted_result == len(LARGE)
    assert not applied.jobs[0].summary_only
    answer(registry, "op_1", 3.0, None)
    assert registry.jobs[key("op_1")].evicted_result == len(LARGE), "an answer without it does not say that it is gone"


def test_a_job_that_is_watched_no_more_makes_room(registry: Registry) -> None:
    answer(registry, "op_1")
    answer(registry, "op_2")
    registry.remove(key("op_1"), START)
    answer(registry, "op_3")
    assert registry.pop_evicted() == ()


def test_a_former_state_keeps_no_large_result(registry: Registry) -> None:
    answer(registry, "op_1")
    running = replace(make_observation(Phase.RUNNING, 0.1), result=None)
    now = START.later(5.0)
    registry.apply(key("op_1"), PollResult(make_exchange(now), (running,)), now)
    previous = registry.log_of(key("op_1")).previous
    assert previous is not None
    assert (previous.result, previous.evicted_result) == (None, len(LARGE))
