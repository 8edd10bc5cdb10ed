import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, ListPage, Poll
from jobdeck.scheduling.bucket import Limit, LimitSource
from jobdeck.scheduling.list_tracker import ListEndpoint
from tests.builders import make_scheduler
from tests.support.examples import examples
from tests.unit.scheduling.world import World, failed, job_key, send

OPERATIONS = ListEndpoint(
    "operation",
    frozenset({"operation"}),
    active_statuses=("processing", "queued"),
    ended_statuses=("succeeded", "failed", "cancelled"),
)
PROSPECTING = ListEndpoint(
    "prospecting",
    frozenset({"prospecting"}),
    grouped=True,
    cursor=True,
    active_statuses=("running", "queued"),
    full_rows=False,
    ended_statuses=("completed", "failed", "cancelled"),
)
PHASES = {
    "queued": Phase.QUEUED,
    "processing": Phase.RUNNING,
    "running": Phase.RUNNING,
    "succeeded": Phase.SUCCEEDED,
    "completed": Phase.SUCCEEDED,
    "failed": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
}


@dataclass
class Server:
    """Jobs in order of creation with their status, listed newest first; lists have a limit of their own or not."""

    support: ListEndpoint
    states: dict[JobKey, str]
    own_limit: bool = True
    per_minute: int = 30
    refused: frozenset[str | None] = frozenset()
    told: dict[JobKey, float] = field(default_factory=dict)

    def answer(self, now: float, action: Action) -> ActionResult:
        name, limit = ("poll", self.per_minute) if isinstance(action, Poll) or not self.own_limit else ("all", 600)
        windows = (RateWindow(limit, limit - 5, 60.0, name=name),)
        if isinstance(action, Poll):
            return ActionResult(updates=(self.row(action.key, now, whole=True),), windows=windows)
        assert isinstance(action, ListPage)
        if action.status in self.refused:
            return failed(ProblemKind.PROTOCOL, windows=windows)
        rows = [key for key, state in reversed(self.states.items()) if action.status in {None, state}]
        start = int(action.cursor or 0)
        page = rows[start : start + action.limit]
        more = self.support.cursor and len(rows) > start + action.limit
        seen = tuple(self.row(key, now, whole=self.support.full_rows) for key in page)
        cursor = str(start + action.limit) if more else None
        return ActionResult(updates=seen, windows=windows, next_cursor=cursor, rows=len(page))

    def row(self, key: JobKey, now: float, *, whole: bool) -> JobUpdate:
        phase = PHASES[self.states[key]]
        if phase.terminal:
            self.told.setdefault(key, now)
        kind = self.support.resource
        return JobUpdate(key, kind, phase.terminal, None, changed=False, full=whole, phase=phase)

    def end(self, keys: Iterable[JobKey], state: str) -> None:
        self.states.update(dict.fromkeys(keys, state))


def watched(server: Server, keys: Iterable[JobKey], per_minute: float = 30) -> World:
    tested = make_scheduler(Limit(per_minute, LimitSource.DOCUMENTED), random.Random(0), (server.support,))
    for key in keys:
        tested.add(key, server.support.resource, 0.0)
    return World(tested, server.answer)


def hidden(state: str = "processing") -> tuple[Server, list[JobKey], World]:
    """Sixty of our running jobs behind 100 newer ones of others, so that only filtered pages show them."""
    mine = [job_key(name) for name in range(60)]
    others = [job_key(f"other{name}") for name in range(100)]
    server = Server(OPERATIONS, {**dict.fromkeys(mine, state), **dict.fromkeys(others, "cancelled")})
    world = watched(server, mine)
    world.run(60.0)
    return server, mine, world


def polls(world: World, since: float) -> list[JobKey]:
    return [action.key for at, action in world.sent if isinstance(action, Poll) and at >= since]


def test_one_page_of_ended_jobs_tells_of_many_ends() -> None:
    server, mine, world = hidden()
    server.end(mine[10:40], "succeeded")
    world.run(66.0)
    assert {key for key in server.told if key in set(mine)} == set(mine[10:40])
    assert len(set(polls(world, 60.0)) & set(mine[10:40])) <= 6


def test_what_did_not_succeed_is_looked_for_among_the_failed() -> None:
    server, mine, world = hidden()
    server.end(mine[:30], "failed")
    world.run(70.0)
    assert set(mine[:30]) <= set(server.told)
    assert any(page.status == "failed" for at, page in world.pages() if at > 60.0)
    assert len(set(polls(world, 60.0)) & set(mine[:30])) <= 6


def test_an_ended_job_too_old_for_the_page_is_polled() -> None:
    server, mine, world = hidden()
    server.states = {**server.states, **{job_key(f"newer{name}"): "succeeded" for name in range(100)}}
    world.run(90.0)
    server.end(mine[:4], "succeeded")
    world.run(105.0)
    assert set(mine[:4]) <= set(polls(world, 90.0))
    assert all(world.tested.next_poll(key) is None for key in mine[:4])


def test_a_filter_that_the_server_does_not_know_is_asked_for_once() -> None:
    mine = [job_key(name) for name in range(60)]
    others = dict.fromkeys((job_key(f"other{name}") for name in range(100)), "cancelled")
    refused = frozenset(OPERATIONS.ended_statuses)
    server = Server(OPERATIONS, {**dict.fromkeys(mine, "processing"), **others}, refused=refused)
    world = watched(server, mine)
    world.run(60.0)
    server.end(mine[:20], "succeeded")
    world.run(180.0)
    asked = [page.status for _, page in world.pages()]
    assert all(asked.count(status) <= 1 for status in refused)
    assert set(mine[:20]) <= set(server.told)


def test_what_a_list_tells_wholly_is_not_asked_for_again() -> None:
    server, mine, world = hidden()
    server.end(mine, "succeeded")
    world.run(64.0)
    assert set(mine) <= set(server.told)
    world.run(300.0)
    assert polls(world, 64.0) == []


def test_of_a_batch_larger_than_the_newest_hundred_every_end_is_told_soon_and_most_by_pages() -> None:
    keys = [job_key(name) for name in range(300)]
    server = Server(OPERATIONS, dict.fromkeys(keys, "queued"))
    world = watched(server, keys, 30)
    ended_at: dict[JobKey, float] = {}
    for step in range(300):
        server.end(keys[step : step + 1], "processing")
        if step >= 20:
            server.end(keys[step - 20 : step - 19], "succeeded")
            ended_at[keys[step - 20]] = world.now
        world.run(world.now + 1.0)
    late = sorted(server.told.get(key, world.now) - at for key, at in ended_at.items())
    assert late[int(0.95 * len(late))] <= 5.0
    assert len(polls(world, 0.0)) <= len(keys) / 3


def test_what_a_list_told_the_end_of_alone_is_soon_asked_for_in_full_and_failures_first() -> None:
    keys = [job_key(name, "g") for name in range(60)]
    server = Server(PROSPECTING, dict.fromkeys(keys, "running"), own_limit=False, per_minute=30)
    world = watched(server, keys, 30)
    world.run(200.0)
    server.end(keys[:12], "completed")
    server.end(keys[12:15], "failed")
    world.run(200.0 + 180.0)
    told = {key: server.told[key] for key in keys[:15]}
    full = {key: min((at for at in world.times(key) if at > 200.0), default=float("inf")) for key in told}
    assert max(full[key] - told[key] for key in keys[12:15]) <= 30.0
    assert max(full[key] - told[key] for key in keys[:12]) <= 150.0
    asked = sorted(full, key=lambda key: full[key])
    assert set(asked[:4]) >= set(keys[12:15]), "one may have been under way"


def test_all_pages_of_a_cursor_list_are_read_before_any_of_them_again() -> None:
    keys = [job_key(name, "g") for name in range(250)]
    server = Server(PROSPECTING, dict.fromkeys(keys, "running"), own_limit=False)
    world = watched(server, keys, 60)
    world.run(30.0)
    assert [page.cursor for _, page in world.pages()][:3] == [None, "100", "200"]


def test_a_page_held_back_by_the_shared_budget_keeps_its_place_in_the_list() -> None:
    keys = [job_key(name, "g") for name in range(150)]
    server = Server(PROSPECTING, dict.fromkeys(keys, "running"), own_limit=False)
    tested = make_scheduler(Limit(60), random.Random(0), (PROSPECTING,))
    for key in keys:
        tested.add(key, "prospecting", 0.0)
    first = send(tested, 0.0)
    assert isinstance(first, ListPage)
    tested.on_result(0.1, first, server.answer(0.1, first))
    second = tested.next_action(0.4)
    assert isinstance(second, ListPage)
    assert second.cursor == "100"
    tested.block(second, 0.4, 3.0)
    assert tested.next_action(4.0) == second


@examples(5)
@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([60, 120, 300]))
def test_no_reason_and_no_row_on_the_screen_starves_behind_pages(seed: int, shown: int, per_minute: int) -> None:
    chance = random.Random(seed)
    keys = [job_key(name, "g") for name in range(150)]
    server = Server(PROSPECTING, dict.fromkeys(keys, "running"), own_limit=False, per_minute=per_minute)
    world = watched(server, keys, per_minute)
    rows = chance.sample(keys, shown)
    world.tested.set_visible(rows)
    world.run(35.0)
    assert set(rows) <= set(polls(world, 0.0))
    failed = chance.sample([key for key in keys if key not in rows], 3)
    server.end(failed, "failed")
    world.run(75.0)
    for key in failed:
        # As soon as a list has told of it, the reason is next but one.
        assert any(-0.2 <= at - server.told[key] <= 12.0 for at in world.times(key))
