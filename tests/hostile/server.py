"""A server of raw bytes that plays both APIs: every job is called like the answer it gets."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from tests.hostile.answers import BY_NAME, Ask, Hostile, whole

GROUP = "group1"
DRIP_SECONDS = 0.02


def path_pieces(request: bytes) -> list[str]:
    path = request.split()[1].decode().partition("?")[0]
    return [unquote(piece) for piece in path.strip("/").split("/")]


class HostileServer:
    """Serves in a thread and a loop of its own.

    The job NAME gets the hostile answer of that name, NAME.later gets it from its second request on, after a good
    one; all others are well. `requests` are the raw heads of all requests.
    """

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.asked: Counter[tuple[str, str]] = Counter()
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._never = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hostile server", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1_024))
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            await self._answer(request, writer)
        writer.close()

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        pieces = path_pieces(request)
        provider = "sonarly" if "accounts" in pieces else "thehog"
        if pieces[-1] in {"operations", "search", "prospecting", "accounts"}:
            writer.write(whole(json.dumps({"success": True, "data": {"items": []}} if provider == "sonarly" else [])))
            return
        id_ = pieces[-1]
        ask = Ask("sonarly" if provider == "sonarly" else "thehog", id_, self.asked[provider, id_])
        self.asked[provider, id_] += 1
        name, _, when = id_.partition(".")
        hostile = BY_NAME.get(name)
        if hostile is None or (when == "later" and not ask.times):
            writer.write(whole(ask.text(status=hostile.before if hostile else "processing", result={"a": 1})))
            await writer.drain()
            return
        await self._be_hostile(hostile, ask, writer)

    async def _be_hostile(self, hostile: Hostile, ask: Ask, writer: asyncio.StreamWriter) -> None:
        made = hostile.make(ask)
        if isinstance(made, bytes):
            writer.write(made)
            await writer.drain()
            return
        assert isinstance(made, AsyncIterator)
        async for part in made:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS if hostile.slow else 0)
        # What is to come never comes.
        await self._never.wait()
