"""The first frame: it comes before the deck, looks like it, and loses no key."""

import asyncio

import pytest
from rich.style import Style
from textual import events
from textual.pilot import Pilot

from jobdeck.tui.app import JobdeckApp
from jobdeck.tui.screens.help import HelpScreen
from jobdeck.tui.screens.opening import Opening
from tests.tui.drive import screen_text, wait_until
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import FrozenClock, job


class Standing(JobdeckApp):
    """Stands still with its first frame."""

    async def begin(self) -> None:
        """Go no further."""

    async def go_on(self) -> None:
        await super().begin()


@pytest.mark.parametrize("size", [(20, 5), (38, 9), (60, 12), (80, 24), (140, 40), (200, 50)])
async def test_the_first_frame_is_the_deck_before_its_engine_is_there(size: tuple[int, int]) -> None:
    session = FakeSession(FakeEngine(FrozenClock()))
    session.gate.clear()
    app = Standing(session)
    async with app.run_test(size=size) as pilot:
        assert isinstance(app.screen, Opening)
        first = await _still(app, pilot)
        assert "opening…" in screen_text(app)
        await app.go_on()
        assert app.screen is app.deck
        assert await _still(app, pilot) == first


async def test_the_headings_stand_while_the_deck_takes_its_place() -> None:
    session = FakeSession(FakeEngine(FrozenClock()))
    session.gate.clear()
    app = Standing(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        going = asyncio.create_task(app.go_on())
        seen = [screen_text(app)]
        while not going.done() or len(seen) < 50:
            await asyncio.sleep(0)
            seen.append(screen_text(app))
        await going
        assert all("STATE" in text for text in seen if "opening…" in text)


async def test_keys_that_are_typed_before_the_deck_is_there_are_kept_for_it() -> None:
    app = Standing(FakeSession(FakeEngine(FrozenClock(), [job("op_a")])))
    async with app.run_test() as pilot:
        assert app._driver is not None
        app._driver.send_message(events.Key("question_mark", "?"))
        await pilot.pause()
        assert isinstance(app.screen, Opening)
        await app.go_on()
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_the_first_frame_can_be_left() -> None:
    app = Standing(FakeSession(FakeEngine(FrozenClock())))
    async with app.run_test() as pilot:
        assert app._driver is not None
        app._driver.send_message(events.Key("ctrl+c", None))
        await wait_until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 130


async def test_a_terminal_that_nobody_looks_at_from_the_first_is_asked_for_less_often() -> None:
    engine = FakeEngine(FrozenClock(), [job("op_a")])
    app = Standing(FakeSession(engine))
    async with app.run_test() as pilot:
        app.post_message(events.AppBlur())
        await pilot.pause()
        await app.go_on()
        await wait_until(pilot, lambda: ("attend", False) in engine.asked)


async def _still(app: JobdeckApp, pilot: Pilot[int]) -> list[list[object]]:
    """What is seen of each cell, once the screen stands still: a blank has no colour but that of its ground."""
    before: list[list[object]] = []
    while True:
        await pilot.pause()
        now = [
            [_seen(char, segment.style) for segment in strip for char in segment.text]
            for strip in app.screen._compositor.render_strips()
        ]
        if now == before:
            return now
        before = now


def _seen(char: str, style: Style | None) -> object:
    assert style is not None
    return (char, style.bgcolor) if char == " " else (char, style.bgcolor, style.color, style.bold)
