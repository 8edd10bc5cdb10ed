"""Rule 4: no secret ever leaves, by whatever way out: canary keys are used, said back, mistyped, and looked for."""

import base64
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.live_session import LiveSession
from jobdeck.tui.app import JobdeckApp
from tests.cli.harness import HOST, jobdeck
from tests.hostile.canaries import ACCESS, BEARER, CANARIES, SECRET, SHORT, SONARLY, Echo, leaking_files, leaks
from tests.support.terminal import OnTerminal
from tests.tui.drive import Clipboard, Driven

pytestmark = pytest.mark.timeout(300)
FAILING = ("op_failed", "op_escaped", "op_broken", "op_refused", "op_redirected")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Echo() as server:
        yield server.url


def environment(url: str, home: Path, **keys: str) -> dict[str, str]:
    return {
        **HOST,
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "JOBDECK_DATA_DIR": str(home / "data"),
        "THEHOG_BASE_URL": url,
        "SONARLY_BASE_URL": url,
        **keys,
    }


KEYS: dict[str, dict[str, str]] = {
    "access and secret": {"THE_HOG_ACCESS_KEY": ACCESS, "THE_HOG_SECRET_KEY": SECRET},
    "bearer": {"THE_HOG_API_KEY": BEARER},
    "sonarly": {"SONARLY_API_KEY": SONARLY},
    "short": {"THE_HOG_API_KEY": SHORT},
}


FAST = """
[profiles.thehog]
provider = "thehog"
access_key = "env:THE_HOG_ACCESS_KEY"
secret_key = "env:THE_HOG_SECRET_KEY"
requests_per_minute = 6000
"""
"""At the documented 30 a minute the commands of a test would take three quarters of one."""


def in_no_time(url: str, folder: Path) -> dict[str, str]:
    config = folder / "config.toml"
    config.write_text(f'{FAST}base_url = "{url}"\n')
    return {"JOBDECK_CONFIG": str(config)}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_no_command_lets_a_key_out(url: str, tmp_path: Path, keys: Mapping[str, str]) -> None:
    env = environment(url, tmp_path, **keys)
    if "THE_HOG_SECRET_KEY" in keys:
        env |= in_no_time(url, tmp_path)
    group = "group1/" if "SONARLY_API_KEY" in keys else ""
    failed, refused = f"{group}op_failed", f"{group}op_unauthorized"
    commands = [
        *(["status", "--json", group + id_] for id_ in (*FAILING, "op_unauthorized")),
        ["status", failed, refused],
        *([name, *options, failed] for name in ("watch", "wait") for options in ([], ["--json"])),
        ["watch", refused],
        ["discover"],
        ["discover", "--json"],
        *(["ticket", "--format", form, "--include-result", failed] for form in ("markdown", "json")),
        ["ticket", "--include-result", "--output", str(tmp_path / "ticket.md"), failed],
        ["ticket", refused],
        *([name, *options] for name in ("requests", "history", "doctor") for options in ([], ["--json"])),
        ["completion", "bash"],
    ]
    seen = ""
    for command in commands:
        ran = jobdeck(*command, env=env)
        assert not leaks(ran.out + ran.err), command
        seen += ran.out
    assert (tmp_path / "ticket.md").exists()
    assert "[redacted]" in seen, "the server did say them back"
    assert "Canary" not in seen
    assert any((tmp_path / "data").glob("jobdeck.db*"))
    assert leaking_files(tmp_path) == set()


def test_logs_at_debug_hold_no_key(url: str, tmp_path: Path) -> None:
    """Of our own, httpx, httpcore, asyncio and Python's development mode, in the file of a root logger."""
    env = environment(url, tmp_path, PYTHONASYNCIODEBUG="1", PYTHONDEVMODE="1", **KEYS["access and secret"])
    env |= in_no_time(url, tmp_path)
    log = tmp_path / "debug.log"
    code = f"""
import asyncio, logging, sys
logging.basicConfig(level=logging.DEBUG, filename={str(log)!r})
asyncio.base_events.BaseEventLoop.slow_callback_duration = 0
from jobdeck.cli.main import main
for arguments in (["status", *sys.argv[1:]], ["doctor"]):
    main(arguments)
asyncio.base_events.BaseEventLoop.slow_callback_duration = 0.1
"""
    run = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code, *FAILING, "op_unauthorized"],
        env=env,
        capture_output=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    text = log.read_text()
    assert "DEBUG:asyncio" in text
    assert not leaks(run.stdout + run.stderr)
    assert leaking_files(tmp_path) == set()


MISTAKES = (
    '[profiles.p]\nprovider = "sonarly"\ntoken = "env:KEY"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "file:KEY"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "keyring:KEY"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "keyring:KEY/me"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "KEY with a blank"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "KEY\\u0007é"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "KEY',
    '[profiles.p]\nprovider = "sonarly"\ntoken = KEY',
    '[profiles.p]\nprovider = "sonarly"\ntoken = ["KEY"]',
    '[profiles.p]\nprovider = "sonarly"\n"KEY" = "token"',
    '[profiles.p]\nprovider = "KEY"',
    '[profiles."KEY"]\nprovider = "sonarly"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "env:X"\naccount_group = "KEY"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "env:X"\nproject_id = "KEY"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "env:X"\nbase_url = "https://KEY@api.example"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "env:X"\nbase_url = "https://api.example/?key=KEY"',
    '[profiles.p]\nprovider = "sonarly"\ntoken = "env:X"\nbase_url = "KEY"',
    'default_profile = "KEY"',
    '"KEY" = 1',
    '[[hooks]]\nrun = ["x"]\non = ["KEY"]',
    '[[hooks]]\nrun = ["x"]\nprofiles = ["KEY"]',
)


@pytest.mark.parametrize("text", MISTAKES)
def test_a_key_in_the_wrong_place_of_a_configuration_is_not_repeated(tmp_path: Path, text: str) -> None:
    env = environment("http://127.0.0.1:9", tmp_path)
    config = tmp_path / "config.toml"
    for key in CANARIES:
        config.write_text(text.replace("KEY", key))
        config.chmod(0o600)
        for command in (["status", "p:g/j"], ["doctor"], ["doctor", "--json"]):
            ran = jobdeck(*command, "--config", str(config), env=env)
            assert ran.code != 0
            assert not leaks(ran.out + ran.err), (command, ran)
    assert leaking_files(tmp_path, but=[config]) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "KEY"],
        ["status", "hog:KEY"],
        ["status", "KEY:op_1"],
        ["status", "KEY/op_1"],
        ["status", "https://KEY@api.example/api/operations/op_1"],
        ["status", "/api/operations/KEY"],
        ["status", "KEY.txt"],
        ["status", "--token", "KEY", "op_1"],
        ["status", "--token=KEY", "op_1"],
        ["KEY"],
        ["--secret-key=KEY"],
        ["discover", "--profile", "KEY"],
        ["discover", "--limit", "KEY"],
        ["completion", "KEY"],
        ["wait", "--timeout", "KEY", "op_1"],
        ["status", "--config", "KEY", "op_1"],
        ["requests", "KEY"],
    ],
    ids=" ".join,
)
def test_a_key_typed_where_no_key_belongs_is_not_repeated(tmp_path: Path, arguments: list[str]) -> None:
    env = environment("http://127.0.0.1:9", tmp_path, **KEYS["bearer"])
    for key in CANARIES:
        ran = jobdeck(*(word.replace("KEY", key) for word in arguments), env=env)
        assert not leaks(ran.out + ran.err), ran
        piped = jobdeck("status", "-", env=env, stdin=f"{key}\n")
        assert not leaks(piped.out + piped.err), piped
    assert leaking_files(tmp_path) == set()


@pytest.mark.parametrize("bad", ["{}\x07", "{} {}", "{}\xe9", "{}" * 40])
def test_a_malformed_key_is_named_by_its_place(url: str, tmp_path: Path, bad: str) -> None:
    for name, key in (("THE_HOG_API_KEY", BEARER), ("SONARLY_API_KEY", SONARLY)):
        env = environment(url, tmp_path, **{name: bad.replace("{}", key)})
        target = "group1/op_failed" if key is SONARLY else "op_failed"
        for command in (["status", target], ["watch", "--json", target], ["doctor"]):
            ran = jobdeck(*command, env=env)
            assert ran.code == 2
            assert name in ran.out + ran.err
            assert not leaks(ran.out + ran.err)


DESCRIBED = """
[profiles.p]
provider = "acme"
base_url = "URL"
token = "env:ACME"
[providers.acme]
base_url = "https://acme.example"
[providers.acme.auth]
AUTH
[providers.acme.job]
url = "/jobs/{id}"
[providers.acme.fields]
id = "$.id"
status = "$.status"
error_message = "$.error.message"
result = "$.result"
[providers.acme.phases]
failed = ["failed"]
"""
SCHEMES = {
    "header": 'scheme = "header"\nheader = "X-Api-Token"\nprefix = "Token "',
    "basic": 'scheme = "basic"\nuser = "me"',
    "bearer": 'scheme = "bearer"',
}


@pytest.mark.parametrize("auth", SCHEMES.values(), ids=SCHEMES)
def test_nor_does_a_key_of_a_described_api_leave(url: str, tmp_path: Path, auth: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(DESCRIBED.replace("URL", url).replace("AUTH", auth))
    env = environment(url, tmp_path, ACME=SECRET)
    seen = ""
    for command in (
        ["status", "--json", "p:op_failed"],
        ["status", "p:op_unauthorized"],
        ["status", "--json", "p:op_redirected"],
        ["ticket", "--include-result", "p:op_failed"],
        ["requests", "--json"],
        ["history", "--json"],
        ["doctor"],
    ):
        ran = jobdeck(*command, "--config", str(config), env=env)
        assert not leaks(ran.out + ran.err), command
        seen += ran.out
    assert "[redacted]" in seen
    assert leaking_files(tmp_path) == set()


HOOK = """
[profiles.p]
provider = "thehog"
base_url = "URL"
access_key = "env:FIRST"
secret_key = "file:SECRET_FILE"
[profiles.s]
provider = "sonarly"
base_url = "URL"
token = "SONARLY"
account_group = "group1"
[[hooks]]
run = ["/bin/sh", "-c", "env >> OUT; cat >> OUT; WHO >> OUT"]
"""


def test_a_hook_is_given_no_key(url: str, tmp_path: Path) -> None:
    secret, out, config = tmp_path / "secret", tmp_path / "out", tmp_path / "config.toml"
    secret.write_text(SECRET)
    who = "tr '\\\\0' ' ' < /proc/$PPID/cmdline" if sys.platform == "linux" else "ps -o args= -p $PPID"
    words = {"URL": url, "SECRET_FILE": str(secret), "SONARLY": SONARLY, "OUT": str(out), "WHO": who}
    config.write_text(re.sub("|".join(words), lambda found: words[found[0]], HOOK))
    for path in (secret, config):
        path.chmod(0o600)
    env = environment(url, tmp_path, FIRST=ACCESS, COPY=f"--key={ACCESS}", **KEYS["bearer"])
    accepted = '{"id": "op_failed", "meta": {"requestId": "r"}}', '{"data": {"jobId": "op_failed"}, "traceId": "t"}'
    for body in accepted:
        ran = jobdeck("wait", "-", "--config", str(config), env=env, stdin=body)
        assert ran.code == 1
        assert not leaks(ran.out + ran.err)
    said = out.read_text()
    assert said.count("JOBDECK_PHASE=failed") == 2
    assert '"phase": "failed"' in said
    assert "COPY=" not in said
    assert leaking_files(tmp_path, but=[secret, config]) == set()


def test_the_screen_its_terminal_and_its_clipboard_get_no_key(url: str, tmp_path: Path) -> None:
    """Every tab, the raw body, the ticket, a key pasted where targets belong, and what OSC 52 sends."""
    keys = {**KEYS["access and secret"], **KEYS["sonarly"]}
    env = environment(url, tmp_path, **keys)
    with OnTerminal("op_failed", "op_escaped", "sonarly:group1/op_failed", "op_broken", env=env, size=(160, 50)) as run:
        run.until("op_failed", "op_escaped", "✗ failed", "unreach")
        for row in range(4):
            run.press("j" if row else "g")
            for _ in range(5):
                run.press("]")
                run.read()
            run.press("y")
            run.until_true(lambda row=row: run.data.count(b"\x1b]52;") > row)
        run.press("gY")
        run.until("Support ticket")
        run.press("y")
        run.until_true(lambda: run.data.count(b"\x1b]52;") >= 5)
        run.press("a")
        run.until("Add targets")
        untyped = run.data
        run.press(f"hog:{SECRET}\r")
        run.until("refused")
        refusal = "".join(line.strip(" │▏") for line in run.text.partition("refused")[2].splitlines())
        cmdline = Path(f"/proc/{run.process.pid}/cmdline")
        assert not cmdline.exists() or not leaks(cmdline.read_bytes())
        run.press("\x1b")
        run.signal(signal.SIGTERM)
        sent = [base64.b64decode(part) for part in re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)", run.data)]
    assert len(sent) == 5
    assert not leaks(b" ".join(sent))
    assert b"[redacted]" in untyped
    assert not leaks(untyped)
    assert not leaks(refusal)
    assert leaking_files(tmp_path) == set()


async def test_a_picture_of_the_screen_holds_no_key(url: str, tmp_path: Path) -> None:
    context = AppContext(environment(url, tmp_path, **KEYS["access and secret"], **KEYS["sonarly"]))
    targets = [
        parse_target(text, context.registry) for text in ("op_failed", "op_unauthorized", "sonarly:g1/op_failed")
    ]
    clipboard = Clipboard()
    app = JobdeckApp(LiveSession(context, tuple(targets)), write_clipboard=clipboard, frame_seconds=0.02)
    pictures = ""
    async with app.run_test(size=(140, 44)) as pilot:
        run = Driven(app, pilot, None, clipboard)  # type: ignore[arg-type] - there is no fake session
        await run.shows("API key rejected")
        await run.shows("✗ failed")
        for keys in ("j", "]", "]", "]", "]", "z", "j", "Y"):
            await run.press(keys)
            pictures += app.export_screenshot()
        await run.press("escape", "q")
    assert "redacted" in pictures
    assert not leaks(pictures)
