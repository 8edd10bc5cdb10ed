"""Jobs as files: what a spreadsheet, a script and a Markdown page make of them."""

import csv
import io
import json

import pytest

from jobdeck.app.job_export import CSV_COLUMNS, ExportFormat, csv_cell, export_jobs
from jobdeck.app.json_shapes import job_object
from jobdeck.domain.job import JobError
from jobdeck.domain.phase import Phase
from tests.tui.world import NOON, UUID, deck_of_every_state, job

HOSTILE = '=HYPERLINK("https://evil.example")'


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n-", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_is_a_formula(start: str) -> None:
    assert csv_cell(f"{start}1+1").startswith("'")
    assert csv_cell(f"a{start}").startswith("a")


def test_csv_has_the_jobs_in_their_order_each_on_one_line() -> None:
    bad = job("op_bad", Phase.FAILED, error=JobError("=1+1", f'{HOSTILE}\n"quoted", \x1b[31mred'), request_id="newest",
              end_request_id=UUID)  # fmt: skip
    jobs = [*deck_of_every_state(), bad]
    text = export_jobs(jobs, NOON, ExportFormat.CSV)
    assert "\x1b" not in text
    assert len(text.splitlines()) == 1 + len(jobs)
    found = rows(text)
    assert [row["id"] for row in found] == [one.key.id for one in jobs]
    assert (found[-1]["error_code"], found[-1]["phase"]) == ("'=1+1", "failed")
    assert found[-1]["error_message"].startswith(f"'{HOSTILE} ")
    assert {row["problem"] for row in found} >= {"rate_limit", ""}
    assert export_jobs([], NOON, ExportFormat.CSV).splitlines() == [",".join(CSV_COLUMNS)]


def test_further_columns_of_csv_are_there_without_jobs_as_with_some() -> None:
    text = export_jobs([job("op_1")], NOON, ExportFormat.CSV, [{"note": "@me"}], ["note"])
    assert rows(text)[0]["note"] == "'@me"
    assert export_jobs([], NOON, ExportFormat.CSV, [], ["note"]).splitlines() == text.splitlines()[:1]


def test_csv_has_the_ids_of_json_and_the_one_for_support() -> None:
    ended = job("op_1", Phase.FAILED, request_id="newest", trace_id="trace", end_request_id=UUID)
    (row,) = rows(export_jobs([ended], NOON, ExportFormat.CSV))
    assert (row["request_id"], row["trace_id"], row["support_id"]) == ("newest", "trace", UUID)
    found = json.loads(export_jobs([ended], NOON, ExportFormat.JSON))
    assert (found["request_id"], found["trace_id"]) == ("newest", "trace")


def test_json_lines_are_the_objects_of_status() -> None:
    jobs = deck_of_every_state()
    lines = export_jobs(jobs, NOON, ExportFormat.JSON).splitlines()
    assert [json.loads(line) for line in lines] == [job_object(one, NOON) for one in jobs]


def test_no_data_breaks_out_of_a_markdown_table() -> None:
    bad = job("op_a|b", Phase.FAILED, error=JobError("X", "a \\| b\n| `c` | <img src=x> [link](https://evil.example)"))
    head, rule, line = export_jobs([bad], NOON, ExportFormat.MARKDOWN).splitlines()
    assert head.startswith("| State | Job |")
    assert line.replace("\\|", "").count("|") == rule.count("|") == head.count("|")
    assert "``X a \\ \\| b \\| `c` \\| <img src=x> [link](https://evil.example)`` |" in line
    assert "| no data |" in export_jobs([job("op_new", observed=None)], NOON, ExportFormat.MARKDOWN)
