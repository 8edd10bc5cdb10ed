"""Writing never disturbs what is recorded, and says once when it cannot go on."""

import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from jobdeck.recording import entries as e
from jobdeck.recording import writer as writing
from jobdeck.recording.entries import RecordingError
from jobdeck.recording.reader import read_recording
from jobdeck.recording.writer import Writer
from tests.builders import make_target
from tests.recording.making import HEADER, at


class Complaints:
    """What was said, and a way to wait for it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.told = threading.Event()

    def __call__(self, message: str) -> None:
        self.said.append(message)
        self.told.set()


def test_a_recording_is_its_owner_s_alone_and_overwrites_nothing(tmp_path: Path) -> None:
    path, said = tmp_path / "one.jobdeck", Complaints()
    writer = Writer(path, HEADER, said)
    assert sys.platform == "win32" or stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(RecordingError, match=r"one\.jobdeck already exists"):
        Writer(path, HEADER, said)
    writer.write(e.Added(at(1), make_target()))
    assert writer.close(at(2))
    read = read_recording(path)
    assert ([timed.entry for timed in read.entries], read.complete) == ([e.Added(at(1), make_target())], True)
    assert not said.said
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for bad, reason in [
        (link, "already exists"),
        (tmp_path / "no" / "x", "No such file"),
        (tmp_path, "already exists"),
    ]:
        with pytest.raises(RecordingError, match=reason):
            Writer(bad, HEADER, said)


def test_what_was_told_some_seconds_ago_is_on_the_disk_of_a_killed_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FLUSH_SECONDS", 0.05)
    path = tmp_path / "one.jobdeck"
    writer = Writer(path, HEADER, Complaints())
    writer.write(e.Added(at(1), make_target()))
    deadline = threading.Event()
    for _ in range(500):
        deadline.wait(0.01)
        if path.stat().st_size and (read := read_recording(path)).entries:
            break
    assert [timed.entry for timed in read.entries] == [e.Added(at(1), make_target())]
    assert not read.complete
    writer.close(at(2))


def test_a_full_disk_ends_the_recording_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(writing, "FLUSH_SECONDS", 0.0)
    said = Complaints()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = Writer(tmp_path / "one.jobdeck", HEADER, said)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    try:
        for n in range(3_000):
            writer.write(e.Added(at(n), make_target(f"op_{os.urandom(20).hex()}")))
        assert said.told.wait(20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    writer.write(e.Added(at(9), make_target()))
    assert not writer.close(at(10))
    (line,) = said.said
    assert line.startswith("recording to ")
    assert line.endswith("one.jobdeck stopped: File too large")
    assert read_recording(tmp_path / "one.jobdeck").entries


def test_a_disk_that_does_not_keep_up_never_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BACKLOG", 10)
    held, said = threading.Event(), Complaints()
    monkeypatch.setattr(Writer, "_write", lambda *_: held.wait(20))
    writer = Writer(tmp_path / "one.jobdeck", HEADER, said)
    for n in range(50):
        writer.write(e.Added(at(n), make_target()))
    held.set()
    assert said.said == [f"recording to {tmp_path / 'one.jobdeck'} stopped: the disk is too slow"]
    assert not writer.close(at(10))


def test_a_recording_ends_before_it_is_too_long_to_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MAX_BYTES", writing.MAX_LINE + 20_000)
    path, said = tmp_path / "long.jobdeck", Complaints()
    writer = Writer(path, HEADER, said)
    for number in range(500):
        writer.write(e.Added(at(number), make_target(f"op_{number}")))
    assert said.told.wait(10)
    assert said.said == [f"recording to {path} stopped: it has reached its maximum size"]
    assert not writer.close(at(501))
    assert 50 < len(read_recording(path).entries) < 200
