"""Rules 7, 8 and 9 against a hostile server: through the engine, `status --json` and the screen, of both APIs.

Every answer gives a typed problem with words or a clean value, none changes a state it should not, and no job suffers
from another's answers.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest

from jobdeck.apis.client import ApiClient
from jobdeck.app.context import AppContext, ListPolicy
from jobdeck.app.live_session import LiveSession
from jobdeck.config import ProfileSettings, Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.domain.job import Job, JobKey, Target
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.engine.engine import Engine
from jobdeck.tui.app import JobdeckApp
from tests.builders import make_profile
from tests.cleanness import is_clean
from tests.cli.harness import environment, jobdeck
from tests.hostile.answers import ANSWERS, BY_NAME, SLOW, Hostile, envelope, whole
from tests.hostile.server import GROUP, HostileServer
from tests.support.clocks import FastClock
from tests.tui.drive import Clipboard, Driven
from tests.tui.test_hostile import assert_harmless
from tests.unit.http.wire import hog_target, serve, sonarly, sonarly_target, the_hog

APIS: tuple[str, ...] = ("thehog", "sonarly")
SPEED = 2.5
PATIENCE = 150.0
STOPPING = {ProblemKind.RATE_LIMIT, ProblemKind.PERMISSION}
MEBIBYTE = 2**20 if sys.platform == "darwin" else 2**10
"""In the unit of ru_maxrss: bytes on macOS, KiB elsewhere."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


async def until(condition: Callable[[], bool]) -> None:
    """Wait for hundreds of answers: seconds on an idle machine, a minute on a busy one."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


def profile_name(api: str, hostile: Hostile) -> str:
    """A profile of its own for what concerns all its jobs: one whose server fails, refuses or is busy is asked less."""
    own = isinstance(hostile.expect, ProblemKind) and (hostile.expect.affects_profile or hostile.expect in STOPPING)
    return f"{api}-{hostile.name if own else 'shared'}"


def target(api: str, hostile: Hostile, id_: str) -> Target:
    group, resource = (GROUP, "prospecting") if api == "sonarly" else (None, "operation")
    return Target(JobKey(profile_name(api, hostile), group, id_), api, resource)


def settings_of(url: str, answers: Iterable[Hostile]) -> Settings:
    profiles: dict[str, ProfileSettings] = {}
    for hostile in answers:
        for api in APIS:
            name = profile_name(api, hostile)
            profile = make_profile(
                name, api, base_url=url, account_group=GROUP if api == "sonarly" else None, requests_per_minute=6_000
            )
            profiles[name] = ProfileSettings(profile, {"token": SecretRef("sk_live_canary_0123456789", "test")})
    return Settings(MappingProxyType(profiles), None, None)


@asynccontextmanager
async def engine_on(url: str, answers: Iterable[Hostile]) -> AsyncIterator[Engine]:
    context = AppContext({}, settings=settings_of(url, answers), clock=FastClock(SPEED))
    engine = context.engine(lists=ListPolicy.NONE)
    running = asyncio.create_task(engine.run())
    try:
        yield engine
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await engine.aclose()


def assert_outcome(job: Job, hostile: Hostile) -> None:
    """A problem leaves the state of before; a clean value is the one that the answer tells."""
    if isinstance(hostile.expect, ProblemKind):
        assert job.problem is not None, hostile.name
        assert job.problem.kind is hostile.expect, hostile.name
        assert job.problem.message.strip()
        assert is_clean(job.problem.message)
        assert len(job.problem.message) < 4_300
        expected = Phase.RUNNING
    else:
        assert job.problem is None, (hostile.name, job.problem)
        expected = hostile.expect
    assert job.phase is expected, hostile.name


async def test_no_answer_changes_a_state_it_should_not_and_no_job_suffers_from_another(server: HostileServer) -> None:
    async with engine_on(server.url, ANSWERS) as engine:
        targets = {one: target(APIS[number % 2], one, f"{one.name}.later") for number, one in enumerate(ANSWERS)}
        victims = {asked.key: one for one, asked in targets.items()}
        others = [target(api, one, "well") for api in APIS for one in ANSWERS]
        engine.add(targets.values())
        await until(lambda: all(engine.jobs[key].observed for key in victims))
        before = dict(engine.jobs)
        engine.add(others)
        for key in victims:
            engine.poll_now(key)
        await until(lambda: all(is_answered(engine, key, hostile) for key, hostile in victims.items()))
        for key, hostile in victims.items():
            job = engine.jobs[key]
            engine.stop_polling(key)
            assert_outcome(job, hostile)
            if job.problem is not None:
                was = before[key]
                assert (job.status, job.progress, job.stages, job.result) == (
                    *(was.status, was.progress, was.stages),
                    was.result,
                )
                assert job.observed == was.observed
            if job.problem is not None and job.problem.retry_at_us is not None:
                assert (job.problem.retry_at_us - engine.exchanges(key)[0].started.us) / 1e6 < 1_000.0
            if before[key].terminal and hostile.before != "processing":
                assert len(job.anomalies) == 1
            assert len(engine.exchanges(key)[0].request_id or "") <= 200
        asked_for = {one.key for one in others if is_asked(engine, one.key.profile)}
        assert len(asked_for) > 60
        await until(lambda: all(len(engine.exchanges(key)) >= 2 for key in asked_for))
        assert all(engine.jobs[key].phase is Phase.RUNNING for key in asked_for)


def is_answered(engine: Engine, key: JobKey, hostile: Hostile) -> bool:
    return len(engine.exchanges(key)) >= 2 and (
        isinstance(hostile.expect, ProblemKind) or engine.jobs[key].problem is None
    )


def is_asked(engine: Engine, profile: str) -> bool:
    """Whether a profile goes on asking: not when its key was refused, nor while it was told to wait."""
    budget = engine.quotas()[profile]
    return not budget.halted and budget.blocked_until is None


async def test_answers_that_never_end_are_timeouts_and_the_others_are_asked_meanwhile(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ApiClient.__init__.__kwdefaults__, "deadline", 1.5)
    async with engine_on(server.url, SLOW) as engine:
        victims = {target(api, one, one.name).key: one for api in APIS for one in SLOW}
        others = [target(api, one, "well").key for api in APIS for one in SLOW]
        engine.add(target(api, one, id_) for api in APIS for one in SLOW for id_ in (one.name, "well"))
        await until(lambda: all(engine.jobs[key].observed for key in others))
        assert not any(engine.exchanges(key) for key in victims), "the well ones did not wait for the slow ones"
        await until(lambda: all(engine.exchanges(key) for key in victims))
        for key, hostile in victims.items():
            problem = engine.jobs[key].problem
            assert problem is not None
            assert problem.kind is hostile.expect, hostile.name
            assert "within 1.5 s" in problem.message
            assert engine.jobs[key].observed is None


def write_config(folder: Path, url: str, answers: Iterable[Hostile]) -> str:
    profiles = {profile_name(api, one): api for api in APIS for one in answers}
    text = "".join(
        f'[profiles.{name}]\nprovider = "{api}"\nbase_url = "{url}"\ntoken = "env:KEY"\n'
        f'account_group = "{GROUP}"\nrequests_per_minute = 6000\n'
        for name, api in profiles.items()
    )
    (folder / "config.toml").write_text(text)
    return str(folder / "config.toml")


def test_status_prints_one_object_for_each_answer_and_nothing_else(server: HostileServer, tmp_path: Path) -> None:
    """Each through the API that it does not come through in the test of the engine."""
    asked = [(APIS[1 - number % 2], one) for number, one in enumerate(ANSWERS) if one.before == "processing"]
    config = write_config(tmp_path, server.url, ANSWERS)
    env = {**environment(server.url, tmp_path), "KEY": "sk_live_canary_0123456789"}
    targets = {f"{profile_name(api, one)}:{one.name}": one for api, one in asked}
    ran = jobdeck("status", "--json", "--no-store", "-", "--config", config, env=env, stdin="\n".join(targets))
    notices = ("no requests until", "anomaly: malformed response, parsed leniently: ")
    assert all(is_clean(line) and any(words in line for words in notices) for line in ran.err.splitlines()), ran.err
    assert ran.out.isascii()
    json.dumps(ran.objects, ensure_ascii=False).encode()
    objects = {f"{item['profile']}:{item['id']}": item for item in ran.objects}
    assert objects.keys() == targets.keys()
    for name, item in objects.items():
        expect = targets[name].expect
        if isinstance(expect, Phase):
            assert (item["phase"], item["problem"]) == (expect.value, None), name
        else:
            assert (item["phase"], item["status"], item["observed_at"]) == ("unknown", None, None), name
            assert item["problem"]["kind"] == expect.value, name
            assert item["problem"]["message"].strip(), name
        for text in (item["status"], item["request_id"], item["trace_id"], (item["problem"] or {}).get("message")):
            assert text is None or is_clean(text), name
    clean = [name for name, one in targets.items() if isinstance(one.expect, Phase)]
    table = jobdeck("status", "--no-store", "-", "--config", config, env=env, stdin="\n".join(clean))
    assert all(is_clean(line) for line in table.out.splitlines())
    assert len(table.out.splitlines()) == len(clean) + 1


async def test_the_screen_shows_all_of_them_as_rows_and_stays_whole(server: HostileServer) -> None:
    context = AppContext({}, settings=settings_of(server.url, ANSWERS), clock=FastClock(SPEED), keep=False)
    targets = tuple(target(APIS[number % 2], one, one.name) for number, one in enumerate(ANSWERS))
    clipboard = Clipboard()
    app = JobdeckApp(LiveSession(context, targets), write_clipboard=clipboard, frame_seconds=0.05)
    async with app.run_test(size=(120, 40)) as pilot:
        run = Driven(app, pilot, None, clipboard)  # type: ignore[arg-type] - there is no fake session
        watch = app.deck.deck_state
        await until(lambda: watch.engine is not None and watch.table.total == len(targets))
        engine = watch.engine
        assert engine is not None
        await until(lambda: all(job.problem or job.observed for job in engine.jobs.values()))
        await run.press("p")
        for number in range(0, len(targets), 4):
            await run.press("j", "j", "j", "j", *(("]",) * 5 if number % 16 == 0 else ()))
            assert_harmless(run)
        await run.press("tab", "G", "tab", "G", "y", "escape", "f", "f", "y")
        assert_harmless(run)
        await run.press("q")
    assert app.return_code == 0
    assert all(is_clean(sent) for sent in clipboard.sent)


@pytest.mark.parametrize("api", APIS)
async def test_every_4xx_and_5xx_in_both_envelopes_has_words(api: str) -> None:
    """The envelopes of both vendors, from both: gateways and mistaken base URLs mix them."""
    asked = [(status, vendor) for status in range(400, 600) for vendor in APIS]
    raws = [whole(envelope(vendor, status, f"It says {status}."), status) for status, vendor in asked]
    async with serve(*raws) as wire, the_hog(wire.base_url) as hog, sonarly(wire.base_url) as other:
        for status, _ in asked:
            reply = await (hog.poll(hog_target("op_1")) if api == "thehog" else other.poll(sonarly_target("op_1")))
            assert reply.problem is not None
            assert f"It says {status}." in reply.problem.message
            assert reply.problem.http_status == status
            assert (reply.problem.request_id or reply.problem.trace_id) in {"r1", "t1"}
            assert reply.observations == ()


MEASURE = """
import resource, sys
from jobdeck.cli.main import main
from tests.builders import make_profile
main(["status", "--json", "--config", sys.argv[1], "--no-store", sys.argv[2]])
begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
main(["status", "--json", "--config", sys.argv[1], "--no-store", *sys.argv[3:]])
ended = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(ended - begun, file=sys.stderr)
"""
HEAVY = ("gzip_bomb", "nested_gzip_hidden", "nested_gzip", "endless_gzip", "endless_body", "endless_chunks",
         "nine_mebibytes", "endless_line", "deep", "huge_headers")  # fmt: skip


def test_bombs_and_floods_all_at_once_take_less_than_64_mebibytes(server: HostileServer, tmp_path: Path) -> None:
    config = write_config(tmp_path, server.url, ANSWERS)
    env = {**environment(server.url, tmp_path), "KEY": "sk_live_canary_0123456789"}
    targets = [f"{profile_name('thehog', BY_NAME[name])}:{name}" for name in HEAVY]
    command = [sys.executable, "-c", MEASURE, config, "thehog-shared:well", *targets, "thehog-shared:well"]
    run = subprocess.run(command, env=env, capture_output=True, timeout=150, check=False)
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert {item["id"] for item in found} == {"well", *HEAVY}
    assert int(run.stderr.split()[-1]) < 64 * MEBIBYTE
