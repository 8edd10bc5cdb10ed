import asyncio
import gc
import logging
import signal
import socket
import subprocess
import sys
import time
import warnings

import httpx
import pytest

from jobdeck.simulator.demo import demo_scenario, demo_targets
from jobdeck.simulator.http_server import MAX_BODY
from jobdeck.simulator.scenario import Api, Fault, FaultKind, JobScript, Scenario
from jobdeck.simulator.server import SimulatorServer, ThreadedSimulator
from tests.simulator_fixture import BEARER, client_of, playing

ONE = Scenario(jobs=(JobScript(id="op_a", duration=100.0),))
PATH = "/api/operations/op_a"


async def test_the_log_tells_what_was_asked_but_no_header_s_value() -> None:
    async with playing(ONE) as play:
        play.clock.advance(3.0)
        response = await play.client.get("/api/operations?limit=5", headers={"X-Project-Id": "proj_canary"})
        (record,) = play.server.requests
        assert (record.at, record.api, record.method, record.endpoint) == (3.0, "thehog", "GET", "list")
        assert (record.path, record.query, record.status) == ("/api/operations", "limit=5", 200)
        assert record.request_id == response.headers["X-Request-Id"]
        assert {"authorization", "x-project-id"} <= record.header_names
        assert "canary" not in repr(record)
        assert "sk_live_test" not in repr(record)


async def test_every_answer_is_dated_by_the_injected_clock() -> None:
    async with playing(ONE) as play:
        assert (await play.get(PATH)).headers["Date"] == "Sun, 15 Jun 2025 15:06:40 GMT"


async def test_a_server_can_be_killed_and_revived_on_its_port() -> None:
    async with playing(ONE) as play:
        port = play.server.port
        assert (await play.get(PATH)).json()["progress"] == 0
        await play.server.stop()
        await play.server.stop()
        with pytest.raises(httpx.ConnectError):
            await play.get(PATH)
        play.clock.advance(50.0)
        await play.server.start()
        await play.server.start()
        assert play.server.port == port
        assert (await play.get(PATH)).json()["progress"] == 50
        assert len(play.server.requests) == 2


async def test_stopping_cuts_off_an_answer_under_way() -> None:
    asked = asyncio.Event()

    async def hang(seconds: float) -> None:
        asked.set()
        await asyncio.sleep(seconds)

    scenario = Scenario(jobs=ONE.jobs, faults=(Fault(FaultKind.DELAY, seconds=3600.0),))
    async with SimulatorServer(scenario, sleep=hang) as server, client_of(server.url, BEARER) as client:
        answer = asyncio.create_task(client.get(PATH))
        await asked.wait()
        began = time.monotonic()
        await server.stop()
        with pytest.raises(httpx.HTTPError):
            await answer
        assert time.monotonic() - began < 60.0, "the hour that the answer takes was not waited for"
        assert server.stats.in_flight == 0


async def test_a_paused_server_answers_after_the_pause_even_over_a_restart() -> None:
    async with playing(ONE) as play:
        play.server.pause()
        with pytest.raises(httpx.ReadTimeout):
            await play.client.get(PATH, timeout=0.05)
        await play.server.stop()
        await play.server.start()
        answer = asyncio.create_task(play.get(PATH))
        done, _ = await asyncio.wait({answer}, timeout=0.05)
        assert not done
        play.server.resume()
        assert (await answer).status_code == 200


async def test_a_client_that_goes_away_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    scenario = Scenario(jobs=ONE.jobs, faults=(Fault(FaultKind.HUGE, size=64_000_000),))
    with caplog.at_level(logging.DEBUG):
        async with playing(scenario) as play:
            async with play.client.stream("GET", PATH) as response:
                await anext(response.aiter_raw())
            async with asyncio.timeout(100):
                while play.server.stats.in_flight:
                    await asyncio.sleep(0.005)
    assert [record for record in caplog.records if record.name.startswith("jobdeck")] == []


async def test_bytes_that_are_no_http_harm_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    async with playing(ONE) as play:
        reader, writer = await asyncio.open_connection("127.0.0.1", play.server.port)
        writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        assert (await play.get(PATH)).status_code == 200
    assert capfd.readouterr() == ("", "")


async def test_the_process_s_signals_and_logging_stay_as_they_are() -> None:
    loggers = [logging.getLogger(name) for name in ("", "asyncio")]

    def state() -> list[object]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return [*handlers, *[(list(log.handlers), log.level, log.propagate) for log in loggers]]

    before = state()
    async with playing(ONE) as play:
        await play.get(PATH)
        assert state() == before
    assert state() == before


async def test_it_starts_and_stops_in_no_time() -> None:
    scenario = demo_scenario(2_000)
    began = time.process_time()
    async with SimulatorServer(scenario):
        started = time.process_time()
    assert started - began < 0.5
    assert time.process_time() - started < 0.5


async def test_only_loopback_is_served_and_a_taken_port_is_an_error() -> None:
    with pytest.raises(ValueError, match="loopback only, not on"):
        await SimulatorServer(ONE, host="0.0.0.0").start()
    async with SimulatorServer(ONE) as server:
        assert server.url.startswith("http://127.0.0.1:")
        with pytest.raises(OSError, match="in use"):
            await SimulatorServer(ONE, server.port).start()


def test_what_was_never_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="never started"):
        _ = SimulatorServer(ONE).requests


async def test_every_job_of_the_demo_answers_at_its_target() -> None:
    scenario = demo_scenario(60)
    async with playing(scenario) as play:
        for job, target in zip(scenario.jobs, demo_targets(scenario), strict=True):
            answer = await play.get(target if target.startswith("/") else f"/api/operations/{target}")
            assert answer.status_code == 200
            assert ("traceId" in answer.json()) == (job.api is Api.SONARLY)


def test_in_a_thread_it_can_be_paused_killed_and_revived_too() -> None:
    with (
        ThreadedSimulator(ONE) as simulator,
        httpx.Client(base_url=simulator.url, headers=BEARER, trust_env=False, verify=False) as client,
    ):
        assert client.get(PATH).status_code == 200
        simulator.pause()
        with pytest.raises(httpx.ReadTimeout):
            client.get(PATH, timeout=0.05)
        simulator.resume()
        assert client.get(PATH).status_code == 200
        simulator.stop()
        with pytest.raises(httpx.ConnectError):
            client.get(PATH)
        with pytest.raises(RuntimeError, match="not running"):
            simulator.pause()
        simulator.start()
        assert client.get(PATH).status_code == 200
        assert simulator.stats.requests == len(simulator.requests)
        assert simulator.jobs.find(Api.THEHOG, "op_a") is not None


def test_a_thread_that_cannot_listen_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        simulator = ThreadedSimulator(ONE, taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            simulator.start()
        simulator.stop()


SERVE = """
from jobdeck.simulator.scenario import JobScript, Scenario
from jobdeck.simulator.server import serve_forever
number = serve_forever(Scenario(jobs=(JobScript(id="op_a"),)), on_ready=lambda url: print(url, flush=True))
print(number.name)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_alone_it_serves_until_a_signal_and_says_which(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}{PATH}", headers=BEARER, trust_env=False, verify=False).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=150)
    assert (out.strip(), err, process.returncode) == (number.name, "", 0)


async def test_a_server_that_stops_while_it_accepts_leaves_no_connection_open() -> None:
    """A client whose connection is being accepted when the server stops is disconnected, and its socket closed."""
    server = SimulatorServer(ONE)
    await server.start()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        for rounds_until_stop in (0, 1, 2) * 5:
            # The kernel takes these connections; the loop has not yet had a round in which to accept them.
            clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
            for _ in range(rounds_until_stop):
                await asyncio.sleep(0)
            await server.stop()
            await server.start()
            for client in clients:
                client.close()
        await server.stop()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def exchange(port: int, *pieces: bytes, half_close: bool = False) -> bytes:
    """Send the pieces over one connection, and return all that comes back until the server ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.writelines(pieces)
    if half_close:
        writer.write_eof()
    try:
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()


def head(method: str, path: str, *lines: str) -> bytes:
    """A request's head for The Hog."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", "Authorization: Bearer t", *lines, "", "")).encode()


async def test_pipelined_requests_are_answered_in_order_over_one_connection() -> None:
    async with playing(ONE) as play:
        answers = await exchange(
            play.server.port,
            head("GET", "/api/operations/op_a"),
            head("HEAD", "/api/operations/op_a"),
            head("GET", "/api/operations/op_b", "Connection: close"),
        )
        first, headers_only, last = answers.split(b"HTTP/1.1 ")[1:]
        assert [first[:3], headers_only[:3], last[:3]] == [b"200", b"200", b"404"]
        assert first.endswith(b"}")
        assert headers_only.endswith(b"\r\n\r\n")
        assert b"op_b" in last
        assert play.server.stats.connections == 1


async def test_a_body_may_come_in_chunks_and_the_client_may_wait_to_be_asked_for_it() -> None:
    async with playing(ONE) as play:
        answers = await exchange(
            play.server.port,
            head(
                "POST", "/api/deep-research", "Transfer-Encoding: chunked", "Expect: 100-continue", "Connection: close"
            ),
            b'd\r\n{"prompt": "w\r\n',
            b'5\r\nhy?"}\r\n0\r\n\r\n',
        )
        assert b" 202 " in answers
        (job,) = [state.script for state in play.server.jobs.states(Api.THEHOG) if state.script.id != "op_a"]
        assert job.query == "why?"


@pytest.mark.parametrize("framing", ["Content-Length: 3000000", "Transfer-Encoding: chunked"])
async def test_a_body_that_is_too_large_is_refused_before_it_has_all_come(framing: str) -> None:
    async with playing(ONE) as play:
        # Not a byte more: what is not read when the server closes would reset the connection.
        piece = b"x" * (MAX_BODY + 1)
        body = piece if "Length" in framing else b"%x\r\n%b" % (len(piece) + 1_000, piece)
        answer = await exchange(play.server.port, head("POST", "/api/enrichments", framing), body)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert play.server.requests == ()
        assert (await play.get(PATH)).status_code == 200


async def test_a_client_that_sends_nothing_more_still_gets_its_whole_answer() -> None:
    """What `printf … | nc` does: its side of the connection ends with the request."""
    slow = Scenario(jobs=ONE.jobs, faults=(Fault(FaultKind.DRIP, seconds=0.001),))
    async with SimulatorServer(slow) as server:
        whole = await exchange(server.port, head("GET", PATH), half_close=True)
        assert whole.startswith(b"HTTP/1.1 200 ")
        assert whole.endswith(b"}")


@pytest.mark.posix
def test_without_a_free_file_descriptor_it_waits_for_one() -> None:
    """The connection is served once one is free; meanwhile the process neither writes nor works."""
    with subprocess.Popen(
        [sys.executable, "-c", NO_DESCRIPTOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(60)
            client.sendall(head("GET", PATH, "Connection: close"))
            process.stdin.write("\n")
            process.stdin.flush()
            assert float(process.stdout.readline()) < 0.5, "seconds of CPU while there was none"
            assert client.recv(12) == b"HTTP/1.1 200"
        assert process.communicate(timeout=60)[1] == ""


NO_DESCRIPTOR = """
import asyncio, os, resource, sys, time
from jobdeck.simulator.scenario import JobScript, Scenario
from jobdeck.simulator.server import SimulatorServer

async def main():
    async with SimulatorServer(Scenario(jobs=(JobScript(id="op_a"),))) as server:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        taken = []
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        print(server.port, flush=True)
        sys.stdin.readline()
        began = time.process_time()
        await asyncio.sleep(1.0)
        print(time.process_time() - began, flush=True)
        for one in taken:
            os.close(one)
        while server.stats.in_flight or not server.stats.requests:
            await asyncio.sleep(0.01)

asyncio.run(main())
"""
