"""The rules hold for described APIs too: any answer is read or is a problem, IDs stay IDs, keys stay at home."""

import asyncio
import base64
import json
import time

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobdeck.apis.client import ApiClient
from jobdeck.apis.extract import Extractor, ParsedBody, ResponseBody
from jobdeck.apis.loader import load_page
from jobdeck.apis.pages import built_in_names
from jobdeck.apis.profile import Profile
from jobdeck.apis.spec import ApiSpec
from jobdeck.apis.tables import PageError
from jobdeck.apis.target_input import parse_input
from jobdeck.apis.targets import ProfileRegistry
from jobdeck.apis.url_template import is_id, is_piece
from jobdeck.domain.job import JobKey, Observation, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.http.base import PollResult
from jobdeck.http.credentials import Credentials, Secret
from jobdeck.http.transport import ForeignOriginError, authorize
from jobdeck.scheduling.actions import ListPage
from tests.builders import APIS, describe, make_profile
from tests.cleanness import is_clean
from tests.support.clocks import SteppingClock
from tests.support.examples import examples
from tests.unit.http.shapes import AZURE, GITHUB, GOOGLE
from tests.unit.http.wire import NOON, NOON_DATE, SECRET, Wire, answer, serve

EVERYTHING = describe(
    "everything",
    {
        "everything": {
            "job": {"url": "/{team}/jobs/{id}"},
            "list": {"url": "/{team}/jobs", "items": "$.rows[*]", "cursor": "$.next", "cursor_parameter": "c"},
            "fields": {
                "id": ["$.id", "$.name"],
                "kind": "$.kind",
                "status": "$.status",
                "outcome": "$.outcome",
                "progress": "$.progress",
                "progress_total": "$.total",
                "progress_unit": "count",
                "error": "$.error",
                "error_code": "$.error.code",
                "error_message": "$.error.message",
                "result": "$.result",
                "request_id": "$.rid",
                "trace_id": "$.tid",
                "created": "$.created",
                "updated": "$.updated",
                "ended": "$.ended",
                "time_unit": "seconds",
                "facts": {"one": "$.one", "two": "$.steps[?@.name == 'a'].status"},
            },
            "stages": {"items": "$.steps[*]", "name": "$.name", "status": "$.status", "progress": "$.progress"},
            "phases": {"running": ["running"], "succeeded": ["ok"], "failed": ["bad"], "outcome": ["over"]},
        }
    },
    "config.toml",
)
WRAPPED = describe(
    "wrapped",
    {
        "wrapped": {
            "job": {"url": "/runs/get", "query": {"run": "{id}"}, "item": ["$.result", "$.metadata"]},
            "list": {"url": "/runs", "items": "$.rows[*]", "cursor": "$.next", "cursor_parameter": "next"},
            "fields": {
                "id": "$.id",
                "status": "$.status",
                "progress": "$.progress",
                "progress_unit": "ratio",
                "failures": ["$.steps[*].code", "$.errors.*"],
                "error_message": "$.error",
            },
            "stages": {"url": "$.next", "items": "$.steps.*", "status": "$.status"},
            "result": {"url": ["header:location", "$.result"], "path": ["$.output", "$.response"]},
            "phases": {"missing": "running", "done": ["over", "completed"]},
        }
    },
    "config.toml",
)
OWN = make_profile("own", EVERYTHING, base_url="https://acme.example/v1", variables={"team": "blue"})
EXTRACTORS = [Extractor(spec) for spec in (EVERYTHING, WRAPPED, *map(APIS.spec, built_in_names()))]
"""Every page that comes along, and two that use what those do not."""

NAMES = st.sampled_from(
    ["id", "name", "status", "outcome", "conclusion", "done", "error", "code", "message", "response", "progress",
     "total", "percentComplete", "metadata", "progressPercent", "createTime", "created", "steps", "rows", "operations",
     "next", "workflow_runs", "nextPageToken", "rid", "tid", "result", "properties", "output", "startTime", "one"]
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "1",
        "3/4",
        "/x?next=7",
        "ok",
        "bad",
        "over",
        "running",
        "completed",
        "Succeeded",
        "\x1b]52;c;x",
        "\ud800",
        "\u202e",
        "",
    ]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | WORDS | st.text(max_size=20)
)  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8), max_leaves=25
)


def check_observation(seen: Observation) -> None:
    for text in (seen.id, seen.status, seen.kind or "", *(part for fact in seen.facts for part in fact)):
        assert is_clean(text)
    for stage in seen.stages:
        assert is_clean(stage.name)
        assert is_clean(stage.status)
    if seen.error is not None:
        assert is_clean(seen.error.message or "")
        assert is_clean(seen.error.code or "")
    assert seen.phase in Phase
    assert seen.ended_us is None or seen.phase.terminal


def check(extractor: Extractor, body: bytes) -> None:
    spec, response = extractor.spec, ResponseBody(body)
    jobs = [extractor.job(name, response, "1") for name in spec.resources]
    for parsed in jobs:
        assert bool(parsed.observations) is (parsed.problem is None)
        assert all(seen.id == "1" for seen in parsed.observations)
    lists = [extractor.page(listed, response) for listed in spec.lists]
    values = [extractor.values(name, response)[1] for name, one in spec.variables.items() if one.url is not None]
    parts = [
        extractor.part(name, part, response, "1", None) for name, one in spec.resources.items() for part in one.parts
    ]
    for parsed in (*jobs, *lists, *values, *parts):
        check_parsed(parsed)


def check_parsed(parsed: ParsedBody) -> None:
    if parsed.problem is not None:
        # An answer of 200 may hold an error alone, whose code says which kind it is.
        assert parsed.problem.kind in ProblemKind
        assert parsed.problem.message.strip()
    for text in (parsed.problem.message if parsed.problem else "", parsed.partial_error or ""):
        assert is_clean(text)
        assert len(text) < 5_000
    for seen in parsed.observations:
        check_observation(seen)


@example({"id": None, "error": "\x1b"})
@example({"name": " ", "error": {"message": " \n"}})
@given(JSON)
@examples(40)
def test_any_json_is_an_observation_or_a_problem(value: object) -> None:
    body = json.dumps(value).encode()
    for extractor in EXTRACTORS:
        check(extractor, body)


@given(st.binary(max_size=200))
@examples(40)
def test_any_bytes_are_an_observation_or_a_problem(body: bytes) -> None:
    for extractor in EXTRACTORS:
        check(extractor, body)


@given(st.sampled_from([*GOOGLE, *AZURE, *GITHUB]), NAMES, JSON)
@examples(30)
def test_a_good_answer_with_one_field_gone_wrong(
    case: tuple[str, dict[str, object], str, Phase], name: str, value: object
) -> None:
    body = json.dumps({**case[1], name: value}).encode()
    for extractor in EXTRACTORS:
        check(extractor, body)


TABLES = st.sampled_from(
    ["job", "fields", "phases", "stages", "result", "list", "auth", "like", "headers", "query", "x"]
)
KEYS = st.sampled_from(["url", "id", "status", "items", "succeeded", "scheme", "header"]) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["$.a", "/{id}", "bearer"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(TABLES, VALUES, max_size=6))
@examples(40)
def test_any_tables_are_a_description_or_an_error_in_words(tables: dict[str, object]) -> None:
    told = "config.toml: [providers.x"
    try:
        load_page("x", tables, "config.toml", lambda _: None, "providers.x")
    except PageError as error:
        told = str(error)
    assert told.startswith("config.toml: [providers.x")
    assert "\n" not in told


HEADER_TOKEN = Credentials({"token": Secret(SECRET)}, {"X-Key": "Token {token}"})
BASIC = Credentials({"token": Secret(SECRET)}, basic_user="me@x", basic_password="{token}")


def profile_at(wire: Wire, credentials: Credentials | None = None, spec: ApiSpec = EVERYTHING) -> Profile:
    return make_profile("own", spec, base_url=f"{wire.base_url}/v1", credentials=credentials)


def target(job_id: str = "1", group: str | None = "blue") -> Target:
    return Target(JobKey("own", group, job_id), "everything", "job")


async def poll(raw: bytes, credentials: Credentials | None = None, **key: str) -> tuple[PollResult, Wire]:
    async with serve(raw) as wire:
        provider = ApiClient(profile_at(wire, credentials), SteppingClock(NOON), deadline=60)
        try:
            return await provider.poll(target(**key)), wire
        finally:
            await provider.aclose()


@given(st.binary(max_size=200))
@examples(15)
def test_any_bytes_instead_of_an_http_answer_are_a_problem(raw: bytes) -> None:
    reply, _ = asyncio.run(poll(raw))
    assert reply.problem is not None
    assert is_clean(reply.problem.message)


GOOD = {"id": "1", "status": "running"}


async def test_ids_and_places_are_encoded_part_by_part() -> None:
    _, wire = await poll(answer(GOOD), job_id="a:b~c", group="t:1")
    assert wire.requests[0].startswith(b"GET /v1/t%3A1/jobs/a%3Ab~c HTTP/1.1\r\n")


@pytest.mark.parametrize("group", ["a/b", "..", "", "a/../b", "é"])
async def test_a_place_that_does_not_fit_is_not_asked_for(group: str) -> None:
    reply, wire = await poll(answer(GOOD), group=group)
    assert wire.requests == []
    assert reply.problem is not None
    assert reply.problem.message == "not a job of everything"


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (HEADER_TOKEN, f"X-Key: Token {SECRET}"),
        (BASIC, "Authorization: Basic " + base64.b64encode(f"me@x:{SECRET}".encode()).decode()),
    ],
)
async def test_a_key_is_sent_as_described_and_never_comes_back(credentials: Credentials, header: str) -> None:
    sent = header.rsplit(" ", maxsplit=1)[-1]
    body = {**GOOD, "status": "bad", "error": {"code": SECRET, "message": f"you sent {sent}"}}
    reply, wire = await poll(answer(body, headers={"X-Request-Id": SECRET}), credentials)
    assert header.encode().lower() in wire.requests[0].lower()
    assert reply.problem is None
    seen = repr(reply) + repr(reply.body)
    assert SECRET not in seen
    assert sent.removeprefix("Basic ") not in seen


@pytest.mark.parametrize(
    ("status", "kind"),
    [(301, ProblemKind.REDIRECT), (401, ProblemKind.AUTH), (403, ProblemKind.PERMISSION), (404, ProblemKind.NOT_FOUND)],
)
async def test_a_status_that_is_an_error_is_that_error(status: int, kind: ProblemKind) -> None:
    headers = {"Location": "https://evil.example/1", "X-RateLimit-Remaining": "0", "Retry-After": "7"}
    reply, wire = await poll(answer(GOOD, status, headers))
    assert reply.problem is not None
    assert reply.problem.kind is kind
    assert len(wire.requests) == 1


async def test_a_good_answer_may_ask_to_be_left_alone_and_is_clamped() -> None:
    for told, seconds in (("60", 60.0), ("999999", 900.0), ("Tue, 28 Apr 2026 12:02:00 GMT", 120.0), ("1_000", None)):
        reply, _ = await poll(answer(GOOD, headers={"Retry-After": told, "Date": NOON_DATE}))
        assert reply.problem is None
        assert reply.retry_after == seconds


async def test_a_next_page_elsewhere_is_a_parameter_and_never_an_address() -> None:
    following = "https://evil.example/v1/blue/jobs?c=p%262&key=x"
    async with serve(answer({"rows": [GOOD], "next": following})) as wire:
        provider = ApiClient(profile_at(wire, HEADER_TOKEN), SteppingClock(NOON), deadline=60)
        reply = await provider.list_page(ListPage("job", "blue"))
        await provider.list_page(ListPage("job", "blue", cursor=reply.next_cursor))
        await provider.aclose()
    assert reply.next_cursor == "p&2"
    assert wire.requests[1].startswith(b"GET /v1/blue/jobs?c=p%262 HTTP/1.1\r\n")


async def test_an_id_that_is_a_parameter_stays_one() -> None:
    async with serve(answer({"result": {"id": "a:b~c", "status": "over"}})) as wire:
        provider = ApiClient(profile_at(wire, spec=WRAPPED), SteppingClock(NOON), deadline=60)
        reply = await provider.poll(Target(JobKey("own", None, "a:b~c"), "wrapped", "job"))
        await provider.aclose()
    assert wire.requests[0].startswith(b"GET /v1/runs/get?run=a%3Ab~c HTTP/1.1\r\n")
    assert [seen.phase for seen in reply.observations] == [Phase.SUCCEEDED]


JOB_URL = b"https://acme.example/v1/blue/jobs/7"
HEADS = st.sampled_from(
    [b"HTTP/1.1 202 Accepted\r\n", b"HTTP/2 100\n\n", b"Location: ", JOB_URL, b"\r\n", b"[", b"{", b"\x1b]52;c;x\x07",
     b'{"id": "7", "self": "' + JOB_URL + b'"}', b"Content-Length: 0\r\n"]
)  # fmt: skip


@given(st.lists(HEADS | st.binary(max_size=10), max_size=12).map(b"".join))
@examples(60)
def test_any_answer_with_a_head_is_a_target_or_is_refused_in_clean_words(data: bytes) -> None:
    parsed = parse_input(data, ProfileRegistry({"own": OWN}, "own"))
    assert all(is_piece(target.key.account_group or "") and is_id(target.key.id) for target in parsed.targets)
    assert all(is_clean(text) and is_clean(reason) for text, reason in parsed.refused)


@pytest.mark.parametrize(
    "part", [b"HTTP/1.1 100 x\n", b"HTTP/1.1 202 x\nA: b\n", b"HTTP/1.1 202 x\n\n{\n", b"HTTP/1.1 202 x\n\n[\n<p>"]
)
def test_a_flood_of_heads_is_read_in_proportion_to_its_size(part: bytes) -> None:
    def seconds(size: int) -> float:
        began = time.process_time()
        parse_input((part * (size // len(part) + 1))[:size], ProfileRegistry({"own": OWN}, "own"))
        return time.process_time() - began

    # A scan of the rest at each head would cost 256 times as much.
    assert seconds(1 << 20) < 40 * max(seconds(1 << 16), 0.01)


async def test_a_list_is_asked_for_with_place_and_cursor_and_has_no_account_groups() -> None:
    async with serve(answer({"rows": [GOOD], "next": "n&1"})) as wire:
        provider = ApiClient(profile_at(wire), SteppingClock(NOON), deadline=60)
        reply = await provider.list_page(ListPage("job", "blue", cursor="a&b=c"))
        nowhere = await provider.list_page(ListPage("job"))
        other = await provider.list_page(ListPage("search"))
        values = await provider.list_values("team")
        await provider.aclose()
    assert wire.requests[0].startswith(b"GET /v1/blue/jobs?c=a%26b%3Dc HTTP/1.1\r\n")
    assert len(wire.requests) == 1
    assert [row.account_group for row in reply.observations] == ["blue"]
    assert reply.next_cursor == "n&1"
    assert [each.exchange.problem is not None for each in (nowhere, other, values)] == [True] * 3


@pytest.mark.parametrize("credentials", [HEADER_TOKEN, BASIC])
def test_a_key_is_bound_to_its_origin(credentials: Credentials) -> None:
    profile = make_profile("own", EVERYTHING, base_url="https://own.example", credentials=credentials)
    for url in ("https://evil.example/", "https://own.example:444/", "http://own.example/"):
        request = httpx.Request("GET", url)
        with pytest.raises(ForeignOriginError):
            authorize(request, profile.http)
        assert not {"x-key", "authorization"} & request.headers.keys()
    request = httpx.Request("GET", "https://own.example/1")
    authorize(request, profile.http)
    assert {"x-key", "authorization"} & request.headers.keys()
