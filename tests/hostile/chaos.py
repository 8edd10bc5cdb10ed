"""A proxy that spoils what passes: it stands between the client and a server that is well."""

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_PAGE = b"<html><h1>502 Bad Gateway</h1></html>"


class Fate(StrEnum):
    """What happens to one request."""

    PASS = "pass"
    DELAY = "delay"
    RESET_BEFORE = "reset before the answer"
    RESET_MIDDLE = "reset in the middle of the body"
    HALF_OPEN = "no response, and no end"
    CLOSED_EARLY = "the body ends early"
    CUT = "half of the body as though it were the whole"
    ERROR = "500"
    GATEWAY = "a page of a gateway"


STORM: Mapping[Fate, float] = {
    Fate.PASS: 0.30,
    Fate.DELAY: 0.10,
    Fate.RESET_BEFORE: 0.12,
    Fate.RESET_MIDDLE: 0.12,
    Fate.HALF_OPEN: 0.01,
    Fate.CLOSED_EARLY: 0.10,
    Fate.CUT: 0.10,
    Fate.ERROR: 0.10,
    Fate.GATEWAY: 0.05,
}
CALM: Mapping[Fate, float] = {Fate.PASS: 1.0}
DARK: Mapping[Fate, float] = {Fate.RESET_BEFORE: 0.5, Fate.ERROR: 0.4, Fate.CLOSED_EARLY: 0.1}


class ChaosProxy:
    """Passes requests on to ``127.0.0.1:upstream``, each with a fate drawn by the weights in `weather`.

    `fates` counts them. Set `weather` at any time; `heal` also lets go of connections that were left half open.
    """

    def __init__(self, upstream: int, weather: Mapping[Fate, float] = STORM, seed: int = 1) -> None:
        self.weather = weather
        self.fates: Counter[Fate] = Counter()
        self.delay = 0.02
        self._upstream = upstream
        self._dice = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._healed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1_024)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def heal(self) -> None:
        """Pass everything on from now on."""
        self.weather = CALM
        self._healed.set()
        self._healed = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            while await self._pass_one(reader, writer, *upstream):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The task is ours alone: whoever cancels it only wants it to end.
            pass
        finally:
            for stream in (writer, upstream[1]):
                with suppress(OSError):
                    stream.close()
            self._tasks.discard(task)

    async def _pass_one(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
    ) -> bool:
        """Take one request to its fate; returns whether the connection lives on."""
        asked = await reader.readuntil(b"\r\n\r\n")
        (fate,) = self._dice.choices(list(self.weather), list(self.weather.values()))
        self.fates[fate] += 1
        match fate:
            case Fate.RESET_BEFORE:
                return _reset(writer)
            case Fate.HALF_OPEN:
                await self._healed.wait()
                return _reset(writer)
            case Fate.ERROR:
                return await _say(writer, 500, b'{"message": "no"}', b"application/json")
            case Fate.GATEWAY:
                return await _say(writer, 502, _PAGE, b"text/html")
            case Fate.DELAY:
                await asyncio.sleep(self._dice.uniform(0.0, self.delay))
        requests.write(asked)
        head = await answers.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        assert found is not None, head
        body = await answers.readexactly(int(found[1]))
        half = body[: len(body) // 2]
        match fate:
            case Fate.RESET_MIDDLE:
                writer.write(head + half)
                await asyncio.sleep(0)
                return _reset(writer)
            case Fate.CLOSED_EARLY:
                writer.write(head + half)
                await writer.drain()
                return False
            case Fate.CUT:
                writer.write(_LENGTH.sub(b"\r\ncontent-length: %d" % len(half), head) + half)
            case _:
                writer.write(head + body)
        await writer.drain()
        return b"\r\nconnection: close" not in head.lower()


def _reset(writer: asyncio.StreamWriter) -> bool:
    """End a connection with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def _say(writer: asyncio.StreamWriter, status: int, body: bytes, kind: bytes) -> bool:
    head = b"HTTP/1.1 %d No\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
    writer.write(head + body)
    await writer.drain()
    return True
