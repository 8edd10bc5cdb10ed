"""Arguments that name a file, those that name a job, and those that may be meant as either."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import chdir, suppress
from pathlib import Path

import pytest

from jobdeck.app.context import AppContext
from jobdeck.cli.exit_codes import CommandError
from jobdeck.cli.targets import gather_targets

REGISTRY = AppContext({"THE_HOG_API_KEY": "hog_live_0123456789", "SONARLY_API_KEY": "sk_live_0123456789"}).registry
LONG = "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> Iterator[None]:
    with chdir(tmp_path):
        yield


def targets(*arguments: str) -> list[str]:
    return [str(target.key) for target in gather_targets(arguments, REGISTRY).targets]


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        gather_targets(arguments, REGISTRY)
    return str(caught.value)


@pytest.mark.parametrize("name", ["op_1", LONG, "batch-7", "507f1f77bcf86cd799439011/job_1"])
def test_a_file_with_the_name_of_an_id_is_asked_back_about(name: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("op_2")
    job = f"sonarly:{name}" if "/" in name else f"thehog:{name}"
    assert refusal(name) == f"{name} could be a file or a job: write ./{name} or {job}"
    assert targets(f"./{name}") == ["thehog:op_2"]
    assert targets(job) == [job]


@pytest.mark.parametrize("name", ["ids", "ids.txt", "op_1.txt", "lists/today", "Batch"])
def test_a_file_with_a_name_of_its_own_is_read(name: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("op_2")
    assert targets(name) == ["thehog:op_2"]


def test_a_file_with_a_profile_in_its_name_is_the_job() -> None:
    Path("thehog:op_1").write_text("op_2")
    assert targets("thehog:op_1") == ["thehog:op_1"]


def test_an_empty_file_with_the_name_of_an_id_was_made_by_the_redirection_and_is_no_list() -> None:
    Path("op_1").touch()
    assert targets("op_1") == ["thehog:op_1"]
    Path("ids.txt").touch()
    assert refusal("ids.txt") == "ids.txt contains no target"


def test_a_file_that_the_output_goes_to_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "op_1").write_text("op_2")
    kept, file = os.dup(1), os.open("op_1", os.O_WRONLY | os.O_APPEND)
    try:
        os.dup2(file, 1)
        assert targets("op_1") == ["thehog:op_1"]
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(file)


@pytest.mark.parametrize("name", ["ids.txt", "./ids", "../ids", "~/ids", "~nobody-here/ids", "op_1.json", "lists/ids"])
def test_a_path_to_nothing_is_no_job(name: str) -> None:
    Path("lists").mkdir()
    assert refusal(name) == f"{name}: no such file"


def test_an_absolute_path_may_be_a_poll_url() -> None:
    assert targets("/api/operations/op_1") == ["thehog:op_1"]
    assert refusal("/nowhere/ids").endswith("no such file either")


def test_a_directory_is_no_list_and_a_job_only_where_its_name_can_be_nothing_else() -> None:
    for name in ("folder", "op_1", LONG):
        Path(name).mkdir()
    assert refusal("folder") == "folder is a directory, not a file with targets"
    assert refusal(".") == ". is a directory, not a file with targets"
    assert refusal("op_1") == "op_1 is a directory, not a file with targets; for the job, write thehog:op_1"
    assert targets(LONG) == [f"thehog:{LONG}"]


def test_the_home_directory_is_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("ids.txt").write_text("op_2")
    assert targets("~/ids.txt") == ["thehog:op_2"]


@pytest.mark.posix
def test_a_pipe_is_read_and_a_device_is_not() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"op_2")
    os.close(writing)
    assert targets(f"/dev/fd/{reading}") == ["thehog:op_2"]
    with suppress(OSError):
        os.close(reading)
    assert refusal("/dev/full") == "/dev/full is a device or a socket, not a file with targets"


def test_a_profile_is_no_job() -> None:
    assert refusal("sonarly") == "sonarly is a profile, not a job: write sonarly:ID"


def test_white_space_around_an_id_is_none_of_it() -> None:
    assert targets("op_1\n", " op_2\r") == ["thehog:op_1", "thehog:op_2"]


def test_what_a_file_or_a_pipe_names_is_a_batch_where_it_is_several_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("night.txt").write_text("op_1\nop_2\n")
    Path("one.txt").write_text("op_3\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"op_4\nop_5")))
    found = gather_targets(["./night.txt", "./one.txt", "op_6", "-"], REGISTRY).targets
    batches = {target.key.id: target.batch for target in found}
    assert [batches[f"op_{n}"] for n in (1, 2, 3, 6)] == ["night", "night", "", ""]
    assert re.fullmatch(r"piped \d\d-\d\d \d\d:\d\d", batches["op_4"])
    assert batches["op_5"] == batches["op_4"]
    named = gather_targets(["./night.txt", "op_6"], REGISTRY, "import 7").targets
    assert {(target.batch, target.replaces_batch) for target in named} == {("import 7", True)}
    assert not any(target.replaces_batch for target in found)
