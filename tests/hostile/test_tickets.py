"""Rule 19: what is handed on holds data as data, leaves results out, and lands whole in a file of one's own."""

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from jobdeck.simulator.scenario import JobFailure, JobScript, Outcome, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from jobdeck.tui.clipboard import OSC52_BYTES, ClipboardService, clipboard
from tests.cleanness import is_clean
from tests.cli.harness import environment, jobdeck
from tests.tui.world import clock_at_noon

EVIL = (
    "[link](https://evil.example) ![image](https://evil.example/x.png) <script>alert(1)</script> www.evil.example\n"
    "# heading\n---\n| a | b |\n|---|---|\n```\n~~~~\n`` ` ``` ```` `````` <b>\n\x1b]52;c;aGk=\x07\u202e@everyone"
)
SCENARIO = Scenario(
    jobs=(
        JobScript(
            id="op_bad",
            arrival=-60.0,
            duration=10.0,
            outcome=Outcome.FAILED,
            error=JobFailure(EVIL, EVIL, {EVIL: [EVIL]}),
        ),
        JobScript(id="en_good", resource=Resource.ENRICHMENT, arrival=-60.0, duration=10.0, result={"row": "private"}),
    )
)
FORBIDDEN = {"link_open", "image", "html_block", "html_inline", "hr", "table_open", "code_block"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadedSimulator(SCENARIO) as running:
        yield running.url


@pytest.fixture
def env(url: str, tmp_path: Path) -> dict[str, str]:
    return environment(url, tmp_path)


def test_a_ticket_of_hostile_words_is_markdown_of_ours_alone(env: dict[str, str]) -> None:
    markdown = jobdeck("ticket", "--note", EVIL, "op_bad", env=env).out
    parser = MarkdownIt("commonmark", {"linkify": True}).enable(["linkify", "table"])
    tokens = parser.parse(markdown)
    flat = [inner for token in tokens for inner in (token, *(token.children or ()))]
    assert not {token.type for token in flat} & FORBIDDEN
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[0] == "Support ticket"
    assert not [heading for heading in headings if "evil" in heading or heading == "heading"]
    assert is_clean(markdown, lines=True)
    assert "evil.example" in markdown


def test_a_result_goes_along_only_when_asked_for(env: dict[str, str]) -> None:
    target = "/api/enrichments/en_good"
    for form in ("markdown", "json"):
        assert "private" not in jobdeck("ticket", "--format", form, target, env=env).out
        assert "private" in jobdeck("ticket", "--format", form, "--include-result", target, env=env).out


def test_a_file_is_private_and_there_whole_or_as_it_was(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ticket.md"
    path.write_text("the one of last time")
    path.chmod(0o644)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        ran = jobdeck("ticket", "--output", str(path), "op_bad", env=env)
    assert ran.code == 70
    assert "No space left on device" in ran.err
    assert path.read_text() == "the one of last time"
    assert jobdeck("ticket", "--output", str(path), "op_bad", env=env).code == 0
    assert path.read_text().startswith("## Support ticket")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"data", "ticket.md"}, "no temporary file stays"


async def test_what_is_too_big_for_a_terminal_becomes_a_file_and_nothing_is_said_to_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    said: list[str] = []
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_TTY", "/dev/pts/0")
    monkeypatch.chdir(tmp_path)
    copier = ClipboardService(clipboard(written.append), clock_at_noon(), lambda text, _: said.append(text))
    assert await copier.send("x" * OSC52_BYTES, "ticket")
    assert not await copier.send("x" * (OSC52_BYTES + 1), "ticket")
    assert len(written) == 1
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().strip()) == OSC52_BYTES + 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "sent to clipboard" in said[0]
    assert not [text for text in said if "copied" in text]


def test_a_json_ticket_is_one_ascii_object(env: dict[str, str]) -> None:
    out = jobdeck("ticket", "--format", "json", "op_bad", env=env).out
    assert out.isascii()
    assert "\x1b" not in out
    assert isinstance(json.loads(out), dict)
