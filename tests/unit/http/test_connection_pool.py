"""The connections of one profile: used again while they can be, and closed once nobody can use them."""

import asyncio

import httpx

from jobdeck.http.transport import open_transport
from tests.unit.http.wire import answer, hog_target, profile_at, serve, the_hog

GOOD = {"id": "op_1", "status": "queued"}


async def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(GOOD))

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server, the_hog(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as hog:
        for number in range(3):
            assert (await hog.poll(hog_target("op_1"))).problem is None
            assert len(connections) == number + 1
            connections[-1].close()
            await connections[-1].wait_closed()


async def test_one_whose_response_was_not_read_to_its_end_is_closed() -> None:
    async with serve(answer(b"x" * 10_000_000), answer(GOOD), keep=True) as wire:
        transport = open_transport(profile_at(wire.base_url).http, None)
        for _ in range(2):
            response = await transport.handle_async_request(httpx.Request("GET", wire.base_url))
            await response.aclose()
            await response.aclose()
        await transport.aclose()
    assert wire.connections == 2


async def test_those_in_use_are_closed_with_the_rest() -> None:
    async with serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", stall=True) as wire:
        transport = open_transport(profile_at(wire.base_url).http, None)
        response = await transport.handle_async_request(httpx.Request("GET", wire.base_url))
        await transport.aclose()
        await asyncio.wait_for(wire.left.wait(), 5)
        await response.aclose()
