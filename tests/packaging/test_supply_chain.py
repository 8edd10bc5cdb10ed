"""What is built on: pinned, audited, and the same from the source archive as from the checkout."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_gets_no_right_by_default(workflow: Path) -> None:
    text = workflow.read_text()
    uses = re.findall(r"uses: (\S+)(.*)", text)
    assert uses
    for action, remark in uses:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", remark), f"{action} does not say its version"
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
    assert "secrets." not in text


def test_ci_runs_every_python_that_the_package_names_on_three_systems() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    named = re.findall(r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert f"python: [{', '.join(json.dumps(version) for version in named)}]" in text
    for system in ("ubuntu-", "macos-", "windows-"):
        assert system in text


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_every_requirement_is_pinned_by_version_and_hash(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        if not requirement.startswith("#"):
            assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", requirement), requirement
            assert "--hash=sha256:" in requirement, requirement
    assert "://" not in text


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build("sdist", ROOT, tmp_path_factory.mktemp("dist"))


def test_the_archive_of_the_source_builds_the_same_wheel(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    from_archive = _build("wheel", source, tmp_path / "a")
    from_checkout = _build("wheel", ROOT, tmp_path / "b")
    one, other = (
        {entry.filename: entry.CRC for entry in zipfile.ZipFile(wheel).infolist()}
        for wheel in (from_archive, from_checkout)
    )
    assert one == other


def _build(kind: str, source: Path, folder: Path) -> Path:
    build = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=150)
    (built,) = folder.iterdir()
    return built


FOUND = [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]
CLEAN = [{"name": "a", "version": "1", "vulns": []}]
SKIPPED = [{"name": "a", "skip_reason": "not found"}]


@pytest.mark.parametrize(
    ("dependencies", "strict", "code", "said"),
    [
        (FOUND, "0", 1, "a 1: CVE-1, mended in 2"),
        (CLEAN, "1", 0, "1 of 1 dependencies looked up, no known vulnerability"),
        ([*CLEAN, *SKIPPED], "1", 1, "1 of 2 dependencies looked up"),
        (SKIPPED, "0", 0, "nothing was audited"),
        (SKIPPED, "1", 1, "nothing was audited"),
        (None, "0", 0, "nothing was audited"),
        (None, "1", 1, "nothing was audited"),
    ],
)
def test_the_audit_fails_on_what_is_known_and_never_calls_unaudited_clean(
    dependencies: object, strict: str, code: int, said: str, tmp_path: Path
) -> None:
    auditor = tmp_path / "pip-audit"
    report = "" if dependencies is None else json.dumps({"dependencies": dependencies})
    auditor.write_text(f"#!/bin/sh\nfor last; do :; done\nprintf '%s' '{report}' >\"$last\"\nexit 1\n")
    auditor.chmod(0o755)
    run = subprocess.run(
        [ROOT / ".ci" / "audit", sys.executable, auditor],
        env={**os.environ, "AUDIT_STRICT": strict},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert (run.returncode, said in run.stdout) == (code, True), run.stdout + run.stderr
