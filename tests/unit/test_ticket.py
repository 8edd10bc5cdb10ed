"""A ticket holds what support needs, and data cannot break out of it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from jobdeck.app.json_shapes import job_object
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import utc
from jobdeck.domain.job import JobError
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.domain.transitions import apply_observation
from jobdeck.report.curl import curl_line
from jobdeck.report.ticket import (
    MAX_BYTES,
    MAX_OUTAGE,
    TicketSource,
    code_block,
    code_span,
    ticket_markdown,
    ticket_object,
    tickets_markdown,
)
from tests.builders import START, make_exchange, make_job, make_observation, make_target

OURS = {"Support ticket", "Error (verbatim)", "Timeline (UTC, as observed)", "Reproduce",
        "Requests, newest first", "Latest poll failed", "Result"}  # fmt: skip
nasty = st.text() | st.sampled_from(
    [
        "[link](https://evil.example)",
        "![image](https://evil.example/x.png)",
        "```\n# heading\n```",
        "<script>alert(1)</script>",
        "`` ` `` ```` <b>",
        "https://evil.example www.evil.example",
        "\n\n# heading\n\n---\n",
        "\x1b]52;c;aGk=\x07",
    ]
)


def make_source(text: str = "no response", note: str = "") -> TicketSource:
    now = START.later(60)
    failed = replace(
        make_observation(Phase.FAILED, 0.66),
        status=text or "failed",
        error=JobError(text, text, json.dumps({"x": text})),
    )
    shown = replace(make_exchange(now), request_id=text or None)
    job, _ = apply_observation(make_job(), failed, shown, now)
    problem = Problem(ProblemKind.SERVER_ERROR, text or "x", 503)
    return TicketSource(
        job=replace(job, target=replace(make_target(), accepted_request_id=text or None), anomalies=(text,)),
        timeline=(TimelineEvent(START.us, TimelineEventKind.PHASE, text, text, "queued", "failed", text),),
        exchanges=(shown, make_exchange(START, problem)),
        version="1.2.3",
        created_us=now.us,
        curl=curl_line("GET", "https://developer.thehog.ai/api/operations/op_1", [("X-Access-Key", "$KEY")]),
        note=note,
    )


def test_a_moment_that_has_no_date_costs_no_ticket() -> None:
    source = make_source()
    strange = replace(source, job=replace(source.job, created_us=10**17 * 4, updated_us=-(10**17)))
    assert "- Created: `?`" in ticket_markdown(strange)


@given(nasty, nasty)
def test_data_makes_no_link_image_heading_or_html(text: str, note: str) -> None:
    markdown = ticket_markdown(make_source(text, note))
    tokens = MarkdownIt("commonmark", {"linkify": True}).enable("linkify").parse(markdown)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert set(headings) <= OURS
    flat = [inner for token in tokens for inner in (token, *(token.children or ()))]
    assert not {token.type for token in flat} & {"link_open", "image", "html_block", "html_inline", "hr", "table_open"}
    assert "\x1b" not in markdown


@given(st.text(alphabet="` a\n"))
def test_a_span_and_a_block_hold_any_run_of_backticks(text: str) -> None:
    span = MarkdownIt().parseInline(f"- {code_span(text)}")[0].children
    assert span is not None
    assert [child.type for child in span if child.type != "text"] == ["code_inline"]
    assert [token.type for token in MarkdownIt().parse(code_block(text))] == ["fence"]


def test_a_ticket_names_the_ids_that_support_asks_for() -> None:
    markdown = ticket_markdown(make_source("boom"))
    assert "- Job: `op_1`" in markdown
    assert "- Accepted with request ID: `boom`" in markdown
    assert "- Request ID of the first failed response: `boom`" in markdown
    assert 'curl -sS -H "X-Access-Key: $KEY" https://developer.thehog.ai/api/operations/op_1' in markdown
    assert "Created by jobdeck 1.2.3" in markdown


def test_the_id_of_an_end_is_called_what_it_is_though_the_newest_look_got_no_answer() -> None:
    source = make_source()
    unanswered = replace(source, job=replace(source.job, request_id=None, trace_id=None))
    assert "request `no response`" in tickets_markdown([unanswered, source])
    assert "trace `no response`" not in tickets_markdown([unanswered, source])


def test_a_note_that_several_jobs_share_is_said_once_and_another_stays_with_its_job() -> None:
    shared = tickets_markdown([make_source(note="it hangs"), make_source(note="it hangs")])
    assert shared.count("it hangs") == 1
    mixed = tickets_markdown([make_source(note="it hangs"), make_source(note="ask Ada")], "it hangs")
    assert (mixed.count("it hangs"), mixed.count("ask Ada")) == (1, 1)


def failing(at: int, kind: ProblemKind = ProblemKind.SERVER_ERROR) -> Exchange:
    problem = Problem(kind, f"trouble {at}", 503)
    return replace(make_exchange(START.later(at), problem), request_id=f"refused-{at}", job=None)


def test_of_many_exchanges_those_that_told_something_are_shown_and_the_rest_is_counted() -> None:
    looks = [replace(make_exchange(START.later(at)), request_id=f"look-{at}") for at in range(100)]
    looks[3], looks[40] = failing(3), failing(40)
    told = TimelineEvent(START.later(7).us, TimelineEventKind.PHASE, "processing", None, "queued", "running", "look-7")
    source = replace(make_source(), exchanges=tuple(reversed(looks)), timeline=(told,), max_exchanges=8, ends=())
    source = replace(source, job=make_job())
    markdown = ticket_markdown(source)
    shown = [line for line in markdown.splitlines() if "GET https" in line or "omitted" in line]
    ids = [
        "look-99",
        "look-98",
        "look-97",
        "look-96",
        "look-95",
        "(54",
        "refused-40",
        "(32",
        "look-7",
        "(3 o",
        "refused-3",
        "(3 o",
    ]
    assert [one in line for one, line in zip(ids, shown, strict=True)] == [True] * len(ids)
    made = ticket_object(source, job_object(source.job, START))
    assert (len(made["exchanges"]), made["exchanges_left_out"]) == (8, 92)


def test_a_ticket_has_what_failed_meanwhile_of_the_whole_profile() -> None:
    source = replace(make_source(), outage=tuple(failing(at) for at in reversed(range(MAX_OUTAGE + 3))))
    markdown = ticket_markdown(source)
    assert "### Failed requests for other jobs" in markdown
    assert "refused-3 " in markdown
    assert "(3 omitted)" in markdown
    assert len(ticket_object(source, job_object(source.job, START))["outage"]) == MAX_OUTAGE
    assert tickets_markdown([source, source]).count("refused-3 ") == 1


def test_a_first_look_is_no_change_from_unknown() -> None:
    seen = TimelineEvent(START.us, TimelineEventKind.PHASE, "queued", None, "unknown", "queued", "r-1")
    assert "phase first seen -> queued r-1" in ticket_markdown(replace(make_source(), timeline=(seen,)))


def test_a_ticket_about_many_says_what_they_have_in_common_and_fits_where_it_is_pasted() -> None:
    def one(number: int, code: str) -> TicketSource:
        source = make_source("x" * 900)
        now = START.later(60 + number)
        failed = replace(make_observation(Phase.FAILED, id_=f"op_{number}"), error=JobError(code, "y" * 900, None))
        job, _ = apply_observation(make_job(f"op_{number}"), failed, make_exchange(now), now)
        return replace(source, job=replace(job, kind="operation"), note="", ends=(make_exchange(now),))

    sources = [*(one(number, "UPSTREAM_TIMEOUT") for number in range(120)), one(120, "BAD_INPUT")]
    text = tickets_markdown(sources)
    assert len(text.encode()) <= MAX_BYTES
    first, last = utc(START.later(60).us), utc(START.later(179).us)
    assert f"- 120 jobs failed with `UPSTREAM_TIMEOUT` in `operation`, from `{first}` to `{last}`" in text
    assert "- 1 job failed with `BAD_INPUT` in `operation`, at `" in text
    assert all(f"- `op_{number}` `failed`" in text for number in range(121))
    assert "- Job: `op_120`" in text, "one of each fault is there whole"
    whole = text.count("- Job: `")
    assert f"The other {121 - whole} jobs appear only in the list above" in text
    short = tickets_markdown(sources[:2])
    assert "The other" not in short


def test_the_result_is_left_out_unless_asked_for() -> None:
    source = make_source()
    source = replace(source, job=replace(source.job, result='{"email": "someone@example.com"}'))
    assert "someone@example.com" not in ticket_markdown(source)
    assert "someone@example.com" in ticket_markdown(replace(source, include_result=True))
    assert "result" not in ticket_object(source, job_object(source.job, START))["job"]


def test_the_json_ticket_is_json() -> None:
    source = make_source("boom")
    made = json.loads(json.dumps(ticket_object(source, job_object(source.job, START)), allow_nan=False))
    assert made["first_failure_request_id"] == "boom"
    assert made["exchanges"][1]["problem"]["kind"] == "server_error"
    assert made["client"]["version"] == "1.2.3"


@pytest.mark.parametrize("url", ["https://x.example/a b", "https://x.example/$(id)", "https://x.example/'q'`id`"])
def test_a_curl_line_expands_nothing_of_the_url(url: str) -> None:
    import shlex

    assert shlex.split(curl_line("GET", url)) == ["curl", "-sS", url]
