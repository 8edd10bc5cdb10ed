import subprocess
import sys

import pytest

from jobdeck.apis.profile import Profile
from jobdeck.apis.targets import ProfileRegistry, TargetError, parse_target
from jobdeck.domain.job import JobKey, Target
from tests.builders import make_profile

GROUP = "507f1f77bcf86cd799439011"
JOB = "60c72b2f9b1d8b3a2c4e5f60"


def directory(*profiles: Profile, default: str | None = None) -> ProfileRegistry:
    return ProfileRegistry({profile.name: profile for profile in profiles}, default)


HOG = make_profile("hog", "thehog")
HOG2 = make_profile("hog2", "thehog", base_url="https://gateway.example:8443/hog/v9")
SONARLY = make_profile("sonarly", "sonarly", account_group=GROUP)
BARE_SONARLY = make_profile("team", "sonarly", base_url="https://other.example")
BOTH = directory(HOG, SONARLY, default="hog")


def hog(job_id: str, resource: str = "operation", profile: str = "hog") -> Target:
    return Target(JobKey(profile, None, job_id), "thehog", resource)


def prospecting(job_id: str, group: str = GROUP, profile: str = "sonarly") -> Target:
    return Target(JobKey(profile, group, job_id), "sonarly", "prospecting")


def refusal(text: str, among: ProfileRegistry = BOTH) -> str:
    with pytest.raises(TargetError) as caught:
        parse_target(text, among)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", hog("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T")),
        ("a.b~c-d_e", hog("a.b~c-d_e")),
        ("hog:op_1", hog("op_1")),
        ("hog:a:b", hog("a:b")),
        (f"sonarly:{JOB}", prospecting(JOB)),
        (f"g2/{JOB}", prospecting(JOB, "g2")),
        (f"sonarly:g2/{JOB}", prospecting(JOB, "g2")),
        (f"sonarly:g:2/{JOB}", prospecting(JOB, "g:2")),
        ("https://developer.thehog.ai/api/operations/op_1", hog("op_1")),
        ("HTTPS://Developer.TheHog.ai:443/api/operations/op_1", hog("op_1")),
        ("https://developer.thehog.ai/api/enrichments/e1", hog("e1", "enrichment")),
        ("https://developer.thehog.ai/api/v1/search/s1", hog("s1", "search")),
        ("https://developer.thehog.ai/api/operations/a%3Ab", hog("a:b")),
        (f"https://api.sonarly.io/v1/accounts/g2/prospecting/{JOB}", prospecting(JOB, "g2")),
        ("/api/operations/op_1", hog("op_1")),
        ("/api/enrichments/e1", hog("e1", "enrichment")),
        ("/api/v1/search/s1", hog("s1", "search")),
        (f"/v1/accounts/g2/prospecting/{JOB}", prospecting(JOB, "g2")),
        ("hog:/api/v1/search/s1", hog("s1", "search")),
    ],
)
def test_every_form_names_its_job(text: str, target: Target) -> None:
    assert parse_target(text, BOTH) == target


@pytest.mark.parametrize("target", [hog("a:b"), prospecting(JOB, "g:2")])
def test_a_key_as_text_names_the_same_job_again(target: Target) -> None:
    assert parse_target(str(target.key), BOTH).key == target.key


def test_a_bare_id_belongs_to_the_default_profile_whatever_its_shape() -> None:
    assert parse_target(JOB, BOTH) == hog(JOB)
    assert parse_target("op_1", directory(HOG, SONARLY, default="sonarly")) == prospecting("op_1")


def test_a_bare_id_belongs_to_the_only_profile_there_is() -> None:
    assert parse_target("op_1", directory(HOG)) == hog("op_1")


def test_without_a_default_the_shape_of_a_bare_id_decides() -> None:
    assert parse_target(JOB, directory(HOG, SONARLY)) == prospecting(JOB)
    assert parse_target("op_1", directory(HOG, SONARLY)) == hog("op_1")


def test_a_sonarly_job_without_an_account_group_says_what_to_write() -> None:
    message = refusal(JOB, directory(BARE_SONARLY))
    assert "are written account_group/ID" in message
    assert "set account_group in [profiles.team.variables]" in message


def test_an_account_group_goes_to_the_default_profile_or_the_only_one_that_has_any() -> None:
    two = directory(HOG, SONARLY, BARE_SONARLY, default="team")
    assert parse_target(f"g/{JOB}", two) == prospecting(JOB, "g", "team")
    ambiguous = directory(HOG, SONARLY, BARE_SONARLY, default="hog")
    assert "one of sonarly, team" in refusal(f"g/{JOB}", ambiguous)
    assert "neither SCOPE/ID nor a poll URL" in refusal(f"g/{JOB}", directory(HOG))


def test_a_relative_poll_url_goes_to_the_default_profile_or_the_only_one_that_fits() -> None:
    assert parse_target("/api/operations/x", directory(HOG, SONARLY, default="sonarly")) == hog("x")
    ambiguous = directory(HOG, HOG2, SONARLY, default="sonarly")
    assert "one of hog, hog2" in refusal("/api/operations/x", ambiguous)


def test_a_mistyped_profile_is_an_error_and_not_a_job_of_the_default_profile() -> None:
    message = refusal("hgo:op_1")
    assert "unknown profile 'hgo' (known: hog, sonarly)" in message
    assert "write hog:hgo:op_1" in message


def test_account_groups_are_refused_where_there_are_none() -> None:
    assert "The Hog jobs are written as a bare ID" in refusal("hog:g/op_1")


def test_a_path_prefix_of_the_base_url_may_be_there_or_not() -> None:
    among = directory(HOG2)
    expected = hog("op_1", profile="hog2")
    for url in (
        "https://gateway.example:8443/hog/v9/api/operations/op_1",
        "https://gateway.example:8443/api/operations/op_1",
        "/hog/v9/api/operations/op_1",
        "/api/operations/op_1",
        "hog2:/hog/v9/api/operations/op_1",
    ):
        assert parse_target(url, among) == expected
    assert "not a poll URL" in refusal("https://gateway.example:8443/hog/v9x/api/operations/op_1", among)


def test_of_several_profiles_on_one_origin_the_default_wins_when_it_fits() -> None:
    base = "http://127.0.0.1:8080"
    one, two = (make_profile(name, "thehog", base_url=base) for name in ("one", "two"))
    other = make_profile("other", "sonarly", base_url=base)
    url = f"{base}/api/operations/op_1"
    assert parse_target(url, directory(other, one, two, default="two")).key.profile == "two"
    assert parse_target(url, directory(other, one, two, default="other")).key.profile == "one"
    assert parse_target(url, directory(other, one, two)).key.profile == "one"


@pytest.mark.parametrize("text", ["", " op_1", "op_1 ", "op_1\n", "a/b/c", "hog:", "/", "g/", "/x"])
def test_what_is_no_target_is_refused_with_a_clean_reason(text: str) -> None:
    assert refusal(text)


def test_without_a_profile_every_target_is_refused_in_words() -> None:
    assert "no profile configured" in refusal("op_1", directory())
    assert "none is configured" in refusal("https://developer.thehog.ai/api/operations/op_1", directory())


@pytest.mark.parametrize("key", ["sk_live_0123456789abcdef", "ak_0123456789abcdef", "hog_live_0123456789abcdef"])
def test_a_pasted_api_key_is_refused_and_not_repeated(key: str) -> None:
    for text in (key, f"hog:{key}", f"/api/operations/{key}"):
        message = refusal(text)
        assert "looks like an API key" in message
        assert "0123456789" not in message


def test_a_profiles_own_account_group_is_checked_too() -> None:
    bad = make_profile("bad", "sonarly", account_group="../x")
    assert "are written account_group/ID" in refusal(JOB, directory(bad))


def test_parsing_targets_imports_neither_the_http_client_nor_the_models() -> None:
    code = (
        "import sys; import jobdeck.http.base, jobdeck.apis.profile, jobdeck.http.credentials; "
        "import jobdeck.apis.target_input as t; t.parse_input(b'op_1', t.ProfileRegistry({})); "
        "print([name for name in ('httpx', 'pydantic', 'pydantic_core', 'asyncio', 'ssl') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
