"""The trace folds what repeats, and opens an exchange: what was asked, what came, and every value of it in full."""

import json

from jobdeck.domain.exchange import Exchange, ExchangeContent
from jobdeck.domain.job import JobError
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.domain.timeline import TimelineEvent, TimelineEventKind
from jobdeck.tui.jsontree import JsonIndex, JsonTree
from jobdeck.tui.render.exchange import exchange_lines, exchange_title, missing_body
from jobdeck.tui.render.spans import Role, plain
from jobdeck.tui.render.tabs import raw_lines
from jobdeck.tui.render.trace import ExchangeNotes, fold, fold_line
from jobdeck.tui.screens.dialogs import ValueScreen
from jobdeck.tui.screens.exchange import ExchangeScreen
from tests.tui.drive import driven, toasts
from tests.tui.world import NOON, exchange, job, key

EMOJI = "\U0001f680 Liftoff für \U0001f468‍\U0001f469‍\U0001f467 at 世界"
LONG = "word " * 200 + "the end of it"
BODY = {"id": "op_a", "status": "failed", "error": {"code": "RATE_LIMITED", "message": LONG}, "note": EMOJI}


def polls(count: int, since: float = 2.0) -> list[Exchange]:
    """So many polls a second apart that said the same, the newest first."""
    return [exchange("op_a", since + number, request_id=f"id-{number}") for number in range(count)]


def test_what_said_the_same_takes_one_line_between_what_did_not() -> None:
    looks = polls(12)
    down = Problem(ProblemKind.NETWORK, "connection refused")
    looks[7:10] = [exchange("op_a", 9.0 + n, problem=down, http_status=None, request_id=None) for n in range(3)]
    notes = ExchangeNotes({looks[4].id: "queued → running"})
    rows = fold(looks, notes)
    assert [len(row.exchanges) for row in rows] == [1, 3, 1, 1, 1, 3, 1, 1]
    assert [row.folded for row in rows] == [False, True, False, False, False, True, False, False]
    assert sum(len(row.exchanges) for row in rows) == len(looks)
    line = plain(fold_line(rows[1], NOON, 100))
    assert "14:01:55Z–14:01:57Z" in line
    assert "×3 unchanged" in line
    assert "id-1" in line
    assert "×3 unreachable" in plain(fold_line(rows[5], NOON, 100))
    opened = fold(looks, notes, {looks[2].id})
    assert [len(row.exchanges) for row in opened][:6] == [1, 3, 1, 1, 1, 1]
    assert all(len(plain(fold_line(row, NOON, 30))) <= 30 for row in rows)


async def test_an_exchange_is_opened_read_and_copied_from() -> None:
    looks = polls(5)
    failed = TimelineEvent(
        looks[0].started.us, TimelineEventKind.PHASE, "failed", None, "running", "failed", looks[0].request_id
    )
    async with driven([job("op_a", Phase.FAILED, error=JobError("RATE_LIMITED", "no"))], looks, size=(110, 40)) as run:
        engine, body = run.engine, json.dumps(BODY).encode()
        engine.timelines[key("op_a")] = (failed,)
        headers = (("content-type", "application/json"), ("x-ratelimit-remaining", "279"))
        window = RateWindow(limit=600, remaining=279, reset_after=12.0)
        engine.contents[looks[0].id] = ExchangeContent(looks[0], headers, (window,), body)
        run.engine.put(job("op_a", Phase.FAILED, error=JobError("RATE_LIMITED", "no"), version=2))
        await run.press("tab", "tab")
        await run.shows("×4 unchanged")
        await run.press("j", "enter")
        await run.shows("▾ 14:01:54Z–14:01:57Z")
        await run.press("enter", "k", "enter")
        await run.shows("/api/operations/op_a  200 OK  84ms")
        for text in (
            "279 of 600 left, resets in 12s",
            "running → failed",
            "x-ratelimit-remaining 279",
            "error: {2 keys}",
        ):
            await run.shows(text)
        await run.press("j", "y", "Y", "c")
        await run.until(lambda: len(run.clipboard.sent) == 3)
        assert run.clipboard.sent[:2] == ["op_a", body.decode()]
        assert run.clipboard.sent[2].startswith("curl ")
        assert "value of id sent" in toasts(run.app)[0]
        await run.press("j", "j", "j", "j", "enter")
        await run.until(lambda: isinstance(run.app.screen, ValueScreen))
        await run.shows("the end of it")
        await run.press("y", "escape", "v")
        await run.until(lambda: run.clipboard.sent[-1] == LONG)
        await run.shows('"note": "\\ud83d\\ude80')
        await run.press("left_square_bracket")
        await run.shows("body not in memory")
        await run.press("Y", "right_square_bracket", "right_square_bracket")
        assert "this is the newest request" in " ".join(toasts(run.app))
        await run.press("escape")
        await run.until(lambda: not isinstance(run.app.screen, ExchangeScreen))


async def test_a_value_of_a_result_is_shown_in_full_found_and_copied() -> None:
    result = json.dumps({"short": 1, "long": LONG, "note": EMOJI, "many": ["\U0001f680" * 300]})
    async with driven([job("op_a", Phase.SUCCEEDED, result=result)], size=(110, 40)) as run:
        await run.press("right_square_bracket", "tab")
        await run.shows("\U0001f680 Liftoff für")
        assert "\\ud83d" not in run.text
        await run.press("j", "j", "enter")
        await run.shows("the end of it")
        await run.press("escape", "j", "y")
        await run.until(lambda: run.clipboard.sent == [EMOJI])
        assert "value of note sent" in toasts(run.app)[0]
        await run.press("slash", *"FÜR", "enter")
        await run.press("y")
        await run.until(lambda: run.clipboard.sent == [EMOJI, EMOJI])


def test_a_search_finds_letters_however_they_are_written_and_half_a_character_harms_nothing() -> None:
    for text in (json.dumps({"a": "Größe \ud83d"}), json.dumps({"a": "Größe"}, ensure_ascii=False)):
        index = JsonIndex(text)
        assert index.step(100)
        tree = JsonTree(index)
        assert True in list(tree.search("GRÖSSE".replace("SS", "ß")))
        assert tree.label == "a"
        tree.value().encode()


def test_a_failed_job_that_a_list_told_of_shows_its_row() -> None:
    listed = exchange("op_a", job=None, http_status=200)
    rows = {"data": [{"id": "op_z", "n": 1}, {"id": "op_a", "error": {"code": "E"}}]}
    lines = raw_lines(ExchangeContent(listed, body=json.dumps(rows).encode()), "op_a", 80)
    text = "\n".join(map(plain, lines))
    assert "the row of this job in a list response" in text
    assert '"code": "E"' in text
    assert "op_z" not in text
    other = raw_lines(ExchangeContent(listed, body=b'{"data": []}'), "op_a", 80)
    assert "a list response" in plain(other[0])


def test_a_body_that_is_not_there_says_why() -> None:
    one = exchange("op_a", size=2_000)
    assert "evicted, or received in an earlier session or by another jobdeck" in missing_body(one, None)
    assert "body not recorded" in missing_body(one, None, past=True)
    assert "a list's body is kept only if a job's state changed" in missing_body(exchange("op_a", job=None), None)
    assert "no response, so no body" in missing_body(exchange("op_a", http_status=None), None)
    large = exchange("op_a", size=103_000_000)
    assert "103 MB is too large" in missing_body(large, ExchangeContent(large))
    empty = exchange("op_a", size=0)
    assert missing_body(empty, ExchangeContent(empty)) == "the response had no body"
    assert missing_body(one, ExchangeContent(one, body=b"{}")) == ""


def test_only_what_went_wrong_is_red() -> None:
    def role(**changes: object) -> Role:
        title = exchange_title(exchange("op_a", **changes), NOON, 80)
        return next(role for text, role in title if text.strip()[:3].isdigit())

    assert [role(http_status=status) for status in (200, 204, 304)] == [Role.STRONG] * 3
    assert [role(http_status=status) for status in (400, 404, 503)] == [Role.FAILED] * 3
    assert role(http_status=200, problem=Problem(ProblemKind.PROTOCOL, "no JSON")) is Role.FAILED
    assert "request not recorded" in plain(exchange_title(exchange("op_a", url=""), NOON, 80))
    listed = exchange_lines(exchange("op_a", job=None), None, NOON, 80)
    assert "a response about many jobs, including this one" in "\n".join(map(plain, listed))


async def test_a_failed_job_without_a_body_is_fetched_once_while_its_raw_tab_is_shown() -> None:
    async with driven([job("op_a", Phase.FAILED), job("op_b")], size=(110, 40)) as run:
        await run.press(*["right_square_bracket"] * 2)
        await run.shows("no response for this job in this session")
        run.clock.advance(2)
        await run.press("g")
        assert run.engine.asked.count(("poll_now", key("op_a"))) == 1
