"""Rule 2: a poll URL is data; what is not of a profile's origin and a known shape is refused, and nothing is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.apis.targets import ProfileRegistry, TargetError, parse_target
from jobdeck.http.origin import OriginError
from tests.builders import make_profile
from tests.cleanness import is_clean
from tests.unit.test_targets import BOTH, hog, refusal

HOG_URL = "https://developer.thehog.ai"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://evil.example/api/operations/op_1", "no profile uses this origin"),
        ("https://developer.thehog.ai.evil.example/api/operations/op_1", "no profile uses this origin"),
        ("https://developer.thehog.ai:8443/api/operations/op_1", "no profile uses this origin"),
        ("https://127.0.0.1/api/operations/op_1", "no profile uses this origin"),
        ("http://developer.thehog.ai/api/operations/op_1", "http is allowed only for loopback addresses"),
        ("http://localhost/api/operations/op_1", "no profile uses this origin"),
        ("http://localhost.evil.example/api/operations/op_1", "http is allowed only for loopback addresses"),
        ("http://notlocalhost/api/operations/op_1", "http is allowed only for loopback addresses"),
        ("http://localhost@evil.example/api/operations/op_1", "user name or password"),
        ("http://2130706433/api/operations/op_1", "http is allowed only for loopback addresses"),
        ("ftp://developer.thehog.ai/api/operations/op_1", "not an https URL"),
        ("file:///api/operations/op_1", "not an https URL"),
        ("https://user@developer.thehog.ai/api/operations/op_1", "user name or password"),
        ("https://user:hunter2@developer.thehog.ai/api/operations/op_1", "user name or password"),
        ("https://developer.thehog.ai@evil.example/api/operations/op_1", "user name or password"),
        ("https://developer.thehog.ai\\@evil.example/api/operations/op_1", "backslash"),
        ("https://developer.thehog.ai\\api\\operations\\op_1", "backslash"),
        (f"{HOG_URL}/api/operations/op_1?", "must not have a query or fragment"),
        (f"{HOG_URL}/api/operations/op_1#", "must not have a query or fragment"),
        (f"{HOG_URL}/api/operations/op_1?a=b", "must not have a query or fragment"),
        (f"{HOG_URL}/api/operations/op_1/", "not a poll URL"),
        (f"{HOG_URL}/api/operations/", "neither an ID nor a path segment"),
        (f"{HOG_URL}/api//operations/op_1", "not a poll URL"),
        (f"{HOG_URL}//api/operations/op_1", "not a poll URL"),
        (f"{HOG_URL}/API/operations/op_1", "not a poll URL"),
        (f"{HOG_URL}/api/x/../operations/op_1", "not a poll URL"),
        (f"{HOG_URL}/api/op%65rations/op_1", "not a poll URL"),
        (f"{HOG_URL}/api/operations/op_1/cancel", "not a poll URL"),
        (HOG_URL, "not a poll URL"),
        (f"{HOG_URL}/v1/accounts/g/prospecting/j", "not a poll URL"),
        (f"{HOG_URL}/api/operations/op_1\n", "printable ASCII"),
        (f"{HOG_URL}/api/operations/op 1", "printable ASCII"),
        (f"{HOG_URL}/api/operations/öp_1", "printable ASCII"),
        ("https://developer.thehog.аі/api/operations/op_1", "printable ASCII"),
        (f"{HOG_URL}/api/operations/op\x1b[2J", "printable ASCII"),
        (f"{HOG_URL}/api/operations/{'a' * 2048}", "at most 2048"),
        ("https:///api/operations/op_1", "not a valid host"),
        ("https://developer.thehog.ai:port/api/operations/op_1", "not a valid URL"),
        ("https://developer.thehog.ai:99999/api/operations/op_1", "not a valid URL"),
        ("https://[::1/api/operations/op_1", "not a valid URL"),
        ("https://developer%2ethehog.ai/api/operations/op_1", "not a valid host"),
        ("//developer.thehog.ai/api/operations/op_1", "not a poll URL"),
        ("/api/operations/op_1?x", "must not have a query or fragment"),
        ("/api/operations/op_1\n", "printable ASCII"),
    ],
)
def test_a_poll_url_that_breaks_a_rule_is_refused_with_the_reason(url: str, reason: str) -> None:
    message = refusal(url)
    assert reason in message
    assert is_clean(message)
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://evil.example:8443/api/operations/op_1", "https://evil.example:8443"),
        ("https://user:hunter2@evil.example/api/operations/op_1", "https://evil.example"),
        ("https://evil.example\\x/api", "https://evil.example"),
        ("https://e\u202evil/api/operations/op_1", "a https URL"),
    ],
)
def test_a_refusal_names_the_origin(url: str, name: str) -> None:
    assert refusal(url).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://localhost", "http://localhost/api/operations/op_1"),
        ("http://localhost", "http://LocalHost:80/api/operations/op_1"),
        ("http://localhost:8080", "http://localhost:8080/api/operations/op_1"),
        ("http://api.localhost:8080", "http://api.localhost:8080/api/operations/op_1"),
        ("http://[::1]:8080", "http://[::1]:8080/api/operations/op_1"),
    ],
)
def test_plain_http_is_accepted_for_localhost(base: str, url: str) -> None:
    here = ProfileRegistry({"sim": make_profile("sim", "thehog", base_url=base)})
    assert parse_target(url, here) == hog("op_1", profile="sim")


def test_a_loopback_profile_is_reached_by_its_own_address_only() -> None:
    sim = ProfileRegistry({"sim": make_profile("sim", "thehog", base_url="http://127.0.0.1:8080")})
    assert parse_target("http://127.0.0.1:8080/api/operations/op_1", sim) == hog("op_1", profile="sim")
    for host in ("localhost:8080", "127.1:8080", "127.0.0.1:8081", "127.0.0.1", "0x7f000001:8080"):
        assert refusal(f"http://{host}/api/operations/op_1", sim)


@given(st.text() | st.text(alphabet="/:?#@%\\.aehigloprstv01 \n").map(lambda text: HOG_URL + text))
def test_no_text_makes_the_parser_raise_anything_else(text: str) -> None:
    try:
        target = parse_target(text, BOTH)
    except TargetError as error:
        message = str(error)
    else:
        message = "taken"
        assert parse_target(str(target.key), BOTH).key == target.key
    assert message
    assert is_clean(message)


@pytest.mark.parametrize(
    "url", ["https://h?", "https://h/#", "https://h/a b", "https://h/\\x", "https://h/é", "https://h/\n"]
)
def test_a_base_url_that_would_bend_the_requests_below_it_is_refused(url: str) -> None:
    with pytest.raises(OriginError):
        make_profile("x", "thehog", base_url=url)
