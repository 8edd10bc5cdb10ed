"""Rule 18: a hook is an argument list of the user's own; data reaches it as data, keys do not, and it ends in time."""

import base64
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from jobdeck.simulator.scenario import JobFailure, JobScript, Outcome, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.processes import members

EVIL = "$(touch hit) `touch hit`; touch hit\n\x1b[2J' \" %s {JOBDECK_JOB} \u202e"
SCENARIO = Scenario(
    jobs=(
        JobScript(
            id="op_bad", duration=5.0, outcome=Outcome.FAILED, error=JobFailure(EVIL, EVIL), result={"row": "private"}
        ),
    )
)
TELL = (
    "import json, os, sys; "
    "told = {'argv': sys.argv[2:], 'env': dict(os.environ), 'stdin': sys.stdin.read(), 'group': os.getpgrp()}; "
    "open(sys.argv[1], 'w').write(json.dumps(told))"
)
SLOW = (
    "import os, subprocess, sys, time; subprocess.Popen(['sleep', '60']); "
    "open(sys.argv[1], 'w').write(str(os.getpgrp())); time.sleep(60)"
)


@contextmanager
def running_once_looked_at(scenario: Scenario) -> Iterator[ThreadedSimulator]:
    """Serve jobs that end after they were seen to run: ten seconds pass from one request to the next."""
    begun = time.time()
    servers: list[ThreadedSimulator] = []
    with ThreadedSimulator(scenario, clock=lambda: begun + 10.0 * (len(servers[0].requests) if servers else 0)) as one:
        servers.append(one)
        yield one


def config(url: str, folder: Path, *hooks: list[str]) -> Path:
    """Write a configuration whose keys come from files, with hooks."""
    for name in ("access", "secret"):
        key = folder / name
        key.write_text(f"{name}_canary_0123456789+/=")
        key.chmod(0o600)
    path = folder / "config.toml"
    path.write_text(
        f'[profiles.hog]\nprovider = "thehog"\nbase_url = "{url}"\n'
        f'access_key = "file:{folder}/access"\nsecret_key = "file:{folder}/secret"\n'
        + "".join(f"[[hooks]]\nrun = {json.dumps(hook)}\n" for hook in hooks)
    )
    path.chmod(0o600)
    return path


def test_a_hook_gets_data_as_data_and_no_key_and_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobdeck.app.hooks.HOOK_SECONDS", 0.5)
    told, slow = tmp_path / "told", tmp_path / "slow"
    key = "secret_canary_0123456789+/="
    copies = {
        "COPY": f"Bearer {key}",
        "BASIC": base64.b64encode(f"me:{key}".encode()).decode(),
        "QUOTED": quote(key, safe=""),
        "HARMLESS": "stays",
    }
    with running_once_looked_at(SCENARIO) as server:
        env = environment(server.url, tmp_path)
        tell = [sys.executable, "-c", TELL, str(told), "$JOBDECK_ERROR_MESSAGE", "; touch hit", "%s", "{id}"]
        path = config(server.url, tmp_path, tell, [sys.executable, "-c", SLOW, str(slow)])
        env = {**env, **copies, "JOBDECK_CONFIG": str(path)}
        began = time.monotonic()
        ran = jobdeck("wait", "op_bad", env=env, cwd=tmp_path)
    assert ran.code == 1
    assert "killed after" in ran.err
    assert time.monotonic() - began < 20.0
    assert not (tmp_path / "hit").exists()
    assert members(int(slow.read_text())) == []
    text = told.read_text()
    found = json.loads(text)
    assert found["argv"] == ["$JOBDECK_ERROR_MESSAGE", "; touch hit", "%s", "{id}"], "nothing is filled in"
    assert found["env"]["HARMLESS"] == "stays"
    assert found["env"]["JOBDECK_ERROR_CODE"].startswith("$(touch hit)")
    assert "\\x1b[2J" in found["env"]["JOBDECK_ERROR_MESSAGE"]
    assert json.loads(found["stdin"])["error"]["code"].startswith("$(touch hit)")
    assert "private" not in found["stdin"], "the result is left out"
    assert "canary" not in text
    assert not copies.keys() - {"HARMLESS"} & found["env"].keys()


def test_hooks_come_from_the_users_own_configuration_alone(tmp_path: Path) -> None:
    hit = tmp_path / "hit"
    hook = ["touch", str(hit)]
    with running_once_looked_at(
        Scenario(jobs=(JobScript(id="op_bad", duration=5.0, outcome=Outcome.FAILED),))
    ) as server:
        env = environment(server.url, tmp_path)
        here = tmp_path / "a repository of somebody"
        here.mkdir()
        planted = config(server.url, here, hook).read_text()
        for name in ("jobdeck.toml", ".jobdeck.toml", "pyproject.toml"):
            (here / name).write_text(planted)
        assert jobdeck("wait", "op_bad", env=env, cwd=here).code == 1
        theirs = config(server.url, tmp_path, hook)
        theirs.chmod(0o666)
        ran = jobdeck("wait", "op_bad", env={**env, "JOBDECK_CONFIG": str(theirs)})
        assert (ran.code, f"chmod go-w {theirs}" in ran.err) == (2, True)
    assert not hit.exists()
