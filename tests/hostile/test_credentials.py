"""Rule 1 (and 4): credentials are bound to an origin, and never leave in anything that is kept or shown."""

import base64
import json
import logging
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest

from jobdeck.domain.problem import ProblemKind
from jobdeck.http.base import PollResult
from jobdeck.http.client import HttpClient, RequestSpec
from jobdeck.http.credentials import Credentials, Secret
from jobdeck.http.redactor import Redactor
from jobdeck.http.transport import HEADERS, ForeignOriginError, Transports, authorize
from tests.builders import make_profile
from tests.support.clocks import SteppingClock
from tests.unit.http.wire import (
    ACCESS,
    NOON,
    SECRET,
    TOKEN,
    answer,
    bearer,
    hog_target,
    profile_at,
    serve,
    sonarly,
    sonarly_target,
    the_hog,
)

BEARER = {"Authorization": "Bearer {token}"}


def spellings(secret: str) -> list[str]:
    return [secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()]


CANARIES = [form.rstrip("=") for secret in (ACCESS, SECRET, TOKEN) for form in spellings(secret)]


def assert_no_canary(*things: object) -> None:
    text = " ".join(f"{thing!r} {thing}" for thing in things)
    assert [canary for canary in CANARIES if canary in text] == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_and_the_other_origin_gets_nothing(status: int) -> None:
    async with serve(answer({"id": "op_1", "status": "queued"})) as other:
        location = {"Location": f"{other.base_url}/api/operations/op_1?token=x"}
        async with serve(answer(b"", status, location)) as wire, the_hog(wire.base_url) as hog:
            reply = await hog.poll(hog_target("op_1"))
    assert other.connections == 0
    assert reply.problem is not None
    assert reply.problem.kind is ProblemKind.REDIRECT
    assert reply.problem.message == f"unexpected redirect to {other.base_url}/api/operations/op_1?…"


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://evil.example:8443/a?b", "to https://evil.example:8443/a?…"),
        ("//evil.example/a", "to http://evil.example/a"),
        ("/api/v2/operations/op_1", "to BASE/api/v2/operations/op_1"),
        ("op_1/", "to BASE/api/operations/op_1/"),
        ("../jobs/op_1", "to BASE/api/jobs/op_1"),
        ("?next=1", "to BASE/api/operations/op_1?…"),
        ("https://me:hunter2@evil.example/", "to https://evil.example/"),
        ("https://evil.example/login;jsessionid=hunter2/x#hunter2", "to https://evil.example/login/x"),
        (f"https://evil.example/reset/{'hunter2' * 10}/x", "to https://evil.example/reset/…/x"),
        (f"https://evil.example/{SECRET}/{quote(SECRET)}", "to https://evil.example/[redacted]/[redacted]"),
        ("https://evil.example/sk_live_0123456789abcdef", "to https://evil.example/sk_live_…"),
        ("https://[::1]:1/", "to https://[::1]:1/"),
        ("https://evil.example/\x9b2J", "to https://evil.example/\\x9b2J"),
        ("https://[broken/", "to an invalid URL"),
        ("https://h:99999999/", "to an invalid URL"),
        ("file:///etc/passwd", "to an invalid URL"),
        ("", "without a destination"),
        (" ", "without a destination"),
    ],
)
async def test_a_redirect_is_named_by_origin_and_path_and_nothing_that_may_be_a_token(
    location: str, words: str
) -> None:
    raw = answer(b"", 302, {"Location": "LOCATION"}).replace(b"LOCATION", location.encode("latin-1"))
    async with serve(raw) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert reply.problem.message == f"unexpected redirect {words.replace('BASE', wire.base_url)}"


async def test_a_redirect_is_named_in_bounds() -> None:
    async with serve(answer(b"", 302, {"Location": "/x" * 10_000})) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert len(reply.problem.message) < 500
    assert reply.problem.message.endswith("bytes)")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/x",
        "https://api.example:8443/x",
        "https://api.example.evil/x",
        "https://evil/api.example",
        "https://api.example@evil/x",
    ],
)
def test_credentials_are_refused_to_any_other_origin(url: str) -> None:
    profile = profile_at("https://api.example")
    request = httpx.Request("GET", url)
    before = dict(request.headers)
    with pytest.raises(ForeignOriginError) as caught:
        authorize(request, profile.http)
    assert dict(request.headers) == before
    assert_no_canary(caught.value)


@pytest.mark.parametrize("url", ["https://api.example/x", "https://API.example:443/x"])
def test_credentials_are_given_to_their_own_origin_however_it_is_spelt(url: str) -> None:
    request = httpx.Request("GET", url)
    authorize(request, profile_at("https://api.example", "sonarly").http)
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


async def test_a_path_cannot_turn_the_base_url_into_user_information() -> None:
    async with serve(answer()) as wire:
        http = HttpClient(profile_at(wire.base_url).http, SteppingClock(NOON))
        reply = await http.get(RequestSpec("@localhost/api/operations/op_1"))
        await http.aclose()
    assert wire.connections == 0
    problem = reply.exchange.problem
    assert problem is not None
    assert "refused a request to http://localhost" in problem.message


async def test_neither_the_connections_nor_the_headers_of_every_request_hold_credentials() -> None:
    transport = Transports(profile_at("https://api.example").http, None).acquire()
    assert_no_canary(HEADERS, vars(transport))
    assert not {"authorization", "x-access-key", "x-secret-key"} & {name.lower() for name in HEADERS}


async def test_each_kind_of_credentials_sends_its_own_headers_and_the_project() -> None:
    async with serve(answer(), keep=True) as wire:
        profile = make_profile("hog", "thehog", base_url=wire.base_url, credentials=bearer(), project_id="proj_1")
        http = HttpClient(profile.http, SteppingClock(NOON))
        await http.get(RequestSpec("/x"))
        await http.aclose()
    request = wire.requests[0].decode()
    assert f"Authorization: Bearer {TOKEN}\r\n" in request
    assert "X-Project-Id: proj_1\r\n" in request
    assert "x-access-key" not in request.lower()


async def echoes(status: int) -> PollResult:
    """Have a server say our keys back in every place it can write to."""
    forms = " ".join(spellings(ACCESS) + spellings(SECRET))
    body = {
        "id": "op_1",
        "status": f"queued {SECRET}",
        "result": {"headers": forms},
        "error": {"code": ACCESS, "message": forms},
        "message": forms,
        "errors": [{"property": ACCESS, "message": forms}],
        "requestId": SECRET,
        "meta": {"requestId": ACCESS},
        "traceId": forms,
    }
    headers = {
        "X-Request-Id": "a" * 190 + SECRET,
        "X-Trace-Id": base64.b64encode(f"user:{ACCESS}".encode()).decode(),
        "Location": f"https://{ACCESS}.example/",
        "X-RateLimit-Limit-" + ACCESS: "1",
        "X-Quota": forms,
        "Set-Cookie": "session=of-a-person",
    }
    async with serve(answer(body, status, headers)) as wire, the_hog(wire.base_url) as hog:
        return await hog.poll(hog_target("op_1"))


@pytest.mark.parametrize("status", [200, 302, 400, 401, 500])
async def test_what_a_server_says_back_of_our_keys_is_taken_out(status: int) -> None:
    reply = await echoes(status)
    assert_no_canary(reply, reply.headers, reply.body)
    assert reply.headers, "what is kept in memory of an exchange"
    assert "of-a-person" not in repr(reply.headers)
    text = repr((reply, reply.headers, reply.body))
    assert SECRET[:12] not in text
    assert ACCESS.lower() not in text
    assert base64.b64encode(f"user:{ACCESS}".encode()).decode()[8:-4] not in text
    assert "[redacted]" in text


async def test_a_malformed_key_is_not_in_the_message_about_it() -> None:
    bad = object.__new__(Secret)
    bad._value = f"{TOKEN}\r\nX-Evil: 1"
    async with serve(answer()) as wire:
        http = HttpClient(
            profile_at(wire.base_url, "sonarly", Credentials({"token": bad}, BEARER)).http, SteppingClock(NOON)
        )
        reply = await http.get(RequestSpec("/x"))
        await http.aclose()
    assert wire.requests == []
    assert reply.exchange.problem is not None
    assert "malformed" in reply.exchange.problem.message
    assert_no_canary(reply)


async def test_nothing_that_holds_a_profile_shows_its_keys() -> None:
    async with serve(answer(status=401)) as wire, sonarly(wire.base_url) as provider:
        reply = await provider.poll(sonarly_target("j1"))
        http = provider._http
        assert_no_canary(provider, http, http._profile, http._redactor, http._transports, reply)
    assert_no_canary(Secret(TOKEN), Redactor([TOKEN]), profile_at("https://api.example"))


async def test_no_log_at_debug_holds_a_key(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("jobdeck").debug("this is kept")
        async with serve(answer({"id": "op_1", "status": "queued"})) as wire, the_hog(wire.base_url) as hog:
            await hog.poll(hog_target("op_1"))
    assert caplog.records
    assert_no_canary(caplog.text, [record.__dict__ for record in caplog.records])


@pytest.mark.parametrize("location", ["javascript:alert(1)", "http://[broken/", "https://evil.example:port/"])
async def test_a_redirect_that_httpx_cannot_read_is_still_a_redirect(location: str) -> None:
    headers = {"Location": location, "X-Request-Id": "req-1"}
    async with serve(answer(b"", 302, headers)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is not None
    assert (reply.problem.kind, reply.problem.http_status) == (ProblemKind.REDIRECT, 302)
    assert reply.problem.request_id == "req-1"


@pytest.mark.parametrize(
    "spelt",
    [
        "".join(f"\\u{ord(char):04x}" for char in SECRET),
        SECRET.replace("/", "\\/"),
        quote(SECRET).lower(),
        "".join(f"%{ord(char):02x}" for char in SECRET),
        SECRET.upper(),
        SECRET.encode().hex(),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        SECRET[:9] + "\\u0053" + SECRET[10:],
    ],
)
async def test_a_key_is_known_in_every_spelling_that_json_and_urls_have(spelt: str) -> None:
    raw = b'{"id": "op_1", "status": "queued", "error": {"message": "key %s!"}}' % spelt.encode()
    async with serve(answer(raw)) as wire, the_hog(wire.base_url) as hog:
        reply = await hog.poll(hog_target("op_1"))
    assert reply.problem is None, "the answer is still whole"
    (observation,) = reply.observations
    assert observation.error is not None
    assert "[redacted]" in (observation.error.message or "")
    assert SECRET[6:14].lower() not in repr(reply).lower()


@pytest.mark.parametrize("quoted", ['a "quoted\\backslash" key', "plain"])
def test_taking_a_key_out_leaves_json_whole(quoted: str) -> None:
    redactor = Redactor([SECRET, quoted])
    body = json.dumps({"a": f"\\{SECRET}\\", "b": quoted, "c": "100%", "d": "\\u0041"}).encode()
    assert json.loads(b"".join(redactor.body_in_slices(body))).keys() == {"a", "b", "c", "d"}


@pytest.mark.parametrize("odd", ["sk_live_\udcff_0123456789", "ключ_0123456789", "k" * 5_000])
def test_a_malformed_key_can_be_taken_out_as_well(odd: str) -> None:
    assert Redactor([odd]).text(f"a {odd} b") == "a [redacted] b"
    assert b"".join(Redactor([odd]).body_in_slices(b"a b")) == b"a b"


SLICE_SECONDS = 0.05
MEBIBYTE = 2**20


@pytest.mark.parametrize(
    "unit",
    [
        *(
            b"%20",
            b"%41",
            b"%61a",
            b"%2525",
            b"\\n",
            b'\\"',
            b"\\/",
            b"\\\\",
            b"\\u0041",
            b"&amp;",
            b"&#97;",
            b" ",
            b"a",
        ),
        *(SECRET[:-1].encode(), SECRET.encode()),
    ],
    ids=lambda unit: repr(unit.decode()[:8]),
)
def test_no_answer_keeps_everything_else_waiting_while_it_is_searched(unit: bytes) -> None:
    redactor = Redactor([SECRET, "ak_" + SECRET])
    body = unit * (MEBIBYTE // len(unit))
    taken: list[float] = []
    started = time.process_time()
    for _ in redactor.body_in_slices(body):
        taken.append(time.process_time() - started)
        started = time.process_time()
    assert len(taken) >= 8
    # The median, for a busy machine may take a cache or a clock tick away in the middle of a slice.
    assert sorted(taken)[len(taken) // 2] < SLICE_SECONDS


@pytest.mark.parametrize("spelt", [str, str.upper, lambda key: "".join(f"%{ord(char):02x}" for char in key)])
def test_a_key_that_lies_across_two_slices_is_found(spelt: Callable[[str], str]) -> None:
    redactor = Redactor([SECRET])
    key = spelt(SECRET).encode()
    for before in range(65_536 - len(key) - 1, 65_536 + 2):
        body = b"x" * before + key + b"yy"
        assert b"".join(redactor.body_in_slices(body)) == b"x" * before + b"[redacted]yy"
    twice = b"x" * 65_530 + key + key + b"z" * 200_000 + key
    cut = b"".join(redactor.body_in_slices(twice))
    assert cut == b"x" * 65_530 + b"[redacted]" * 2 + b"z" * 200_000 + b"[redacted]"


@pytest.mark.parametrize("before", [0, 65_530, 65_536, 65_540])
def test_the_beginning_of_a_long_text_holds_no_part_of_a_key(before: int) -> None:
    start = Redactor([SECRET]).start("x" * before + SECRET + "y" * 200_000)
    assert len(start) <= 65_536
    assert SECRET[:6] not in start
