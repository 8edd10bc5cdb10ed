"""A recording is anybody's file: whatever is in it, reading ends with facts or with one line that says why not."""

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.recording import facts as f
from jobdeck.recording import limits, reader
from jobdeck.recording.errors import RecordingError
from jobdeck.recording.reader import read_recording
from tests.builders import make_target
from tests.cleanness import is_clean
from tests.recording.making import at, lines_of, write, write_lines
from tests.support.examples import examples

HEADER, *_ = lines_of([])
JOB = {"t": 0, "k": "job", "key": ["hog", None, "op_1"], "api": "thehog", "resource": "operation"}
OLD = {"status": "succeeded", "phase": "succeeded"}
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
        (gzip.compress(HEADER.replace('"version":2', '"version":99').encode() + b"\n"), "made by a newer jobdeck"),
    ],
    # Not the bytes themselves: the time is among them, and the processes that share the tests must name them alike.
    ids=["nothing", "text", "no line", "another format", "no letters", "a newer version"],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=reason):
        read_recording(path)


def test_in_a_recording_of_the_first_format_newer_is_what_was_sent_later(tmp_path: Path) -> None:
    polls = [
        {"t": 9_000_000, "k": "poll", "j": 0, "x": {"a": 0, "d": 1_000_000, "u": "https://a.example/"}, "o": OLD},
        {"t": 1_000_000, "k": "poll", "j": 0, "x": {"a": 0, "d": 7_000_000}, "o": {"status": "processing"}},
    ]
    header = HEADER.replace('"version":2', '"version":1')
    lines = [header, JOB, {"t": 0, "k": "add", "j": 0}, *polls, {"t": 0, "k": "end"}]
    recording = read_recording(write_lines(tmp_path / "old.jobdeck", lines))
    first, second = (placed.fact for placed in recording.facts[1:])
    assert isinstance(first, f.Replied)
    assert isinstance(second, f.Replied)
    assert second.exchange.sequence < first.exchange.sequence, "it was overtaken on its way"


def test_no_recording_lasts_so_long_that_its_moments_have_no_dates(tmp_path: Path) -> None:
    lines = [HEADER, JOB, *({"t": 399 * 86_400 * 10**6, "k": "stand"} for _ in range(2))]
    read = read_recording(write_lines(tmp_path / "bad.jobdeck", lines))
    assert "damaged in line 4 (it goes on for longer than a recording does)" in read.fault
    assert len(read.facts) == 1


def test_a_file_that_is_not_there_or_is_a_directory_is_named(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "none", "No such file"), (tmp_path, "it is a directory, not a file")]:
        with pytest.raises(RecordingError, match=reason):
            read_recording(path)


TOO_MUCH: dict[str, Sequence[str | dict[str, object]]] = {
    "one line": [HEADER, "x" * 16 * 1024 * 1024],
    "lines": [HEADER, *["x" * 100_000] * 150],
    "facts": [HEADER, JOB, *['{"t":0,"k":"add","j":0}'] * 100_000],
    "blank lines": [HEADER, "\n" * 200_000],
    "rows": [HEADER, JOB, '{"t":0,"k":"list","of":"hog","x":{"a":1,"d":1},"rows":[[0,{}]' + ",0" * 6_000_000 + "]}"],
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_what_unpacks_out_of_proportion_is_refused_before_it_is_read(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "bomb", TOO_MUCH[kind])
    assert path.stat().st_size < 145_000
    monkeypatch.setattr(reader, "Decoder", None)
    with pytest.raises(RecordingError, match=r"is no recording: it unpacks to more than \d+ MiB or [\d,]+ lines"):
        read_recording(path)


@pytest.mark.parametrize("between", [b"", b"\0" * 200_000])
def test_what_is_packed_behind_a_recording_is_not_unpacked(tmp_path: Path, between: bytes) -> None:
    """A file of 4 MB may have 200,000 packed pieces of nothing behind its header."""
    path = write_lines(tmp_path / "pieces", [HEADER])
    path.write_bytes(path.read_bytes() + between + gzip.compress(b"") * 2)
    with pytest.raises(RecordingError, match="is no recording: there is another one behind it"):
        read_recording(path)


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "bomb", [HEADER, "x" * 5 * 1024 * 1024])
    with pytest.raises(RecordingError, match="line 2: it is longer than 4 MiB"):
        read_recording(path)


def test_facts_out_of_proportion_are_refused(tmp_path: Path) -> None:
    rows = [{"t": 0, "k": "list", "of": "hog", "x": X, "rows": [[0, {}], *[0] * 9_000]}] * 150
    read = read_recording(write_lines(tmp_path / "rows", [HEADER, JOB, *rows]))
    assert "(there is more in it than a recording holds): it is shown as far as that" in read.fault
    assert 0 < len(read.facts) < 150


def test_bodies_out_of_proportion_are_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    """A short line may stand for a large body, made of the last one: all of them together have a limit."""
    first = {"t": 0, "k": "poll", "j": 0, "x": X, "b": ["x" * 200_000]}
    again = [{"t": 0, "k": "poll", "j": 0, "x": X, "b": [[0, 199_999], "yz"[n % 2]]} for n in range(400)]
    read = read_recording(write_lines(tmp_path / "bodies", [HEADER, JOB, first, *again, {"t": 0, "k": "end"}]))
    assert read.fault == "there are more bodies in the recording than are kept: the later ones are left out"
    assert len(read.facts) == 401
    bodies = [placed.fact.body for placed in read.facts if isinstance(placed.fact, f.Replied)]
    assert sum(len(body) for body in {id(body): body for body in bodies if body is not None}.values()) < 64e6
    assert (bodies[0], bodies[-1]) == ("x" * 200_000, None)


def test_a_body_that_stays_costs_nothing(tmp_path: Path) -> None:
    first = {"t": 0, "k": "poll", "j": 0, "x": X, "b": ["x" * 200_000]}
    same = {"t": 0, "k": "poll", "j": 0, "x": X, "b": [[0, 200_000]]}
    read = read_recording(write_lines(tmp_path / "same", [HEADER, JOB, first, *[same] * 3_000, {"t": 0, "k": "end"}]))
    assert read.complete
    assert len({id(placed.fact.body) for placed in read.facts if isinstance(placed.fact, f.Replied)}) == 1


def test_a_large_recording_may_hold_more_than_a_small_one() -> None:
    small, large = limits.Allowance(145_000), limits.Allowance(10**9)
    assert small.unpacked < 32 * 1024 * 1024
    assert large.unpacked == 256 * 1024 * 1024
    assert (small.weight < 400_000, large.weight) == (True, 2_000_000)


@pytest.mark.posix
@pytest.mark.parametrize("what", ["a pipe", "a device"])
def test_what_has_no_end_is_refused_without_waiting_for_it(tmp_path: Path, what: str) -> None:
    path = tmp_path / "r"
    if what == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(RecordingError, match=f"it is {what}, not a file"):
        read_recording(path)


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


@examples(20)
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
