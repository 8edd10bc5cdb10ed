"""What is imported when: the command line answers fast because it imports little."""

import importlib.util
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

from jobdeck.apis.pages import PageLibrary, built_in_names

ROOT = Path(__file__).parents[2]


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150)
    return set(run.stdout.split())


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = {"textual", "rich", "httpx", "pydantic", "asyncio", "h11", "aiohttp"}
    assert not modules_after("import jobdeck.cli.main") & heavy


def test_the_screen_imports_no_client_before_its_first_frame() -> None:
    heavy = {"httpx", "pydantic", "h11", "aiohttp"}
    assert not modules_after("import jobdeck.tui.app, jobdeck.cli.commands.open") & heavy


def test_what_polls_is_imported_after_the_first_jobs_are_on_the_screen() -> None:
    loaded = modules_after("import jobdeck.tui.app, jobdeck.cli.commands.open, jobdeck.app.data_store")
    assert "jobdeck.app.live_session" in loaded
    later = {"jobdeck.engine.engine", "jobdeck.scheduling.actions", "jobdeck.app.factories"}
    assert not loaded & (later | {"jobdeck.app.discovery", "jobdeck.apis.target_input", "jobdeck.http.base"})


def test_a_headless_command_imports_no_screen() -> None:
    loaded = modules_after("import jobdeck.__main__, jobdeck.cli.commands.status, jobdeck.app.factories")
    assert not loaded & {"textual", "rich", "aiohttp", "jobdeck.app.live_session", "jobdeck.apis.target_input"}


def test_a_page_is_read_without_what_walks_filters() -> None:
    loaded = modules_after(
        "import jobdeck.app.context; jobdeck.app.context.load_settings({'SONARLY_API_KEY': 'sk_live_0123456789'})"
    )
    assert "jobdeck.apis.loader" in loaded
    # What makes readers of paths is imported by the first answer, after the first frame.
    assert not loaded & {"jsonpath", "jobdeck.apis.extract", "jobdeck.apis.client"}


def test_no_module_but_the_simulator_names_an_api() -> None:
    specs = [PageLibrary().spec(name) for name in built_in_names()]
    names = sorted({word for spec in specs for word in (spec.name, spec.title)}, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])", re.IGNORECASE)
    assert pattern.search("a job of Sonarly") is not None
    package = ROOT / "src" / "jobdeck"
    found = [
        f"{path.relative_to(package)}: {match[0]}"
        for path in package.rglob("*.py")
        if "simulator" not in path.parts
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        if token.type != tokenize.COMMENT
        for match in pattern.finditer(token.string)
    ]
    assert not found


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([lint, "--no-logo"], cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert run.returncode == 0, run.stdout


def test_no_registry_host_is_written_down() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    hosts = ("py" + "pi.org", "python" + "hosted.org")
    for name in listed.stdout.split("\n"):
        path = ROOT / name
        if name and path.is_file() and path.suffix in {".txt", ".toml", ".md", ".py", ".yml", ".lock", ""}:
            text = path.read_text(errors="replace")
            assert not any(host in text for host in hosts), name


def test_what_httpcore_looks_for_at_every_request_is_there() -> None:
    assert importlib.util.find_spec("sniffio") is not None
