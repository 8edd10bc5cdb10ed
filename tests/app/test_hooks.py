"""Hooks: run once for each end, with data and without keys, and never for longer than they may."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jobdeck.app.end_notifier import EndNotifier
from jobdeck.app.hooks import HookRunner, without_secrets
from jobdeck.app.json_shapes import job_object
from jobdeck.config import ConfigError, load_settings
from jobdeck.config.programs import Hook
from jobdeck.domain.events import PhaseChanged, describe_ends, newly_ended
from jobdeck.domain.job import Job, JobError, Observation
from jobdeck.domain.phase import Phase
from jobdeck.engine.subscription import ChangeSet
from jobdeck.store import POLL, open_store
from jobdeck.store.models import Answer, Grant, poll_request
from tests.builders import make_exchange
from tests.processes import runs
from tests.tui.world import NOON, job, key, target

CANARY = "ak_canary_0123456789"
WRITE = "import os, sys; open(sys.argv[1], 'a').write(os.environ['JOBDECK_JOB_ID'] + '\\n')"
TELL = (
    "import json, os, sys; told = {k: v for k, v in os.environ.items()}; "
    "json.dump({'env': told, 'stdin': json.load(sys.stdin)}, open(sys.argv[1], 'w'))"
)


def failed(id_: str = "op_a", **changes: object) -> Job:
    return job(id_, Phase.FAILED, **{"error": JobError("E", "boom"), **changes})


def runner(hook: Hook, complaints: list[str], **environ: str) -> HookRunner:
    variables = {**os.environ, **environ}
    return HookRunner(
        [hook], variables, frozenset({"THE_HOG_ACCESS_KEY"}), lambda one: job_object(one, NOON), complaints.append
    )


def hook(*run: str, on: frozenset[Phase] = frozenset({Phase.FAILED})) -> Hook:
    return Hook(run, on)


async def test_a_hook_gets_the_job_in_its_environment_and_as_json_and_no_key(tmp_path: Path) -> None:
    complaints: list[str] = []
    nasty = failed(result='{"secret": 1}', status="failed\n\x1b[2J")
    environ = {"THE_HOG_ACCESS_KEY": CANARY, "COPY_OF_IT": f"Bearer {CANARY}", "HOME": "/home/someone"}
    await runner(hook(sys.executable, "-c", TELL, str(tmp_path / "told")), complaints, **environ).run(nasty)
    assert complaints == []
    text = (tmp_path / "told").read_text()
    told = json.loads(text)
    assert told["env"]["JOBDECK_JOB"] == "hog:op_a"
    assert told["env"]["JOBDECK_PHASE"] == "failed"
    assert told["env"]["JOBDECK_STATUS"] == "failed \\x1b[2J"
    assert told["env"]["JOBDECK_ERROR_MESSAGE"] == "boom"
    assert told["env"]["HOME"] == "/home/someone"
    assert told["stdin"]["error"]["code"] == "E"
    assert "result" not in told["stdin"]
    assert CANARY not in text


@pytest.mark.posix
async def test_nothing_of_a_job_is_ever_code(tmp_path: Path) -> None:
    complaints: list[str] = []
    touched = tmp_path / "touched"
    nasty = failed(status=f"$(touch {touched})", kind=f"`touch {touched}`; touch {touched}")
    await runner(hook("sh", "-c", 'echo "$JOBDECK_STATUS $JOBDECK_KIND" > /dev/null', "$JOBDECK_KIND"), complaints).run(
        nasty
    )
    assert not touched.exists()


@pytest.mark.posix
async def test_a_hook_that_takes_too_long_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.app.hooks.HOOK_SECONDS", 0.5)
    complaints: list[str] = []
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    await runner(hook("sh", "-c", script), complaints).run(failed())
    assert complaints == ["hook sh: killed after 0 s"]
    child = int((tmp_path / "child").read_text())
    async with asyncio.timeout(100):
        while runs(child):
            await asyncio.sleep(0.01)


@pytest.mark.posix
async def test_what_the_program_of_a_key_has_started_ends_with_it_but_not_in_a_session_of_its_own(
    tmp_path: Path,
) -> None:
    start = (
        "import subprocess, sys; sleeper = [sys.executable, '-c', 'import time; time.sleep(60)']; "
        "started = [subprocess.Popen(sleeper, start_new_session=own) for own in (False, True)]; "
        "open(sys.argv[1], 'w').write(' '.join(str(one.pid) for one in started))"
    )
    complaints: list[str] = []
    await runner(hook(), complaints).run_program(
        [sys.executable, "-c", start, str(tmp_path / "pids")], "open in tool", failed()
    )
    assert complaints == []
    ended, goes_on = map(int, (tmp_path / "pids").read_text().split())
    try:
        async with asyncio.timeout(100):
            while runs(ended):
                await asyncio.sleep(0.01)
        assert runs(goes_on)
    finally:
        os.kill(goes_on, signal.SIGKILL)


@pytest.mark.posix
async def test_a_hook_that_fails_is_named() -> None:
    complaints: list[str] = []
    await runner(hook("/nowhere/notify"), complaints).run(failed())
    await runner(hook("sh", "-c", "exit 3"), complaints).run(failed())
    await runner(hook("sh", "-c", "exit 3", on=frozenset({Phase.SUCCEEDED})), complaints).run(failed())
    assert complaints == [
        "hook notify: could not start: No such file or directory",
        "hook sh: exited with code 3",
    ]


def test_a_key_is_taken_out_under_every_name_it_has() -> None:
    environ = {"KEY": CANARY, "ALSO": f"x{CANARY}y", "PATH": "/bin", "EMPTY": ""}
    assert without_secrets(environ, frozenset({"KEY", "MISSING", "EMPTY"})) == {"PATH": "/bin"}


@contextmanager
def telling(tmp_path: Path, hook_: Hook) -> Iterator[EndNotifier]:
    store = open_store(tmp_path / "jobdeck.db", f"client-{os.urandom(4).hex()}").store
    complaints: list[str] = []
    yield EndNotifier(store, runner(hook_, complaints))
    assert complaints == []


def ending(*jobs: Job, before: Phase = Phase.RUNNING) -> ChangeSet:
    events = tuple(PhaseChanged(NOON, one.key, before, one.phase, one.status or "", None) for one in jobs)
    return ChangeSet(jobs=jobs, events=events)


async def test_two_processes_run_a_hook_once_and_give_one_notice_for_many_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.app.end_notifier.GATHER_SECONDS", 0.05)
    jobs = [failed(f"op_{number}") for number in range(6)]
    known = {one.key: one for one in jobs}
    notices: list[str] = []
    with (
        telling(tmp_path, hook(sys.executable, "-c", WRITE, str(tmp_path / "ran"))) as first,
        telling(tmp_path, hook(sys.executable, "-c", WRITE, str(tmp_path / "ran"))) as second,
    ):
        await first._store.watch([one.target for one in jobs])
        for notifier in (first, second):
            notifier.set_notify(lambda told: notices.append(describe_ends(told)))
            notifier.on_change(ending(*jobs[:3]), known, None)
            notifier.on_change(ending(*jobs[3:]), known, None)
        await first.close(20)
        await second.close(20)
        await first._store.close()
        await second._store.close()
    assert sorted((tmp_path / "ran").read_text().split()) == [one.key.id for one in jobs]
    assert sum(int(text.split()[0]) if "jobs" in text else 1 for text in notices) == 6
    assert len(notices) <= 2


async def test_ends_that_come_page_by_page_are_one_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobdeck.app.end_notifier.GATHER_SECONDS", 1.0)
    jobs = [failed(f"op_{number}") for number in range(6)]
    notices: list[str] = []
    with telling(tmp_path, hook("true", on=frozenset())) as notifier:
        await notifier._store.watch([one.target for one in jobs])
        notifier.set_notify(lambda told: notices.append(describe_ends(told)))
        for one in jobs:
            notifier.on_change(ending(one), {one.key: one for one in jobs}, None)
            await asyncio.sleep(0.06)
        while not notices:
            await asyncio.sleep(0.01)
        await notifier.close(5)
        await notifier._store.close()
    assert notices == ["6 jobs finished: 6 failed"]


@pytest.mark.posix
async def test_a_hook_waits_for_the_jobs_own_answer(tmp_path: Path) -> None:
    """A list tells the end alone, and may be ahead of the job: a hook tells what the job's own answer says."""
    listed, whole = failed(error=None, summary_only=True), failed()
    program = hook("sh", "-c", f'echo "code $JOBDECK_ERROR_CODE" >> {tmp_path / "ran"}')
    with telling(tmp_path, program) as notifier:
        await notifier._store.watch([whole.target])
        jobs = {listed.key: listed}
        for now in (listed, replace(listed, phase=Phase.RUNNING, summary_only=False), listed):
            jobs[listed.key] = now
            notifier.on_change(ending(now) if now.terminal else ChangeSet(jobs=(now,)), jobs)
            await asyncio.sleep(0)
            assert not notifier._tasks, "nothing is told of an end that may be taken back"
        jobs[whole.key] = whole
        notifier.on_change(ChangeSet(jobs=(whole,)), jobs)
        while notifier._tasks:
            await asyncio.sleep(0.01)
        await notifier.close(5)
        await notifier._store.close()
    assert (tmp_path / "ran").read_text() == "code E\n"


async def test_leaving_tells_nothing_that_only_a_list_has_told(tmp_path: Path) -> None:
    listed = failed(error=None, summary_only=True)
    with telling(tmp_path, hook("touch", str(tmp_path / "ran"))) as notifier:
        await notifier._store.watch([listed.target])
        notifier.on_change(ending(listed), {listed.key: listed})
        await asyncio.sleep(0)
        await notifier.close(5)
        await notifier._store.close()
    assert not (tmp_path / "ran").exists()


@pytest.mark.posix
async def test_each_run_of_an_id_that_is_used_again_is_told_once(tmp_path: Path) -> None:
    one = failed()
    program = hook("sh", "-c", f"echo ran >> {tmp_path / 'ran'}")
    with telling(tmp_path, program) as notifier:
        store = notifier._store
        await store.watch([one.target])
        await store.set_limits("hog", {POLL: 600})
        for phase in (Phase.FAILED, Phase.FAILED, Phase.RUNNING, Phase.FAILED, Phase.FAILED):
            (grant,) = await store.claim([poll_request(one.key)])
            assert isinstance(grant, Grant)
            told = Observation(one.key.id, phase.value, phase)
            exchange = replace(make_exchange(NOON, id_=one.key.id), job=one.key, sequence=grant.sequence)
            await store.complete([Answer(grant, exchange, (told,))])
            if phase is Phase.FAILED:
                notifier.on_change(ending(one), {one.key: one})
            while notifier._tasks:
                await asyncio.sleep(0.01)
        await notifier.close(5)
        await store.close()
    assert (tmp_path / "ran").read_text() == "ran\nran\n"


def test_only_an_end_that_came_while_we_watched_is_one() -> None:
    old = failed("op_old", ended_us=NOON.us - 10**9)
    quick = failed("op_quick", updated_us=NOON.us, ended_us=None)
    accepted = failed("op_accepted", target=replace(target("op_accepted"), accepted_request_id="just now"))
    undated = failed("op_undated")
    known = {one.key: one for one in (old, quick, accepted, undated)}
    assert newly_ended(ending(accepted, undated, before=Phase.UNKNOWN).events, known) == (accepted,)
    assert newly_ended(ending(old, quick, before=Phase.UNKNOWN).events, known) == (quick,)
    assert newly_ended(ending(old).events, known) == (old,)
    assert newly_ended(ending(old, before=Phase.SUCCEEDED).events, known) == (old,), "another end than was told"
    assert newly_ended(ending(old, before=Phase.FAILED).events, known) == ()
    again = {undated.key: replace(undated, run=2)}
    assert newly_ended(ending(undated, before=Phase.UNKNOWN).events, again) == tuple(again.values())
    assert newly_ended(ending(failed("op_gone")).events, known) == ()


def test_many_ends_are_one_line() -> None:
    jobs = [*(failed(f"op_{n}") for n in range(35)), job("a", Phase.SUCCEEDED), job("b", Phase.CANCELLED)]
    assert describe_ends(jobs) == "37 jobs finished: 35 failed, 1 cancelled, 1 succeeded"
    assert describe_ends([failed()]) == "op_a failed: E boom"
    assert describe_ends([job("op_a", Phase.SUCCEEDED)]) == "op_a succeeded"


CONFIG = """
[profiles.hog]
provider = "thehog"
token = "env:HOG"
"""


@pytest.mark.parametrize(
    ("hooks", "complaint"),
    [
        ('[[hooks]]\nrun = "notify-slack"', "run must be a list of strings"),
        ("[[hooks]]\nrun = []", "run must be a program and its arguments"),
        ('[[hooks]]\nrun = ["x"]\nshell = true', "unknown key shell (known: run, on, profiles, once)"),
        ('[[hooks]]\nrun = ["x"]\non = ["done"]', "on must be one of succeeded, partial, failed, cancelled, not done"),
        ('[[hooks]]\nrun = ["x"]\nprofiles = ["cow"]', "unknown profile in profiles: cow"),
        ('[[hooks]]\nrun = ["x"]\nonce = "everybody"', "once must be one of me, team, not everybody"),
        ("[[hooks]]\nrun = ['x']\nonce = true", "once must be one of me, team, not True"),
        ('[hooks]\nrun = ["x"]', "hooks must be tables such as [[hooks]]"),
    ],
)
def test_a_hook_that_is_wrong_is_refused_by_name(tmp_path: Path, hooks: str, complaint: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG + hooks)
    with pytest.raises(ConfigError, match="hooks") as caught:
        load_settings({}, path)
    assert complaint in str(caught.value)


def test_a_hook_is_run_once_for_each_person_unless_the_team_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    words = ("", 'once = "me"\n', 'once = "team"\n')
    path.write_text(CONFIG + "".join(f'[[hooks]]\nrun = ["x"]\n{one}' for one in words))
    path.chmod(0o600)
    assert [one.team for one in load_settings({}, path).hooks] == [False, False, True]


@pytest.mark.posix
def test_hooks_are_read_from_a_file_that_nobody_else_can_change(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG + '[[hooks]]\nrun = ["notify-slack", "--urgent"]\non = ["failed"]\nprofiles = ["hog"]\n')
    path.chmod(0o644)
    settings = load_settings({}, path)
    (one,) = settings.hooks
    assert one == Hook(("notify-slack", "--urgent"), frozenset({Phase.FAILED}), frozenset({"hog"}))
    assert one.wants(failed())
    assert not one.wants(replace(failed(), target=replace(failed().target, key=key("x", "sonarly"))))
    assert "HOG" in settings.secret_variables
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="chmod go-w"):
        load_settings({}, path)
