"""A screen that may only be read: what changes anything is not there, and a key for it says why."""

from jobdeck.app.session import ReadOnly
from jobdeck.tui.actions import ACTIONS, Mode, actions_in
from tests.tui.drive import driven, toasts
from tests.tui.fake import FakeEngine, FakeSession
from tests.tui.world import clock_at_noon, job


async def test_nothing_can_be_changed_where_the_session_is_locked_and_keys_say_so() -> None:
    session = FakeSession(FakeEngine(clock_at_noon(), [job("op_a"), job("op_b")]))
    session.access = ReadOnly("read-only: somebody else's screen")
    changing = [action for action in ACTIONS if action.changes]
    assert {"refresh", "remove", "add", "pause", "acknowledge", "notify_end"} <= {action.name for action in changing}
    async with driven(session=session, size=(200, 24)) as run:
        session.engine.asked.clear()
        for action in changing:
            run.app.clear_notifications()
            await run.press(action.keys[0])
            await run.until(lambda: toasts(run.app) == ["read-only: somebody else's screen"])
        assert set(session.engine.jobs) == {one.key for one in (job("op_a"), job("op_b"))}
        assert not session.engine.paused
        assert not {"poll_now", "poll_all_now"} & {what for what, _ in session.engine.asked}
        assert run.app.screen is run.app.deck, "a sheet for adding was opened"
        footer = run.text.splitlines()[-1]
        assert " y copy ID" in footer
        assert " a add" not in footer
        await run.press("question_mark")
        await run.until(lambda: run.app.screen is not run.app.deck)
        assert "stop watching it" not in run.text
        await run.press("escape", "j", "y")
        await run.until(lambda: bool(toasts(run.app)))
        assert "read-only" not in toasts(run.app)[-1]


def test_what_only_reads_is_there_when_locked() -> None:
    left = {action.name for action in actions_in(Mode(read_only=True))}
    assert {"copy_id", "ticket", "filter", "sort", "help", "quit"} <= left
