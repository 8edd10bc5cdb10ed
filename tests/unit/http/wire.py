"""A real server on loopback that answers scripted bytes and keeps the bytes it was sent."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from jobdeck.apis.client import ApiClient
from jobdeck.apis.profile import Profile
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, Target
from jobdeck.http.credentials import Credentials, Secret
from tests.builders import make_profile
from tests.support.clocks import SteppingClock

ACCESS, SECRET, TOKEN = "ak_canaryACCESS0123456789", "sk_canarySECRET/+0123456789", "sk_live_canaryTOKEN0123456789"
NOON_US = 1_777_377_600_000_000
"""2026-04-28T12:00:00Z, when every test happens."""

NOON = Instant(NOON_US, 100.0)

NOON_DATE = "Tue, 28 Apr 2026 12:00:00 GMT"


@dataclass
class Wire:
    """The port, and what was sent to it. `answers` are used in turn, the last one again and again."""

    answers: list[bytes]
    port: int = 0
    stall: bool = False
    drip: float = 0.0
    keep: bool = False
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                self.requests.append(head + (await reader.readexactly(int(length[1])) if length else b""))
                await self._answer(writer)
                if self.stall:
                    await reader.read()
                    self.left.set()
                if not self.keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.left.set()
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not self.drip:
            writer.write(answer)
        else:
            for index in range(len(answer)):
                writer.write(answer[index : index + 1])
                await writer.drain()
                await asyncio.sleep(self.drip)
        await writer.drain()


@asynccontextmanager
async def serve(
    *answers: bytes, stall: bool = False, drip: float = 0.0, keep: bool = False, on: str = "127.0.0.1"
) -> AsyncIterator[Wire]:
    wire = Wire(list(answers), stall=stall, drip=drip, keep=keep)
    server = await asyncio.start_server(wire.handle, on, 0, limit=2**20)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()


def answer(body: object = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """Return an HTTP answer; what is not bytes goes as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"HTTP/1.1 {status} Word\r\nContent-Length: {len(raw)}\r\n{lines}\r\n".encode() + raw


def bearer(token: str = TOKEN) -> Credentials:
    return Credentials({"token": Secret(token)}, {"Authorization": "Bearer {token}"})


def access_keys(access_key: str = ACCESS, secret_key: str = SECRET) -> Credentials:
    secrets = {"access_key": Secret(access_key), "secret_key": Secret(secret_key)}
    return Credentials(secrets, {"X-Access-Key": "{access_key}", "X-Secret-Key": "{secret_key}"})


def credentials_for(provider: str) -> Credentials:
    return bearer() if provider == "sonarly" else access_keys()


def profile_at(base_url: str, provider: str = "thehog", credentials: Credentials | None = None) -> Profile:
    return make_profile(
        "hog" if provider == "thehog" else "sonarly",
        provider,
        base_url=base_url,
        credentials=credentials or credentials_for(provider),
        variables={"account_group": "group1"} if provider == "sonarly" else None,
    )


@asynccontextmanager
async def the_hog(base_url: str, deadline: float = 60.0) -> AsyncIterator[ApiClient]:
    client = ApiClient(profile_at(base_url), SteppingClock(NOON), deadline=deadline)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def sonarly(base_url: str, deadline: float = 60.0) -> AsyncIterator[ApiClient]:
    client = ApiClient(profile_at(base_url, "sonarly"), SteppingClock(NOON), deadline=deadline)
    try:
        yield client
    finally:
        await client.aclose()


def hog_target(job_id: str, resource: str = "operation") -> Target:
    return Target(JobKey("hog", None, job_id), "thehog", resource)


def sonarly_target(job_id: str, group: str = "group1") -> Target:
    return Target(JobKey("sonarly", group, job_id), "sonarly", "prospecting")
