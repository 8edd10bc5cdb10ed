"""Two servers under one profile name, and two profile names of one organization."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.simulator.scenario import JobScript, Outcome, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck

DONE = JobScript(id="op_1", arrival=-60.0, duration=10.0)
GOING = JobScript(id="op_1", duration=1e6)
FAILED = JobScript(id="op_2", arrival=-60.0, duration=10.0, outcome=Outcome.FAILED)
OTHER = JobScript(id="op_3", arrival=-60.0, duration=10.0)


@dataclass(frozen=True)
class Servers:
    """Production has `op_1` done and `op_2` failed; at staging `op_1` is going, and only `op_3` is done."""

    production: ThreadedSimulator
    staging: ThreadedSimulator


@pytest.fixture
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        made = [Scenario(jobs=(DONE, FAILED)), Scenario(jobs=(GOING, OTHER), seed=7)]
        yield Servers(*(stack.enter_context(ThreadedSimulator(scenario)) for scenario in made))


@pytest.fixture(params=["environment", "--config"])
def envs(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The environments of production and of staging: they differ in the base URL, or in the file that has it."""
    urls = (servers.production.url, servers.staging.url)
    if request.param == "environment":
        production, staging = (environment(url, tmp_path) for url in urls)
        return production, staging
    return configured(tmp_path, urls[0]), configured(tmp_path, urls[1])


def configured(home: Path, *urls: str, organization: str | None = None, limit: int | None = None) -> dict[str, str]:
    """An environment whose file has a profile for each URL: `thehog`, `thehog1` and so on."""
    profiles = [
        f'[profiles.thehog{number or ""}]\nprovider = "thehog"\nbase_url = "{url}"\n'
        'access_key = "env:THE_HOG_ACCESS_KEY"\nsecret_key = "env:THE_HOG_SECRET_KEY"\n'
        + (f'organization = "{organization}"\n' if organization else "")
        + (f"requests_per_minute = {limit}\n" if limit else "")
        for number, url in enumerate(urls)
    ]
    path = home / f"{len(list(home.glob('*.toml')))}.toml"
    path.write_text("\n".join(profiles))
    return {**environment("http://127.0.0.1:9", home), "JOBDECK_CONFIG": str(path)}


def test_what_one_server_said_ends_no_wait_on_the_other(envs: tuple[dict[str, str], ...], servers: Servers) -> None:
    production, staging = envs
    assert jobdeck("wait", "op_1", env=production).code == 0
    waited = jobdeck("wait", "--json", "--timeout", "1s", "op_1", env=staging)
    assert (waited.code, waited.object["phase"]) == (124, "running")
    servers.staging.stop()
    looked = jobdeck("status", "--json", "op_1", env=staging)
    assert looked.code == 7
    assert looked.object["phase"] != "succeeded"


def test_nothing_is_shown_of_the_other_server(envs: tuple[dict[str, str], ...], servers: Servers) -> None:
    production, staging = envs
    assert jobdeck("status", "op_1", "op_2", env=production).code == 1
    servers.staging.stop()
    looked = jobdeck("status", "--json", "op_1", "op_2", env=staging)
    assert looked.code == 7
    assert {(job["phase"], job["status"], job["observed_at"]) for job in looked.objects} == {("unknown", None, None)}
    assert jobdeck("history", "--json", "--profile", "thehog", env=production).objects != []
    known = {job["id"]: job["phase"] for job in jobdeck("history", "--json", env=staging).objects}
    assert known == {"op_1": "unknown", "op_2": "unknown"}
    assert {job["origin"] for job in jobdeck("history", "--json", env=staging).objects} == {servers.staging.url}
    sent = {request["url"] for request in jobdeck("requests", "--json", env=staging).objects}
    assert sent == {f"{servers.staging.url}/api/operations/op_{number}" for number in (1, 2)}
    ticket = jobdeck("ticket", "--format", "json", "op_2", env=staging)
    assert (ticket.code, ticket.object["job"]["phase"]) == (7, "unknown")
    (unreachable,) = ticket.object["timeline"]
    assert unreachable["kind"] == "problem"
    assert servers.staging.url in unreachable["text"]
    assert servers.production.url not in ticket.out


def test_a_request_of_the_other_server_is_not_shown_but_found(
    envs: tuple[dict[str, str], ...], servers: Servers
) -> None:
    production, staging = envs
    request_id = jobdeck("status", "--json", "op_2", env=production).object["request_id"]
    found = jobdeck("requests", request_id, env=staging)
    assert (found.code, found.out) == (6, "")
    assert f"{request_id} is on record for {servers.production.url} (thehog)" in found.err
    assert jobdeck("requests", request_id, env=production).code == 0
    assert f"no saved jobs for profile thehog at {servers.staging.url} yet" in (
        jobdeck("history", "--profile", "thehog", env=staging).err
    )


async def test_each_server_has_its_own_watch_list(envs: tuple[dict[str, str], ...], servers: Servers) -> None:
    for env in (envs[0], envs[1], envs[0]):
        context = AppContext(env)
        running = await context.open(listed=True)
        before = [job.key.id for job in await context.load_jobs(running.store, ())]
        url = str(context.settings.profiles["thehog"].profile.origin)
        mine = "op_2" if url == servers.production.url else "op_3"
        assert before in ([], [mine])
        running.engine.add([parse_target(mine, context.registry)])
        await running.engine.aclose()


def test_servers_share_no_budget_under_one_name(servers: Servers, tmp_path: Path) -> None:
    assert jobdeck("status", "op_1", env=configured(tmp_path, servers.production.url, limit=1)).code == 0
    staging = configured(tmp_path, servers.staging.url, limit=1)
    assert jobdeck("wait", "--timeout", "20s", "op_3", env=staging).code == 0
    assert jobdeck("wait", "--timeout", "1s", "op_1", env=staging).code == 124


def test_profiles_of_one_organization_share_jobs_and_budget(servers: Servers, tmp_path: Path) -> None:
    url = servers.production.url
    env = configured(tmp_path, url, url, organization="acme", limit=1)
    assert jobdeck("status", "thehog:op_2", env=env).code == 1
    (known,) = jobdeck("history", "--json", env=env).objects
    assert (known["profile"], known["origin"], known["organization"]) == ("thehog", url, "acme")
    (known,) = jobdeck("history", "--json", "--profile", "thehog1", env=env).objects
    assert (known["profile"], known["phase"]) == ("thehog1", "failed")
    (sent,) = jobdeck("requests", "--json", "thehog1:op_2", env=env).objects
    assert (sent["profile"], sent["job"]) == ("thehog", "thehog1:op_2")
    assert jobdeck("wait", "--timeout", "1s", "thehog1:op_1", env=env).code == 124, "the minute's request is spent"
    assert len(servers.production.requests) == 1
    checks = {check["check"]: check["found"] for check in jobdeck("doctor", "--json", "--no-store", env=env).objects}
    assert "profiles: thehog (default, organization acme), thehog1 (organization acme)" in checks["configuration"]


def test_another_organization_at_the_same_server_knows_nothing(servers: Servers, tmp_path: Path) -> None:
    url = servers.production.url
    assert jobdeck("status", "op_2", env=configured(tmp_path, url, organization="acme", limit=1)).code == 1
    other = configured(tmp_path, url, organization="globex", limit=1)
    assert jobdeck("history", "--json", env=other).objects == []
    assert jobdeck("wait", "--timeout", "20s", "op_1", env=other).code == 0


def test_names_that_are_not_configured_any_more_are_told_apart_by_their_server(
    servers: Servers, tmp_path: Path
) -> None:
    jobdeck("status", "op_1", env=environment(servers.production.url, tmp_path))
    jobdeck("status", "op_3", env=environment(servers.staging.url, tmp_path))
    bare = {name: value for name, value in environment("", tmp_path).items() if not name.startswith(("THE", "SON"))}
    for command in ("history", "requests"):
        header, *rows = jobdeck(command, env=bare).out.splitlines()
        assert header.startswith("SERVER")
        assert {row.split()[0] for row in rows} == {servers.production.url, servers.staging.url}
    assert {job["origin"] for job in jobdeck("history", "--json", "--profile", "thehog", env=bare).objects} == {
        servers.production.url, servers.staging.url,
    }  # fmt: skip


def test_without_a_store_profiles_of_one_organization_share_the_budget_of_the_run(
    servers: Servers, tmp_path: Path
) -> None:
    env = configured(tmp_path, servers.production.url, servers.production.url, organization="acme", limit=1)
    waited = jobdeck("wait", "--no-store", "--timeout", "1s", "thehog:op_1", "thehog1:op_2", env=env)
    assert waited.code == 124
    assert len(servers.production.requests) == 1
    assert not (tmp_path / "data").exists()
