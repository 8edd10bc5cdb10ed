"""What holds among several people on one database: leases, budgets, watch lists, and what happens when one dies."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.scope import Scope
from jobdeck.store import LIST, POLL, Store
from jobdeck.store.models import Answer, ChangeKind, Denied, Grant, OutgoingRequest, poll_request
from jobdeck.store.postgres.change_feed import Doorbell
from jobdeck.store.postgres.coalesce import AT_ONCE, Coalescer
from jobdeck.store.postgres.connect import ServerAddress, connect
from jobdeck.store.postgres.migrate import migrate
from jobdeck.store.postgres.opening import open_team_store
from jobdeck.store.protocol import LEASE_SECONDS
from tests.builders import START, make_observation, make_target
from tests.store.postgres.database import new_database
from tests.store.steps import KEY, PLENTY, an_exchange

ACME = {"hog": Scope("https://developer.thehog.ai", "acme", "thehog")}
OTHERS = {"hog": Scope("https://developer.thehog.ai", "umbrella", "thehog")}
PATIENCE = 60.0

CLIENT = """
import asyncio, sys
from jobdeck.domain.job import JobKey
from jobdeck.domain.scope import Scope
from jobdeck.store.models import Answer, poll_request
from jobdeck.store.postgres.coalesce import AT_ONCE, Coalescer
from jobdeck.store.postgres.connect import ServerAddress, connect
from jobdeck.store.postgres.change_feed import Doorbell
from jobdeck.store.postgres.migrate import migrate
from jobdeck.store.postgres.opening import open_team_store
from tests.builders import make_observation
from tests.store.steps import KEY, an_exchange
import time

async def main():
    scopes = {"hog": Scope("https://developer.thehog.ai", "acme", "thehog")}
    now_us = lambda: time.time_ns() // 1000
    store = (await open_team_store(sys.argv[1], "other", user="ann", scopes=scopes, now_us=now_us)).store
    (grant,) = await store.claim([poll_request(KEY)])
    print("claimed", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    (done,) = await store.complete([Answer(grant, an_exchange(now_us()), (make_observation(),))])
    print("late" if done.late else "recorded", flush=True)
    await store.close()

asyncio.run(main())
"""


def now_us() -> int:
    return time.time_ns() // 1_000


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with new_database() as url:
        yield url


class Clients:
    """Opens clients of different people, and closes them at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.opened: list[Store] = []

    async def __call__(self, user: str, scopes: dict[str, Scope] = ACME, *, everyone: bool = False) -> Store:
        opened = await open_team_store(
            self._url, f"{user}-{len(self.opened)}", user=user, scopes=scopes, now_us=now_us, everyone=everyone
        )
        self.opened.append(opened.store)
        return opened.store


@pytest.fixture
async def client(url: str) -> AsyncIterator[Clients]:
    clients = Clients(url)
    yield clients
    for store in clients.opened:
        await store.close()


async def watching(store: Store) -> Store:
    await store.watch([make_target()])
    await store.set_limits("hog", {POLL: PLENTY, LIST: PLENTY})
    return store


async def claimed_within(store: Store, seconds: float) -> float:
    """Try to claim the job until that is granted, as a scheduler does; returns how long it took."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        (decided,) = await store.claim([poll_request(KEY)])
        if isinstance(decided, Grant):
            return time.monotonic() - begun
        await asyncio.sleep(max(0.0, min((decided.until_us - now_us()) / 1e6, 1.0)))
    raise AssertionError("never granted")


def other_process(url: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, url], stdin=pipe, stdout=pipe, text=True, cwd=root, env={**os.environ}
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


async def test_the_lease_of_a_killed_client_is_taken_over_at_once(client: Clients, url: str) -> None:
    me = await watching(await client("bob"))
    with await asyncio.to_thread(other_process, url) as process:
        (denied,) = await me.claim([poll_request(KEY)])
        assert isinstance(denied, Denied)
        assert denied.reason == "leased"
        process.kill()
    assert await claimed_within(me, LEASE_SECONDS) < LEASE_SECONDS - 1.0


async def test_the_lease_of_a_paused_client_ends_by_its_time_and_its_answer_is_too_late(
    client: Clients, url: str
) -> None:
    me = await watching(await client("bob"))
    with await asyncio.to_thread(other_process, url) as process:
        process.send_signal(signal.SIGSTOP)
        took = await claimed_within(me, LEASE_SECONDS + 5.0)
        assert took > 1.0
        process.send_signal(signal.SIGCONT)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert await asyncio.to_thread(process.stdout.readline) == "late\n"
    saved = (await me.load([KEY]))[KEY]
    assert saved.last.observed is None, "the late answer changed nothing"
    assert [record.state.value for record in await me.requests(KEY)] == ["sent", "answered"]


async def test_customers_do_not_see_each_other(client: Clients) -> None:
    ours, theirs = await watching(await client("ann")), await client("eve", OTHERS)
    (grant,) = await ours.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    await ours.complete([Answer(grant, an_exchange(now_us(), request_id="r-1"), (make_observation(),))])
    assert await theirs.jobs() == ()
    assert await theirs.load([KEY]) == {}
    assert await theirs.all_requests() == ()
    found = await theirs.find_request("r-1")
    assert (found.requests, found.elsewhere) == ((), ())
    changes, _ = await theirs.changes(await theirs.head())
    assert changes == ()
    assert await theirs.limit("hog", POLL) is None


async def test_watch_lists_are_personal_and_a_team_sees_all_of_them(client: Clients) -> None:
    ann, bob, team = await client("ann"), await client("bob"), await client("cara", everyone=True)
    await ann.watch([make_target("op_1"), make_target("op_2")])
    await bob.watch([make_target("op_2"), make_target("op_3")])
    ids = [[job.key.id for job in await store.watched(START)] for store in (ann, bob, team)]
    assert ids == [["op_1", "op_2"], ["op_2", "op_3"], ["op_1", "op_2", "op_3"]]
    assert await team.count_watched() == {"hog": 3}
    assert [job.target.watched_by for job in await team.watched(START)] == [("ann",), ("ann", "bob"), ("bob",)]
    (one,) = await team.watched(START, of={make_target("op_3").key, make_target("op_4").key})
    assert (one.key.id, one.target.watched_by) == ("op_3", ("bob",))
    assert {job.target.watched_by for job in await ann.watched(START)} == {()}, "of one's own list nothing is said"
    await ann.unwatch([make_target("op_2").key])
    assert [job.key.id for job in await bob.watched(START)] == ["op_2", "op_3"]


async def test_what_one_says_of_a_job_carries_the_name_and_is_seen_by_all(client: Clients) -> None:
    ann, bob = await watching(await client("ann")), await client("bob")
    cursor = await bob.head()
    await ann.acknowledge([KEY], acknowledged=True)
    await ann.annotate([KEY], "ask Ada")
    said = (await bob.annotations([KEY]))[KEY]
    assert (said.acknowledged, said.note, said.client) == (True, "ask Ada", "ann")
    changes, _ = await bob.changes(cursor)
    assert {(change.kind, change.keys) for change in changes} == {(ChangeKind.ANNOTATED, (KEY,))}


async def test_an_event_is_claimed_once_by_each_person_or_once_for_the_team(client: Clients) -> None:
    ann, bob = await watching(await client("ann")), await client("bob")
    assert [await each.claim_event(KEY, "hooks:failed") for each in (ann, bob, ann)] == [True, True, False]
    assert [await each.claim_event(KEY, "team", team=True) for each in (ann, bob)] == [True, False]


async def test_a_list_that_one_gets_is_not_got_by_another_meanwhile_or_shortly_after(client: Clients) -> None:
    ann, bob = await watching(await client("ann")), await client("bob")
    wanted = OutgoingRequest("hog", "https://x/list", LIST, lease=True)
    (grant,) = await ann.claim([wanted])
    assert isinstance(grant, Grant)
    (denied,) = await bob.claim([wanted])
    assert isinstance(denied, Denied)
    assert denied.reason == "leased"
    rows = (make_observation(Phase.RUNNING),)
    await ann.complete([Answer(grant, an_exchange(now_us(), id_=None), rows)])
    (denied,) = await bob.claim([wanted])
    assert isinstance(denied, Denied)
    assert 0 < denied.until_us - now_us() <= 2_100_000
    assert isinstance((await bob.claim([OutgoingRequest("hog", "https://x/list", LIST)]))[0], Grant), "a person asks"


async def test_all_hear_of_a_change_by_a_notification(client: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobdeck.store.postgres.store.FALLBACK_SECONDS", 3_600.0)
    ann, viewers = await watching(await client("ann")), [await client("bob") for _ in range(3)]
    cursors = [await viewer.head() for viewer in viewers]
    for viewer in viewers:
        await viewer.wait_for_change()
    waiting = [asyncio.create_task(viewer.wait_for_change()) for viewer in viewers]
    await asyncio.sleep(0)
    (grant,) = await ann.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    await ann.complete([Answer(grant, an_exchange(now_us()), (make_observation(),))])
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*waiting)
    for viewer, cursor in zip(viewers, cursors, strict=True):
        changes, _ = await viewer.changes(cursor)
        assert [(change.kind, change.keys) for change in changes] == [(ChangeKind.ANSWERED, (KEY,))]


async def test_twenty_clients_take_no_more_than_the_limit_and_never_one_job_twice(client: Clients) -> None:
    first = await client("u0")
    targets = [make_target(f"op_{number}") for number in range(5)]
    await first.watch(targets)
    await first.set_limits("hog", {POLL: 60})
    clients = [first, *[await client(f"u{number}") for number in range(1, 20)]]

    async def poll_all(store: Store) -> list[Grant]:
        decided = await store.claim([poll_request(target.key) for target in targets])
        return [one for one in decided if isinstance(one, Grant)]

    grants = [grant for some in await asyncio.gather(*map(poll_all, clients)) for grant in some]
    assert 1 <= len(grants) <= 5
    assert len({grant.request.job for grant in grants}) == len(grants)
    assert len({grant.sequence for grant in grants}) == len(grants)


async def test_a_database_is_migrated_while_people_are_connected(client: Clients, url: str) -> None:
    for number in range(3):
        await client(f"u{number}")
    async with asyncio.timeout(PATIENCE):
        before, after = await migrate(ServerAddress.parse(url), new=False)
    assert before == after


async def test_calls_that_wait_together_are_one_and_each_gets_its_own_results() -> None:
    calls: list[list[int]] = []
    release = asyncio.Event()

    async def call(items: Sequence[int]) -> list[int]:
        calls.append(list(items))
        await release.wait()
        if 13 in items:
            raise ValueError("unlucky")
        return [item * 10 for item in items]

    coalescer: Coalescer[int, int] = Coalescer(call)
    waiting = [asyncio.create_task(coalescer.submit(items)) for items in ([1], [2], [3, 4], [], [5])]
    while not calls:
        await asyncio.sleep(0)
    more = [asyncio.create_task(coalescer.submit([number])) for number in (6, 7, 8)]
    while len(calls) < AT_ONCE:
        await asyncio.sleep(0)
    waiting[3].cancel()
    release.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [results[n] for n in (0, 1, 2, 4)] == [(10,), (20,), (30, 40), (50,)]
    assert await asyncio.gather(*more) == [(60,), (70,), (80,)]
    assert [item for items in calls for item in items] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(calls) < 8
    with pytest.raises(ValueError, match="unlucky"):
        await coalescer.submit([13])
    assert await coalescer.submit([6]) == (60,)


async def test_what_is_on_one_screen_is_known_to_the_others(client: Clients) -> None:
    ann, bob, eve = await client("ann"), await client("bob"), await client("eve", OTHERS)
    targets = [make_target(f"op_{number}") for number in range(3)]
    await ann.watch(targets)
    await eve.watch(targets)
    await ann.set_focus([targets[0].key, targets[1].key])
    assert await bob.focus() == {targets[0].key, targets[1].key}
    assert await ann.focus() == frozenset(), "one's own screen is no news"
    assert await eve.focus() == frozenset(), "nor is that of another customer"
    await ann.set_focus([])
    assert await bob.focus() == frozenset()


async def test_a_pooler_that_swallows_notifications_is_said_and_changes_are_seen_all_the_same(
    client: Clients, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await watching(await client("ann"))

    async def deaf(self: Doorbell) -> object:
        return await connect(self._address)

    # What a pooler in transaction mode does: LISTEN is answered, and means nothing.
    monkeypatch.setattr(Doorbell, "_listen", deaf)
    monkeypatch.setattr("jobdeck.store.postgres.change_feed.ECHO_SECONDS", 0.05)
    monkeypatch.setattr(asyncpg.Connection, "add_listener", _never_heard)
    opened = await open_team_store(url, "pooled", user="bob", scopes=ACME, now_us=now_us)
    client.opened.append(opened.store)
    assert ["sends no notifications" in notice.message for notice in opened.notices] == [True]
    cursor = await opened.store.head()
    await opened.store.wait_for_change()
    await ann.annotate([KEY], "hello")
    async with asyncio.timeout(PATIENCE):
        await opened.store.wait_for_change()
    changes, _ = await opened.store.changes(cursor)
    assert [change.kind for change in changes] == [ChangeKind.ANNOTATED]
    (grant,) = await opened.store.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    (denied,) = await ann.claim([poll_request(KEY)])
    assert isinstance(denied, Denied), "it has no lock to show that it lives, and may do so all the same"


async def _never_heard(*_: object) -> None:
    """Listen to nothing."""


async def test_one_client_purges_at_a_time(client: Clients, url: str) -> None:
    ann, bob = await watching(await client("ann")), await client("bob")
    (grant,) = await ann.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    await ann.complete([Answer(grant, an_exchange(now_us()), (make_observation(),))])
    holder = await asyncpg.connect(url)
    transaction = holder.transaction()
    await transaction.start()
    assert await holder.fetchval("SELECT jobdeck.purge(0, 10)") == [0, 0, 0, 0]
    purging = asyncio.create_task(bob.purge(now_us() + 60_000_000))
    await asyncio.sleep(0.1)
    assert not purging.done()
    await transaction.rollback()
    await holder.close()
    async with asyncio.timeout(PATIENCE):
        assert (await purging).exchanges == 1


async def test_a_client_whose_clock_is_off_sees_every_moment_on_its_own_clock(client: Clients, url: str) -> None:
    ann = await watching(await client("ann"))

    def an_hour_ahead() -> int:
        return now_us() + 3_600_000_000

    opened = await open_team_store(url, "ahead", user="bob", scopes=ACME, now_us=an_hour_ahead)
    client.opened.append(opened.store)
    (grant,) = await opened.store.claim([poll_request(KEY)])
    assert isinstance(grant, Grant)
    at_us = an_hour_ahead()
    problem = Problem(ProblemKind.SERVER_ERROR, "down", 500, retry_at_us=at_us + 60_000_000)
    await opened.store.complete([Answer(grant, an_exchange(at_us, problem), ())])
    for store, hour in ((opened.store, 0), (ann, -3_600_000_000)):
        (record,) = await store.requests(KEY)
        saved = (await store.load([KEY]))[KEY].last
        assert record.exchange.problem is not None
        assert saved.problem is not None
        moments = (record.exchange.started.us, record.exchange.problem.retry_at_us, saved.problem.retry_at_us)
        for found, expected in zip(moments, (at_us, at_us + 60_000_000, at_us + 60_000_000), strict=True):
            assert abs((found or 0) - expected - hour) < 2_000_000
