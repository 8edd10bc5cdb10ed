"""Rule 5: what stands on the command line is from outside, and a complaint repeats some of it."""

from pathlib import Path

import pytest

from tests.cli.harness import environment, jobdeck

HOSTILE = "x\x1b]52;c;aGk=\x07\x9b2J\u202ey"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", HOSTILE],
        ["status", f"{HOSTILE}:op_1"],
        ["status", "--config", HOSTILE, "op_1"],
        ["discover", "--profile", HOSTILE],
        ["doctor", "--profile", HOSTILE],
        ["doctor", "--provider", HOSTILE, "--body", "-"],
        ["doctor", "--provider", "github-actions", "--body", HOSTILE],
        ["ticket", HOSTILE],
        ["requests", HOSTILE],
        ["replay", HOSTILE],
        ["simulate", "--scenario", HOSTILE],
        ["wait", "--record", f"{HOSTILE}/x", "op_1"],
        [HOSTILE],
        ["--no-such-option", HOSTILE],
    ],
)
def test_no_complaint_about_an_argument_acts_on_a_terminal(tmp_path: Path, arguments: list[str]) -> None:
    ran = jobdeck(*arguments, env=environment("http://127.0.0.1:9", tmp_path))
    assert (ran.code, ran.out) in {(2, ""), (6, "")}
    assert ran.err
    assert all(line.isprintable() for line in ran.err.splitlines()), repr(ran.err)
