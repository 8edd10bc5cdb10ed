import pytest
from textual import events
from textual.color import Color
from textual.theme import Theme

from jobdeck.app.session import Preference
from jobdeck.domain.job import Job, JobError
from jobdeck.domain.phase import Phase
from jobdeck.tui.job_table import Order, parse_order
from jobdeck.tui.render.columns import Name
from jobdeck.tui.theme import THEMES
from jobdeck.tui.widgets.filter_bar import FilterBar, FilterInput
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.static import GroupStrip, Heading
from tests.tui.drive import Driven, driven, painted, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import ago, clock_at_noon, deck_of_every_state, job, key


def three() -> list[object]:
    return [
        job("op_bad", Phase.FAILED, request_id="id-of-bad", kind="search"),
        job("op_run", request_id="id-of-run", kind="deep", changed=ago(1)),
        job("op_old", request_id="id-of-old", kind="enrichment", changed=ago(9)),
    ]


def highlighted(run: Driven) -> str | None:
    line = next((line for line in painted(run.app) if line.startswith("▸")), "")
    return next((word for word in line.split() if word.startswith("op_")), None)


async def test_s_sorts_by_the_next_column_and_shows_by_which() -> None:
    async with driven(three(), size=(120, 24)) as run:  # type: ignore[arg-type] - jobs
        await run.shows("STATE▾")
        await run.press("s", "s")
        await run.shows("KIND▾")
        assert [next(word for word in line.split() if "op_" in word) for line in painted(run.app)[3:6]] == [
            "op_run", "op_old", "op_bad",
        ]  # fmt: skip
        await run.press("S", "r", "escape")
        await run.shows("KIND▴")
        assert run.app.deck.deck_state.table.order.reverse


async def test_the_order_of_last_time_is_that_of_this_time_and_is_said() -> None:
    async with driven(three(), size=(120, 24)) as run:  # type: ignore[arg-type] - jobs
        await run.press("s", "s", "S", "r", "escape")
        assert run.session.preferences == {Preference.ORDER: "-KIND"}
    session = FakeSession(FakeEngine(clock_at_noon(), three()))  # type: ignore[arg-type] - jobs
    session.preferences = {Preference.ORDER: "-KIND"}
    async with driven(session=session, size=(120, 24)) as run:
        await run.shows("KIND▴")
        assert toasts(run.app) == ["sorted by KIND, reversed, as last time (S: sort menu)"]
        assert highlighted(run) == "op_bad", "the first line is selected, as in any other order"


@pytest.mark.parametrize("order", [Order(), Order(Name.REASON), Order(Name.STATE, reverse=True)])
def test_an_order_is_read_as_it_was_written(order: Order) -> None:
    assert parse_order(order.text) == order
    assert parse_order(f"{order.text}?") == parse_order("") == Order()


async def test_the_palette_sorts_by_a_column_that_is_not_on_the_screen() -> None:
    async with driven(three()) as run:  # type: ignore[arg-type] - jobs
        await run.press("colon", *"by reason")
        await run.shows("sort by REASON")
        await run.press("enter")
        await run.until(lambda: run.app.deck.deck_state.table.order == Order(Name.REASON))


async def test_the_palette_finds_an_action_by_what_it_is_called_elsewhere() -> None:
    async with driven(three()) as run:  # type: ignore[arg-type] - jobs
        await run.press("colon", *"copy")
        await run.shows("y: copy the request ID")
        await run.shows("Y: create a support ticket")


async def test_a_click_on_a_heading_sorts_by_it_and_a_second_turns_it_round() -> None:
    async with driven(three(), size=(120, 24)) as run:  # type: ignore[arg-type] - jobs
        column = run.app.deck.query_one(JobList).columns.get(Name.ELAPSED)
        assert column is not None
        await run.pilot.click(Heading, offset=(column.x, 0))
        await run.shows("▾ELAPSED")
        await run.pilot.click(Heading, offset=(column.x, 0))
        await run.shows("▴ELAPSED")


async def test_the_detail_the_trace_and_y_speak_of_the_highlighted_job_through_sort_filter_and_removal() -> None:
    async with driven(three()) as run:  # type: ignore[arg-type] - jobs
        jobs = run.app.deck.query_one(JobList)
        for count, (keys, left) in enumerate(
            (
                (("j",), 3),
                (("s",), 3),
                (("s",), 3),
                (("S", "r", "escape"), 3),
                (("slash", *"op_o", "enter"), 1),
                (("escape",), 3),
                (("d",), 2),
                (("u",), 3),
                (("f",), 1),
            )
        ):
            await run.press(*keys)
            await run.until(lambda left=left: len(shown_keys(run)) == left)  # type: ignore[misc] - bound now
            run.engine.put(job("op_bad", Phase.FAILED, request_id="id-of-bad", progress=0.5, version=9))
            await run.press("y")
            await run.until(lambda count=count: len(run.clipboard.sent) > count)  # type: ignore[misc] - bound now
            chosen = jobs.selected
            assert chosen is not None
            await run.until(lambda chosen=chosen: f"── {chosen.id} ──" in run.text)  # type: ignore[misc] - bound now
            await run.until(lambda chosen=chosen: highlighted(run) == chosen.id)  # type: ignore[misc] - bound now
            assert run.clipboard.sent[-1] == f"id-of-{chosen.id[3:]}"


async def test_whatever_a_key_asks_for_the_job_that_was_selected_then_stays_selected() -> None:
    """Also while jobs that nobody has looked at yet keep the list from settling, and others come before it."""
    jobs = [*three(), job("op_new", observed=None, asked=None, changed=None)]
    async with driven(jobs) as run:  # type: ignore[arg-type] - jobs
        assert highlighted(run) == "op_bad"
        run.engine.put(job("op_worse", Phase.FAILED, ended=ago(1)))
        await run.until(lambda: highlighted(run) == "op_worse")
        await run.press("y")
        run.engine.put(job("op_worst", Phase.FAILED, ended=ago(0.5)))
        await run.shows("op_worst")
        await run.press("s", "s", "S", "r", "escape")
        assert highlighted(run) == "op_worse"


async def test_the_filter_narrows_while_it_is_typed_and_counts() -> None:
    async with driven(deck_of_every_state()) as run:
        await run.press("slash", *"phase:failed")
        await run.shows("1 of 12")
        assert len(run.app.deck.deck_state.table) == 1
        await run.press("enter")
        assert isinstance(run.app.focused, JobList)
        await run.shows("/ phase:failed")
        await run.press("escape")
        await run.until(lambda: "1 of 12" not in run.text)
        assert len(run.app.deck.deck_state.table) == 12


async def test_escape_while_typing_drops_the_filter() -> None:
    async with driven(deck_of_every_state()) as run:
        await run.press("slash", *"nothing at all")
        await run.shows("No matching jobs,")
        await run.press("escape")
        await run.until(lambda: len(run.app.deck.deck_state.table) == 12)
        assert isinstance(run.app.focused, JobList)


async def test_a_filter_that_is_left_half_typed_is_shown_only_while_it_is_in_force() -> None:
    async with driven(three()) as run:  # type: ignore[arg-type] - jobs
        bar, typed = run.app.deck.query(FilterBar).first(), run.app.deck.query(FilterInput).first()
        await run.press("slash", *"ba")
        run.app.post_message(events.AppBlur())
        await run.until(lambda: run.app.focused is None)
        run.app.post_message(events.AppFocus())
        await run.until(lambda: run.app.focused is typed)
        await run.press("d")
        await run.shows("1 of 3")
        assert "enter keep the filter  esc clear  → complete  ↑ ↓ history" in run.text, "what keys do, and no action's"
        assert "y copy ID" not in run.text
        await run.press("tab")
        await run.until(lambda: not typed.has_focus)
        assert "/ bad" in run.text, "it is in force"
        await run.shows("y copy ID")
        await run.press("escape", "escape")
        await run.until(lambda: not bar.display and "op_old" in run.text)
        assert "/ bad" not in run.text


async def test_a_filter_is_typed_in_sight_whatever_pane_is_alone_on_the_screen() -> None:
    async with driven(three()) as run:  # type: ignore[arg-type] - jobs
        for panes in (("tab",), ("tab", "tab"), ()):
            await run.press(*panes, "z", "slash", *"bad")
            await run.shows("/ bad")
            await run.shows("1 of 3")
            await run.press("escape", "escape")
            await run.shows("op_old")


async def test_the_selected_job_is_selected_again_when_the_whole_word_is_there() -> None:
    async with driven(three()) as run:  # type: ignore[arg-type] - jobs
        await run.press("j", "slash", *"x", "backspace", *"op_run")
        await run.until(lambda: run.app.deck.query_one(JobList).selected == key("op_run"))
        await run.press("backspace", *"zzz", "escape")
        await run.until(lambda: highlighted(run) == "op_run")


async def test_an_unknown_key_of_a_filter_is_said() -> None:
    async with driven(deck_of_every_state(), size=(120, 30)) as run:
        await run.press("slash", *"colour:red")
        await run.shows("unknown filter key colour, searched as text")


async def test_f_shows_only_what_is_in_trouble() -> None:
    async with driven(deck_of_every_state()) as run:
        await run.press("f")
        await run.shows("problems only  5 of 12")
        await run.press("f")
        await run.until(lambda: "problems only" not in run.text)


async def test_m_notes_the_trouble_and_goes_on_to_the_next_job() -> None:
    async with driven([job("op_bad", Phase.FAILED), job("op_run")]) as run:
        await run.press("m")
        assert run.engine.jobs[key("op_bad")].acknowledged
        await run.until(lambda: painted(run.app)[4].startswith(" ~✗ failed"))
        assert run.app.deck.query_one(JobList).selected == key("op_run")
        await run.press("G", "m")
        await run.until(lambda: painted(run.app)[3].startswith("▸ ✗ failed"))
        assert not run.engine.jobs[key("op_bad")].acknowledged


async def test_m_on_a_job_without_trouble_notes_nothing() -> None:
    async with driven([job("op_run")]) as run:
        await run.press("m")
        assert toasts(run.app) == ["nothing to acknowledge: the job has no problem"]
        assert not run.engine.jobs[key("op_run")].acknowledged


async def test_the_one_failed_job_of_three_hundred_is_in_the_top_rows_without_a_key() -> None:
    jobs = [job(f"op_{number:03d}", changed=ago(number)) for number in range(300)]
    async with driven(jobs) as run:
        run.engine.put(job("op_150", Phase.FAILED, version=2))
        await run.shows("✗ failed")
        assert any("op_150" in line for line in painted(run.app)[2:5])


async def test_t_goes_through_the_themes_and_round() -> None:
    async with driven(deck_of_every_state()) as run:
        for theme in ("jobdeck-light", "jobdeck-safe", "jobdeck-safe-light", "jobdeck"):
            await run.press("t")
            assert (run.app.theme, run.session.preferences[Preference.THEME]) == (theme, theme)
        await run.press("colon", *"light")
        await run.shows("light theme")
        await run.press("enter")
        await run.until(lambda: run.app.theme == "jobdeck-light")
        assert run.session.preferences == {Preference.THEME: "jobdeck-light"}


@pytest.mark.parametrize(("kept", "shown"), [("jobdeck-safe-light", "jobdeck-safe-light"), ("gone", "jobdeck")])
async def test_the_theme_of_last_time_is_that_of_this_time(kept: str, shown: str) -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), three()))  # type: ignore[arg-type] - jobs
    session.preferences = {Preference.THEME: kept}
    async with driven(session=session) as run:
        assert run.app.theme == shown
        assert toasts(run.app) == []


async def test_the_wheel_scrolls_the_list_and_leaves_the_selection() -> None:
    async with driven([job(f"op_{number:03d}", changed=ago(number)) for number in range(60)]) as run:
        jobs = run.app.deck.query_one(JobList)
        chosen = jobs.selected
        for _ in range(4):
            jobs.post_message(events.MouseScrollDown(jobs, 5, 5, 0, 1, 0, False, False, False))
        await run.until(lambda: jobs.scroll_offset.y > 0)
        assert jobs.selected == chosen


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_every_state_stands_out_from_its_ground(theme: Theme) -> None:
    ground = Color.parse(theme.background or "")
    for name, colour in theme.variables.items():
        if name.startswith("state-") or name in {"text-dim", "text-strong"}:
            assert contrast(Color.parse(colour), ground) >= 4.5, name


def contrast(one: Color, other: Color) -> float:
    """The ratio of WCAG 2, which asks for 4.5."""

    def light(colour: Color) -> float:
        parts = [part / 255 for part in colour.rgb]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    brighter, darker = sorted((light(one), light(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def failing() -> list[Job]:
    limited, broke = JobError("RATE_LIMITED", "slow down"), JobError("NO_CREDITS", "top up")
    return [
        job("op_a", Phase.FAILED, error=limited),
        job("op_b", Phase.FAILED, error=limited, kind="search"),
        job("op_c", Phase.FAILED, error=broke),
        job("op_run"),
    ]


async def test_errors_are_shown_one_after_another_by_a_key_and_by_clicks() -> None:
    async with driven(failing(), size=(120, 30)) as run:
        await run.shows("RATE_LIMITED ×2")
        assert "✗ 3 failed" in painted(run.app)[1]
        await run.press("e")
        await run.shows("[RATE_LIMITED ×2]")
        assert shown_keys(run) == {"op_a", "op_b"}
        await run.press("e")
        await run.shows("[NO_CREDITS ×1]")
        assert shown_keys(run) == {"op_c"}
        await run.press("e")
        await run.until(lambda: len(shown_keys(run)) == 4)
        await run.press("u")
        await run.until(lambda: shown_keys(run) == {"op_c"})
        strip = run.app.deck.query_one(GroupStrip)
        for text, left in (("running", {"op_run"}), ("RATE_LIMITED", {"op_a", "op_b"})):
            await run.pilot.click(strip, offset=(painted(run.app)[1].index(text), 0))
            await run.until(lambda left=left: shown_keys(run) == left)  # type: ignore[misc] - a default binds the loop variable
        await run.pilot.click(strip, offset=(painted(run.app)[1].index("RATE_LIMITED"), 0))
        await run.until(lambda: len(shown_keys(run)) == 4)


async def test_an_error_that_is_shown_alone_has_one_ticket_for_one_vendor() -> None:
    other = job("507f1f77bcf86cd799439011", Phase.FAILED, "sonarly", error=JobError("RATE_LIMITED", "slow down"))
    async with driven([*failing(), other], size=(120, 30)) as run:
        await run.press("e", "Y")
        await run.until(lambda: bool(run.session.tickets))
        keys, _, _ = run.session.tickets[0]
        assert {one.id for one in keys} == {"op_a", "op_b"}
        assert "1 job from another API skipped; to create their ticket, select one and press Y" in toasts(run.app)


async def test_without_a_failure_there_is_no_error_to_show() -> None:
    async with driven([job("op_run")]) as run:
        await run.press("e")
        assert toasts(run.app) == ["no job has failed with an error"]


def shown_keys(run: Driven) -> set[str]:
    table = run.app.deck.deck_state.table
    return {one.id for one in table.keys(0, len(table))}


async def test_another_filter_takes_the_place_of_problems_only_too() -> None:
    async with driven(three(), size=(120, 24)) as run:  # type: ignore[arg-type] - jobs
        await run.press("f")
        await run.shows("problems only  1 of 3")
        await run.press("b", "b", "G", "enter")
        await run.shows('kind="')
        await run.until(lambda: "problems only  " not in run.text)
        await run.press("u")
        await run.shows("problems only  1 of 3")
