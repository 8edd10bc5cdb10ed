"""Completion as it is typed: in the real shells, with Tab."""

import os
from pathlib import Path

import pytest

from tests.cli.shells import Shell, shells

TYPED = {
    "stat": "<status>",
    "status --js": "<status><--json>",
    "status ids": "<status><ids.txt>",
    "status ids.txt oth": "<status><ids.txt><other.json>",
    "status ./ids.txt with": "<status><./ids.txt><with space>",
    "status --config=oth": "<status><--config=other.json>",
    "ids": "<ids.txt>",
    "ids.txt stu": "<ids.txt><stuff.txt>",
    "ids.txt --rec": "<ids.txt><--record>",
    "--record oth": "<--record><other.json>",
    "--config=oth": "<--config=other.json>",
    "--config x sta": "<--config><x><status>",
    "ticket --format=mark": "<ticket><--format=markdown>",
    "ticket --format j": "<ticket><--format><json>",
    "replay --paused sub/in": "<replay><--paused><sub/inner.jobdeck>",
    "wait --timeout=5m oth": "<wait><--timeout=5m><other.json>",
}
"""What is typed before Tab, and which arguments the command then gets."""

SHOW = {
    "fish": "function jobdeck; printf '<%s>' $argv; echo; end",
    "bash": "jobdeck() { printf '<%s>' \"$@\"; echo; }",
    "zsh": "jobdeck() { printf '<%s>' \"$@\"; echo; }",
}
"""In the place of the command, once it has given its script, what shows its arguments."""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    for name in ("ids.txt", "other.json", "stuff.txt", "with space", "sub/inner.jobdeck"):
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def complete(shell: Shell, name: str, source: str, typed: dict[str, str]) -> None:
    shell.press(f"{source}; {SHOW[name]}; echo re''ady\n")
    shell.until("\nready")
    for line, arguments in typed.items():
        shell.press(f"clear\njobdeck {line}\t\n")
        shell.until(f"\n{arguments}")


@pytest.mark.parametrize("name", shells("bash", "zsh", "fish"))
def test_commands_options_their_values_and_files_are_completed(name: str, env: dict[str, str], tmp_path: Path) -> None:
    script = "(jobdeck completion fish | psub)" if name == "fish" else f"<(jobdeck completion {name})"
    with Shell(name, env, tmp_path / "folder") as shell:
        complete(shell, name, f"source {script}", TYPED)


@pytest.mark.parametrize("name", shells("zsh"))
def test_zsh_finds_the_script_in_its_path_of_functions_too(name: str, env: dict[str, str], tmp_path: Path) -> None:
    with Shell(name, env, tmp_path / "folder") as shell:
        source = "jobdeck completion zsh > ../_jobdeck; fpath=(.. $fpath); autoload -Uz compinit; compinit -u -D"
        complete(shell, name, source, {"status ids": "<status><ids.txt>", "ids.txt stu": "<ids.txt><stuff.txt>"})


@pytest.mark.parametrize("name", shells("bash"))
def test_bash_may_leave_an_option_and_its_value_in_one_word(name: str, env: dict[str, str], tmp_path: Path) -> None:
    with Shell(name, env, tmp_path / "folder") as shell:
        source = "eval \"$(jobdeck completion bash)\"; COMP_WORDBREAKS=' '"
        complete(shell, name, source, {line: arguments for line, arguments in TYPED.items() if "=" in line})
