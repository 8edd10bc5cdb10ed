import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jobdeck.cli.job_text import describe_message
from jobdeck.domain.job import Acknowledger, Job, JobError
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.scheduling.outlook import NextPoll
from jobdeck.tui.job_filter import parse
from jobdeck.tui.job_table import JobTable, Order
from jobdeck.tui.render.columns import Name, columns_for
from jobdeck.tui.render.detail import ScheduleInfo, detail_lines, next_step, result_lines
from jobdeck.tui.render.footer import FooterView, footer
from jobdeck.tui.render.row import DOWN, UP, heading_spans, live_cells, live_spans, reason_of, static_spans
from jobdeck.tui.render.spans import Line, Role, bar, line_width, plain
from jobdeck.tui.render.state import ALL_STATES, job_state
from jobdeck.tui.render.tabs import layout, readable
from jobdeck.tui.render.trace import ExchangeNotes, advice, exchange_notes, trace_lines
from jobdeck.tui.widgets.static import rule_line
from tests.tui.world import NOON, UUID, ago, deck_of_every_state, exchange, job, problem, stage, target


def row_text(one: Job, width: int) -> str:
    model = JobTable()
    model.update([one], (), NOON)
    columns = columns_for(width)
    before, after = static_spans(model.row_at(0), columns, one.key.id)
    return "  " + plain((*before, *live_spans(live_cells(one, NOON), columns), *after))


def texts(lines: list[Line]) -> str:
    return "\n".join(plain(line) for line in lines)


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        (None, "────────"),
        (0.0, "────────"),
        (0.001, "╸───────"),
        (0.66, "━━━━━╸──"),
        (0.999, "━━━━━━━╸"),
        (1.0, "━" * 8),
    ],
)
def test_a_bar_is_full_only_at_the_end(progress: float | None, shown: str) -> None:
    assert plain(bar(progress, 8, Role.RUNNING)) == shown


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_has_its_width(progress: float, width: int) -> None:
    assert line_width(bar(progress, width, Role.RUNNING)) == width


def test_every_glyph_takes_one_cell() -> None:
    assert all(cell_len(state.glyph) == 1 for state in ALL_STATES)


@given(st.integers(0, 260), st.booleans(), st.booleans())
def test_columns_never_overlap_and_stay_inside(width: int, profiles: bool, who: bool) -> None:
    x = 0
    columns = columns_for(width, profiles=profiles, who=who)
    for column in columns.columns:
        assert column.x >= x
        x = column.x + column.width
    assert x <= max(width, 2)
    assert line_width(heading_spans(columns)) <= max(width, 2)


@given(st.integers(0, 260), st.booleans())
def test_who_watches_a_job_gives_way_before_its_kind_and_its_reason(width: int, profiles: bool) -> None:
    without, columns = columns_for(width, profiles=profiles), columns_for(width, profiles=profiles, who=True)
    assert without.get(Name.WHO) is None
    if columns.get(Name.WHO) is None:
        assert columns == without
    else:
        assert columns.get(Name.KIND) is not None
        reason = columns.get(Name.REASON)
        assert reason is not None
        assert reason.width >= 27


@pytest.mark.parametrize("width", [27, 40, 60, 79, 100, 120, 200])
def test_the_age_of_what_is_seen_is_among_the_last_columns_to_go(width: int) -> None:
    assert columns_for(width).get(Name.UPDATED) is not None


@pytest.mark.parametrize("width", [40, 60, 79, 86, 100, 119, 129, 140, 200])
@pytest.mark.parametrize("profiles", [False, True])
def test_the_reason_is_in_the_row_at_every_width_in_the_colour_of_its_state(width: int, profiles: bool) -> None:
    columns = columns_for(width, profiles=profiles)
    reason = columns.get(Name.REASON)
    assert reason is not None
    assert reason.width >= (30 if width >= 79 else 8)
    model = JobTable()
    model.update([job("op_a", Phase.FAILED, error=JobError("RATE_LIMITED", "slow down"))], (), NOON)
    _, after = static_spans(model.row_at(0), columns, "op_a")
    assert (after[-1][0].strip()[:7], after[-1][1]) == ("RATE_LIMITED"[:7], Role.FAILED)


def test_a_job_that_goes_its_way_tells_which_stage_it_came_from() -> None:
    stages = (stage("import", Phase.SUCCEEDED, 1.0), stage("enrichment", Phase.RUNNING, 0.1))
    assert "import → enrichment" in row_text(job("op_a", stages=stages), 79)
    assert "import → enrichment" not in row_text(job("op_a", stages=stages), 170)


@pytest.mark.parametrize("width", [19, 27, 40, 60, 79, 100, 120, 200])
def test_every_row_has_the_width_of_the_list(width: int) -> None:
    for one in deck_of_every_state():
        assert line_width((("", Role.TEXT), (row_text(one, width), Role.TEXT))) <= width


def test_a_row_tells_state_stage_progress_elapsed_and_age() -> None:
    row = row_text(job("507f", profile="sonarly", stages=(stage("import", Phase.RUNNING, 0.82),)), 119)
    assert row.split() == ["●", "running", "507f", "prospecting", "━━━━━─", "82%", "2m05s", "4s", "import"]


def test_what_a_list_alone_tells_to_have_ended_shows_nothing_of_its_progress_before_that() -> None:
    stages = (stage("enrichment", Phase.RUNNING, 0.005, 100),)
    one = job("507f", Phase.SUCCEEDED, "sonarly", stages=stages, summary_only=True, whole=ago(90), progress=0.4)
    assert row_text(one, 119).split() == ["✓", "done", "507f", "prospecting", "1m50s", "final"]
    detail = texts(detail_lines(one, ScheduleInfo(), NOON, 100))
    assert "stages as of 14:00:30Z, before the job finished (r fetches the final ones)" in detail
    assert "40%" not in detail


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", Name)
def test_the_heading_that_is_sorted_by_is_whole_beside_its_arrow(name: Name, reverse: bool) -> None:
    columns = columns_for(200, profiles=True, who=True)
    line = plain(heading_spans(columns, Order(name, reverse)))
    arrow = UP if reverse else DOWN
    assert f"{arrow}{name}" in line or f"{name}{arrow}" in line
    assert len(line) == len(plain(heading_spans(columns)))


def test_an_elapsed_time_that_may_be_longer_says_so() -> None:
    assert "≥2m00s" in row_text(job("op_a", created_us=None), 84)
    assert "≥" not in row_text(job("op_a", created_us=None, seen_queued=True), 84)


def test_a_job_never_seen_shows_no_time_and_no_progress() -> None:
    row = row_text(Job(target=target("op_a"), added=ago(9), kind="operation"), 120)
    assert row.split() == [
        "·",
        "new",
        "op_a",
        "operation",
        *row.split()[4:5],
        "–",
        "never",
        *["waiting", "for", "the", "first", "response"],
    ]
    assert "%" not in row


def test_the_age_of_an_ended_job_is_final() -> None:
    assert live_cells(job("op_a", Phase.SUCCEEDED), NOON)[1:3] == ("–", "final")


def test_an_old_answer_is_marked() -> None:
    assert live_cells(job("op_a", observed=ago(4)), NOON)[3] is Role.TEXT
    assert live_cells(job("op_a", observed=ago(60)), NOON)[3] is Role.WARN
    assert live_cells(job("op_a", observed=ago(60), failures=2), NOON)[3] is Role.UNREACHABLE


def test_an_unknown_status_is_shown_word_for_word() -> None:
    assert job_state(job("op_a", Phase.UNKNOWN, status="reticulating")).word == "reticulating"


def test_why_names_the_error_then_the_problem() -> None:
    jobs = deck_of_every_state()
    assert reason_of(jobs[0], job_state(jobs[0]), NOON)[0].startswith("UPSTREAM_TIMEOUT  The enrichment")
    assert reason_of(jobs[2], job_state(jobs[2]), NOON)[0] == "rate limited (429)"
    short = {ProblemKind.NETWORK: "cannot reach the server", ProblemKind.TIMEOUT: "timed out"}
    for kind, status, words in (
        (ProblemKind.SERVER_ERROR, 500, "HTTP 500"),
        (ProblemKind.AUTH, 401, "API key rejected (401)"),
        (ProblemKind.NOT_FOUND, 404, "not found (404)"),
        (ProblemKind.PROTOCOL, 200, "unexpected response: no phase"),
        *((kind, None, words) for kind, words in short.items()),
    ):
        one = job("op_a", problem=problem(kind, "no phase", http_status=status))
        assert reason_of(one, job_state(one), NOON)[0] == words
    assert reason_of(job("op_a"), job_state(job("op_a")), NOON)[0] == ""


def test_a_partial_end_says_what_is_missing() -> None:
    told = job("op_a", Phase.PARTIAL, facts=(("providerOutcome", "hit"), ("message", "No company page was verified.")))
    stages = (stage("import", Phase.SUCCEEDED, 1.0, 9), stage("enrichment", Phase.FAILED, 0.5, 9))
    shown = job("op_b", Phase.PARTIAL, stages=stages)
    for one, words in ((told, "No company page was verified."), (shown, "enrichment failed")):
        assert reason_of(one, job_state(one), NOON)[0] == describe_message(one) == words
        assert plain(detail_lines(one, ScheduleInfo(), NOON, 80)[1]) == f"◐ {words}"
        assert parse("error:nothing").admits(one, "partial", NOON) is False
        assert parse(f'error:"{words}"').admits(one, "partial", NOON) is True
    assert job("op_c", Phase.PARTIAL).reason == job("op_d", facts=(("message", "it runs"),)).reason == ()


@pytest.mark.parametrize("width", [8, 20, 58, 78, 118, 200])
def test_no_line_of_a_detail_is_wider_than_its_pane(width: int) -> None:
    for one in deck_of_every_state():
        for line in detail_lines(one, ScheduleInfo(NextPoll(NOON.mono + 6, 5, 0)), NOON, width):
            assert line_width(line) <= width


def test_a_detail_tells_status_stages_and_the_whole_request_id() -> None:
    text = texts(detail_lines(deck_of_every_state()[0], ScheduleInfo(), NOON, 78))
    assert "status failed" in text
    assert "enrichment ✗ failed" in text
    assert UUID in text
    assert "hog:op_01HZ9K2QW3RV4M5N6P7Q8R9S0T" in text


def test_a_stage_that_runs_says_when_it_changed_last() -> None:
    one = job("507f", profile="sonarly", stages=(stage("import", Phase.RUNNING, 0.82, 100),))
    assert "changed 1m02s ago" in texts(detail_lines(one, ScheduleInfo(), NOON, 78))


def test_what_happens_next_is_said_in_words() -> None:
    limited = problem(ProblemKind.RATE_LIMIT, retry_at_us=NOON.later(8).us)
    one = job("op_a", failures=2, problem=problem())
    plan = NextPoll(NOON.mono + 6.2, 5, 2)
    assert next_step(one, ScheduleInfo(plan), NOON) == "attempt 3, next poll in 6s"
    assert (
        next_step(replace(one, problem=limited), ScheduleInfo(plan), NOON)
        == "waiting 8s as the server asked, until 14:02:08Z"
    )
    assert next_step(one, ScheduleInfo(plan, paused=True), NOON) == "paused (p resumes)"
    assert next_step(one, ScheduleInfo(plan, paused=True, read_only=True), NOON) == "paused"
    assert next_step(one, ScheduleInfo(plan, past=True), NOON) == "attempt 3, next poll followed 6s later"
    assert "jobdeck doctor" in next_step(one, ScheduleInfo(halted=problem(ProblemKind.AUTH)), NOON)
    assert "no request before 14:02:30Z" in next_step(one, ScheduleInfo(plan, blocked_until=NOON.mono + 30), NOON)
    assert next_step(job("op_a", Phase.FAILED), ScheduleInfo(), NOON) == ""


def test_a_job_without_an_answer_says_that_there_is_no_request_id_yet() -> None:
    new = Job(target=target("op_a"), added=ago(2))
    assert "none yet: waiting for the first response" in texts(detail_lines(new, ScheduleInfo(), NOON, 78))
    unanswered = job("op_a", request_id=None, http_status=None, problem=problem(ProblemKind.NETWORK))
    assert "none: no response to the latest request" in texts(detail_lines(unanswered, ScheduleInfo(), NOON, 78))


def test_a_result_shows_the_size_of_the_whole_and_its_first_lines() -> None:
    lines = [plain(line) for line in result_lines('{"data": [' + "1," * 100_000 + "1]}", 78)]
    assert "200.0 kB" in lines[1]
    assert "(the first 65,536 of 200,013 characters)" in lines[1]
    assert len(lines) <= 2_010


def test_json_is_laid_out_from_any_part_of_it() -> None:
    assert layout('{"a": [1, {"b": null}], "c": {}}') == (
        '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": {}\n}'
    )
    assert layout('{"a": "cut he') == '{\n  "a": "cut he'
    assert layout(r'{"a": "\u4e16\u754c \u001b \\u0041 \ud83d\ude00"}') == '{\n  "a": "世界 \\u001b \\\\u0041 😀"\n}'


def test_a_whole_request_id_fits_at_eighty_columns() -> None:
    lines = trace_lines(exchange("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T"), NOON, 78)
    assert len(lines) == 2
    assert plain(lines[1]).strip().startswith("request 3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d")
    assert len(plain(lines[1]).split()[1]) == 36


def test_a_wide_trace_has_the_id_on_the_same_line() -> None:
    (line,) = trace_lines(exchange("op_a", http_status=503, problem=problem()), NOON, 200)
    assert "…" not in plain(line)
    assert "server error; retrying less often · Service Unavailable" in plain(line)
    assert line_width(line) == 200


@pytest.mark.parametrize("width", [10, 20, 58, 78, 175, 176, 200])
def test_no_line_of_a_trace_is_wider_than_its_pane(width: int) -> None:
    for one in (exchange("op_" + "x" * 200), exchange("op_a", problem=problem(message="m" * 4_000), http_status=None)):
        assert all(line_width(line) <= width for line in trace_lines(one, NOON, width))


@pytest.mark.parametrize("width", [58, 78, 118, 176])
def test_of_the_exchange_that_is_wanted_whole_nothing_is_cut(width: int) -> None:
    said = "the upstream has not answered in the time that it has for an answer of this kind, so nothing is known"
    one = exchange("op_a", http_status=503, problem=problem(message=said))
    lines = [plain(line).rstrip() for line in trace_lines(one, NOON, width, whole=True)]
    text = " ".join(line.strip() for line in lines if "request" not in line.split()[:1])
    assert advice(problem(), one, NOON) in " ".join(text.split())
    assert said in " ".join(re.sub("request [0-9a-f-]+", "", text).split())
    assert all(len(line) <= width for line in lines)


def test_an_exchange_tells_what_it_changed() -> None:
    one = exchange("op_a")
    assert "queued → running" in plain(trace_lines(one, NOON, 78, ExchangeNotes({one.id: "queued → running"}))[0])


def test_the_look_that_showed_the_failure_says_why() -> None:
    one = exchange("op_a", request_id="end")
    failed = job("op_a", Phase.FAILED, error=JobError("UPSTREAM_TIMEOUT", "provider did not answer"))
    moments = (
        TimelineEvent(NOON.us, TimelineEventKind.PHASE, "failed", None, "running", "failed", "end"),
        TimelineEvent(NOON.us, TimelineEventKind.STAGE, "", "enrichment", "running", "failed", "end"),
    )
    line = plain(trace_lines(one, NOON, 220, exchange_notes(failed, moments, [one]))[0])
    assert line.startswith("✗ ")
    assert "running → failed, enrichment failed: UPSTREAM_TIMEOUT provider did not answer" in line


def test_of_answers_with_one_and_the_same_id_each_tells_what_it_told() -> None:
    newest, middle, oldest = (exchange("op_a", seconds, request_id="same") for seconds in (1, 4, 9))
    failed = job("op_a", Phase.FAILED)
    moments = (
        TimelineEvent(NOON.later(-8).us, TimelineEventKind.PHASE, "queued", None, "unknown", "queued", "same"),
        TimelineEvent(NOON.later(-3).us, TimelineEventKind.PHASE, "running", None, "queued", "running", "same"),
        TimelineEvent(NOON.us, TimelineEventKind.PHASE, "failed", None, "running", "failed", "same"),
        TimelineEvent(NOON.us, TimelineEventKind.STAGE, "", "import", "running", "failed", None),
    )
    seen = exchange_notes(failed, moments, [newest, middle, oldest])
    assert seen.words == {oldest.id: "queued", middle.id: "queued → running", newest.id: "running → failed"}
    assert seen.bad == {newest.id}


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_problem_says_what_to_do_about_it(kind: ProblemKind) -> None:
    words = advice(problem(kind), exchange("op_a"), NOON)
    assert 20 < len(words) < 80
    for width in (110, 120, 176, 200):
        assert words in plain(trace_lines(exchange("op_a", problem=problem(kind)), NOON, width)[0])


def test_a_rate_limit_says_how_long_it_asks_to_wait_and_until_when() -> None:
    asked = problem(ProblemKind.RATE_LIMIT, "slow down", http_status=429, retry_at_us=NOON.later(11).us)
    one = exchange("op_a", -3, http_status=429, problem=asked, duration=0.0)
    assert advice(asked, one, NOON) == "the server asked to wait 8s; waiting until 14:02:11Z"
    assert advice(asked, one, NOON.later(20)) == "the server asked to wait 8s, until 14:02:11Z"
    refused = problem(ProblemKind.AUTH, "Invalid API key", http_status=401)
    assert advice(refused, exchange("op_a"), NOON) == "profile hog: API key rejected: run `jobdeck doctor`"


@pytest.mark.parametrize(
    ("moment", "glyph", "role"),
    [
        (None, "· ", Role.DIM),
        (
            TimelineEvent(NOON.us, TimelineEventKind.PHASE, "processing", None, "queued", "running", "id"),
            "● ",
            Role.RUNNING,
        ),
        (
            TimelineEvent(NOON.us, TimelineEventKind.STAGE, "", "enrichment", "running", "failed", "id"),
            "✗ ",
            Role.FAILED,
        ),
        (TimelineEvent(NOON.us, TimelineEventKind.PHASE, "failed", None, "running", "failed", "id"), "✗ ", Role.FAILED),
        (
            TimelineEvent(NOON.us, TimelineEventKind.PHASE, "succeeded", None, "running", "succeeded", "id"),
            "✓ ",
            Role.DONE,
        ),
    ],
    ids=["unchanged", "running", "a stage", "failed", "succeeded"],
)
def test_the_sign_of_an_answer_is_what_it_showed_of_the_job(
    moment: TimelineEvent | None, glyph: str, role: Role
) -> None:
    one = exchange("op_a", request_id="id", started=NOON)
    notes = exchange_notes(job("op_a"), [moment] if moment is not None else [], [one])
    assert trace_lines(one, NOON, 78, notes)[0][0] == (glyph, role)


def test_a_trace_id_is_called_one() -> None:
    assert "trace 507f1f77" in plain(trace_lines(exchange("507f1f77", profile="sonarly"), NOON, 78)[1])


def test_an_unanswered_request_says_that_it_has_no_id() -> None:
    lost = exchange(
        "op_a", http_status=None, request_id=None, problem=problem(ProblemKind.TIMEOUT, "no response in 30 s")
    )
    assert "no request ID: no response" in plain(trace_lines(lost, NOON, 78)[1])


@pytest.mark.parametrize("width", [5, 20, 60, 80, 200])
def test_the_footer_shows_as_many_keys_as_fit(width: int) -> None:
    made = footer(width, FooterView())
    assert line_width(made.line) <= width
    if width >= 20:
        assert "y copy ID" in plain(made.line)
    for start, end, name in made.places:
        assert name
        assert plain(made.line)[start:end].strip()


def test_a_titled_line_is_as_wide_as_its_pane_whatever_its_title_is_written_in() -> None:
    for text in ("Errors & trace", "= 3 jobs failed with 接続が切れました", "x" * 200, "接" * 100):
        assert line_width(rule_line(text, 60, strong=True)) == 60


@pytest.mark.parametrize(
    ("piece", "shown"),
    [
        (r'"\u26a0\ufe0f \ud83d\udc68\u200d\ud83d\udc69"', '"⚠️ 👨‍👩"'),
        (r'"cafe\u0301 1\ufe0f\u20e3"', '"cafe\u0301 1️⃣"'),
        (r'"a\u200bb\u200dc\u202e\u0022\u001b"', r'"a\u200bb\u200dc\u202e\u0022\u001b"'),
    ],
)
def test_escapes_in_a_result_are_letters_where_they_can_be_seen(piece: str, shown: str) -> None:
    assert readable(piece) == shown


def test_another_person_of_a_team_is_named_in_the_detail() -> None:
    one = job("op_a", Phase.FAILED, acknowledged=True, acknowledged_by=Acknowledger("bob", NOON.us))
    one = replace(one, target=replace(one.target, watched_by=("ann", "bob")))
    detail = texts(detail_lines(one, ScheduleInfo(), NOON, 100))
    assert "watched by   ann, bob" in detail
    assert "acknowledged by bob, 14:02:00Z" in detail
    for other in (replace(one, acknowledged=False), replace(one, acknowledged_by=None)):
        assert "acknowledged by" not in texts(detail_lines(other, ScheduleInfo(), NOON, 100))
