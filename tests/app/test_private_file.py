"""What ``--output`` names is written, never replaced by a file when it was something else."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jobdeck.app.private_file import PrivateFileError, write_output, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.posix
@pytest.mark.parametrize("chain", [1, 3])
def test_a_link_is_written_through_and_stays_a_link(tmp_path: Path, chain: int) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "ticket.md"
    target.write_text("of last time")
    link = target
    for number in range(chain):
        before, link = link, tmp_path / f"link{number}"
        link.symlink_to(before)
    write_output(link, "new")
    assert link.is_symlink()
    assert (target.read_text(), mode(target)) == ("new", 0o600)
    assert [file.name for file in (tmp_path / "real").iterdir()] == ["ticket.md"]


@pytest.mark.posix
def test_a_link_to_nothing_makes_the_file_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("later.md")
    write_output(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "later.md").read_text() == "new"


@pytest.mark.posix
@pytest.mark.parametrize("write", [write_output, write_private])
def test_links_in_a_circle_are_an_error(tmp_path: Path, write: object) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert callable(write)
    with pytest.raises(PrivateFileError, match="cannot write"):
        write(tmp_path / "a", "new")
    assert (tmp_path / "a").is_symlink()


@pytest.mark.posix
def test_a_pipe_gets_the_text_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    write_output(path, "new")
    reader.join(10)
    assert read == ["new"]
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_behind_a_link_is_written_to_and_the_link_stays(tmp_path: Path) -> None:
    # In a directory of ours: should this fail, the machine's own devices are not what is replaced.
    for name in ("full", "null"):
        (tmp_path / name).symlink_to(f"/dev/{name}")
    with pytest.raises(PrivateFileError, match="No space left"):
        write_output(tmp_path / "full", "new")
    write_output(tmp_path / "null", "new")
    assert all(stat.S_ISCHR(file.stat().st_mode) and file.is_symlink() for file in tmp_path.iterdir())


@pytest.mark.posix
def test_a_device_node_is_not_replaced(tmp_path: Path) -> None:
    node = tmp_path / "full"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        node.open("rb").close()
    except OSError:
        pytest.skip("only root makes devices, and not everywhere")
    with pytest.raises(PrivateFileError, match="No space left"):
        write_output(node, "new")
    assert stat.S_ISCHR(node.stat().st_mode)


def test_a_directory_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    with pytest.raises(PrivateFileError, match="cannot write"):
        write_output(tmp_path / "place", "new")
    assert list((tmp_path / "place").iterdir()) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "place"]


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
def test_standard_output_goes_on_where_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    script = "from pathlib import Path\nfrom jobdeck.app.private_file import write_output\n"
    script += "write_output(Path('/dev/stdout'), 'new\\n')\nprint('after')\n"
    with log.open("a") as file:
        subprocess.run([sys.executable, "-c", script], stdout=file, check=True)
    assert log.read_text() == "before\nnew\nafter\n"
