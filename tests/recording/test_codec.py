"""What is recorded is read back as it was: every entry, in any sequence of them."""

import json
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from hypothesis import given

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import Job, JobKey, Observation
from jobdeck.domain.phase import Phase
from jobdeck.recording import entries as e
from jobdeck.recording.codec import MAX_TEXT
from jobdeck.recording.reader import read_recording
from tests.recording.making import HEADER, ZERO, at, lines_of, write
from tests.recording.strategies import ENTRIES, KEYS, TARGETS
from tests.support.examples import examples


@examples(12)
@given(ENTRIES)
def test_any_entries_are_read_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, entries: list[e.Entry]
) -> None:
    read = read_recording(write(tmp_path_factory.mktemp("recording") / "one.jobdeck", entries, end=at(4_000)))
    assert (read.fault, read.header) == ("", HEADER)
    back = [timed.entry for timed in read.entries]
    # Field by field: some of them do not count when two are compared.
    assert [(type(one), astuple(one)) for one in back] == [(type(one), astuple(one)) for one in entries]
    places = [timed.at for timed in read.entries]
    assert places == sorted(places)


def list_page(second: int, *rows: Observation) -> e.Replied:
    return e.Replied(at(second), None, Exchange("hog", "GET", "https://a.example", at(second), 0.1), rows)


def row(key: JobKey, status: str, result: str | None = None) -> Observation:
    return Observation(key.id, status, Phase.RUNNING, result=result, whole=False)


def test_a_row_that_repeats_the_one_before_is_a_number(tmp_path: Path) -> None:
    one, other = (row(key, "processing") for key in KEYS[:2])
    moved = replace(other, progress=0.5)
    pages = [list_page(1, one, other), list_page(2, other, one), list_page(3, one, moved), list_page(4, other, one)]
    written = [json.loads(line)["rows"] for line in lines_of(pages)[1:]]
    assert [[type(each) for each in rows] for rows in written] == [[dict, dict], [int, int], [int, dict], [dict, int]]
    assert (written[1], written[2][0], written[3][1]) == ([1, 0], 0, 0)
    read = [timed.entry for timed in read_recording(write(tmp_path / "r", pages)).entries]
    assert read == pages
    assert isinstance(read[0], e.Replied)
    assert isinstance(read[1], e.Replied)
    assert read[1].observations[0] is read[0].observations[1]


def test_what_is_too_large_is_left_out_and_said(tmp_path: Path) -> None:
    key = KEYS[0]
    huge = '"' + "x" * MAX_TEXT + '"'
    exchange = Exchange("hog", "GET", "https://a.example", at(1), 0.1, job=key, http_status=200, size=len(huge))
    polled = e.Replied(at(1), key, exchange, (Observation(key.id, "succeeded", Phase.SUCCEEDED, result=huge),), huge)
    restored = e.Restored(at(2), Job(TARGETS[0], at(0), result=huge))
    # Of a page, all rows together have to fit into a line.
    rows = [Observation(f"op_{n}", "succeeded", Phase.SUCCEEDED, result="1" * size) for n in range(50)
            for size in (500, 100_000)]  # fmt: skip
    read = read_recording(write(tmp_path / "r", [polled, restored, list_page(3, *rows)]))
    first, second, third = (timed.entry for timed in read.entries)
    assert isinstance(first, e.Replied)
    assert isinstance(second, e.Restored)
    assert isinstance(third, e.Replied)
    assert first.observations[0].result == '"a result of 262,146 characters is not recorded"'
    assert first.body == '"a body of 262,146 characters is not recorded"'
    assert first.exchange.size == len(huge)
    assert second.job.result == first.observations[0].result
    assert [one.result for one in third.observations[:2]] == [
        "1" * 500,
        '"a result of 100,000 characters is not recorded"',
    ]


def test_a_clock_that_was_set_and_a_machine_that_slept_are_told_apart(tmp_path: Path) -> None:
    """The wall clock jumps by an hour, the other does not: dates follow the first, ages and places the second."""
    later = Instant(ZERO.us + 3_610_000_000, 10.0)
    read = read_recording(write(tmp_path / "r", [e.Added(at(5), TARGETS[0]), e.Removed(later, KEYS[0])]))
    assert [timed.entry.at for timed in read.entries] == [at(5), later]
    assert [timed.at for timed in read.entries] == [5.0, 10.0]
