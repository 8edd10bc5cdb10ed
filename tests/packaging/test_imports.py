"""What is imported when: the command line answers fast because it imports little."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    return set(run.stdout.split())


@pytest.mark.parametrize("heavy", ["textual", "rich", "httpx", "pydantic", "asyncio", "starlette", "uvicorn"])
def test_the_command_line_imports_nothing_heavy(heavy: str) -> None:
    assert heavy not in modules_after("import jobdeck.cli.main")


@pytest.mark.parametrize("heavy", ["httpx", "pydantic", "starlette", "uvicorn"])
def test_the_screen_imports_no_http_before_its_first_frame(heavy: str) -> None:
    assert heavy not in modules_after("import jobdeck.tui.app, jobdeck.cli.open_screen")


def test_a_headless_command_imports_no_screen() -> None:
    loaded = modules_after("import jobdeck.cli.status")
    assert not loaded & {"textual", "rich", "starlette"}


def test_what_reads_descriptions_is_imported_where_there_are_some_alone() -> None:
    without = "import jobdeck.providers.factory, jobdeck.wiring; jobdeck.wiring.load_settings({'HOME': '/nowhere'})"
    loaded = modules_after(without)
    assert not loaded & {"jsonpath", "jobdeck.providers.description", "jobdeck.providers.described"}
    named = "from jobdeck.config.apis import Apis; Apis().named('github-actions', 'here')"
    loaded = modules_after(named)
    assert "jobdeck.providers.described.parse" in loaded
    # Its paths are simple: what walks them is imported by the first provider, after the first frame.
    assert "jsonpath" not in loaded


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([lint, "--no-logo"], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
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
