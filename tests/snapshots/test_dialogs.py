"""What stands in front of the deck, at every size. What one should see stands above each picture."""

import json

from jobdeck.app.session import Parsed, RejectedTarget
from jobdeck.domain.exchange import ExchangeContent
from jobdeck.domain.ratelimit import RateWindow
from jobdeck.tui.screens.ticket import TicketScreen
from jobdeck.tui.widgets.line_view import Document
from tests.snapshots.conftest import Album
from tests.snapshots.decks import frozen, triage, troubled
from tests.tui.drive import driven
from tests.tui.world import target


async def test_help_and_palette(album: Album) -> None:
    async with driven(session=triage()) as run:
        # What is typed, then the keys of the list, of its jobs and of everything else in two columns.
        await run.press("question_mark")
        await run.shows("select")
        await album.take(run, "help")
        # The last page: what the signs mean.
        await run.press("end")
        await run.shows("final once")
        await album.take(run, "help, its end", ((80, 24),))
        # Our actions with their keys, the columns to sort by and the themes.
        await run.press("escape", "colon", *"sort")
        await run.shows("sort by STATE")
        await album.take(run, "palette")


async def test_adding_targets(album: Album) -> None:
    session = frozen([])
    async with driven(session=session) as run:
        # What may be pasted.
        await run.press("a")
        await album.take(run, "add")
        # Two lines typed; one job understood, one refused with its reason, and the keys that go on.
        session.parser = lambda _: Parsed((target("op_1"),), (RejectedTarget("op 2", "an ID has no blank"),))
        await run.press(*"op_1", "enter", *"op 2")
        await run.shows("refused")
        await album.take(run, "add, understood and refused")


async def test_a_ticket(album: Album) -> None:
    async with driven(session=troubled()) as run:
        # The Markdown as it will be sent, over a dimmed deck; the keys that copy and save.
        await run.press("Y")
        await run.until(lambda: isinstance(run.app.screen, TicketScreen))
        await run.until(lambda: bool(run.app.screen.query_one(Document).lines))
        await album.take(run, "ticket")
        # The note's text over the key that ends it, all in view.
        await run.press("n", *"it hangs")
        await album.take(run, "ticket, its note being written")


async def test_an_exchange(album: Album) -> None:
    session = troubled()
    engine = session.engine
    end = next(one for one in engine._exchanges if one.body_request_id)
    body = {
        "id": "op_1",
        "status": "failed",
        "error": {"code": "E", "message": "no answer"},
        "note": "\U0001f680 für 世界",
    }
    headers = (("content-type", "application/json"), ("x-ratelimit-limit", "600"), ("x-ratelimit-remaining", "279"))
    window = RateWindow(limit=600, remaining=279, reset_after=12.0)
    engine.contents[end.id] = ExchangeContent(end, headers, (window,), json.dumps(body, ensure_ascii=False).encode())
    async with driven(session=session) as run:
        # The request line, IDs, what is left of the quota, what it changed, headers, and the body as a tree.
        await run.press("tab", "tab", "j", "j", "enter")
        await run.shows("279 of 600 left")
        await album.take(run, "exchange", ((80, 24), (120, 40)))


async def test_what_was_sent(album: Album) -> None:
    async with driven(session=troubled()) as run:
        # The request ID alone on the screen, to be selected by hand.
        await run.press("y", "C")
        await run.until(lambda: bool(run.app.screen.query(Document)) and bool(run.app.screen.query_one(Document).lines))
        await album.take(run, "sent")
