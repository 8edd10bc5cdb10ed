"""What comes faster than a hand types: pastes are told from keys, and each key is done before the next."""

import time

import pytest
from textual import events
from textual.widgets import Input, TextArea

from jobdeck.app.session import ReadOnly
from jobdeck.tui.actions import ACTIONS
from jobdeck.tui.keyboard import for_input, is_pasted
from jobdeck.tui.screens.add import AddScreen
from jobdeck.tui.screens.ticket import TicketScreen
from jobdeck.tui.terminal import KeyReader
from jobdeck.tui.widgets.filter_bar import FilterInput
from tests.busyness import busyness
from tests.tui.drive import Driven, driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job

SIGNS = {"slash": "/", "colon": ":", "question_mark": "?", "space": " ", "equals_sign": "="}
SIGNS |= {"left_square_bracket": "[", "right_square_bracket": "]", "greater_than_sign": ">", "less_than_sign": "<"}
SIGNS |= {"exclamation_mark": "!"}
BOUND = frozenset(SIGNS.get(key, key) for action in ACTIONS for key in action.keys)
BOUND -= frozenset("06789.,@+-")
PASTED = [
    "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T",
    "en_0",
    "en_0\ren_1\r",
    "507f1f77bcf86cd799439011",
    "d41d8cd98f00b204e9800998ecf8427e",
    "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\r\n",
    "https://developer.thehog.ai/api/operations/op_1",
    "/v1/accounts/507f/prospecting/1",
    "/api/operations/op_1\r/api/operations/op_2\r",
    "sonarly:507f1f77",
    "acme:op_1",
    "acme/507f",
    '{"operationId": "op_1"}',
    "curl -s https://x/y",
    "op_1, op_2",
    "dungeons frog",
    "Übersicht",
    "jjobs_1",
]
KEYS = [
    "Yy",
    "dd",
    "j1",
    "jjjjjjjjjjjjjjjjjj",
    "z" * 400,
    "bbbbbbbb",
    "jjjkkkjjj",
    "jjYy",
    "jjmMd",
    "/text\r",
    "/op_1\rYy",
    "//",
    ":quit\r",
    "aop_1",
    "aen_0\ren_1",
    "jj/op_1\r",
    "gG",
    "jj\r",
]


@pytest.mark.parametrize("text", PASTED)
def test_what_was_pasted(text: str) -> None:
    assert is_pasted(text, BOUND, openers="/:a", names=("sonarly", "acme"))


@pytest.mark.parametrize("text", KEYS)
def test_what_are_keys(text: str) -> None:
    assert not is_pasted(text, BOUND, openers="/:a", names=("sonarly", "acme"))


@pytest.mark.parametrize(
    ("text", "lines", "divided"),
    [
        ("op_1\rop_2\r", True, ("op_1\rop_2\r", "")),
        ("op_1\rop_2\r", False, ("op_1\rop_2\r", "")),
        ("op_1\r", False, ("op_1", "\r")),
        ("text\rYy", False, ("text", "\rYy")),
        ("text", False, ("text", "")),
    ],
)
def test_what_comes_together_on_an_input(text: str, lines: bool, divided: tuple[str, str]) -> None:
    assert for_input(text, BOUND, lines=lines) == divided


def send(run: Driven, text: str) -> None:
    """Send what a terminal sends, all at once."""
    driver = run.app._driver
    assert driver is not None
    reader = KeyReader()
    found = list(reader.feed(text))
    while reader.wait is not None:
        found += reader.tick()
    for event in found:
        driver.send_message(event)


@pytest.mark.parametrize("brackets", [("", ""), ("\x1b[200~", "\x1b[201~")], ids=["bare", "in brackets"])
async def test_a_paste_on_the_list_is_offered_to_add(brackets: tuple[str, str]) -> None:
    async with driven([job("op_a"), job("op_b")], size=(120, 40)) as run:
        order = run.app.deck.deck_state.table.order
        send(run, brackets[0] + "dmMpsR_1\rop_2" + brackets[1])
        await run.until(lambda: isinstance(run.app.screen, AddScreen))
        assert run.app.screen.query_one(TextArea).text == "dmMpsR_1\nop_2"
        assert len(run.engine.jobs) == 2
        assert not run.engine.paused
        assert run.app.deck.deck_state.table.order == order
        # What follows goes into the text.
        await run.until(lambda: run.app.focused is run.app.screen.query_one(TextArea))
        send(run, "\rdq_3\r")
        await run.until(lambda: run.app.screen.query_one(TextArea).text == "dmMpsR_1\nop_2\ndq_3\n")


async def test_a_paste_into_an_input_goes_there_and_keys_that_came_together_are_keys() -> None:
    async with driven([job("op_a"), job("op_b")], size=(120, 40)) as run:
        send(run, "/op_1\x7fb\rY")
        await run.until(lambda: isinstance(run.app.screen, TicketScreen))
        assert run.app.deck.query(Input).first().value == "op_b"
        send(run, "dmq_17\rq")
        send(run, "\x1b[200~qqq\x1b[201~")
        await run.press("j")
        assert isinstance(run.app.screen, TicketScreen), "nothing there takes a paste"
        await run.press("escape")
        await run.press("slash")
        send(run, "op_9\rdmq_1\rdmq_2\r")
        await run.until(lambda: run.app.deck.query(Input).first().value == "op_bop_9")
        assert len(run.engine.jobs) == 2


async def test_where_nothing_can_be_added_a_paste_says_so() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a")]))
    session.access = ReadOnly("read-only view")
    async with driven(session=session) as run:
        send(run, "op_1234\r")
        await run.until(lambda: "read-only view" in toasts(run.app))


SECRET = "sk_live_pasted"


async def test_what_is_typed_in_one_burst_is_for_the_input_that_its_first_key_opens() -> None:
    async with driven([job("op_a"), job("op_b")], size=(120, 40)) as run:
        order = run.app.deck.deck_state.table.order
        driver = run.app._driver
        assert driver is not None
        for char in f"/{SECRET}":
            driver.send_message(_key(char))
        box = run.app.deck.query(FilterInput).first()
        await run.until(lambda: box.value == SECRET)
        assert run.app.deck.deck_state.table.order == order, "no letter of it sorted"
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
        await run.shows("p: pause or resume polling")
        began = time.monotonic()
        driver.send_message(events.Key("enter", None))
        driver.send_message(_key("a"))
        await run.until(lambda: isinstance(run.app.screen, AddScreen))
        took = time.monotonic() - began
        assert run.engine.paused, "the first was carried out"
        assert took < 2 or took < 2 * busyness()
