"""docs/team.md as it stands, on a real server: its commands, its roles, and what they may do."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from jobdeck.config.settings import load_settings
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.scope import Scope
from jobdeck.store import POLL
from jobdeck.store.errors import StoreReadOnlyError
from jobdeck.store.models import Answer, Grant, poll_request
from jobdeck.store.postgres.connect import ServerAddress
from jobdeck.store.postgres.migrate import load_migrations, migrate
from jobdeck.store.postgres.opening import open_team_store
from tests.builders import START, make_observation, make_target
from tests.cli.harness import environment
from tests.packaging.test_docs import _script
from tests.store.steps import KEY, PLENTY, an_exchange
from tests.support.postgres import NAMED, PostgresServer, running_server

DOC = (Path(__file__).parents[2] / "docs" / "team.md").read_text(encoding="utf-8")
ACME = {"hog": Scope("https://developer.thehog.ai", "acme", "thehog")}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this file alone: roles are those of a whole server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(NAMED, raising=False)
        with running_server() as server:
            yield server


@pytest.fixture(scope="module")
def ran(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each block of the document wrote, in their order, run by a shell that has none but its programs."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "bin").mkdir()
    _script(folder / "bin" / "jobdeck", f'exec "{sys.executable}" -m jobdeck "$@"')
    (sql,) = blocks("sql")
    (folder / "people.sql").write_text(sql)
    (settings,) = blocks("toml")
    config = folder / ".config" / "jobdeck" / "config.toml"
    config.parent.mkdir(parents=True)
    at = server.url.rpartition("@")[2].partition("/")[0]
    env = environment("http://127.0.0.1:9", folder) | {
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "PATH": f"{folder / 'bin'}:{server.binaries}:{os.environ['PATH']}",
        "PGHOST": at.partition(":")[0],
        "PGPORT": at.partition(":")[2],
        "PGUSER": "postgres",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    written: dict[str, str] = {}
    for block in blocks("sh"):
        if "store-url" in block:  # as the owner, one has no such settings
            config.write_text(settings)
            config.chmod(0o600)
        script = block.replace("@db.example.com/", f"@{at}/")
        run = subprocess.run(
            ["/bin/sh", "-ec", script],
            cwd=folder,
            env=env,
            input="a password\na password\n",
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
            start_new_session=True,  # without a terminal, passwords are read from the input
        )
        assert run.returncode == 0, f"{block}\n{run.stderr}"
        written[block] = run.stdout + run.stderr
    return written


def test_the_settings_of_the_document_are_read(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    team = load_settings({}, path).team
    assert team is not None
    assert team.user == "ann"


def test_every_command_of_the_document_runs(ran: dict[str, str]) -> None:
    told = "\n".join(ran.values())
    assert f"is set up (schema {len(load_migrations())})" in told
    assert "role ann, not encrypted" in told
    assert f"schema {len(load_migrations())} of {len(load_migrations())}" in told


@pytest.fixture
def ann(server: PostgresServer, ran: dict[str, str]) -> str:
    """The URL of a person, on a database that is as the document says."""
    assert ran
    return server.database("jobdeck").replace("postgres@", "ann@")


async def test_a_person_can_do_everything_but_change_tables(ann: str, server: PostgresServer) -> None:
    def now_us() -> int:
        return time.time_ns() // 1_000

    opened = await open_team_store(ann, "one", user="ann", scopes=ACME, now_us=now_us, everyone=True, keep_results=True)
    store = opened.store
    assert opened.notices == ()
    cursor = await store.head()
    await store.watch([make_target()])
    await store.set_limits("hog", {POLL: PLENTY})
    await store.acknowledge([KEY], acknowledged=True)
    await store.annotate([KEY], "ask Ada")
    problem = Problem(ProblemKind.RATE_LIMIT, "slow down")
    for exchange, seen in ((an_exchange(now_us(), request_id="r-1"), (make_observation(),)),
                           (an_exchange(now_us(), problem=problem), ())):  # fmt: skip
        (grant,) = await store.claim([poll_request(KEY)])
        assert isinstance(grant, Grant)
        await store.complete([Answer(grant, exchange, seen)])
    await store.release([grant])
    assert await store.claim_event(KEY, "hooks:failed", team=True)
    await store.save_estimates("hog", "{}")
    await store.save_preference("order", "KIND")
    assert await store.newest() == len(await store.all_requests())
    assert await store.count_watched() == {"hog": 1}
    assert len(await store.failures("hog", 0, now_us() + 10**9)) == 1
    assert len((await store.find_request("r-1")).shown) == 1
    assert list(await store.load([KEY])) == [KEY]
    assert len(await store.jobs()) == 1
    assert [event.kind.value for event in await store.timeline(KEY)] == ["phase", "problem"]
    assert await store.phase_evidence(KEY) is not None
    assert len(await store.requests(KEY)) == 2
    assert (await store.annotations([KEY]))[KEY].note == "ask Ada"
    assert (await store.load_estimates(), await store.load_preferences()) == ({"hog": "{}"}, {"order": "KIND"})
    assert (await store.changes(cursor))[0]
    assert [job.target.watched_by for job in await store.watched(START)] == [("ann",)]
    assert await store.unwatch([KEY]) == (KEY,)
    await store.purge(now_us() + 10**9)
    assert (await store.health(check=True)).rows["jobs"] == 1, "one with a note stays"
    await store.close()
    with pytest.raises(StoreReadOnlyError, match=re.escape("docs/team.md")):
        await migrate(ServerAddress.parse(ann.replace("/jobdeck", "/restored")), new=True)
    person = await asyncpg.connect(ann)
    owner = await asyncpg.connect(server.database("jobdeck").replace("postgres@", "jobdeck_owner@"))
    try:
        for statement in ("CREATE TABLE jobdeck.mine (x int)", "DROP TABLE jobdeck.watches", "CREATE SCHEMA mine"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await person.execute(statement)
        # As a later migration would.
        await owner.execute("CREATE TABLE jobdeck.later (id bigint GENERATED ALWAYS AS IDENTITY, x int)")
        await person.execute("INSERT INTO jobdeck.later (x) VALUES (1)")
        assert await person.fetchval("SELECT x FROM jobdeck.later") == 1
    finally:
        await asyncio.gather(person.close(), owner.close())


async def test_who_is_not_one_of_the_people_cannot_connect(ann: str, server: PostgresServer) -> None:
    assert ann
    admin = await asyncpg.connect(server.url)
    await admin.execute("CREATE ROLE eve LOGIN")
    await admin.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
        await asyncpg.connect(server.database("jobdeck").replace("postgres@", "eve@"))


async def test_a_backup_has_all_of_it(ann: str, server: PostgresServer) -> None:
    assert ann
    restored = await asyncpg.connect(server.database("restored"))
    assert await restored.fetchval("SELECT value FROM jobdeck.meta WHERE name = 'schema'") == str(
        len(load_migrations())
    )
    await restored.close()
