"""``--record`` and ``replay``: what a script and its user see of them."""

import gzip
import json
import os
import stat
from pathlib import Path

import pytest

from jobdeck.recording import writer
from jobdeck.recording.reader import read_recording
from jobdeck.simulator.scenario import JobScript, Outcome, Resource, Scenario
from tests.cli.harness import environment, jobdeck, simulator
from tests.recording.making import at, write, write_lines

SCENARIO = Scenario(
    jobs=(
        JobScript(id="en_done", resource=Resource.ENRICHMENT, arrival=-20.0, duration=9.0),
        JobScript(id="en_fails", resource=Resource.ENRICHMENT, arrival=-20.0, duration=9.0, outcome=Outcome.FAILED),
    )
)
TARGETS = ("/api/enrichments/en_done", "/api/enrichments/en_fails")


@pytest.mark.posix
def test_watch_and_wait_record_without_a_key_in_the_file(tmp_path: Path) -> None:
    with simulator(SCENARIO) as running:
        env = environment(running.url, tmp_path)
        for command in ("watch", "wait"):
            path = tmp_path / f"{command}.jobdeck"
            ran = jobdeck(command, "--record", str(path), *TARGETS, env=env)
            assert (ran.code, "recorded" in ran.err) == (1, False)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            read = read_recording(path)
            assert read.complete
            assert read.header.profiles == {"thehog": "thehog", "sonarly": "sonarly"}
            text = gzip.decompress(path.read_bytes())
            assert b"canary" not in text
            assert b"en_fails" in text
            assert running.requests[0].request_id.encode() in text or command == "wait"


def test_a_recording_never_overwrites_and_says_what_it_cannot(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    with simulator(SCENARIO) as running:
        env = environment(running.url, tmp_path)
        for path, reason in [(there, "already exists"), (tmp_path / "no" / "x", "No such file or directory")]:
            ran = jobdeck("wait", "--record", str(path), *TARGETS, env=env)
            assert ran.code == 2
            assert reason in ran.err
            assert len(ran.err.splitlines()) == 1
        assert there.read_text() == "mine"
        assert not running.requests
        (tmp_path / "x.toml").write_text('[profiles.hog]\nprovider = "thehog"\ntoken = "env:NOT_SET"\n')
        for wrong in (["::"], ["--config", str(tmp_path / "x.toml"), "op_1"]):
            assert jobdeck("wait", "--record", str(tmp_path / "new"), *wrong, env=env).code == 2
            assert not (tmp_path / "new").exists()


def test_a_recording_that_cannot_go_on_says_so_and_the_wait_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer.Writer, "_write", broken)
    with simulator(SCENARIO) as running:
        ran = jobdeck("wait", "--record", str(tmp_path / "r"), *TARGETS, env=environment(running.url, tmp_path))
    assert ran.code == 1
    told = [line for line in ran.err.splitlines() if "recording" in line]
    assert told == [f"jobdeck: recording to {tmp_path / 'r'} stopped: No space left on device"]


def test_replay_says_what_is_wrong_with_a_file_and_wants_a_terminal(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JOBDECK_DATA_DIR": str(tmp_path / "data")}
    good = write(tmp_path / "good", [], end=at(60))
    header = gzip.decompress(good.read_bytes()).splitlines()[0].decode()
    bad = write_lines(tmp_path / "bad", [header, json.dumps({"nonsense\x1b[31m": 0})])
    old = write_lines(tmp_path / "old", [json.dumps({**json.loads(header), "version": 2, "jobdeck": "0.0.9"})])
    for arguments, reason in [
        ([str(tmp_path / "none")], "cannot read"),
        ([str(bad)], "bad, line 2: it has no entry known to this version"),
        (
            [str(old)],
            "old: it was made by jobdeck 0.0.9 in format 2, but this version reads format 3",
        ),
        ([str(good), "--at", "5m"], "--at: the recording covers 20:26:40Z to 20:27:40Z"),
        ([str(good), "--at", "20:26:39"], "--at: the recording covers"),
        ([str(good), "--at", "25:00:00"], "--at: not a time such as 14:02, 14:02:30, +5m, -30s, 50%"),
        ([str(good), "--speed", "0"], "must be a number from 0.01"),
        ([str(good), "--at", "20:27:00Z"], "the screen needs a terminal"),
        ([str(good), "--at=-30s"], "the screen needs a terminal"),
        ([str(good)], "the screen needs a terminal"),
    ]:
        ran = jobdeck("replay", *arguments, env=env)
        assert ran.code == 2, arguments
        assert reason in ran.err, arguments
        assert "\x1b" not in ran.err
        assert ran.out == ""
    assert not (tmp_path / "data").exists()
