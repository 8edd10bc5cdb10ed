"""A server on loopback that plays an API of one's own: scripted answers by path, the last one again and again."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from jobdeck.simulator.listening import Listener, bind


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        self.requests.append(request)
        answers = self.script.get(scope["raw_path"].decode(), [Say({"message": "Not Found"}, 404)])
        say = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(say.body, bytes):
            response: Response = Response(say.body, say.status, dict(say.headers))
        else:
            response = JSONResponse(say.body, say.status, dict(say.headers))
        await response(scope, receive, send)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.scope["raw_path"].decode() == path]


@asynccontextmanager
async def scripted(script: Mapping[str, Sequence[Say]]) -> AsyncIterator[Scripted]:
    """Serve in this event loop."""
    app = Scripted({path: list(answers) for path, answers in script.items()})
    listening = bind("127.0.0.1", 0)
    app.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    listener = Listener(app, lambda: None)
    await listener.open(listening)
    try:
        yield app
    finally:
        await listener.close()


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
