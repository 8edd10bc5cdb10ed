import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.apis.pages import built_in_meanings
from jobdeck.domain.exchange import ExchangeContent
from jobdeck.domain.job import DROPPED_RESULT, Job
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.tui.render.detail import ScheduleInfo, detail_lines
from jobdeck.tui.render.spans import LEVELS, Line, line_width, plain, sparkline
from jobdeck.tui.render.tabs import Tab, diff_lines, explained_lines, raw_lines, timeline_lines
from jobdeck.tui.widgets.detail import Detail
from jobdeck.tui.widgets.filter_bar import FilterBar
from jobdeck.tui.widgets.static import TabRule, tab_line
from tests.support.examples import examples
from tests.tui.drive import driven, toasts
from tests.tui.test_hostile import NASTY, assert_harmless, hostile_job
from tests.tui.world import NOON, UUID, ago, exchange, job, key, stage

FACTS = (
    ("targetAccountSearchMode", "profile_current_company"),
    ("targetAccountOutcome", "unresolved"),
    ("providerOutcome", "hit"),
    ("companyMatchEvidence", "company_page 12, profile_current_job 3"),
)
MOMENTS = (
    TimelineEvent(ago(110).us, TimelineEventKind.PHASE, "queued", None, "unknown", "queued", UUID),
    TimelineEvent(ago(70).us, TimelineEventKind.STAGE, "", "enrichment", "queued", "running", UUID),
    TimelineEvent(ago(30).us, TimelineEventKind.PROBLEM, "server error: Service Unavailable", request_id=UUID),
    TimelineEvent(ago(15).us, TimelineEventKind.PHASE, "failed", None, "running", "failed", UUID),
)

MEANINGS = built_in_meanings("thehog")


def response(body: bytes, **changes: object) -> ExchangeContent:
    return ExchangeContent(exchange("op_a", **changes), body=body)


def texts(lines: list[Line]) -> str:
    return "\n".join(plain(line) for line in lines)


def test_the_target_account_is_explained_beside_the_raw_value() -> None:
    text = texts(explained_lines(job("op_a", facts=FACTS), MEANINGS, 118))
    assert "targetAccountSearchMode profile_current_company  people were looked for by the current company" in text
    assert "12 matched through the company's page; 3 matched through the current company" in text
    assert "handle" in texts(detail_lines(job("op_a", facts=FACTS), ScheduleInfo(meanings=MEANINGS), NOON, 118))


@pytest.mark.parametrize("width", [10, 20, 58, 78, 118, 200])
def test_no_line_of_a_page_is_wider_than_its_pane(width: int) -> None:
    before = job("op_a", observed=ago(60), facts=FACTS)
    now = job("op_a", Phase.FAILED, observed=ago(1), result="x" * 5_000)
    for lines in (
        explained_lines(before, MEANINGS, width),
        raw_lines(response(b'{"a": [1, "' + b"x" * 300 + b'"]}'), "op_a", width),
        timeline_lines(MOMENTS, NOON, width),
        diff_lines(before, now, NOON, width),
        detail_lines(now, ScheduleInfo(), NOON, width, ((1.0, 0.1), (NOON.mono - 20, 0.6))),
    ):
        assert all(line_width(line) <= width for line in lines)


def test_a_timeline_has_the_newest_first_each_with_time_and_request_id() -> None:
    lines = [plain(line) for line in timeline_lines(MOMENTS, NOON, 118)]
    assert lines[0].startswith("14:01:45Z phase       running → failed")
    assert "enrichment  queued → running" in lines[2]
    assert all(line.endswith(f"request {UUID}") for line in lines)
    assert len(timeline_lines(MOMENTS, NOON, 70)) == 8
    assert plain(timeline_lines(MOMENTS, NOON, 118, "trace")[0]).endswith(f"trace {UUID}")


def test_a_difference_shows_only_what_changed() -> None:
    before = job("op_a", progress=0.4, observed=ago(60), stages=(stage("import", Phase.RUNNING, 0.5),))
    after = job("op_a", progress=0.6, observed=ago(2), stages=(stage("import", Phase.RUNNING, 0.5),))
    text = texts(diff_lines(before, after, NOON, 80))
    assert "- 40%\n+ 60%" in text
    assert "status" not in text
    assert "no changes" in texts(diff_lines(None, after, NOON, 80))


def test_a_raw_body_says_how_much_of_it_is_shown() -> None:
    whole = json.dumps({"data": ["x" * 20] * 10_000}).encode()
    lines = raw_lines(response(whole), "op_a", 80)
    assert f"truncated, {len(whole)} bytes" in plain(lines[0])
    assert len(lines) <= 2_010
    assert "truncated" not in plain(raw_lines(response(b'{"a": 1}'), "op_a", 80)[0])


@examples(20)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), max_size=30), st.integers(0, 40))
def test_a_sparkline_has_its_width_or_is_not_drawn(samples: list[tuple[float, float]], width: int) -> None:
    drawn = sparkline(sorted(samples), 101.0, width)
    assert len(drawn) in {0, width}


def test_a_sparkline_rises_with_the_progress() -> None:
    assert sparkline([(0.0, 0.0), (5.0, 0.5), (9.0, 1.0)], 10.0, 10) == "▁▁▁▁▅▅▅▅██"
    assert LEVELS[-1] not in sparkline([(0.0, 0.0), (5.0, 0.8)], 10.0, 10)


@pytest.mark.parametrize("width", [1, 20, 60, 80, 200])
def test_the_tabs_take_one_line_and_the_one_shown_is_told_without_colour(width: int) -> None:
    line, places = tab_line("op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", Tab.RAW, width, strong=False)
    assert line_width(line) == width
    if width >= 60:
        assert "[Raw]" in plain(line)
        assert [plain(line)[start:end].strip("[ ]") for start, end, _ in places] == list(Tab)


def looked_at() -> Job:
    rows = [{"name": f"n{number}", "companyMatchEvidence": "company_page"} for number in range(30)]
    return job("op_a", Phase.SUCCEEDED, result=json.dumps({"data": rows}), facts=FACTS)


async def test_the_brackets_turn_the_tabs() -> None:
    async with driven([looked_at()], size=(120, 40)) as run:
        run.engine.timelines[key("op_a")] = MOMENTS
        run.engine.before[key("op_a")] = job("op_a", observed=ago(60))
        run.engine.bodies[key("op_a")] = b'{"status": "succeeded"}'
        for title, shown in (
            ("[Result]", "people were looked for by the current company"),
            ("[Raw]", '"status": "succeeded"'),
            ("[Timeline]", "running → failed"),
            ("[Diff]", "+ succeeded"),
            ("[Stages]", "hog:op_a"),
        ):
            await run.press("right_square_bracket")
            await run.shows(title)
            await run.shows(shown)
        await run.press("left_square_bracket")
        await run.shows("[Diff]")


async def test_the_arrows_turn_the_tabs_from_the_trace_as_well() -> None:
    async with driven([looked_at()], [exchange("op_a")], size=(120, 40)) as run:
        await run.press("tab", "tab", "right")
        await run.shows("[Result]")
        await run.press("left")
        await run.shows("[Stages]")


async def test_a_click_on_a_tab_turns_to_it() -> None:
    async with driven([looked_at()]) as run:
        rule = run.app.deck.query_one(TabRule)
        _, places = tab_line("op_a", Tab.STAGES, 80, strong=False)
        await run.pilot.click(rule, offset=(places[3][0] + 2, 0))
        await run.shows("[Timeline]")


async def test_a_node_of_the_result_opens_with_enter_and_is_searched_with_a_slash() -> None:
    async with driven([looked_at()], size=(120, 50)) as run:
        await run.press("right_square_bracket", "tab")
        await run.shows("▸ data: [30 items]")
        await run.press("j", "enter")
        await run.shows("▸ 0: {2 keys}")
        await run.press("slash", *"n2")
        await run.shows("11 matches · enter first, n next")
        await run.press("7", "enter")
        await run.shows('name: "n27"')
        tree = run.app.deck.query_one(Detail).json_tree
        assert tree is not None
        await run.until(lambda: tree.index.preview(tree.rows[tree.cursor]) == '"n27"')
        await run.press("slash", *"nowhere", "enter")
        await run.until(lambda: "no match in the result" in toasts(run.app)[-1])
        await run.press("right_square_bracket", "n")
        await run.until(lambda: "finds the next match in the Result tab" in toasts(run.app)[-1])
        await run.press("left_square_bracket", "slash", "tab")
        await run.until(lambda: not any(bar.display for bar in run.app.deck.query(FilterBar)))


async def test_a_long_result_is_read_without_holding_the_keys() -> None:
    rows = ",".join([json.dumps({"name": "n" * 40})] * 40_000)
    async with driven([job("op_a", Phase.SUCCEEDED, result=f'{{"data":[{rows}]}}')]) as run:
        await run.press("right_square_bracket")
        await run.shows("[40,000 items]")


@pytest.mark.parametrize("fails", [False, True])
async def test_a_body_whose_result_is_too_large_to_keep_is_saved_as_it_comes(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    large = job("op_a", Phase.SUCCEEDED, facts=((DROPPED_RESULT, "103000000"),))
    async with driven([large]) as run:
        if fails:
            run.engine.download_problem = Problem(ProblemKind.TIMEOUT, "nothing within 30 s")
        await run.press("right_square_bracket")
        await run.shows("result 103 MB, too large to keep (o saves it to a file)")
        await run.press("o")
        words = f"not saved: {ProblemKind.TIMEOUT.label}: nothing within" if fails else "saved as"
        await run.until(lambda: any(words in toast for toast in toasts(run.app)))
        assert ("download", key("op_a")) in run.engine.asked
    found = list(tmp_path.iterdir())
    if fails:
        assert found == []
    else:
        assert [path.read_text() for path in found] == ['{"id": "op_1"}']
        assert found[0].suffix == ".json"


async def test_a_result_that_had_to_make_room_is_fetched_once_while_somebody_looks_at_it() -> None:
    jobs = [job("op_a", Phase.SUCCEEDED, result='"' + "x" * 2_000 + '"').without_result(), job("op_b", Phase.SUCCEEDED)]
    async with driven(jobs) as run:
        run.engine.bodies[key("op_a")] = b"{}"
        await run.press("g")
        assert ("poll_now", key("op_a")) not in run.engine.asked
        await run.press("right_square_bracket")
        await run.shows("result 2.0 kB, no longer in memory: fetching it again")
        await run.press("right_square_bracket", "left_square_bracket")
        await run.press("left_square_bracket", "j")
        assert run.engine.asked.count(("poll_now", key("op_a"))) == 2, "once for each time it was shown"
        assert ("poll_now", key("op_b")) not in run.engine.asked


@pytest.mark.posix
async def test_the_whole_body_is_saved_for_its_owner_alone(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    async with driven([looked_at()]) as run:
        await run.press("o")
        assert "no response body to save yet" in toasts(run.app)[-1]
        run.engine.bodies[key("op_a")] = b'{"status": "succeeded"}'
        run.app.deck.tick()
        await run.press("o")
        await run.until(lambda: any("saved as" in toast for toast in toasts(run.app)))
    (path,) = Path(str(tmp_path)).glob("*.json")
    assert path.read_text() == '{"status": "succeeded"}'
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("nasty", [NASTY[:10], NASTY[10:]], ids=["markup", "letters and sizes"])
async def test_hostile_words_do_nothing_on_any_tab(nasty: list[str]) -> None:
    jobs = [hostile_job(text) for text in nasty]
    async with driven({one.key: one for one in jobs}.values(), size=(100, 40)) as run:
        for one, text in zip(jobs, nasty, strict=True):
            run.engine.bodies[one.key] = text.encode("utf-8", "surrogatepass")
            run.engine.timelines[one.key] = (
                TimelineEvent(NOON.us, TimelineEventKind.PHASE, text, text, text, text, text),
                TimelineEvent(NOON.us, TimelineEventKind.PROBLEM, text, request_id=text),
            )
            run.engine.before[one.key] = job("op_a", observed=ago(60), status="before")
        for _ in range(len(run.engine.jobs)):
            for _ in Tab:
                await run.press("right_square_bracket")
                assert_harmless(run)
            await run.press("j")
        await run.press("right_square_bracket", "tab", "G", "enter", "slash", *"[/", "enter", "escape", "s", "s", "f")
        assert_harmless(run)
        await run.press("slash", *"[@click=app.quit]x[/]", "enter")
        assert_harmless(run)
