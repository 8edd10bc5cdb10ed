"""What one who connects can cost: connections, input, sizes, memory."""

import asyncio
import gc
import json
import resource
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from websockets.exceptions import ConnectionClosed

from jobdeck.serve import connections, viewer
from jobdeck.serve.connections import MAX_CONNECTIONS
from jobdeck.serve.server import ScreenServer
from jobdeck.serve.viewer import KEYS_AT_ONCE, KEYS_PER_SECOND, LARGEST_MESSAGE, TokenBucket
from tests.serve.test_access_control import Screen, Served, served, until


def opened(run: Served, number: int, stack: ExitStack) -> list[socket.socket]:
    made = [stack.enter_context(socket.socket()) for _ in range(number)]
    for one in made:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", run.server.port))
    return made


def has_ended(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def test_idle_connections_never_take_the_page_away() -> None:
    async with served() as run, run.look() as looking:
        assert await looking.recv() == b"hello"
        with ExitStack() as stack:
            idle = opened(run, 3 * MAX_CONNECTIONS, stack)
            await until(lambda: sum(map(has_ended, idle)) > 2 * MAX_CONNECTIONS)
            assert len(run.server.connections) <= MAX_CONNECTIONS
            assert (await run.get("/", Cookie=run.cookie)).status_code == 200
            async with run.look() as other:
                assert await other.recv() == b"hello"
            assert (await run.get("/", Cookie=run.cookie)).status_code == 200
        run.screens[0].write("still here")
        assert await looking.recv() == b"still here", "who looks makes room for nobody"


async def test_a_connection_that_is_not_let_in_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "AUTHORIZE_SECONDS", 0.2)
    async with served() as run, run.look() as looking:
        assert await looking.recv() == b"hello"
        with ExitStack() as stack:
            silent, slow, stranger = opened(run, 3, stack)
            await until(lambda: len(run.server.connections) == 4)
            slow.send(b"GET / HTTP/1.1\r\nHost: 127.0")
            stranger.send(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{run.server.port}\r\n\r\n".encode())
            loop = asyncio.get_running_loop()
            answer = await loop.sock_recv(stranger, 100_000)
            assert answer.startswith(b"HTTP/1.1 403")
            await until(lambda: all(map(has_ended, (silent, slow, stranger))))
        await until(lambda: len(run.server.connections) == 1)
        run.screens[0].write("still here")
        assert await looking.recv() == b"still here"


async def test_one_that_was_let_in_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "AUTHORIZE_SECONDS", 0.05)
    async with served() as run:
        with ExitStack() as stack:
            (slow,) = opened(run, 1, stack)
            request = (
                f"GET /static/page.css HTTP/1.1\r\nHost: 127.0.0.1:{run.server.port}\r\nCookie: {run.cookie}\r\n\r\n"
            )
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(slow, request.encode())
            assert (await loop.sock_recv(slow, 100_000)).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.15)
            assert not has_ended(slow)


@contextmanager
def few_descriptors(spare: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        highest = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + spare, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are numbered as elsewhere")
async def test_without_a_free_descriptor_accepting_neither_spins_nor_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "RETRY_SECONDS", 0.1)
    tried: list[object] = []
    async with served() as run:
        loop = asyncio.get_running_loop()
        accept = loop.sock_accept
        monkeypatch.setattr(loop, "sock_accept", lambda listening: (tried.append(listening), accept(listening))[1])
        with ExitStack() as stack:
            waiting = [stack.enter_context(socket.socket()) for _ in range(8)]
            with few_descriptors(2):
                for one in waiting:
                    one.setblocking(False)
                    one.connect_ex(("127.0.0.1", run.server.port))
                await asyncio.sleep(0.5)
                assert len(tried) < 40
        await until(lambda: len(run.server.connections) == 0)
        assert (await run.get("/", Cookie=run.cookie)).status_code == 200


async def test_a_message_that_is_too_large_ends_the_view_or_is_ignored() -> None:
    async with served() as run, run.look() as socket_:
        assert await socket_.recv() == b"hello"
        (screen,) = run.screens
        await socket_.send(json.dumps(["stdin", "x" * LARGEST_MESSAGE]))
        await socket_.send(json.dumps(["stdin", "j"]))
        await until(lambda: screen.typed == ["j"])
        await socket_.send(json.dumps(["stdin", "x" * 60_000]))
        with pytest.raises(ConnectionClosed):
            await socket_.recv()
        await until(lambda: screen.closed)
        assert screen.typed == ["j"]


async def test_no_size_is_larger_than_a_screen() -> None:
    async with served() as run:
        for asked, given in [("width=9999&height=9999", (500, 200)), ("width=-1&height=x", (80, 24))]:
            async with run.look(size=asked) as socket_:
                assert await socket_.recv() == b"hello"
                screen = run.screens[-1]
                assert screen.sizes == [given]
                await socket_.send(json.dumps(["resize", {"width": 10**30, "height": 201}]))
                await until(lambda screen=screen: len(screen.sizes) == 2)  # type: ignore[misc] - a default
                assert screen.sizes[1] == (500, 200)


async def test_input_comes_in_order_and_no_faster_than_anybody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    clock = [0.0]
    monkeypatch.setattr(viewer.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(viewer.asyncio, "sleep", wait)
    bucket = TokenBucket(KEYS_PER_SECOND, KEYS_AT_ONCE)
    for _ in range(100):
        await bucket.acquire(1.5)
    assert not waits[:50], "a mouse that moves for a second or two"
    for _ in range(100):
        await bucket.acquire(1 + LARGEST_MESSAGE / 25)
    assert sum(waits[-1:]) > 300, "what is left of it waits for minutes, in the browser"
    clock[0] = 10_000
    waits.clear()
    await bucket.acquire(1)
    assert waits == []


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost:9000"])
async def test_another_port_is_told_which_to_forward(host: str) -> None:
    async with served() as run:
        answer = await run.get("/", Host=host)
        assert answer.status_code == 421
        port = run.server.port
        assert f"ssh -L {port}:127.0.0.1:{port}" in answer.text
        assert "jobdeck serve --port 9000" in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example:80", "[::1]:80", "localhost:<b>", "localhost:99999999", "", "x" * 5_000]
)
async def test_another_name_is_told_which_to_use_and_is_not_repeated(host: str) -> None:
    async with served() as run:
        answer = await run.get("/", Host=host)
        assert answer.status_code in {400, 421}
        assert host == "" or host not in answer.text
        assert answer.status_code == 400 or f"localhost:{run.server.port}" in answer.text


def open_connections() -> set[object]:
    """Every open transport and TCP socket of this process, also those that a failed test before this one left."""
    gc.collect()
    everything = gc.get_objects()
    transports = {one for one in everything if isinstance(one, asyncio.Transport) and not one.is_closing()}
    sockets = {one for one in everything if isinstance(one, socket.socket) and one.fileno() != -1}
    return transports | {one for one in sockets if one.type == socket.SOCK_STREAM and one.family == socket.AF_INET}


async def test_ending_while_connections_come_in_leaves_none_behind() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        before = open_connections()
        for _ in range(20):
            async with ScreenServer(Screen) as server:
                clients = [socket.socket() for _ in range(20)]
                for number, one in enumerate(clients):
                    one.setblocking(False)
                    one.connect_ex(("127.0.0.1", server.port))
                    if number % 7 == 0:
                        await asyncio.sleep(0)
            for one in clients:
                one.close()
        assert open_connections() - before == set()
