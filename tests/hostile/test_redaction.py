"""Rule 4: a key is taken out however a server spells it, short ones too, and what is no key stays as it is."""

import base64
import html
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.apis.client import ApiClient
from jobdeck.domain.phase import Phase
from jobdeck.http.base import PollResult
from jobdeck.http.redactor import Redactor
from tests.support.clocks import SteppingClock
from tests.unit.http.wire import NOON, answer, bearer, hog_target, profile_at, serve

LONG = 'sk_live/Canary+Kx7Lm4Wq9=Rz3\\Vb8&Jc"4'
SHORT = "Kx7/m4Wq"
FIFTEEN = "tok-Kx7Lm4Wq9Rz"


def escaped(key: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in key)


def in_json(key: str) -> str:
    return json.dumps(key)[1:-1]


def percent(key: str) -> str:
    return quote(key, safe="")


def base64_of(key: str, before: str = "") -> str:
    return base64.b64encode((before + key).encode()).decode()


def in_lines(key: str) -> str:
    return "\r\n".join(textwrap.wrap(base64_of(key, "x" * 60), 76))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "JSON": in_json,
    "JSON with slashes": lambda key: in_json(key).replace("/", "\\/"),
    "JSON escapes": escaped,
    "JSON escapes in capitals": lambda key: escaped(key).upper().replace("\\U", "\\u"),
    "JSON in JSON": lambda key: in_json(in_json(key).replace("/", "\\/")),
    "JSON escapes in JSON": lambda key: in_json(escaped(key)),
    "JSON in JSON in JSON": lambda key: in_json(in_json(in_json(key).replace("/", "\\/"))),
    "JavaScript": lambda key: "".join(f"\\x{ord(char):02x}" for char in key),
    "percent": percent,
    "percent in mixed case": lambda key: percent(key).replace("%2F", "%2f"),
    "all in percent": lambda key: "".join(f"%{ord(char):02x}" for char in key),
    "percent twice": lambda key: percent(percent(key)),
    "all in percent twice": lambda key: "".join(f"%25{ord(char):02X}" for char in key),
    "percent three times": lambda key: percent(percent(percent(key))),
    "HTML": html.escape,
    "HTML twice": lambda key: html.escape(html.escape(key)),
    "HTML names": lambda key: html.escape(key).replace("/", "&sol;").replace("+", "&plus;").replace("_", "&lowbar;"),
    "HTML decimal": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "HTML decimal with zeros": lambda key: "".join(f"&#{ord(char):05d};" for char in key),
    "HTML hexadecimal": lambda key: "".join(f"&#x{ord(char):x};" for char in key),
    "HTML hexadecimal in capitals": lambda key: "".join(f"&#X{ord(char):X};" for char in key),
    "HTML in JSON as Go writes it": lambda key: html.escape(key).replace("&", "\\u0026"),
    "percent in HTML in JSON": lambda key: in_json("".join(f"&#37;{ord(char):02x}" for char in key)),
    "hexadecimal": lambda key: key.encode().hex(),
    "base64": base64_of,
    "base64 behind one": lambda key: base64_of(key, "x"),
    "base64 behind two": lambda key: base64_of(key, "xy"),
    "base64 behind a user": lambda key: base64_of(key, "user:"),
    "base64 for URLs": lambda key: base64_of(key).replace("+", "-").replace("/", "_"),
    "base64 in percent": lambda key: percent(base64_of(key)),
    "base64 in JSON": lambda key: base64_of(key).replace("/", "\\/").replace("+", "\\u002b"),
    "base64 in lines": in_lines,
    "base64 in lines of 64": lambda key: "\r\n".join(textwrap.wrap(base64_of(key, "x" * 40), 64)),
    "base64 in lines in JSON": lambda key: in_json(in_lines(key)),
    "base64 in lines in JSON in JSON": lambda key: in_json(in_json(in_lines(key))),
    "base64 in lines in percent": lambda key: percent(in_lines(key)),
}  # fmt: skip


def undone(text: str) -> Iterator[str]:
    """A text as it is, and with its escapes undone again and again."""
    for _ in range(5):
        yield text
        text = re.sub(r"\\(?:u00|x)([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)
        yield text
        text = unquote(html.unescape(text))
        yield text
        text = re.sub(r"\\(.)", r"\1", re.sub(r"\\[rn]", "", text))


def leaks(text: str, key: str) -> bool:
    """Whether the middle of a key can be read out of a text, by itself or in base64 or hex."""
    core = key[2:-2]
    cores = [core, core.encode().hex()]
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + key.encode()).decode()[4:-4]
        cores += [encoded, encoded.replace("+", "-").replace("/", "_")]
    readings = {re.sub(r"[\s\\]", "", reading).lower() for reading in undone(text)}
    return any(one.replace("\\", "").lower() in reading for one in cores for reading in readings)


@pytest.mark.parametrize("key", [LONG, SHORT, FIFTEEN], ids=["long", "short", "fifteen"])
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_no_spelling_of_a_key_passes(spelling: Callable[[str], str], key: str) -> None:
    redactor = Redactor([key])
    spelt = spelling(key)
    assert leaks(spelt, key)
    for text in (spelt, f"a {spelt} b", f'{{"message": "x{spelt}"}}'):
        for cut in (redactor.text(text), b"".join(redactor.body_in_slices(text.encode())).decode()):
            assert "[redacted]" in cut
            assert not leaks(cut, key)


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("succeeded", '{"status": "succeeded"}'),
        ("operation", "an operation was operational"),
        ("20261128", '{"n": 20261128, "at": "2026112807"}'),
        ("123456789012", '{"n": 123456789012}'),
        ("true", "true"),
        ("partial_success", '{"status": "partial_success"}'),
    ],
)
def test_a_key_that_is_a_word_or_a_number_leaves_a_body_whole(secret: str, text: str) -> None:
    assert b"".join(Redactor([secret]).body_in_slices(text.encode())).decode() == text


@pytest.mark.parametrize(
    ("secret", "text", "cut"),
    [
        ("hunterpass", "the key hunterpass is bad", "the key [redacted] is bad"),
        ("hunterpass", "all hunterpasses stay", "all hunterpasses stay"),
        ("20261128", "key=20261128, at 2026112807", "key=[redacted], at 2026112807"),
        ("test", "the latest test", "the latest [redacted]"),
        ("hunterpass", "key%3Dhunterpass%2C", "key%3D[redacted]%2C"),
    ],
)
def test_a_key_that_may_be_a_word_is_taken_out_as_a_word(secret: str, text: str, cut: str) -> None:
    assert Redactor([secret]).text(text) == cut


async def poll(key: str, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> PollResult:
    async with serve(answer(body, status, headers)) as wire:
        provider = ApiClient(profile_at(wire.base_url, credentials=bearer(key)), SteppingClock(NOON))
        try:
            return await provider.poll(hog_target("op_1"))
        finally:
            await provider.aclose()


@pytest.mark.parametrize("key", [SHORT, FIFTEEN, "hunterpass", "succeeded", "20261128", LONG])
@pytest.mark.parametrize("spelling", [str, in_json, percent, html.escape, base64_of], ids=lambda each: each.__name__)
async def test_neither_an_answer_nor_what_is_read_of_it_holds_a_key(key: str, spelling: Callable[[str], str]) -> None:
    spelt = spelling(key)
    error = {"code": f"E {spelt}", "message": f"key {spelt} is bad", "hint": spelt}
    value = {"id": "op_1", "status": "succeeded", "type": f"kind {spelt}", "error": error, "result": {"echo": [spelt]}}
    reply = await poll(key, json.dumps(value).encode(), headers={"X-Request-Id": f"req {spelt}"})
    assert reply.problem is None
    (seen,) = reply.observations
    assert (seen.status, seen.phase) == ("succeeded", Phase.SUCCEEDED)
    for held in (
        repr(seen.error),
        seen.result or "",
        seen.kind or "",
        reply.exchange.request_id or "",
        str(reply.body),
    ):
        rest = held.replace("'succeeded'", "").replace('"succeeded"', "")
        assert "[redacted]" in held
        assert spelt not in rest
        assert json.dumps(spelt)[1:-1] not in rest


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-be", "utf-32"])
async def test_a_key_in_another_charset_is_found(charset: str) -> None:
    value = {"id": "op_1", "status": "failed", "error": {"message": f"key {FIFTEEN}"}}
    reply = await poll(FIFTEEN, json.dumps(value).encode(charset))
    assert reply.observations[0].error is not None
    assert reply.observations[0].error.message == "key [redacted]"
    assert FIFTEEN not in (reply.body or b"").decode().replace("\0", "")


@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize("key", [SHORT, "hunterpass"])
async def test_no_problem_says_a_short_key(status: int, key: str) -> None:
    body = json.dumps({"error": {"code": "X", "message": f"bad key {key}"}, "requestId": f"r-{key}"}).encode()
    reply = await poll(key, body, status)
    assert reply.problem is not None
    assert "bad key [redacted]" in reply.problem.message
    assert key not in repr(reply)


@given(st.text(max_size=200))
def test_a_text_without_a_key_stays_as_it_is(text: str) -> None:
    assert Redactor([LONG, SHORT, FIFTEEN]).text(text) == text


def test_a_letter_whose_lower_case_is_two_moves_nothing() -> None:
    assert Redactor([SHORT]).text(f"İİİ {SHORT} İ {percent(SHORT)}") == "İİİ [redacted] İ [redacted]"
