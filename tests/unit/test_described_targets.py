"""Targets of described APIs: by ID, by place and ID, by full name, by URL, and by what an API accepted with."""

import json

import pytest

from jobdeck.apis.target_input import parse_input
from jobdeck.apis.targets import ProfileRegistry, TargetError, parse_target
from jobdeck.apis.url_template import PieceError, TemplateError, UrlTemplate
from jobdeck.domain.job import JobKey, Target
from tests.builders import APIS, describe, make_profile

ACME = describe(
    "acme",
    {
        "acme": {
            "base_url": "https://acme.example/api",
            "job": {"url": "/jobs/{id}"},
            "fields": {"id": "$.job.id", "status": "$.s", "request_id": "$.rid"},
            "phases": {"succeeded": ["ok"]},
        }
    },
    "config.toml",
)
CI = make_profile("ci", APIS.spec("github-actions"), variables={"owner": "octocat", "repo": "hello"})
CORP = make_profile("corp", APIS.spec("github-actions"), variables={"owner": "corp"})
SPEECH = make_profile("speech", APIS.spec("google-lro"), base_url="https://speech.googleapis.com/v1")
VERTEX = make_profile(
    "vertex", APIS.spec("google-lro"), base_url="https://ai.googleapis.com/v1", variables={"parent": "projects/p"}
)
AZURE = make_profile("azure", APIS.spec("azure-async"), variables={"api_version": "2024-03-01"})
OWN = make_profile("own", ACME)
HOG = make_profile("hog", "thehog")
BRICKS = make_profile(
    "bricks",
    describe(
        "bricks",
        {
            "bricks": {
                "base_url": "https://bricks.example/api",
                "job": {"url": "/{version}/runs/get", "query": {"run_id": "{id}", "full": "true"}},
                "fields": {"id": "$.run_id", "status": "$.s"},
                "phases": {"succeeded": ["ok"]},
            }
        },
        "config.toml",
    ),
    variables={"version": "2.1"},
)
ALL = {profile.name: profile for profile in (CI, CORP, SPEECH, VERTEX, AZURE, OWN, BRICKS, HOG)}

PLACE = "sub-1/providers/Microsoft.Compute/locations/westus/operations"
GUID = "4b7c1a5e-9c3d-4f6e-8a21-0f1e2d3c4b5a"
SIGNED = f"https://management.azure.com/subscriptions/{PLACE}/{GUID}?api-version=2021-04-01&t=63&c={'x' * 3000}&s=y"


def key_of(text: str, default: str | None = None) -> JobKey:
    target = parse_target(text, ProfileRegistry(ALL, default))
    assert target.provider == ALL[target.key.profile].provider
    assert target.resource == ("operation" if target.provider == "thehog" else "job")
    return target.key


@pytest.mark.parametrize(
    ("text", "default", "key"),
    [
        ("30433642", "ci", JobKey("ci", "octocat/hello", "30433642")),
        ("ci:30433642", "hog", JobKey("ci", "octocat/hello", "30433642")),
        ("corp/.github/7", "ci", JobKey("ci", "corp/.github", "7")),
        ("corp:tools/7", None, JobKey("corp", "corp/tools", "7")),
        ("https://api.github.com/repos/a/b/actions/runs/7", None, JobKey("ci", "a/b", "7")),
        ("https://api.github.com/repos/corp/b/actions/runs/7", None, JobKey("corp", "corp/b", "7")),
        ("corp:/repos/a/b/actions/runs/7", None, JobKey("corp", "a/b", "7")),
        ("speech:operations/abc", None, JobKey("speech", None, "abc")),
        ("speech:abc", None, JobKey("speech", None, "abc")),
        ("projects/p/locations/l/operations/abc", "speech", JobKey("speech", "projects/p/locations/l", "abc")),
        ("vertex:abc", None, JobKey("vertex", "projects/p", "abc")),
        ("vertex:projects/q/abc", None, JobKey("vertex", "projects/q", "abc")),
        ("https://ai.googleapis.com/v1/projects/q/operations/1", None, JobKey("vertex", "projects/q", "1")),
        (f"azure:{PLACE}/{GUID}", None, JobKey("azure", PLACE, GUID)),
        (SIGNED, None, JobKey("azure", PLACE, GUID)),
        ("/api/jobs/j%2D1", "own", JobKey("own", None, "j-1")),
        ("/jobs/1", None, JobKey("own", None, "1")),
        ("bricks:7", None, JobKey("bricks", "2.1", "7")),
        ("bricks:2.0/7", None, JobKey("bricks", "2.0", "7")),
        ("https://bricks.example/api/2.2/runs/get?full=true&run_id=7", None, JobKey("bricks", "2.2", "7")),
        ("bricks:/2.1/runs/get?run_id=a%3Ab", None, JobKey("bricks", "2.1", "a:b")),
        ("/2.1/runs/get?run_id=7", None, JobKey("bricks", "2.1", "7")),
        ("/api/operations/op_1", None, JobKey("hog", None, "op_1")),
        ("hog:op_1", None, JobKey("hog", None, "op_1")),
    ],
)
def test_a_target_of_a_described_api(text: str, default: str | None, key: JobKey) -> None:
    assert key_of(text, default) == key
    # What is printed names the same job again.
    assert key_of(str(key), default) == key


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("corp:7", "7: GitHub Actions jobs are written owner/repo/ID, or set owner, repo in .profiles.corp.var"),
        ("ci:a/b/c/7", "a/b/c/7: GitHub Actions jobs are written owner/repo/ID$"),
        ("ci:../b/7", "GitHub Actions jobs are written owner/repo/ID"),
        ("vertex:operations/abc", "abc: profile vertex polls elsewhere"),
        ("own:a/7", "a/7: acme jobs are written as a bare ID"),
        ("ci:a/b/..", "not a job ID"),
        ("ci:a/b/sk_live_0123456789", "looks like an API key"),
        ("ci:ghp_0123456789abcdef", "^ghp_…: looks like an API key"),
        ("own:sk-proj-abcdefghijklmnop", "^sk-…: looks like an API key"),
        ("own:sk_live_abcdefghijklmnop", "^sk_live_…: looks like an API key"),
        ("https://api.github.com/repos/a/b/actions/runs/sk_live_0123456789", "looks like an API key"),
        ("https://api.github.com/repos/a/b/actions/runs/7%2F8", "'7%2F8' is neither an ID nor a path segment"),
        ("https://api.github.com/repos/../b/actions/runs/7", "neither an ID nor a path segment"),
        ("https://api.github.com/repos/a/b/actions/jobs/7", "not a poll URL .known: .*/repos/{owner}/{repo}/actions"),
        ("https://api.github.com/repos/a/b/actions/runs/7?per_page=1", "unknown parameter .per_page."),
        ("https://api.github.com/repos/a/b/actions/runs/7#top", "must not have a query or fragment"),
        ("https://evil.example/repos/a/b/actions/runs/7", "no profile uses this origin"),
        ("https://me:secret@api.github.com/repos/a/b/actions/runs/7", "must not contain a user name or password"),
        (SIGNED.replace("&s=", "&sig="), "unknown parameter 'sig' for azure-async"),
        (SIGNED + "x" * 8_192, "the URL is too long"),
        ("bricks:/2.1/runs/get", "not a poll URL"),
        ("bricks:/2.1/runs/get?run_id=7&run_id=8", "not a poll URL"),
        ("bricks:/2.1/runs/get?run_id=..%2F7", "[.][.]/7: not a job ID"),
        ("https://bricks.example/2.1/runs/get?run_id=7&host=x", "unknown parameter 'host' for bricks"),
        pytest.param("https://bricks.example/2.1/runs/get?" + "run_id=7&" * 800, "not a poll URL", id="many"),
        pytest.param("https://bricks.example/2.1/runs/get?" + "&" * 8_000, "not a poll URL", id="&"),
        ("/api/operations/op_1?x=1", "must not have a query or fragment"),
        ("/nowhere/7", "not a poll URL"),
    ],
)  # fmt: skip
def test_what_is_no_target_of_a_described_api_is_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(TargetError, match=told) as caught:
        key_of(text)
    assert "secret" not in str(caught.value)


def test_a_relative_url_that_several_profiles_could_mean_asks_which() -> None:
    with pytest.raises(TargetError, match="several profiles use GitHub Actions; write PROFILE:"):
        key_of("/repos/a/b/actions/runs/7", "hog")
    assert key_of("/repos/a/b/actions/runs/7", "corp") == JobKey("corp", "a/b", "7")


def accepted(body: object, default: str) -> tuple[Target, ...]:
    parsed = parse_input(json.dumps(body).encode(), ProfileRegistry(ALL, default))
    assert not parsed.refused, parsed.refused
    return parsed.targets


def test_what_an_api_accepted_with_is_a_target_of_the_default_profile() -> None:
    (run,) = accepted({"id": 30433642, "status": "queued"}, "ci")
    assert run.key == JobKey("ci", "octocat/hello", "30433642")
    (operation,) = accepted({"name": "projects/p/operations/9", "done": False}, "speech")
    assert operation.key == JobKey("speech", "projects/p", "9")
    (own,) = accepted({"job": {"id": "j-1"}, "rid": "r-1\x1b"}, "own")
    assert (own.key, own.accepted_request_id) == (JobKey("own", None, "j-1"), "r-1\\x1b")
    (hog,) = accepted({"id": "op_1", "pollUrl": "https://developer.thehog.ai/api/operations/op_1"}, "own")
    assert hog.key == JobKey("hog", None, "op_1")


RUN_URL = "https://api.github.com/repos/a/b/actions/runs/7"


@pytest.mark.parametrize(
    ("body", "default", "key"),
    [
        ({"id": 7, "url": RUN_URL, "jobs_url": f"{RUN_URL}/jobs"}, "own", JobKey("ci", "a/b", "7")),
        ({"id": 7, "urls": {"get": RUN_URL, "cancel": f"{RUN_URL}/cancel"}}, "hog", JobKey("ci", "a/b", "7")),
        ({"queued": True, "status_url": "https://acme.example/api/jobs/j-1"}, "ci", JobKey("own", None, "j-1")),
        ({"job": {"id": "j-1", "self": "https://acme.example/api/jobs/j-1"}}, "ci", JobKey("own", None, "j-1")),
        # A URL of another job, or several jobs' URLs: the ID alone says whose it is.
        ({"id": 8, "parent": RUN_URL}, "ci", JobKey("ci", "octocat/hello", "8")),
        ({"id": 8, "a": RUN_URL, "b": f"{RUN_URL}1"}, "ci", JobKey("ci", "octocat/hello", "8")),
        ({"id": 8, "deep": {"er": {"url": RUN_URL}}}, "ci", JobKey("ci", "octocat/hello", "8")),
        ({"id": 8, "url": "https://evil.example/repos/a/b/actions/runs/8"}, "ci", JobKey("ci", "octocat/hello", "8")),
        ({"id": "op_1", "note": RUN_URL}, "hog", JobKey("hog", None, "op_1")),
        ({"run_id": 5}, "bricks", JobKey("bricks", "2.1", "5")),
    ],
)
def test_a_body_with_a_poll_url_is_a_target_of_the_profile_that_has_it(body: object, default: str, key: JobKey) -> None:
    assert [target.key for target in accepted(body, default)] == [key]


def answer(*lines: str, body: str = "") -> bytes:
    return "\r\n".join(("HTTP/1.1 202 Accepted", *lines, "", body)).encode()


@pytest.mark.parametrize(
    ("data", "key", "request_id"),
    [
        (answer(f"Location: {RUN_URL}", "X-GitHub-Request-Id: GH:1"), JobKey("ci", "a/b", "7"), "GH:1"),
        (answer(f"Azure-AsyncOperation: {SIGNED}", "Location: /x", "x-ms-request-id: r", body='{"id": "/x", "p": 1}'),
         JobKey("azure", PLACE, GUID), "r"),
        (answer("Location: /repos/a/b/actions/runs/7", body='{"id": 9}'), JobKey("ci", "a/b", "7"), None),
        (answer("Location: https://evil.example/1", body='{"id": 9}'), JobKey("ci", "octocat/hello", "9"), None),
        (answer("Content-Type: application/json", body='{\n "id": 9\n}'), JobKey("ci", "octocat/hello", "9"), None),
        (answer(f"Operation-Location: {RUN_URL}", body="<html>\n<p>wait</p>\n"), JobKey("ci", "a/b", "7"), None),
        (answer(f"Location: {RUN_URL}", body='{"a" 1}'), JobKey("ci", "a/b", "7"), None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(f"location: {RUN_URL}"), JobKey("ci", "a/b", "7"), None),
    ],
)  # fmt: skip
def test_an_accepted_answer_with_its_head_is_a_target(data: bytes, key: JobKey, request_id: str | None) -> None:
    parsed = parse_input(data, ProfileRegistry(ALL, "ci"))
    assert not parsed.refused, parsed.refused
    assert [(target.key, target.accepted_request_id) for target in parsed.targets] == [(key, request_id)]


def test_several_answers_with_heads_and_other_targets_are_told_apart() -> None:
    listed = b'HTTP/1.1 200 OK\r\nLocation: /x\r\n\r\n[{"id": 1}, {"id": 2}]\n'
    empty = answer(f"Location: {RUN_URL}", "Content-Length: 0")
    bare = answer("Location: /repos/a/b/actions/runs/5") + answer("Location: /repos/a/b/actions/runs/6")
    data = answer("A: b", body='{"id": 9}') + listed + empty + b"own:j-1\n" + bare
    parsed = parse_input(data, ProfileRegistry(ALL, "ci"))
    assert [str(target.key) for target in parsed.targets] == [
        "ci:octocat/hello/9", "ci:octocat/hello/1", "ci:octocat/hello/2", "ci:a/b/7", "own:j-1", "ci:a/b/5", "ci:a/b/6",
    ]  # fmt: skip
    assert not parsed.refused


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'HTTP/1.1 401 Unauthorized\r\n\r\n{"detail": "no such key\\u001b"}', "an error response (HTTP 401): no job"),
        (b"HTTP/1.1 302 Found\r\nLocation: /repos/a/b/actions/runs/7\r\n\r\n", "an error response (HTTP 302): no"),
        (answer("Location: https://evil.example/7"), "https://evil.example: no profile uses this origin"),
        (answer("Location: https://me:secret@api.github.com/repos/a/b/actions/runs/7"), "user name or password"),
        (answer("A: b"), "a response with no readable body and no poll URL in its headers"),
        (answer("A: b", body="[1"), "a response with no readable body"),
        (answer("A: b", body='{"a" 1}'), "a response with no readable body"),
        (answer("A: b", body="[" * 300 + "]" * 300), "a response with no readable body"),
    ],
)  # fmt: skip
def test_an_answer_that_accepts_nothing_is_refused_in_words(data: bytes, told: str) -> None:
    parsed = parse_input(data, ProfileRegistry(ALL, "ci"))
    assert not parsed.targets
    assert any(told in reason for _, reason in parsed.refused), parsed.refused
    assert "secret" not in str(parsed.refused)


def test_a_body_without_a_job_says_where_its_id_was_looked_for() -> None:
    def reason(default: str | None, *names: str) -> str:
        ((_, told),) = parse_input(b'{"a": 1}', ProfileRegistry({name: ALL[name] for name in names}, default)).refused
        return told

    assert "without a job ID ($.job.id)" in reason("own", "own", "ci")
    assert "for a response with just an ID, write PROFILE:-" in reason(None, "own", "ci")


@pytest.mark.parametrize(
    ("template", "values", "path"),
    [
        ("/jobs/{id}", {"id": "a:b"}, "/jobs/a%3Ab"),
        ("/{p*}/jobs/{id}", {"id": "1"}, "/jobs/1"),
        ("/{p*}/jobs/{id}", {"p": "a/b.c", "id": "1"}, "/a/b.c/jobs/1"),
        ("/x-{v}-y/{id}", {"v": "q", "id": "1"}, "/x-q-y/1"),
        ("/v1/{id}:get", {"id": "1"}, "/v1/1:get"),
        ("/runs/{id}/", {"id": "1"}, "/runs/1/"),
        ("/runs/{p*}/", {"p": "a/b"}, "/runs/a/b/"),
    ],
)
def test_a_template_makes_a_path_and_takes_it_apart(template: str, values: dict[str, str], path: str) -> None:
    parsed = UrlTemplate.parse(template)
    assert parsed.path(values) == path
    assert parsed.match(path) == {**({"p": ""} if "p" in parsed.variables else {}), **values}


@pytest.mark.parametrize("path", ["", "/", "/jobs", "/jobs/1/2", "jobs/1", "/Jobs/1"])
def test_a_path_of_another_shape_is_no_match(path: str) -> None:
    assert UrlTemplate.parse("/jobs/{id}").match(path) is None


def test_a_poll_url_may_lack_the_slash_that_its_page_ends_with() -> None:
    template = UrlTemplate.parse("/jobs/{id}/")
    assert template.match("/jobs/1") == template.match("/jobs/1/") == {"id": "1"}
    assert template.match("/jobs/1//") is None
    assert UrlTemplate.parse("/jobs/{id}").match("/jobs/1/") is None


@pytest.mark.parametrize(
    "path", ["/jobs/", "/jobs/..", "/jobs/%2e%2e", "/jobs/%", "/jobs/a%00", "/jobs/%ff", "/jobs/a%20b"]
)
def test_a_part_that_is_no_id_is_refused(path: str) -> None:
    with pytest.raises(PieceError):
        UrlTemplate.parse("/jobs/{id}").match(path)


def test_a_template_without_a_slash_is_none() -> None:
    with pytest.raises(TemplateError):
        UrlTemplate.parse("")
