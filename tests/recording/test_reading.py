"""A recording is anybody's file: whatever is in it, reading ends with facts or with one line that says why not."""

import gzip
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobdeck.recording import facts as f
from jobdeck.recording import limits, reader
from jobdeck.recording.errors import RecordingError
from jobdeck.recording.reader import read_recording
from tests.builders import make_target
from tests.cleanness import is_clean
from tests.recording.making import at, lines_of, write, write_lines

HEADER, *_ = lines_of([])
JOB = {"t": 0, "k": "job", "key": ["hog", None, "op_1"], "api": "thehog", "resource": "operation"}
X = {"a": 1, "d": 1, "u": "https://a.example/"}
BAD_LINES: Sequence[tuple[str | dict[str, object], str]] = [
    ("{", "Invalid JSON"),
    ("[1]", "Input should be"),
    ({"t": 0, "k": "surprise"}, "does not match any of the expected tags"),
    ({"t": 0, "k": "add", "j": 7}, "there is no job 7"),
    ({"t": 0, "k": "add", "j": 0, "extra": 1}, "add.extra: Extra inputs are not permitted"),
    ({"t": -1, "k": "add", "j": 0}, "greater than or equal to 0"),
    ({"t": 10**30, "k": "add", "j": 0}, "less than or equal"),
    ({"t": float("nan"), "k": "end"}, "end.t"),
    ({**JOB, "key": ["hog", None, "../../etc"]}, "should match pattern"),
    ({**JOB, "key": ["ci", "octocat//hello", "1"]}, "should match pattern"),
    ({**JOB, "key": ["ci", "octocat/a b", "1"]}, "should match pattern"),
    ({"t": 0, "k": "poll", "j": 0, "x": X, "o": {"progress": 1.5}}, "less than or equal to 1"),
    ({"t": 0, "k": "poll", "j": 0, "x": X, "o": {"moved": [0.5]}}, "job 0 has no such stages"),
    ({"t": 0, "k": "poll", "j": 0, "x": X, "b": [[0, 5]]}, "a body refers to what was never there"),
    ({"t": 0, "k": "poll", "j": 0, "x": X, "b": ["x" * 200_000] * 2}, "a body is larger than a recording holds"),
    ({"t": 0, "k": "list", "of": "hog", "x": X, "rows": [0]}, "no list has told of job 0 before"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_named_with_its_number_and_reason(
    tmp_path: Path, line: str | dict[str, object], reason: str
) -> None:
    path = write_lines(tmp_path / "bad.jobdeck", [HEADER, JOB, line, {"t": 0, "k": "end"}])
    with pytest.raises(RecordingError, match=r"bad\.jobdeck, line 3: ") as caught:
        read_recording(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is no recording: it is not compressed as one"),
        (b"id,status\n", "is no recording: it is not compressed as one"),
        (gzip.compress(b""), "is no recording: its first line"),
        (gzip.compress(b'{"format":"other"}\n'), "is no recording: its first line"),
        (gzip.compress(b"\x00\xff\n"), "is no recording: its first line"),
        (gzip.compress(HEADER.replace('"version":1', '"version":2').encode() + b"\n"), "made by a newer jobdeck"),
    ],
    # Not the bytes themselves: the time is among them, and the processes that share the tests must name them alike.
    ids=["nothing", "text", "no line", "another format", "no letters", "a newer version"],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=reason):
        read_recording(path)


def test_no_recording_lasts_so_long_that_its_moments_have_no_dates(tmp_path: Path) -> None:
    lines = [HEADER, JOB, *({"t": 399 * 86_400 * 10**6, "k": "stand"} for _ in range(2))]
    read = read_recording(write_lines(tmp_path / "bad.jobdeck", lines))
    assert "damaged in line 4 (it goes on for longer than a recording does)" in read.fault
    assert len(read.facts) == 1


def test_a_file_that_is_not_there_or_is_a_directory_is_named(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "none", "No such file"), (tmp_path, "Is a directory")]:
        with pytest.raises(RecordingError, match=reason):
            read_recording(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(HEADER.encode() + b"\n" + bytes(64 * 1024 * 1024)))
    assert path.stat().st_size < 100_000
    with pytest.raises(RecordingError, match="line 2: it is longer than 4 MiB"):
        read_recording(path)
    monkeypatch.setattr(reader, "MAX_BYTES", 100_000)
    write_lines(path, [HEADER, JOB, *[{"t": 0, "k": "add", "j": 0}] * 10_000])
    read = read_recording(path)
    assert "(there is more in it than a recording holds): it is shown as far as that" in read.fault
    assert 0 < len(read.facts) < 10_000


def test_bodies_and_facts_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short line may stand for a large body, made of the last one: all of them together have a limit."""
    monkeypatch.setattr("jobdeck.recording.decoding.MAX_BODIES", 1_000_000)
    first = {"t": 0, "k": "poll", "j": 0, "x": X, "b": ["x" * 100_000]}
    again = [{"t": 0, "k": "poll", "j": 0, "x": X, "b": [[0, 100_000 - n], "y"]} for n in range(1, 50)]
    read = read_recording(write_lines(tmp_path / "bodies", [HEADER, JOB, first, *again]))
    assert "its bodies are more than a recording holds" in read.fault
    monkeypatch.setattr("jobdeck.recording.decoding.MAX_WEIGHT", 100)
    read = read_recording(write_lines(tmp_path / "facts", [HEADER, JOB, *[{"t": 0, "k": "add", "j": 0}] * 200]))
    assert "line 102 (there is more in it" in read.fault
    assert len(read.facts) == 99
    assert limits.MAX_WEIGHT == 2_000_000


def test_hostile_words_are_cleaned(tmp_path: Path) -> None:
    evil = "\x1b]52;c;x\x07\u202e[@click=app.quit]\nx"
    lines = [
        HEADER,
        {**JOB, "accepted_r": evil, "api": evil},
        {"t": 0, "k": "add", "j": 0},
        {
            "t": 1,
            "k": "poll",
            "j": 0,
            "x": {**X, "r": evil, "u": evil, "p": {"kind": "protocol", "text": evil}},
            "o": {"status": evil, "stages": [[evil, evil, "running", None]], "error": [evil, evil, evil]},
        },
    ]
    added, replied = (placed.fact for placed in read_recording(write_lines(tmp_path / "r", lines)).facts)
    assert isinstance(added, f.Added)
    assert isinstance(replied, f.Replied)
    (seen,) = replied.observations
    exchange = replied.exchange
    assert exchange.problem is not None
    assert seen.error is not None
    words = [added.target.accepted_request_id, added.target.provider, exchange.request_id, exchange.url, seen.status]
    words += [exchange.problem.message, seen.stages[0].name, seen.error.code]
    assert all(is_clean(word or "\x00") for word in words)
    assert is_clean(seen.error.message or "\x00", lines=True)


def test_one_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    told: list[f.Fact] = [f.Added(at(n), make_target(f"op_{os.urandom(8).hex()}")) for n in range(500)]
    whole = write(tmp_path / "whole", told, end=at(500))
    assert read_recording(whole).complete
    data = whole.read_bytes()
    torn = tmp_path / "torn"
    torn.write_bytes(data[: len(data) // 2])
    read = read_recording(torn)
    assert not read.complete
    assert 100 < len(read.facts) < 500
    assert [placed.fact for placed in read.facts] == told[: len(read.facts)]


def test_one_that_is_damaged_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    told: list[f.Fact] = [f.Added(at(n), make_target(f"op_{n}")) for n in range(9)]
    lines = lines_of(told, end=at(9))
    path = tmp_path / "r"
    write_lines(path, [*lines[:9], lines[9].replace(":", "!"), *lines[10:]])
    read = read_recording(path)
    assert (read.fault, read.damaged) == (
        "the recording is damaged in line 10 (Invalid JSON: expected `:` at character 5): it is shown as far as that",
        True,
    )
    assert [placed.fact for placed in read.facts] == told[:4]
    # A figure that was changed since is no broken line: the sum of the whole tells.
    data = bytearray(gzip.compress("".join(f"{line}\n" for line in lines).encode(), compresslevel=0))
    place = data.index(b"op_5")
    data[place + 3] = ord("7")
    path.write_bytes(data)
    read = read_recording(path)
    assert read.fault == "the recording is damaged: what is shown may differ from what was"
    assert (len(read.facts), read.complete, read.damaged) == (9, False, True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_one_that_comes_through_a_pipe_is_read(tmp_path: Path) -> None:
    data = write(tmp_path / "r", [f.Added(at(1), make_target())], end=at(2)).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=lambda: pipe.write_bytes(data))
    writing.start()
    assert read_recording(pipe).complete
    writing.join()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["t", "k", "j", "x", "o", "b", "rows", "key", "e", "s"]),
       st.recursive(st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["poll", "job"]),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                    max_leaves=5)), max_size=5), st.binary(max_size=40))  # fmt: skip
def test_any_lines_and_any_bytes_give_facts_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, object]], noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "r"
    texts = [json.dumps(line) for line in lines]
    for content in (
        gzip.compress("\n".join([HEADER, json.dumps(JOB), *texts, ""]).encode()),
        gzip.compress(HEADER.encode() + b"\n" + noise + b"\n"),
        gzip.compress(HEADER.encode() + b"\n")[:30] + noise,
    ):
        path.write_bytes(content)
        try:
            read_recording(path)
        except RecordingError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either is right
