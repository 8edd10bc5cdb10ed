"""A recording is anybody's file: whatever is in it, reading ends with facts or with one line that says why not."""

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.domain.events import ProfileHalted
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.job import Job, JobError, Observation, Stage, StageRecord
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.recording import codec, reader
from jobdeck.recording import entries as e
from jobdeck.recording.codec import MAX_LINE
from jobdeck.recording.entries import RecordingError
from jobdeck.recording.reader import Allowance, read_recording
from jobdeck.scheduling.outlook import QuotaSnapshot
from tests.builders import make_target
from tests.cleanness import is_clean
from tests.recording.making import at, lines_of, write, write_lines
from tests.support.examples import examples

HEADER, *_ = lines_of([])
AT = {"us": at(1).us, "mono": 1.0}
KEY = {"profile": "hog", "account_group": None, "id": "op_1"}
TARGET = {"key": KEY, "provider": "thehog", "resource": "operation"}
ADDED = {"added": {"at": AT, "target": TARGET}}
X = {"profile": "hog", "method": "GET", "url": "https://a.example/", "started": AT, "duration": 0.1}
SEEN = {"id": "op_1", "status": "processing", "phase": "running"}


def polled(**seen: object) -> dict[str, object]:
    return {"replied": {"at": AT, "asked": KEY, "exchange": X, "observations": [{**SEEN, **seen}]}}


def listed(*rows: object) -> dict[str, object]:
    return {"replied": {"at": AT, "asked": None, "exchange": X}, "rows": rows}


def added(**changes: object) -> dict[str, object]:
    return {"added": {"at": AT, "target": {**TARGET, "key": {**KEY, **changes}}}}


BAD_LINES: Sequence[tuple[object, str]] = [
    ("{", "Invalid JSON"),
    ([1], "Input should be an object"),
    ({}, "it has no entry known to this version"),
    ({"surprise": {"at": AT}}, "it has no entry known to this version"),
    ({**ADDED, "end": AT}, "it has several entries"),
    ({"added": {"at": AT}}, "added.target: Field required"),
    ({"removed": {"at": {"us": "17", "mono": 1.0}, "key": KEY}}, "removed.at.us: Input should be a valid integer"),
    ({"removed": {"at": {"us": 10**30, "mono": 1.0}, "key": KEY}}, "us: no such number"),
    ({"end": {"us": AT["us"], "mono": 1e300}}, "mono: no such number"),
    ('{"end": {"us": 1, "mono": NaN}}', "mono: no such number"),
    ('{"end": {"us": 1, "mono": -Infinity}}', "mono: no such number"),
    ({"end": {"us": AT["us"], "mono": 1e9}}, "it exceeds the maximum length of a recording"),
    ({"end": {"us": 0, "mono": 1.0}}, "it exceeds the maximum length of a recording"),
    (added(id="../../etc"), "id: no such ID"),
    (added(id=""), "id: no such ID"),
    (added(account_group="octocat//hello"), "account_group: no such ID"),
    (added(account_group="octocat/a b"), "account_group: no such ID"),
    (polled(id=".."), "id: no such ID"),
    (polled(phase="done"), "replied.observations.0.phase: Input should be"),
    (polled(progress=1.5), "progress is a fraction within 0–1 or None, not 1.5"),
    (polled(created_us=10**18), "created_us: no such number"),
    ({"replied": {"at": AT, "asked": None, "exchange": {**X, "duration": -1.0}}}, "duration: no such number"),
    ({"forecast": {"at": AT, "key": KEY, "interval": 1e40}}, "interval: no such number"),
    (listed(0), "it repeats a missing row"),
    (listed(SEEN, 1), "it repeats a missing row"),
    (listed(SEEN, -1), "it repeats a missing row"),
    (listed(10**30), "it repeats a missing row"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_bad_line_is_named_with_its_number_and_reason(tmp_path: Path, line: object, reason: str) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    path = write_lines(tmp_path / "bad.jobdeck", [HEADER, text, {"end": AT}])
    with pytest.raises(RecordingError, match=r"bad\.jobdeck, line 2: ") as caught:
        read_recording(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a recording: not compressed"),
        (b"id,status\n", "is not a recording: not compressed"),
        (gzip.compress(b""), "is not a recording: invalid first line"),
        (gzip.compress(b'{"format":"other"}\n'), "is not a recording: invalid first line"),
        (gzip.compress(b"\x00\xff\n"), "is not a recording: invalid first line"),
        (gzip.compress(b"[" * 100_000 + b"\n"), "is not a recording: invalid first line"),
        (gzip.compress(HEADER.replace('"version":3', '"version":"3"').encode() + b"\n"), "is not a recording"),
        (
            gzip.compress(HEADER.replace('"started":', '"begun":').encode() + b"\n"),
            "is not a recording: invalid first line",
        ),
        (
            gzip.compress(HEADER.replace('"version":3', '"version":99').encode() + b"\n"),
            r"it was made by jobdeck 1\.2\.3 in format 99, but this version reads format 3",
        ),
        (
            gzip.compress(
                b'{"format":"jobdeck-recording","version":2,"jobdeck":"0.1.0","started_us":1,"profiles":{}}\n'
            ),
            r"it was made by jobdeck 0\.1\.0 in format 2, but this version reads format 3",
        ),
    ],
    # Not the bytes themselves: the time is among them, and the processes that share the tests must name them alike.
    ids=[
        "nothing",
        "text",
        "no line",
        "another format",
        "no letters",
        "too deep",
        "no number",
        "no start",
        "a newer version",
        "an older version",
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=reason):
        read_recording(path)


def test_a_file_that_is_not_there_or_is_a_directory_is_named(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "none", "No such file"), (tmp_path, "it is a directory, not a file")]:
        with pytest.raises(RecordingError, match=reason):
            read_recording(path)


TOO_MUCH: dict[str, Sequence[str]] = {
    "one line": [HEADER, "x" * 16 * 1024 * 1024],
    "lines": [HEADER, *["x" * 100_000] * 150],
    "entries": [HEADER, *[json.dumps(ADDED)] * 100_000],
    "blank lines": [HEADER, "\n" * 200_000],
    "rows": [HEADER, json.dumps(listed(SEEN))[:-2] + ",0" * 6_000_000 + "]}"],
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_what_unpacks_out_of_proportion_is_refused_before_it_is_read(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "bomb", TOO_MUCH[kind])
    assert path.stat().st_size < 145_000
    monkeypatch.setattr(reader, "Decoder", None)
    with pytest.raises(
        RecordingError, match=r"is not a valid recording: it unpacks to more than \d+ MiB or [\d,]+ lines"
    ):
        read_recording(path)


@pytest.mark.parametrize("between", [b"", b"\0" * 200_000])
def test_what_is_packed_behind_a_recording_is_not_unpacked(tmp_path: Path, between: bytes) -> None:
    """A file of 4 MB may have 200,000 packed pieces of nothing behind its header."""
    path = write_lines(tmp_path / "pieces", [HEADER])
    path.write_bytes(path.read_bytes() + between + gzip.compress(b"") * 2)
    with pytest.raises(RecordingError, match="is not a valid recording: it contains more than one"):
        read_recording(path)


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "bomb", [HEADER, "x" * (MAX_LINE + 200_000)])
    with pytest.raises(RecordingError, match="line 2: it is longer than 8 MiB"):
        read_recording(path)


@pytest.mark.parametrize("rows", [[SEEN] * 900, [SEEN] + [0] * 9_000], ids=["new", "repeated"])
def test_rows_out_of_proportion_are_refused(tmp_path: Path, rows: list[object]) -> None:
    page = json.dumps(listed(*rows))
    read = read_recording(write_lines(tmp_path / "rows", [HEADER, *[page] * 150]))
    assert "(it exceeds the size limits of a recording): playing up to that point" in read.fault
    assert 0 < len(read.entries) < 150


def test_a_large_recording_may_hold_more_than_a_small_one() -> None:
    small, large = Allowance(145_000), Allowance(10**9)
    assert small.unpacked < 32 * 1024 * 1024
    assert large.unpacked == 256 * 1024 * 1024
    assert (small.entries < 400_000, large.entries) == (True, 2_000_000)


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


def texts_of(value: object) -> Iterator[str]:
    """Every text in an entry, but for the body as the server sent it and the IDs, which are refused."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_of(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from texts_of((name, one) if name not in {"body", "id", "account_group"} else ())


def evil(value: object, text: str) -> object:
    """The same JSON with a text in place of every one that may be any."""
    match value:
        case dict():
            kept = {"id", "account_group", "phase", "before", "after", "kind", "part", "source"}
            return {
                text if key == "hog" else key: one if key in kept else evil(one, text) for key, one in value.items()
            }
        case list():
            return [evil(one, text) for one in value]
        case str():
            return text
        case _:
            return value


def test_hostile_texts_are_cleaned_wherever_they_stand(tmp_path: Path) -> None:
    text = "\x1b]52;c;x\x07\u202e[@click=app.quit]\r\nx" + "y" * 5_000
    problem = Problem(ProblemKind.PROTOCOL, "no", 500, "r", "t", 1)
    exchange = Exchange("hog", "GET", "u", at(1), 0.1, None, 200, "r", "b", "t", problem=problem)
    target = replace(make_target("op_1"), accepted_request_id="r", accepted_trace_id="t")
    error, stages = JobError("c", "m", "d"), (Stage("n", "s", Phase.RUNNING),)
    seen = Observation("op_1", "s", Phase.RUNNING, None, stages, error, "r", "k", facts=(("f", "v"),), note="n")
    records = tuple(StageRecord(stage) for stage in stages)
    job = Job(target, at(1), "s", stages=records, error=error, result="r", facts=(("f", "v"),), problem=problem,
              anomalies=("a",), doubt="d", disputed_end=("s", 1))  # fmt: skip
    entries: list[e.Entry] = [
        e.Added(at(1), target),
        e.Restored(at(1), job),
        e.Replied(at(1), target.key, exchange, (seen,), "body"),
        e.Replied(at(1), None, exchange, (seen,)),
        e.HistoryLoaded(
            at(1), target.key, (exchange,), (TimelineEvent(1, TimelineEventKind.PHASE, "t", "s", "b", "a", "r"),)
        ),
        e.PollingStatus(at(1), False, {"hog": QuotaSnapshot(1, 1)}, {"hog": problem}),
        ProfileHalted(at(1), "hog", problem),
    ]
    header, *lines = (json.loads(line) for line in lines_of(entries))
    header["profiles"] = {"hog": "thehog"}
    path = write_lines(tmp_path / "r", [{**header, "profiles": {text: text}}, *(evil(line, text) for line in lines)])
    read = read_recording(path)
    assert (len(read.entries), read.damaged) == (len(entries), False)
    assert all(is_clean(name) for name in texts_of(dict(read.header.profiles)))
    for timed in read.entries:
        found = list(texts_of(asdict(timed.entry)))
        assert any("x1b" in one for one in found)
        assert [one for one in found if not is_clean(one, lines=True)] == []
        # Those that may have several lines are no labels, and are not cut.
        assert all(is_clean(one) or len(one) > 5_000 for one in found)
    polled = read.entries[2].entry
    assert isinstance(polled, e.Replied)
    assert "\n" not in polled.observations[0].status
    assert "\n" not in polled.observations[0].facts[0][0]
    assert polled.observations[0].error is not None
    assert "\n" in (polled.observations[0].error.message or "")


def test_one_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    told: list[e.Entry] = [e.Added(at(n), make_target(f"op_{os.urandom(8).hex()}")) for n in range(500)]
    whole = write(tmp_path / "whole", told, end=at(500))
    assert read_recording(whole).complete
    data = whole.read_bytes()
    torn = tmp_path / "torn"
    torn.write_bytes(data[: len(data) // 2])
    read = read_recording(torn)
    assert not read.complete
    assert 100 < len(read.entries) < 500
    assert [timed.entry for timed in read.entries] == told[: len(read.entries)]


def test_one_that_is_damaged_is_read_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    told: list[e.Entry] = [e.Added(at(n), make_target(f"op_{n}")) for n in range(9)]
    lines = lines_of(told, end=at(9))
    path = tmp_path / "r"
    write_lines(path, [*lines[:9], lines[9].replace(":", "!"), *lines[10:]])
    read = read_recording(path)
    assert (read.fault, read.damaged) == (
        "the recording is damaged in line 10 (Invalid JSON: expected `:` at character 9): playing up to that point",
        True,
    )
    assert [timed.entry for timed in read.entries] == told[:8]
    # A figure that was changed since is no broken line: the sum of the whole tells.
    data = bytearray(gzip.compress("".join(f"{line}\n" for line in lines).encode(), compresslevel=0))
    place = data.index(b"op_5")
    data[place + 3] = ord("7")
    path.write_bytes(data)
    read = read_recording(path)
    assert read.fault == "the recording is damaged: what you see may differ from what happened"
    assert (len(read.entries), read.complete, read.damaged) == (9, False, True)


FIELDS = st.sampled_from(
    ["at", "us", "mono", "target", "key", "id", "asked", "exchange", "observations", "job", "phase", "budgets", "eta"]
)
LEAVES = st.none() | st.integers() | st.floats() | st.text(max_size=5)
JUNK = st.recursive(
    LEAVES | st.sampled_from(["running", "hog", AT, KEY, X, SEEN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=8,
)
KINDS = st.sampled_from([field.name for field in fields(codec._Line)])


@examples(20)
@given(st.lists(st.dictionaries(KINDS, JUNK, max_size=2), max_size=5), st.binary(max_size=40))
def test_any_lines_and_any_bytes_give_entries_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, object]], noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "r"
    whole = "\n".join([HEADER, json.dumps(ADDED), *map(json.dumps, lines), ""]).encode()
    packed = gzip.compress(whole)
    for content in (
        packed,
        gzip.compress(HEADER.encode() + b"\n" + noise + b"\n"),
        packed[:30] + noise + packed[30 + len(noise) :],
        packed[: len(packed) // 2] + noise,
        noise,
    ):
        path.write_bytes(content)
        try:
            recording = read_recording(path)
        except RecordingError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either is right
        else:
            assert "\n" not in recording.fault
