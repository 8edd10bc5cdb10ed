"""The simulator as a server: in the caller's event loop, in a thread, or alone until a signal ends it."""

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from jobdeck.simulator.http_server import HttpServer, bind
from jobdeck.simulator.lifecycle import Clock, SimulatedJobs
from jobdeck.simulator.scenario import Scenario
from jobdeck.simulator.simulation import RequestHandler, RequestRecord, Simulation, Sleep, Stats


class SimulatorServer:
    """Serves `scenario` over HTTP on a loopback address, from `start` (or `async with`) until `stop`.

    Port 0 selects a free port, which stays the same after a stop and a start. `clock` returns real epoch seconds and
    must not go back; `sleep` waits real seconds. Simulated time starts with the first `start` and goes on while
    stopped. `start` raises OSError if the port is taken, and ValueError for a host that is not loopback.
    """

    def __init__(
        self,
        scenario: Scenario,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.scenario = scenario
        self.host = host
        self.port = port
        self._clock = clock or steady_clock()
        self._sleep = sleep
        self._paused = False
        self._running = asyncio.Event()
        self._simulation: Simulation | None = None
        self._http: HttpServer | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before; does nothing if listening already."""
        if self._http is not None:
            return
        listening = bind(self.host, self.port)
        self.port = listening.getsockname()[1]
        if self._simulation is None:
            self._simulation = Simulation(self.scenario, self._clock)
        # An event belongs to the loop that first waited for it, and a later start may be in another loop.
        self._running = asyncio.Event()
        if not self._paused:
            self._running.set()
        handler = RequestHandler(self._simulation, self._running, self._clock, self._sleep)
        self._http = HttpServer(handler, self._count_connection)
        self._http.open(listening)

    async def stop(self) -> None:
        """Refuse new connections and drop the open ones, even during a response; harmless when stopped."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def pause(self) -> None:
        """Keep accepting connections and requests, but answer none until `resume`."""
        self._paused = True
        self._running.clear()

    def resume(self) -> None:
        """Answer again, waiting requests first."""
        self._paused = False
        self._running.set()

    @property
    def url(self) -> str:
        """The base URL of both APIs, without a slash at the end."""
        return f"http://{'127.0.0.1' if self.host == 'localhost' else self.host}:{self.port}"

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The last 100,000 requests, oldest first."""
        return tuple(self._started.log)

    @property
    def stats(self) -> Stats:
        """The running counts."""
        return self._started.stats

    @property
    def jobs(self) -> SimulatedJobs:
        """The jobs, to compare with what a client shows."""
        return self._started.jobs

    @property
    def _started(self) -> Simulation:
        if self._simulation is None:
            raise RuntimeError("the simulator was never started")
        return self._simulation

    def _count_connection(self) -> None:
        self.stats.connections += 1


def steady_clock() -> Clock:
    """Return a clock of epoch seconds that ignores changes of the system's clock."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


def serve_forever(
    scenario: Scenario,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[str], object] = lambda url: None,
) -> signal.Signals:
    """Serve until SIGINT or SIGTERM, and return that signal; call it from the main thread.

    `on_ready` is called once with the base URL when connections are accepted. Raises OSError if the port is taken,
    ValueError for a host that is not loopback.
    """
    return asyncio.run(_serve(scenario, host, port, on_ready))


async def _serve(scenario: Scenario, host: str, port: int, on_ready: Callable[[str], object]) -> signal.Signals:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[signal.Signals] = loop.create_future()

    def stop(number: signal.Signals) -> None:
        if not stopped.done():
            stopped.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            continue
        if sys.platform == "win32":  # there an event loop takes no signals
            signal.signal(number, lambda got, _: loop.call_soon_threadsafe(stop, signal.Signals(got)))
        else:
            loop.add_signal_handler(number, stop, number)
    async with SimulatorServer(scenario, port, host=host) as server:
        on_ready(server.url)
        return await stopped


_THREAD_SECONDS = 5.0
"""Most seconds to wait for the thread to start or end."""


class ThreadedSimulator:
    """A `SimulatorServer` in a thread, for callers without an event loop, or with one that may be blocked.

    `start` returns when connections are accepted, and raises what `SimulatorServer.start` raises; `stop` returns when
    the thread has ended. The thread is a daemon: a crash of the program never waits for it.

    The demo uses it. A server in the screen's own loop would delay the screen no more (0.12 ms at p50, 1.2-1.6 ms at
    p99 in both cases), but could not answer while the loop is blocked by a terminal that does not read.
    """

    def __init__(self, scenario: Scenario, port: int = 0, *, clock: Clock | None = None) -> None:
        self._server = SimulatorServer(scenario, port, clock=clock)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested: asyncio.Event | None = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Listen, on the same port as before; does nothing if listening already."""
        if self._thread is not None:
            return
        ready: Future[None] = Future()
        thread = threading.Thread(target=self._run, args=(ready,), name="jobdeck-simulator", daemon=True)
        thread.start()
        ready.result(_THREAD_SECONDS)
        self._thread = thread

    def stop(self) -> None:
        """Drop every connection and end the thread; harmless when stopped."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stop_requested is not None:
            self._loop.call_soon_threadsafe(self._stop_requested.set)
        thread.join(_THREAD_SECONDS)

    def pause(self) -> None:
        """Keep accepting requests, but answer none until `resume`."""
        self._call(pause=True)

    def resume(self) -> None:
        """Answer again, waiting requests first."""
        self._call(pause=False)

    @property
    def port(self) -> int:
        """The port; 0 before the first start if none was given."""
        return self._server.port

    @property
    def url(self) -> str:
        """The base URL of both APIs, without a slash at the end."""
        return self._server.url

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The requests so far, oldest first."""
        return self._server.requests

    @property
    def stats(self) -> Stats:
        """The running counts, which the other thread keeps updating."""
        return self._server.stats

    @property
    def jobs(self) -> SimulatedJobs:
        """The jobs, to compare with what a client shows."""
        return self._server.jobs

    def _call(self, *, pause: bool) -> None:
        if self._loop is None or self._thread is None:
            raise RuntimeError("the simulator is not running")
        self._loop.call_soon_threadsafe(self._server.pause if pause else self._server.resume)

    def _run(self, ready: Future[None]) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: Future[None]) -> None:
        self._loop, self._stop_requested = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self._server.start()
        except (OSError, ValueError) as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        await self._stop_requested.wait()
        await self._server.stop()
