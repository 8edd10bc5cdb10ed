"""``jobdeck cancel``: one request for each job, only where it is allowed and confirmed, and an honest word on each."""

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from jobdeck.cli.commands import cancel
from jobdeck.cli.exit_codes import CommandError
from jobdeck.domain.job import JobKey, Target
from jobdeck.simulator.scenario import Api, Endpoint, Fault, FaultKind, JobScript, Resource, Scenario, StageScript
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import GROUP, Ran, environment, jobdeck
from tests.support.forked import forked

RUNNING, DONE, DENIED, LOST, CUT, LIMITED = (letter * 24 for letter in "abcdef")
ENDED = {"arrival": -100.0, "duration": 10.0}


def prospecting(id_: str, **changes: float) -> JobScript:
    times = {"arrival": -50.0, "duration": 1e5, **changes}
    return JobScript(Api.SONARLY, Resource.PROSPECTING, id_, GROUP, stages=(StageScript("import"),), **times)  # type: ignore[arg-type] - times alone


def fault(kind: FaultKind, id_: str, status: int | None = None) -> Fault:
    return Fault(kind, job=id_, endpoint=Endpoint.CANCEL, status=status)


SCENARIO = Scenario(
    jobs=(
        *(prospecting(id_) for id_ in (RUNNING, DENIED, LOST, CUT, LIMITED)),
        prospecting(DONE, **ENDED),
        JobScript(id="op_running", arrival=-50.0, duration=1e5),
    ),
    faults=(
        fault(FaultKind.STATUS, DENIED, 403),
        fault(FaultKind.RESET_BEFORE, LOST),
        fault(FaultKind.RESET_MIDDLE, CUT),
        fault(FaultKind.STATUS, LIMITED, 429),
    ),
)


@pytest.fixture
def server() -> Iterator[ThreadedSimulator]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running


@pytest.fixture
def env(server: ThreadedSimulator, tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[profiles.thehog]\nprovider = "thehog"\nbase_url = "{server.url}"\naccess_key = "env:THE_HOG_ACCESS_KEY"\n'
        'secret_key = "env:THE_HOG_SECRET_KEY"\n'
        f'[profiles.sonarly]\nprovider = "sonarly"\nbase_url = "{server.url}"\ntoken = "env:SONARLY_API_KEY"\n'
        'allow = ["cancel"]\n'
        f'[profiles.cautious]\nprovider = "sonarly"\nbase_url = "{server.url}"\ntoken = "env:SONARLY_API_KEY"\n'
    )
    return {**environment(server.url, tmp_path), "JOBDECK_CONFIG": str(config)}


def cancelled(server: ThreadedSimulator) -> list[str]:
    return [record.path.split("/")[-2] for record in server.requests if record.path.endswith("/cancel")]


def run(env: dict[str, str], *ids: str, profile: str = "sonarly") -> Ran:
    return jobdeck("cancel", "--yes", "--json", *(f"{profile}:{GROUP}/{id_}" for id_ in ids), env=env)


@pytest.mark.posix
def test_without_a_reader_nothing_is_said_to_have_been_accepted(env: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = forked("cancel", "--yes", f"sonarly:{GROUP}/{RUNNING}", env=env, stdout=writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, "")


def test_a_job_is_cancelled_and_shown_as_such_because_its_own_answer_says_so(
    env: dict[str, str], server: ThreadedSimulator
) -> None:
    ran = run(env, RUNNING)
    assert (ran.code, ran.object["phase"]) == (0, "cancelled")
    told = ran.object["cancel"]
    assert (told["outcome"], told["http_status"]) == ("accepted", 200)
    assert [record.method for record in server.requests] == ["POST", "GET"]
    assert f"sonarly:{GROUP}/{RUNNING}  cancel request accepted  trace {told['trace_id']}" in ran.err
    listed = jobdeck("requests", "--json", f"sonarly:{GROUP}/{RUNNING}", env=env).objects
    assert [(item["method"], item["trace_id"] == told["trace_id"]) for item in listed] == [
        ("GET", False),
        ("POST", True),
    ]
    # Not again: what is cancelled already is where it should be.
    again = run(env, RUNNING)
    assert (again.code, again.object["cancel"]["outcome"]) == (0, "refused")
    assert "already finished (cancelled): VALIDATION_ERROR: Only queued" in again.object["cancel"]["message"]


def test_what_the_server_refuses_is_said_in_its_words_and_nothing_is_sent_twice(
    env: dict[str, str], server: ThreadedSimulator
) -> None:
    done = run(env, DONE)
    assert (done.code, done.object["phase"], done.object["cancel"]["http_status"]) == (3, "succeeded", 422)
    assert "already finished (succeeded): VALIDATION_ERROR: Only queued or running" in done.object["cancel"]["message"]
    assert "cannot be cancelled now: VALIDATION_ERROR" in done.err
    denied = run(env, DENIED)
    assert (denied.code, denied.object["cancel"]["outcome"], denied.object["phase"]) == (4, "refused", "running")
    assert run(env, "9" * 24).code == 6
    assert cancelled(server) == [DONE, DENIED, "9" * 24]


def test_without_an_answer_nobody_claims_to_know_and_only_a_poll_follows(
    env: dict[str, str], server: ThreadedSimulator
) -> None:
    lost, cut = run(env, LOST, CUT).objects
    assert (lost["cancel"]["outcome"], lost["phase"]) == ("unknown", "running")
    assert lost["cancel"]["message"].startswith("unknown whether the server accepted it: unreachable: ")
    assert (cut["cancel"]["outcome"], cut["phase"]) == ("unknown", "cancelled")
    assert cancelled(server) == [LOST, CUT]
    assert run(env, LOST).code == 7
    assert run(env, CUT).code == 0


def test_a_429_is_kept_to_like_any_other(env: dict[str, str], server: ThreadedSimulator) -> None:
    ran = run(env, LIMITED, RUNNING)
    limited, later = (item["cancel"] for item in ran.objects)
    assert (ran.code, limited["http_status"], later["outcome"]) == (7, 429, "not_sent")
    assert re.fullmatch(r"not sent: no requests until [\d:]+Z \(cooldown\): cancel again then", later["message"])
    assert cancelled(server) == [LIMITED]


@pytest.mark.parametrize(
    ("target", "code", "why"),
    [
        (f"cautious:{GROUP}/{RUNNING}", 4, 'not allowed: set allow = ["cancel"] in [profiles.cautious]'),
        ("thehog:op_running", 2, "The Hog cannot cancel these jobs"),
    ],
)
def test_nothing_is_sent_where_it_is_not_allowed(
    env: dict[str, str], server: ThreadedSimulator, target: str, code: int, why: str
) -> None:
    ran = jobdeck("cancel", "--yes", f"sonarly:{GROUP}/{RUNNING}", target, env=env)
    assert (ran.code, ran.out, why in ran.err) == (code, "", True)
    # One that has no configuration file has allowed nothing.
    bare = {name: value for name, value in env.items() if name != "JOBDECK_CONFIG"}
    assert jobdeck("cancel", "--yes", f"sonarly:{GROUP}/{RUNNING}", env=bare).code == 4
    assert not server.requests


def test_without_a_confirmation_nothing_is_sent(env: dict[str, str], server: ThreadedSimulator) -> None:
    ran = jobdeck("cancel", f"sonarly:{GROUP}/{RUNNING}", env=env)
    assert (ran.code, "add --yes to cancel 1 job without a terminal" in ran.err) == (2, True)
    assert not server.requests


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "is_meant"), [("cancel\n", True), ("30\n", True), ("y\n", False), ("", False)])
def test_on_a_terminal_the_jobs_are_named_and_a_word_or_their_number_is_typed(answer: str, is_meant: bool) -> None:
    targets = [Target(JobKey("sonarly", GROUP, f"{n:024}"), "sonarly", "prospecting") for n in range(30)]
    shown = Terminal()
    with mock.patch.object(sys, "stdin", Terminal(answer)), mock.patch.object(sys, "stderr", shown):
        if is_meant:
            cancel._confirm(targets)
        else:
            with pytest.raises(CommandError, match="not confirmed: nothing was sent"):
                cancel._confirm(targets)
    assert shown.getvalue().count("  sonarly:") == 20
    assert "  and 10 more\nCancel these 30 jobs? This cannot be undone. Type cancel or 30" in shown.getvalue()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('allow = "cancel"', "allow must be a list of strings"),
        ('allow = ["cancle"]', "allow: unknown action cancle (did you mean cancel?)"),
    ],
)
def test_a_wrong_permission_is_named(env: dict[str, str], line: str, why: str) -> None:
    config = Path(env["JOBDECK_CONFIG"])
    config.write_text(config.read_text().replace('allow = ["cancel"]', line))
    ran = jobdeck("status", f"sonarly:{GROUP}/{RUNNING}", env=env)
    assert (ran.code, why in ran.err) == (2, True)
    config.write_text(
        config.read_text().replace(line, "").replace("[profiles.sonarly]", 'allow = ["cancel"]\n[profiles.sonarly]')
    )
    assert "allow: The Hog cannot cancel jobs" in jobdeck("status", "thehog:op_1", env=env).err
