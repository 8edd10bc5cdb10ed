"""Rule 4 where one server knows several profiles' keys: what it says to one of them holds no key of another."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.live_session import LiveSession
from jobdeck.http import escapes
from jobdeck.http.redactor import Redactor
from jobdeck.tui.app import JobdeckApp
from tests.cli.harness import HOST, jobdeck
from tests.hostile.canaries import ACCESS, BEARER, SECRET, SONARLY, Gossip, leaking_files, leaks
from tests.tui.drive import Clipboard, Driven

PROFILES = f"""
[profiles.a]
provider = "thehog"
base_url = "URL"
requests_per_minute = 6000
token = "{BEARER}"
[profiles.b]
provider = "thehog"
base_url = "URL"
requests_per_minute = 6000
access_key = "{ACCESS}"
secret_key = "{SECRET}"
[profiles.s]
provider = "sonarly"
base_url = "URL"
requests_per_minute = 6000
token = "{SONARLY}"
account_group = "group1"
"""
UNUSED = """
[profiles.unused]
provider = "sonarly"
base_url = "URL"
requests_per_minute = 6000
token = "env:NOT_SET"
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Gossip() as server:
        yield server.url


def configured(folder: Path, url: str, text: str = PROFILES) -> tuple[dict[str, str], Path]:
    path = folder / "config.toml"
    path.write_text(text.replace("URL", url))
    path.chmod(0o600)
    return {**HOST, "HOME": str(folder), "JOBDECK_DATA_DIR": str(folder / "data")}, path


def targets(id_: str) -> list[str]:
    return [f"a:{id_}", f"b:{id_}", f"s:group1/{id_}"]


def test_no_command_lets_out_what_a_server_says_of_other_profiles(url: str, tmp_path: Path) -> None:
    env, config = configured(tmp_path, url)
    recording = tmp_path / "one.jobdeck"
    wrong = [
        target for id_ in ("op_broken", "op_refused", "op_redirected", "op_unauthorized") for target in targets(id_)
    ]
    commands = [
        ["wait", "--json", "--record", str(recording), *targets("op_failed")],
        ["doctor", "--json"],
        ["discover", "--json"],
        ["status", "--json", *targets("op_failed"), *wrong],
        ["status", *targets("op_escaped"), *wrong],
        *([name, "--json"] for name in ("requests", "history")),
    ]
    for command in commands:
        ran = jobdeck(*command, "--config", str(config), env=env)
        assert not leaks(ran.out + ran.err), command
        assert "[redacted]" in ran.out, (command, ran)
    told = gzip.decompress(recording.read_bytes())
    assert b"[redacted]" in told
    assert not leaks(told)
    assert any((tmp_path / "data").glob("jobdeck.db*"))
    assert leaking_files(tmp_path, but=[config]) == set()


async def test_nor_do_the_screen_and_its_tickets(url: str, tmp_path: Path) -> None:
    env, config = configured(tmp_path, url)
    context = AppContext(env, config)
    watched = tuple(parse_target(text, context.registry) for text in (*targets("op_failed"), *targets("op_broken")))
    clipboard = Clipboard()
    app = JobdeckApp(LiveSession(context, watched), write_clipboard=clipboard, frame_seconds=0.02)
    pictures = ""
    async with app.run_test(size=(140, 44)) as pilot:
        run = Driven(app, pilot, None, clipboard)  # type: ignore[arg-type] - there is no fake session
        await run.shows("✗ failed")
        await run.shows("server error (500)")
        for keys in ("]", "]", "]", "]", "]", "z", "z"):
            await run.press(keys)
            pictures += app.export_screenshot()
        for ticket in range(3):
            await run.press("Y")
            await run.shows("Support ticket")
            pictures += app.export_screenshot()
            await run.press("y")
            await run.until(lambda ticket=ticket: len(clipboard.sent) > ticket)  # type: ignore[misc] - mypy knows no such default
            await run.press("escape", "j")
        await run.press("escape", "q")
    assert "redacted" in pictures
    assert not leaks(pictures)
    assert all("redacted" in text for text in clipboard.sent)
    assert not leaks(" ".join(clipboard.sent))
    assert leaking_files(tmp_path, but=[config]) == set()


@pytest.mark.parametrize("id_", ["op_failed", "op_broken", "op_redirected"])
@pytest.mark.parametrize("order", ["abs", "sba"])
async def test_profiles_know_each_others_keys_whoever_came_first(
    url: str, tmp_path: Path, order: str, id_: str
) -> None:
    env, config = configured(tmp_path, url, PROFILES + UNUSED)
    context = AppContext(env, config, keep=False)
    providers = {name: context.provider(name) for name in order}
    for text in targets(id_):
        target = parse_target(text, context.registry)
        reply = await providers[target.key.profile].poll(target)
        assert "[redacted]" in repr(reply)
        assert not leaks(repr(reply))
    for provider in providers.values():
        await provider.aclose()


async def test_a_profile_that_joins_later_is_known_to_those_before(url: str, tmp_path: Path) -> None:
    env, config = configured(tmp_path, url)
    context = AppContext(env, config, keep=False)
    provider, target = context.provider("a"), parse_target("a:op_failed", context.registry)
    assert leaks(repr(await provider.poll(target))), "nobody else was used yet"
    for name in "bs":
        context.profile(name)
    assert not leaks(repr(await provider.poll(target)))
    await provider.aclose()


def test_keys_that_overlap_leave_nothing_of_either() -> None:
    first, second, inner = "ak_0123456789_middle", "middle_9876543210_zz", "6789_mid"
    redactor = Redactor([inner, first])
    redactor.add([second])
    whole = first + second.removeprefix("middle")
    assert redactor.text(f"a {whole} b {inner} c {first}{first}") == "a [redacted] b [redacted] c [redacted][redacted]"
    assert b"".join(redactor.body_in_slices(whole.encode())) == b"[redacted]"


def test_no_pattern_is_made_for_an_answer_that_a_former_one_had(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    compile_ = re.compile
    monkeypatch.setattr(
        escapes.re, "compile", lambda *given, **named: made.append(given[0]) or compile_(*given, **named)
    )
    redactor = Redactor([ACCESS])
    answer = f"100% {ACCESS} \\n {SECRET}"
    assert b"".join(redactor.body_in_slices(answer.encode())) == f"100% [redacted] \\n {SECRET}".encode()
    before = len(made)
    redactor.add([ACCESS])
    for _ in range(3):
        assert ACCESS not in redactor.text(answer)
        assert ACCESS.encode() not in b"".join(redactor.body_in_slices(answer.encode()))
    assert len(made) - before <= 1, "that of escapes, which texts have too"
    redactor.add([SECRET])
    assert redactor.text(answer) == "100% [redacted] \\n [redacted]"
    assert b"".join(redactor.body_in_slices(answer.encode())) == b"100% [redacted] \\n [redacted]"
    settled = len(made)
    assert settled - before <= 4, "those of escapes again, and one for the new key"
    b"".join(redactor.body_in_slices(answer.encode()))
    assert len(made) == settled


def test_a_key_with_a_backslash_hides_no_other() -> None:
    odd = "sk_\\odd_0123456789"
    redactor = Redactor([odd, ACCESS])
    escaped = "".join(f"\\u{ord(char):04x}" for char in ACCESS)
    assert redactor.text(f"\\{escaped} b").endswith("[redacted] b")
    for spelt in (odd, odd.replace("\\", "\\\\"), odd.replace("\\o", "\\\\u006f"), odd.replace("\\", "%5c")):
        assert redactor.text(f"a {spelt} b") == "a [redacted] b"
