"""Rule 12: verified TLS, one client without memory a profile, and an environment that is named when it is at fault."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from jobdeck.domain.problem import ProblemKind
from jobdeck.http import transport
from jobdeck.http.transport import TransportError, choose_proxy, tls_context
from tests.engine.running import until
from tests.unit.http.wire import SECRET, Wire, answer, hog_target, profile_at, serve, the_hog

GOOD = {"id": "op_1", "status": "queued"}
REMOTE = profile_at("https://api.example")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "all_proxy", "no_proxy", "http_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that nobody has signed, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += [
        "-subj",
        "/CN=test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-out",
        str(certificate),
        "-keyout",
        str(key),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


async def poll_over_tls(certificate: tuple[Path, Path]) -> tuple[Wire, str | None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    wire = Wire([answer(GOOD)])
    server = await asyncio.start_server(wire.handle, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        async with the_hog(f"https://127.0.0.1:{port}") as hog:
            reply = await hog.poll(hog_target("op_1"))
    finally:
        server.close()
    return wire, reply.problem.message if reply.problem else None


async def test_a_certificate_nobody_vouches_for_is_refused_and_no_key_sent(certificate: tuple[Path, Path]) -> None:
    wire, message = await poll_over_tls(certificate)
    assert wire.requests == []
    assert message is not None
    assert "certificate verification failed: self" in message


async def test_a_certificate_in_ssl_cert_file_is_accepted(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    wire, message = await poll_over_tls(certificate)
    assert message is None
    assert f"X-Secret-Key: {SECRET}".encode() in wire.requests[0]


async def test_no_session_key_is_logged(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert tls_context().keylog_filename is None
    _, message = await poll_over_tls(certificate)
    assert message is None
    assert not log.exists()


def test_the_context_verifies_names_and_certificates() -> None:
    context = tls_context({})
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_certificates_that_cannot_be_read_are_named(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "missing\x1b[2J"))
    async with the_hog("https://127.0.0.1:1") as hog:
        problem = (await hog.poll(hog_target("op_1"))).problem
    assert problem is not None
    assert problem.kind is ProblemKind.NETWORK
    assert problem.message.startswith(f"{variable}={tmp_path}/missing\\x1b[2J cannot be read: ")


def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(TransportError, match=r"SSL_CERT_FILE=.* cannot be read"):
        tls_context({"SSL_CERT_FILE": str(empty)})


@pytest.mark.parametrize(
    ("env", "variable"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "HTTPS_PROXY"),
        ({"https_proxy": "proxy:3128", "HTTPS_PROXY": "http://other:1"}, "https_proxy"),
        ({"ALL_PROXY": "https://proxy"}, "ALL_PROXY"),
        ({"HTTPS_PROXY": " "}, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "localhost, .Example"}, None),
        ({"HTTPS_PROXY": "http://proxy", "no_proxy": "api.example"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "api.example:443"}, None),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "api.example:8443"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "pi.example,,10.0.0.0/8"}, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "api.example:²"}, "HTTPS_PROXY"),
    ],
)
def test_the_environment_chooses_the_proxy(env: Mapping[str, str], variable: str | None) -> None:
    choice = choose_proxy(REMOTE, env)
    assert (choice.variable if choice else None) == variable


def test_networks_and_addresses_can_be_excepted() -> None:
    profile = profile_at("https://10.1.2.3")
    assert choose_proxy(profile, {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}) is None
    assert choose_proxy(profile, {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.1.2.3"}) is None
    six = profile_at("https://[2001:db8::1]:8443")
    assert choose_proxy(six, {"HTTPS_PROXY": "http://p", "NO_PROXY": "[2001:db8::1]:8443"}) is None
    assert choose_proxy(six, {"HTTPS_PROXY": "http://p", "NO_PROXY": "2001:db8::/32"}) is None


def skip_without(address: str) -> None:
    """Skip on a machine that has no such address: containers often have no IPv6."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            pytest.skip(f"cannot listen on {address}: {error}")


@pytest.mark.parametrize("host", ["localhost", "api.localhost"])
@pytest.mark.parametrize("listening_on", ["127.0.0.1", "::1"])
async def test_localhost_is_where_it_listens_on_loopback_and_no_resolver_is_asked(
    host: str, listening_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without(listening_on)
    looked_up: list[object] = []
    look_up = socket.getaddrinfo

    def noting(name: str | bytes | None, *args: object, **options: object) -> object:
        looked_up.append(name)
        return look_up(name, *args, **options)  # type: ignore[call-overload]

    async with serve(answer(GOOD), on=listening_on) as wire, the_hog(f"http://{host}:{wire.port}") as hog:
        monkeypatch.setattr(socket, "getaddrinfo", noting)
        replies = [await hog.poll(hog_target("op_1")) for _ in range(2)]
    assert [reply.problem for reply in replies] == [None, None]
    assert replies[0].exchange.url == f"http://{host}:{wire.port}/api/operations/op_1"
    assert f"Host: {host}:{wire.port}\r\n".encode() in wire.requests[0]
    assert set(looked_up) <= {"127.0.0.1", "::1"}


async def test_localhost_where_nothing_listens_is_refused_once() -> None:
    async with serve(b"") as gone:
        port = gone.port
    async with the_hog(f"http://localhost:{port}") as hog:
        problem = (await hog.poll(hog_target("op_1"))).problem
    assert problem is not None
    assert problem.message == f"cannot connect to http://localhost:{port}: connection refused"


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:8080", "https://127.0.0.1:8080", "http://[::1]:8080", "https://localhost", "http://localhost"],
)
def test_a_loopback_address_never_goes_through_a_proxy(base_url: str) -> None:
    env = {"HTTPS_PROXY": "http://proxy", "HTTP_PROXY": "http://proxy", "ALL_PROXY": "http://proxy"}
    assert choose_proxy(profile_at(base_url), env) is None


@pytest.mark.parametrize(
    "value",
    [
        "socks5://me:hunter2@proxy",
        "ftp://proxy",
        "http://",
        "http://me:hunter2@proxy:port",
        "http://[::1",
        "http://p:0",
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    async with the_hog("https://api.example") as hog:
        problem = (await hog.poll(hog_target("op_1"))).problem
    assert problem is not None
    assert problem.kind is ProblemKind.NETWORK
    assert problem.message.startswith("HTTPS_PROXY ")
    assert "hunter2" not in problem.message


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (answer(b"", 407), "the proxy of HTTPS_PROXY refused"),
        (answer(b"hunter2hunter2", 502), "the proxy of HTTPS_PROXY refused"),
        (b"", "api.example"),
    ],
)
async def test_a_proxy_sees_no_credentials_and_is_named_when_it_refuses(
    raw: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(raw) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2hunter2@127.0.0.1:{proxy.port}")
        async with the_hog("https://api.example") as hog:
            problem = (await hog.poll(hog_target("op_1"))).problem
    assert proxy.requests[0].startswith(b"CONNECT api.example:443 HTTP/1.1\r\n")
    assert SECRET.encode() not in proxy.requests[0]
    assert b"Key" not in proxy.requests[0]
    assert problem is not None
    assert problem.kind is ProblemKind.NETWORK
    assert words in problem.message
    assert "hunter2" not in problem.message


async def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(b"") as gone:
        port = gone.port
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{port}")
    async with the_hog("https://api.example") as hog:
        problem = (await hog.poll(hog_target("op_1"))).problem
    assert problem is not None
    assert problem.message == "cannot connect to https://api.example through the proxy of ALL_PROXY: connection refused"


async def test_no_cookie_is_kept() -> None:
    cookies = {"Set-Cookie": "session=1; Path=/; Max-Age=999", "set-cookie": "broken=\xff; Expires=never"}
    async with serve(answer(GOOD, headers=cookies), keep=True) as wire, the_hog(wire.base_url) as hog:
        for _ in range(2):
            assert (await hog.poll(hog_target("op_1"))).problem is None
    assert len(wire.requests) == 2
    assert b"cookie" not in wire.requests[1].lower()


async def test_one_connection_serves_polls_in_turn_and_ten_at_most_at_once() -> None:
    async with serve(answer(GOOD), keep=True) as wire, the_hog(wire.base_url) as hog:
        for _ in range(3):
            await hog.poll(hog_target("op_1"))
        assert wire.connections == 1
        replies = await asyncio.gather(*(hog.poll(hog_target("op_1")) for _ in range(40)))
        assert wire.connections <= 10
    assert all(reply.problem is None for reply in replies)


async def test_of_ten_connections_those_that_are_no_longer_used_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(answer(GOOD), keep=True) as wire, the_hog(wire.base_url) as hog:
        await asyncio.gather(*(hog.poll(hog_target("op_1")) for _ in range(40)))
        assert wire.open > 1
        await hog.poll(hog_target("op_1"))
        assert wire.open == wire.connections, "half a minute has not passed"
        monkeypatch.setattr(transport, "KEEPALIVE_SECONDS", 0.0)
        assert (await hog.poll(hog_target("op_1"))).problem is None
        await until(lambda: wire.open == 0)


async def test_closing_ends_the_connection_of_a_request_that_waits_for_its_answer() -> None:
    async with serve(b"HTTP/1.1 200 Word\r\n", stall=True) as wire, the_hog(wire.base_url) as hog:
        poll = asyncio.create_task(hog.poll(hog_target("op_1")))
        await until(lambda: bool(wire.requests))
        await hog.aclose()
        await until(lambda: wire.open == 0)
        assert (await poll).problem is not None


async def test_the_client_speaks_http_1_1_and_trusts_no_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with serve(answer(GOOD)) as wire, the_hog(wire.base_url) as hog:
        assert (await hog.poll(hog_target("op_1"))).problem is None
    assert wire.requests[0].startswith(b"GET /api/operations/op_1 HTTP/1.1\r\n")
    assert b"Authorization: Basic" not in wire.requests[0]
