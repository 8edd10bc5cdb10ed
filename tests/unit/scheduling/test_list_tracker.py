import itertools
import random
from dataclasses import dataclass, field
from itertools import pairwise

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.scheduling.actions import Action, ActionResult, JobUpdate, ListPage, Poll
from jobdeck.scheduling.bucket import Limit, LimitSource
from jobdeck.scheduling.list_tracker import ListEndpoint
from tests.builders import make_scheduler
from tests.unit.scheduling.world import World, failed, job_key

OPERATIONS = ListEndpoint("operation", frozenset({"operation", "enrichment"}), active_statuses=("processing", "queued"))
PROSPECTING = ListEndpoint(
    "prospecting",
    frozenset({"prospecting"}),
    page_size=10,
    grouped=True,
    cursor=True,
    active_statuses=("running", "queued"),
    full_rows=False,
)


@dataclass
class Server:
    """Jobs in order of creation, listed newest first; `ended` are over, `refuses` maps a page to its problem."""

    keys: list[JobKey]
    support: ListEndpoint
    ended: set[JobKey] = field(default_factory=set)
    refused: ProblemKind | None = None
    own_limit: bool = False

    def answer(self, _: float, action: Action) -> ActionResult:
        name = "poll" if isinstance(action, Poll) or not self.own_limit else "all"
        told = RateWindow(30, 25, 60.0, name="poll") if name == "poll" else RateWindow(600, 580, 60.0, name="all")
        windows = (told,) if self.own_limit else ()
        if isinstance(action, Poll):
            return ActionResult(updates=(self.row(action.key, whole=True),), windows=windows)
        assert isinstance(action, ListPage)
        if self.refused is not None:
            return failed(self.refused)
        rows = [key for key in reversed(self.keys) if key.account_group == action.account_group]
        if action.status is not None:
            running = action.status == self.support.active_statuses[0]
            rows = [key for key in rows if running and key not in self.ended]
        start = int(action.cursor or 0)
        page = rows[start : start + action.limit]
        more = str(start + action.limit) if len(rows) > start + action.limit and self.support.cursor else None
        seen = tuple(self.row(key, whole=self.support.full_rows) for key in page)
        return ActionResult(updates=seen, windows=windows, next_cursor=more, rows=len(page))

    def row(self, key: JobKey, *, whole: bool) -> JobUpdate:
        over = key in self.ended
        phase = Phase.SUCCEEDED if over else Phase.RUNNING
        return JobUpdate(key, self.support.resource, over, None, changed=True, full=whole, phase=phase)


def watched(server: Server, per_minute: float = 60, kind: str = "operation") -> World:
    limit = Limit(per_minute, LimitSource.DOCUMENTED)
    tested = make_scheduler(limit, random.Random(0), (server.support,))
    for key in server.keys:
        tested.add(key, kind, 0.0)
    return World(tested, server.answer)


def polls(world: World, since: float = 0.0) -> list[JobKey]:
    return [action.key for at, action in world.sent if isinstance(action, Poll) and at >= since]


def test_one_page_refreshes_many_jobs_and_spares_their_polls() -> None:
    server = Server([job_key(name) for name in range(60)], OPERATIONS)
    world = watched(server, 30)
    world.run(60.0)
    assert isinstance(world.sent[0][1], ListPage)
    assert len(polls(world)) <= 4
    assert len(world.pages()) >= 15


def test_a_page_that_can_show_little_waits_and_one_of_rows_on_the_screen_does_not() -> None:
    server = Server([job_key(name) for name in range(3)], OPERATIONS, own_limit=True)
    world = watched(server)
    world.run(200.0)
    world.sent.clear()
    world.steps = 0
    world.run(300.0)
    assert 5 <= len(world.pages()) <= 20
    assert world.steps <= 4 * len(world.sent), "nothing is decided meanwhile"
    plan = world.tested.next_poll(server.keys[0])
    assert plan is not None
    gaps = [later - at for (at, _), (later, _) in pairwise(world.pages())]
    assert min(gaps) / 2 <= plan.interval <= max(gaps) * 2, "or it would be called stale"
    world.tested.set_visible(server.keys)
    world.sent.clear()
    world.run(400.0)
    assert world.pages()[0][0] <= 302.1
    assert len(world.pages()) >= 48
    plan = world.tested.next_poll(server.keys[0])
    assert plan is not None
    assert plan.interval == 2.0


def test_a_single_job_is_polled_alone() -> None:
    world = watched(Server([job_key("a")], OPERATIONS))
    world.run(60.0)
    assert world.pages() == []


def test_the_same_page_is_never_asked_twice_within_two_seconds() -> None:
    world = watched(Server([job_key(name) for name in range(60)], OPERATIONS, own_limit=True), 600)
    world.run(120.0)
    for status in (None, "processing", "queued"):
        times = [at for at, page in world.pages() if page.status == status]
        assert all(later - at > 1.999 for at, later in itertools.pairwise(times))


def test_an_end_is_seen_on_the_list_and_leaves_the_schedule() -> None:
    server = Server([job_key(name) for name in range(20)], OPERATIONS)
    world = watched(server)
    world.run(20.0)
    server.ended = set(server.keys[:10])
    world.run(30.0)
    assert all(world.tested.next_poll(key) is None for key in server.keys[:10])
    assert all(world.tested.next_poll(key) is not None for key in server.keys[10:])


def test_what_vanished_from_a_list_of_running_jobs_is_fetched_at_once() -> None:
    strangers = [job_key(f"stranger{name}") for name in range(150)]
    mine = [job_key(name) for name in range(30)]
    server = Server([*mine, *strangers], OPERATIONS)
    server.ended = set(strangers)
    world = watched(server, 60)
    for key in strangers:
        world.tested.remove(key)
    world.run(60.0)
    assert any(page.status == "processing" for _, page in world.pages())
    server.ended.add(mine[3])
    world.run(70.0)
    assert world.tested.next_poll(mine[3]) is None


def test_a_refused_list_is_remembered_and_single_polls_go_on() -> None:
    for problem in (ProblemKind.NOT_FOUND, ProblemKind.PERMISSION):
        server = Server([job_key(name) for name in range(10)], OPERATIONS, refused=problem)
        world = watched(server)
        world.run(300.0)
        assert len(world.pages()) == 1
        assert set(polls(world)) == set(server.keys)
        assert not world.tested.quota(300.0).halted


def test_a_list_that_fails_for_a_while_backs_off() -> None:
    server = Server([job_key(name) for name in range(10)], OPERATIONS, refused=ProblemKind.SERVER_ERROR)
    world = watched(server)
    world.run(120.0)
    assert len(world.pages()) < 20
    assert set(polls(world)) == set(server.keys)
    server.refused = None
    world.run(300.0)
    assert len([at for at, _ in world.pages() if at > 200.0]) > 15


def test_a_cursor_is_followed_as_far_as_the_watched_jobs_go() -> None:
    server = Server([job_key(name, "g") for name in range(35)], PROSPECTING)
    world = watched(server, 300, "prospecting")
    world.run(30.0)
    cursors = {page.cursor for _, page in world.pages()}
    assert {None, "10", "20", "30"} <= cursors
    assert {page.account_group for _, page in world.pages()} == {"g"}


def test_every_account_group_has_its_own_list() -> None:
    server = Server([job_key(name, name[0]) for name in ("a1", "a2", "a3", "b1", "b2", "b3")], PROSPECTING)
    world = watched(server, 300, "prospecting")
    world.run(30.0)
    assert {page.account_group for _, page in world.pages()} == {"a", "b"}


def test_a_result_that_the_list_did_not_carry_is_fetched_once() -> None:
    server = Server([job_key(name, "g") for name in range(8)], PROSPECTING)
    world = watched(server, 60, "prospecting")
    world.run(20.0)
    server.ended = set(server.keys)
    before = len(world.sent)
    world.run(200.0)
    fetched = [action.key for _, action in world.sent[before:] if isinstance(action, Poll)]
    assert sorted(fetched) == sorted(server.keys)


def test_stages_that_someone_looks_at_are_still_polled() -> None:
    server = Server([job_key(name, "g") for name in range(8)], PROSPECTING)
    world = watched(server, 300, "prospecting")
    world.tested.set_selected(server.keys[2], 0.0)
    world.tested.set_visible(server.keys[:4])
    world.run(60.0)
    looked = polls(world, since=10.0)
    assert looked.count(server.keys[2]) >= 20
    assert set(server.keys[:4]) <= set(looked)
    assert looked.count(server.keys[7]) <= 1


def test_a_list_with_a_limit_of_its_own_is_learnt_from_the_headers() -> None:
    server = Server([job_key(name) for name in range(40)], OPERATIONS, own_limit=True)
    world = watched(server, 30)
    world.run(120.0)
    late = [at for at, _ in world.pages() if at > 60.0]
    assert len(late) >= 25
    assert world.tested.quota(120.0).used <= 3
