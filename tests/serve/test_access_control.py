"""Who is let in to look: only a browser on this machine that was given the token, from our own page."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jobdeck.serve import web
from jobdeck.serve.server import ScreenServer
from jobdeck.serve.viewer import LONGEST_LAG
from jobdeck.serve.web import MOST_VIEWERS


class Screen:
    """A view that keeps what it is told, and says what a test has it say."""

    def __init__(self, write: Callable[[str], None], width: int, height: int) -> None:
        self.write = write
        self.sizes = [(width, height)]
        self.typed: list[str] = []
        self.present: list[bool] = []
        self.quit = asyncio.Event()
        self.closed = False
        self.fault: Exception | None = None

    async def run(self) -> None:
        self.write("hello")
        await self.quit.wait()
        if self.fault is not None:
            raise self.fault

    def type(self, text: str) -> None:
        self.typed.append(text)

    def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    def set_user_present(self, *, present: bool) -> None:
        self.present.append(present)

    async def close(self) -> None:
        self.closed = True
        self.quit.set()


class Served:
    """A server of such screens, and a browser's cookie for it."""

    def __init__(self, server: ScreenServer, screens: list[Screen]) -> None:
        self.server = server
        self.screens = screens
        self.origin = f"http://127.0.0.1:{server.port}"
        self.cookie = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.get(self.origin + path, headers=headers)

    def look(
        self,
        origin: str | None = None,
        cookie: str | None = None,
        host: str | None = None,
        size: str = "width=100&height=30",
    ) -> connect:
        headers = {"Cookie": self.cookie if cookie is None else cookie}
        return connect(
            f"ws://{host or '127.0.0.1'}:{self.server.port}/socket?{size}",
            origin=origin or self.origin,  # type: ignore[arg-type] - a string of its own type
            additional_headers=headers,
            proxy=None,
        )


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    screens: list[Screen] = []

    def opened(write: Callable[[str], None], width: int, height: int) -> Screen:
        screens.append(Screen(write, width, height))
        return screens[-1]

    async with ScreenServer(opened) as server:
        run = Served(server, screens)
        entered = await run.get("/?" + server.url.partition("?")[2])
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        given = entered.headers["set-cookie"]
        assert "HttpOnly" in given
        assert server.url.rpartition("=")[2] not in given, "the cookie must not be the token"
        run.cookie = given.partition(";")[0]
        yield run


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_token_lets_in_and_nothing_else_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served() as run:
        token = run.server.url.rpartition("=")[2]
        assert (await run.get("/", Cookie=run.cookie)).status_code == 200
        name = run.cookie.partition("=")[0]
        for path, cookie in [
            ("/", ""),
            ("/", f"{name}=guess"),
            ("/?token=guess", run.cookie),
            ("/?token=", run.cookie),
        ]:
            answer = await run.get(path, Cookie=cookie)
            assert answer.status_code == 403, (path, cookie)
            assert "printed by jobdeck serve" in answer.text
            assert token not in answer.text
        assert (await run.get("/static/textual.js")).status_code == 403
        for name in ("textual.js", "xterm.css", "mono.ttf", "page.css", "page.js"):
            assert (await run.get(f"/static/{name}", Cookie=run.cookie)).status_code == 200, name
        for path in ("/static/..%2f..%2fserver.py", "/static/nothing", "/etc/passwd"):
            assert (await run.get(path, Cookie=run.cookie)).status_code == 404, path
        own = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
        assert not [record for record in own if token in record.getMessage()]


async def test_a_page_loads_nothing_from_elsewhere_and_cannot_be_framed() -> None:
    async with served() as run:
        answer = await run.get("/", Cookie=run.cookie)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.text.count("://") == 1, "only the socket's own address"
        assert f'"ws://127.0.0.1:{run.server.port}/socket"' in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1:{port}.evil.example"])
async def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    async with served() as run:
        answer = await run.get("/", Host=host.format(port=run.server.port), Cookie=run.cookie)
        assert answer.status_code == 421


async def test_a_socket_needs_the_cookie_and_our_own_origin() -> None:
    async with served() as run:
        refused = [
            {"cookie": ""},
            {"cookie": f"{run.cookie}x"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": run.origin.replace("http", "https")},
            {"host": "localhost", "origin": run.origin},
        ]
        for one in refused:
            with pytest.raises(InvalidStatus) as error:
                async with run.look(**one):
                    pass
            assert error.value.response.status_code == 403, one
        assert run.screens == []
        async with run.look() as socket:
            assert await socket.recv() == b"hello"
        async with run.look(host="localhost", origin=f"http://localhost:{run.server.port}") as socket:
            assert await socket.recv() == b"hello"


async def test_what_a_browser_sends_reaches_its_screen_and_nonsense_does_not() -> None:
    async with served() as run, run.look() as socket:
        assert await socket.recv() == b"hello"
        (screen,) = run.screens
        for message in (
            {"stdin": "no"},
            ["stdin", 3],
            ["stdin", "x" * 5_000],
            ["resize", {"width": 0, "height": 10}],
            ["resize", {"width": "9", "height": 10}],
            ["ping", "1"],
            ["unknown"],
            ["stdin", "j"],
            ["focus"],
            ["blur"],
            ["resize", {"width": 120, "height": 40}],
        ):
            await socket.send(json.dumps(message))
        await until(lambda: len(screen.sizes) == 2)
        assert screen.sizes == [(100, 30), (120, 40)]
        assert screen.typed == ["j"]
        assert screen.present == [True, False]
        screen.write("ü\x1b[31m")
        assert await socket.recv() == "ü\x1b[31m".encode()
        await socket.send("{ no json")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert screen.closed


async def test_a_page_that_is_loaded_again_keeps_its_place() -> None:
    async with served() as run:
        sockets: list[ClientConnection] = [await run.look() for _ in range(MOST_VIEWERS)]
        for socket_ in sockets:
            await socket_.recv()
        # The browser asks anew while the server has not yet heard that the old page is left.
        async with run.look() as again:
            await asyncio.sleep(0.05)
            await sockets[0].close()
            assert await again.recv() == b"hello"
        for socket_ in sockets[1:]:
            await socket_.close()


async def test_at_most_four_look_and_a_fifth_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PATIENCE_SECONDS", 0.05)
    async with served() as run:
        sockets: list[ClientConnection] = [await run.look() for _ in range(MOST_VIEWERS)]
        for socket_ in sockets:
            await socket_.recv()
        async with run.look() as fifth:
            said = await fifth.recv()
            assert b"4 browsers are already connected" in (said if isinstance(said, bytes) else b"")
            with pytest.raises(ConnectionClosed):
                await fifth.recv()
        assert len(run.screens) == MOST_VIEWERS
        await sockets[0].close()
        await until(lambda: run.server.site.viewers == MOST_VIEWERS - 1)
        async with run.look() as sixth:
            assert await sixth.recv() == b"hello"
        for socket_ in sockets[1:]:
            await socket_.close()


async def test_a_browser_that_reads_too_slowly_loses_its_view_and_holds_nobody_up() -> None:
    async with served() as run, run.look() as slow, run.look() as quick:
        assert await slow.recv() == b"hello"
        slow.transport.pause_reading()
        slow_screen, quick_screen = run.screens
        # What the kernel's buffers take comes off the lag; the rest must end the view instead of being kept.
        async with asyncio.timeout(100):
            while not slow_screen.closed:
                slow_screen.write("x" * (LONGEST_LAG // 4))
                await asyncio.sleep(0.001)
        assert await quick.recv() == b"hello"
        quick_screen.write("still here")
        assert await quick.recv() == b"still here"
        slow.transport.abort()


async def test_a_screen_that_fails_ends_its_own_view_only() -> None:
    async with served() as run, run.look() as one, run.look() as other:
        await one.recv()
        await other.recv()
        run.screens[0].fault = RuntimeError("the screen fell over")
        run.screens[0].quit.set()
        with pytest.raises(ConnectionClosed) as closed:
            await one.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "")
        run.screens[1].write("on")
        assert await other.recv() == b"on"


async def test_the_server_listens_on_loopback_alone_and_a_taken_port_is_told() -> None:
    async with served() as run:
        assert run.server._listening.getsockname() == ("127.0.0.1", run.server.port)
        with pytest.raises(OSError, match=r"(?i)in use"):
            ScreenServer(Screen, run.server.port)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", run.server.port)) != 0, "the port is free when the server has ended"


async def test_ending_closes_each_view_and_leaves_neither_task_nor_connection() -> None:
    before = asyncio.all_tasks()
    with socket.socket() as idle:
        idle.setblocking(False)
        async with served() as run:
            await asyncio.get_running_loop().sock_connect(idle, ("127.0.0.1", run.server.port))
            looking, slow = await run.look(), await run.look()
            assert await looking.recv() == b"hello"
            assert await slow.recv() == b"hello"
            slow.transport.pause_reading()
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 10.0
        assert (len(run.server.connections), run.server.site.viewers) == (0, 0)
        assert [screen.closed for screen in run.screens] == [True, True]
        with pytest.raises(ConnectionClosed):
            await looking.recv()
        slow.transport.abort()
        await slow.wait_closed()
        await until(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize(("method", "path"), [("POST", "/"), ("PUT", "/static/page.css"), ("GET", "/socket")])
async def test_what_is_no_page_is_not_found_or_not_let_in(method: str, path: str) -> None:
    async with served() as run, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(
            method, run.origin + path, headers={"Cookie": run.cookie, "Origin": run.origin}, content=b"x"
        )
        assert answer.status_code == 404
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        head = await client.head(run.origin, headers={"Cookie": run.cookie})
        assert (head.status_code, head.content) == (200, b"")
