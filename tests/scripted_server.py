"""A server on loopback that plays an API of one's own: scripted answers by path, the last one again and again."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from jobdeck.simulator.http_server import Connection, HttpServer, Request, bind


@dataclass(frozen=True)
class Say:
    """One answer; bytes go as they are, all else as JSON."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """What is answered by path (with its prefix), and what was asked."""

    script: dict[str, list[Say]]
    url: str = ""
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, request: Request, connection: Connection) -> None:
        self.requests.append(request)
        answers = self.script.get(request.raw_path, [Say({"message": "Not Found"}, 404)])
        say = answers.pop(0) if len(answers) > 1 else answers[0]
        raw = isinstance(say.body, bytes)
        body = say.body if isinstance(say.body, bytes) else json.dumps(say.body).encode()
        headers = {**({} if raw else {"Content-Type": "application/json"}), "Content-Length": str(len(body))}
        await connection.begin(say.status, (headers | dict(say.headers)).items())
        await connection.write(body)
        await connection.end()

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.raw_path == path]


@asynccontextmanager
async def scripted(script: Mapping[str, Sequence[Say]]) -> AsyncIterator[Scripted]:
    """Serve in this event loop."""
    app = Scripted({path: list(answers) for path, answers in script.items()})
    listening = bind("127.0.0.1", 0)
    app.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = HttpServer(app)
    server.open(listening)
    try:
        yield app
    finally:
        await server.close()


@contextmanager
def scripted_apart(script: Mapping[str, Sequence[Say]]) -> Iterator[Scripted]:
    """Serve in a thread of its own, for a command that has this one."""
    ready: list[Scripted] = []
    told, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with scripted(script) as app:
            ready.append(app)
            told.set()
            await asyncio.get_running_loop().run_in_executor(None, ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert told.wait(10)
    try:
        yield ready[0]
    finally:
        ended.set()
        thread.join(10)
