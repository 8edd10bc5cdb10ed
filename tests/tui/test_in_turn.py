"""Keys that come in one burst: each is for whoever has the focus once the key before has been carried out."""

import time

from textual import events
from textual.widgets import Input, TextArea

from jobdeck.tui.screens.add import AddScreen
from jobdeck.tui.widgets.filter_bar import FilterInput
from tests.busyness import busyness
from tests.tui.drive import driven
from tests.tui.world import job

SECRET = "sk_live_pasted"


async def test_what_is_typed_in_one_burst_is_for_the_input_that_its_first_key_opens() -> None:
    async with driven([job("op_a"), job("op_b")], size=(120, 40)) as run:
        order = run.app.deck.watch_state.model.order
        driver = run.app._driver
        assert driver is not None
        for char in f"/{SECRET}":
            driver.send_message(_key(char))
        box = run.app.deck.query(FilterInput).first()
        await run.until(lambda: box.value == SECRET)
        assert run.app.deck.watch_state.model.order == order, "no letter of it sorted"
        assert not run.engine.paused, "and none paused"
        await run.press("escape")
        for char in f"a{SECRET}":
            driver.send_message(_key(char))
        await run.until(lambda: isinstance(run.app.screen, AddScreen))
        await run.until(lambda: run.app.screen.query_one(TextArea).text == SECRET)
        assert not run.engine.paused


async def test_pasted_text_waits_for_its_input_and_an_interrupt_for_nothing() -> None:
    async with driven([job("op_a")], size=(120, 40)) as run:
        driver = run.app._driver
        assert driver is not None
        driver.send_message(_key("a"))
        driver.send_message(events.Paste("op_x\nop_y"))
        await run.until(lambda: isinstance(run.app.screen, AddScreen))
        await run.until(lambda: run.app.screen.query_one(TextArea).text == "op_x\nop_y")
        driver.send_message(events.Key("ctrl+c", None))
        await run.until(lambda: run.app.return_code == 130)


async def test_a_long_text_and_the_keys_after_it_arrive_in_their_order() -> None:
    async with driven([job("op_a"), job("op_b")], size=(120, 40)) as run:
        driver = run.app._driver
        assert driver is not None
        for char in "/" + "op_b" * 50:
            driver.send_message(_key(char))
        driver.send_message(events.Key("escape", None))
        for char in "jkjk/op_a":
            driver.send_message(_key(char))
        await run.until(lambda: run.app.deck.query(Input).first().value == "op_a")


def _key(char: str) -> events.Key:
    names = {"/": "slash", "_": "underscore", ":": "colon"}
    return events.Key(names.get(char, char), char)


async def test_a_key_that_closes_its_own_input_holds_back_no_other() -> None:
    async with driven([job("op_a")], size=(120, 40)) as run:
        driver = run.app._driver
        assert driver is not None
        for char in ":pause":
            driver.send_message(_key(char))
        await run.shows("p: send no more requests")
        began = time.monotonic()
        driver.send_message(events.Key("enter", None))
        driver.send_message(_key("a"))
        await run.until(lambda: isinstance(run.app.screen, AddScreen))
        took = time.monotonic() - began
        assert run.engine.paused, "the first was carried out"
        assert took < 2 or took < 2 * busyness()
