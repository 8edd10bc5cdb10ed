"""Answers as ``curl -i`` saves them."""

import pytest

from jobdeck.http.http_head import Head, read_head


@pytest.mark.parametrize(
    ("data", "status", "headers", "body"),
    [
        (b"HTTP/1.1 202 Accepted\r\nLocation: /jobs/1\r\n\r\n{}", 202, {"location": "/jobs/1"}, b"{}"),
        (b"HTTP/2 202 \r\nx-request-id: r-1\r\n\r\n", 202, {"x-request-id": "r-1"}, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\nA: b\n\nrest", 201, {"a": "b"}, b"rest"),
        (b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/2 200\r\nA: 1\r\nA: 2\r\n\r\n[]", 200, {"a": "2"}, b"[]"),
        (b"HTTP/2 302\nLocation: /x\n\nHTTP/2 200\nA: b\n\n{}", 200, {"a": "b"}, b"{}"),
        (b"HTTP/2 202\nA: b\n\nHTTP/2 202\nA: c\n\n", 202, {"a": "b"}, b"HTTP/2 202\nA: c\n\n"),
        (b"HTTP/1.1 204 No Content", 204, {}, b""),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", 200, {}, b"no header\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nLatin: caf\xe9\r\n\r\n", 200, {"latin": "caf\xe9"}, b""),
    ],
)
def test_a_head_is_taken_off(data: bytes, status: int, headers: dict[str, str], body: bytes) -> None:
    found = read_head(data)
    assert found is not None
    assert found[0] == Head(status, headers)
    assert data[found[1] :] == body


@pytest.mark.parametrize("data", [b"", b"{}", b"HTTP", b"HTTP/1.1 2", b"HTTPS/1.1 200 OK", b"\nHTTP/1.1 200 OK"])
def test_what_begins_otherwise_has_none(data: bytes) -> None:
    assert read_head(data) is None


def test_a_head_without_an_end_is_cut() -> None:
    found = read_head(b"HTTP/1.1 200 OK\r\n" + b"".join(b"H%d: x\r\n" % number for number in range(1_000)))
    assert found is not None
    assert len(found[0].headers) <= 200
