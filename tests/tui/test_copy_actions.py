"""What leaves the deck: request IDs, curl lines and tickets, to the clipboard, a file, or a pair of eyes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from jobdeck.domain.job import JobKey
from jobdeck.domain.phase import Phase
from jobdeck.store.errors import StoreClosedError
from jobdeck.tui.clipboard import ClipboardError, TooBigError
from jobdeck.tui.copy_actions import TicketDraft
from jobdeck.tui.export import save
from jobdeck.tui.screens.dialogs import CopiedTextScreen
from jobdeck.tui.screens.ticket import TicketScreen
from jobdeck.tui.widgets.line_view import Document
from tests.tui.drive import Driven, driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import UUID, ago, clock_at_noon, exchange, job, key, target


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def press_without_waiting(run: Driven, *keys: str) -> None:
    for name in keys:
        event = events.Key(name, name if len(name) == 1 else None)
        event.set_sender(run.app)
        run.app._driver.send_message(event)  # type: ignore[union-attr] - there is a driver


async def test_two_keys_put_the_ticket_of_the_selected_job_on_the_clipboard() -> None:
    looks = [exchange("op_a"), exchange("op_b", request_id="id-of-b")]
    async with driven([job("op_a"), job("op_b", Phase.FAILED, request_id="id-of-b")], looks) as run:
        await run.press("Y", "y")
        await run.until(lambda: run.app.screen is run.app.deck)
        (ticket,) = run.clipboard.sent
        assert ticket.startswith("## Support ticket\n")
        assert "- Job: `op_b`" in ticket
        assert "- Request ID of the first failed response: `id-of-b`" in ticket
        assert not isinstance(run.app.screen, TicketScreen)
        assert "ticket for op_b sent to clipboard" in toasts(run.app)[0]


async def test_the_id_for_support_is_the_one_that_showed_the_failure_wherever_it_stands() -> None:
    ids = {"request_id": "polled-since", "end_request_id": "showed-it", "ended": ago(15)}
    accepted = replace(target("op_b"), accepted_request_id="accepted-it")
    async with driven([job("op_b", Phase.FAILED, target=accepted, **ids)], size=(120, 40)) as run:
        await run.shows("showed-it  failed at 14:01:45Z")
        await run.shows("polled-since  latest")
        await run.shows("accepted-it  accepted")
        await run.press("y")
        assert run.clipboard.sent == ["showed-it"]
        assert "request ID of op_b (failed at 14:01:45Z) sent" in toasts(run.app)[0]
        await run.press("Y", "y")
        await run.until(lambda: len(run.clipboard.sent) == 2)
        head = run.clipboard.sent[1].split("\n")[2:5]
        assert head[1] == "- Request ID of the first failed response: `showed-it`"


async def test_two_keys_in_one_breath_are_enough_even_before_the_ticket_is_made() -> None:
    async with driven([job("op_a", Phase.FAILED)]) as run:
        run.session.ticket_gate.clear()
        press_without_waiting(run, "Y", "y")
        await run.until(lambda: isinstance(run.app.screen, TicketScreen))
        assert run.clipboard.sent == []
        run.session.ticket_gate.set()
        await run.until(lambda: run.app.screen is run.app.deck)
        assert "- Job: `op_a`" in run.clipboard.sent[0]


async def test_enter_copies_as_well() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("Y", "enter")
        await run.until(lambda: len(run.clipboard.sent) == 1)


async def test_the_ticket_is_shown_before_it_leaves() -> None:
    async with driven([job("op_a", Phase.FAILED)], [exchange("op_a")], size=(100, 40)) as run:
        await run.press("Y")
        await run.shows("Ticket for op_a")
        await run.shows("## Support ticket")
        await run.shows("y copy  s save  n note  i with result  esc back")
        await run.press("G")
        await run.shows("Created by jobdeck 1.2.3")
        await run.press("escape")
        assert not isinstance(run.app.screen, TicketScreen)
        assert run.clipboard.sent == []


async def test_a_note_goes_into_the_ticket() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("Y", "n", *"it hangs", "escape")
        await run.until(lambda: "it hangs" in run.app.screen.query_one(Document).text)
        await run.press("y")
        await run.until(lambda: bool(run.clipboard.sent))
        assert "```text\nit hangs\n```" in run.clipboard.sent[0]
        assert run.session.tickets[-1] == ((key("op_a"),), "it hangs", False)


async def test_a_note_is_kept_with_its_job_for_the_next_ticket() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("Y", "n", *"it hangs", "escape", "escape")
        await run.until(lambda: run.session.notes == {key("op_a"): "it hangs"})
        await run.press("Y")
        await run.until(lambda: "it hangs" in run.app.screen.query_one(Document).text)
        await run.press("n")
        await run.press(*" still", "escape", "y")
        await run.until(lambda: bool(run.clipboard.sent))
        assert "```text\nit hangs still\n```" in run.clipboard.sent[0]
        assert run.session.notes == {key("op_a"): "it hangs still"}


async def test_a_note_that_is_left_for_another_place_by_a_click_is_in_the_ticket() -> None:
    async with driven([job("op_a")]) as run:
        await run.press("Y", "n", *"it hangs")
        await run.pilot.click(Document)
        await run.press("y")
        await run.until(lambda: bool(run.clipboard.sent))
        assert "it hangs" in run.clipboard.sent[0]


async def test_the_result_goes_in_only_when_asked_for() -> None:
    async with driven([job("op_a", Phase.SUCCEEDED, result='{"email": "someone@example.com"}')]) as run:
        await run.press("Y")
        await run.until(lambda: "Request ID of" in run.app.screen.query_one(Document).text)
        assert "someone@" not in run.app.screen.query_one(Document).text
        await run.press("i")
        await run.until(lambda: "someone@" in run.app.screen.query_one(Document).text)
        await run.press("y")
        await run.until(lambda: bool(run.clipboard.sent))
        assert "someone@" in run.clipboard.sent[0]


@pytest.mark.posix
async def test_a_ticket_can_be_saved_where_only_its_owner_reads_it(tmp_path: Path) -> None:
    async with driven([job("op_a")]) as run:
        await run.press("Y", "s")
        await run.until(lambda: bool(toasts(run.app)))
        (path,) = tmp_path.iterdir()
        assert path.name == "jobdeck-ticket-for-op_a-20260428T140200Z.md"
        assert path.stat().st_mode & 0o777 == 0o600
        assert "- Job: `op_a`" in path.read_text()
        assert toasts(run.app)[0].startswith(str(path))
        assert isinstance(run.app.screen, TicketScreen), "its keys are not those of the deck behind it"
        await run.shows("y copy  s save  n note")
        await run.press("s")
        await run.until(lambda: len(list(tmp_path.iterdir())) == 2)


async def test_what_is_saved_from_a_folder_that_is_gone_is_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "gone").rmdir()
    assert (await save("text", "x", 0)).parent == tmp_path


async def test_a_ticket_too_big_for_the_clipboard_becomes_a_file(tmp_path: Path) -> None:
    async with driven([job("op_a")]) as run:
        run.clipboard.error = TooBigError("70000 bytes is more than a terminal accepts")
        await run.press("Y", "y")
        await run.until(lambda: len(toasts(run.app)) == 2)
        assert len(list(tmp_path.iterdir())) == 1


async def test_a_ticket_that_cannot_be_made_is_said_to_be_so() -> None:
    async with driven([job("op_a")]) as run:
        run.session.ticket_error = StoreClosedError("the store is closed")
        await run.press("Y", "y")
        await run.until(lambda: "could not create the ticket: the store is closed" in toasts(run.app))
        assert run.clipboard.sent == []
        await run.press("escape")
        assert not isinstance(run.app.screen, TicketScreen)


async def test_without_a_job_there_is_no_ticket_and_no_curl() -> None:
    async with driven() as run:
        await run.press("Y", "c")
        assert [text.split(":")[0] for text in toasts(run.app)] == ["no ticket", "no curl command"]


async def test_c_sends_the_request_as_a_curl_line_with_variables_for_secrets() -> None:
    looks = [exchange("op_a", 4), exchange("op_a", 9, url="https://developer.thehog.ai/api/operations/older")]
    async with driven([job("op_a")], looks) as run:
        await run.press("c", "tab", "tab", "j", "c")
        header = '-H "X-Access-Key: $THE_HOG_ACCESS_KEY"'
        assert run.clipboard.sent == [
            f"curl -sS {header} https://developer.thehog.ai/api/operations/op_a",
            f"curl -sS {header} https://developer.thehog.ai/api/operations/older",
        ]


async def test_what_was_sent_can_be_seen_again_with_the_mouse_lent_to_the_terminal() -> None:
    async with driven([job("op_a")]) as run:
        written: list[str] = []
        run.app._driver.write = written.append  # type: ignore[union-attr, method-assign, assignment] - there is one
        await run.press("C")
        assert toasts(run.app) == ["nothing sent to the clipboard yet"]
        await run.press("y", "C")
        await run.until(lambda: isinstance(run.app.screen, CopiedTextScreen))
        await run.shows(UUID)
        assert "\x1b[?1000l" in "".join(written)
        await run.press("y")
        assert run.clipboard.sent == [UUID, UUID]
        await run.press("escape")
        await run.until(lambda: "\x1b[?1000h" in "".join(written))
        assert not isinstance(run.app.screen, CopiedTextScreen)


async def test_a_clipboard_that_fails_leaves_the_text_to_be_selected() -> None:
    async with driven([job("op_a")]) as run:
        run.clipboard.error = ClipboardError("tmux failed with code 1")
        await run.press("y", "C")
        assert toasts(run.app)[0].startswith(
            "request ID of op_a (latest poll) not sent to the clipboard: tmux failed with code 1"
        )
        await run.shows(UUID)


async def test_the_trace_of_a_job_that_is_gone_lends_its_ids_to_no_other() -> None:
    looks = [exchange("op_a", 4, request_id="of-a"), exchange("op_b", 4, request_id="of-b")]
    async with driven([job("op_a", request_id="of-a"), job("op_b", request_id="of-b")], looks) as run:
        await run.press("tab", "tab")
        selected = run.app.deck._jobs.selected
        assert selected is not None
        run.engine.put(removed=[selected])
        press_without_waiting(run, "y")
        await run.until(lambda: bool(run.clipboard.sent))
        left = next(iter(run.engine.jobs))
        assert run.clipboard.sent in (["of-" + left.id[-1]], ["of-" + selected.id[-1]])
        run.clipboard.sent.clear()
        await run.until(lambda: run.app.deck.deck_state.table.total == 1)
        await run.press("y")
        assert run.clipboard.sent == ["of-" + left.id[-1]]


async def test_a_copy_that_was_asked_for_waits_for_the_ticket_that_is_made_anew() -> None:
    async with driven([job("op_a", Phase.SUCCEEDED, result='{"email": "someone@example.com"}')]) as run:
        run.session.ticket_gate.clear()
        await run.press("Y", "y", "i")
        run.session.ticket_gate.set()
        await run.until(lambda: bool(run.clipboard.sent))
        assert "someone@" in run.clipboard.sent[0]
        await run.until(lambda: not isinstance(run.app.screen, TicketScreen))


async def test_a_note_that_was_faster_than_the_kept_one_stays() -> None:
    class Slow(FakeSession):
        async def note(self, keys: Sequence[JobKey]) -> str:
            await read.wait()
            return "an older one"

        async def save_note(self, keys: Sequence[JobKey], note: str, instead_of: str) -> None:
            """Keep nothing, as for a browser."""

    read = asyncio.Event()
    session = Slow(FakeEngine(clock_at_noon(), [job("op_a")]))
    draft = TicketDraft(session, (key("op_a"),))
    recalling = asyncio.create_task(draft.note())
    await asyncio.sleep(0)
    draft.save_note("a newer one")
    read.set()
    assert await recalling == "an older one"
    assert "a newer one" in await draft.render(include_result=False)
