"""Hooks of the headless commands."""

import json
import sys
from pathlib import Path

from jobdeck.simulator.scenario import JobFailure, JobScript, Outcome, Scenario
from tests.cli.harness import environment, jobdeck, simulator

TELL = "import os, sys; open(sys.argv[1], 'a').write(os.environ['JOBDECK_JOB_ID'] + ' ' + sys.stdin.read())"


def test_a_wait_runs_the_hooks_of_jobs_that_end_once_and_to_their_end(tmp_path: Path) -> None:
    scenario = Scenario(
        jobs=(
            # Long enough for a busy machine to see it run: what has ended when it is first seen runs no hook.
            JobScript(id="op_bad", arrival=0.0, duration=8.0, outcome=Outcome.FAILED, error=JobFailure("E", "boom")),
            JobScript(id="op_old", arrival=-60.0, duration=10.0),
        )
    )
    ran = tmp_path / "ran"
    with simulator(scenario) as server:
        env = environment(server.url, tmp_path)
        config = tmp_path / "config.toml"
        config.write_text(
            f'[profiles.hog]\nprovider = "thehog"\nbase_url = "{server.url}"\n'
            'access_key = "env:THE_HOG_ACCESS_KEY"\nsecret_key = "env:THE_HOG_SECRET_KEY"\n'
            f"[[hooks]]\nrun = {json.dumps([sys.executable, '-c', TELL, str(ran)])}\n"
        )
        config.chmod(0o600)
        env["JOBDECK_CONFIG"] = str(config)
        assert jobdeck("wait", "op_bad", "op_old", env=env).code == 1
        assert jobdeck("wait", "op_bad", env=env).code == 1
    (line,) = ran.read_text().splitlines()
    id_, _, told = line.partition(" ")
    assert id_ == "op_bad"
    assert json.loads(told)["phase"] == "failed"
    assert "canary" not in line
