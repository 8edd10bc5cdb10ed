"""The main screen: the list, the selected job and its trace, kept up to date with the engine, and its keys."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen

from jobdeck.app.session import Attention, OpenEngine, Preference, ReadOnly, Session, SessionControls, save_preference
from jobdeck.domain.job import Job
from jobdeck.engine.subscription import ChangeSet
from jobdeck.tui.actions import ACTIONS, Group, Mode, actions_in, bindings, is_available
from jobdeck.tui.add_actions import AddActions
from jobdeck.tui.cancel_actions import CancelActions
from jobdeck.tui.clipboard import ClipboardService, ClipboardWriter
from jobdeck.tui.copy_actions import CopyActions
from jobdeck.tui.deck_state import DeckServices, DeckState
from jobdeck.tui.engine_actions import EngineActions
from jobdeck.tui.export import BodySaver, Save, save
from jobdeck.tui.export_actions import ExportActions
from jobdeck.tui.footer_keys import footer_view
from jobdeck.tui.group_actions import ErrorGroups, GroupActions
from jobdeck.tui.grouping import batch_filter
from jobdeck.tui.job_actions import JobActions
from jobdeck.tui.marks import UndoStack
from jobdeck.tui.notifications import EndNotifications, SessionNotices
from jobdeck.tui.palette import open_palette
from jobdeck.tui.program_keys import ProgramKeys
from jobdeck.tui.render.columns import Name
from jobdeck.tui.render.help import help_sections
from jobdeck.tui.render.spans import Line
from jobdeck.tui.screens.columns import ColumnsScreen
from jobdeck.tui.screens.help import HelpScreen
from jobdeck.tui.screens.profiles import ProfilesScreen
from jobdeck.tui.screens.views import ViewsScreen
from jobdeck.tui.terminal_title import TerminalTitle
from jobdeck.tui.theme import ThemePreference
from jobdeck.tui.widgets.filter_bar import FilterBar
from jobdeck.tui.widgets.job_list import JobList
from jobdeck.tui.widgets.list_pane import ListPane
from jobdeck.tui.widgets.panes import STEP, Panes
from jobdeck.tui.widgets.static import Footer, GroupStrip, TabRule, TopLines
from jobdeck.tui.widgets.trace import Trace
from jobdeck.tui.widgets.tree_pane import TreePane

OWN_KEYS = {Group.MOVE, Group.REPLAY}
"""Groups whose keys are bound elsewhere: by the panes, and by the replay."""

THEME_SECONDS = 1.5
"""Short, so that cycling through the themes does not pile up notifications."""


class Deck(Screen[None]):
    """Draws the engine's changes, and runs the actions of keys."""

    AUTO_FOCUS = "JobList"
    TEXT_KEYS: ClassVar[str] = "/:a"
    """Keys that open an input, so that a burst after one may be text."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(*(group for group in Group if group not in OWN_KEYS))

    def __init__(
        self, session: Session, write_clipboard: ClipboardWriter, write: Callable[[str], object], save: Save = save
    ) -> None:
        super().__init__(classes="-empty")  # as it begins: else all widgets are styled twice, 5 ms
        self._session = session
        self._read_only_reason = session.access.reason if isinstance(session.access, ReadOnly) else ""
        self._controls: SessionControls | None = None if isinstance(session.access, ReadOnly) else session.access
        self._attention: Attention | None = None
        self._notifications = EndNotifications(write, self._say)
        self._title = TerminalTitle(write)
        if self._controls is not None:
            self._controls.on_jobs_ended(self._notifications.on_jobs_ended, partial(self._say, warn=True))
        self._state = DeckState(session.profiles, read_only=self._controls is None, meanings=session.meanings)
        clipboard = ClipboardService(write_clipboard, session.clock, self._say, save)
        services = DeckServices(session, self._state, clipboard, save, self._say, self._push, self.run_worker)
        self._saver = BodySaver(session.clock, save, self._say)
        self._copy = CopyActions(services)
        self._failure: str | None = None
        self.saved_jobs: Sequence[Job] | None = None  # what the first frame shows; None while they are being loaded
        self._notices = SessionNotices(self, session)
        self._top, self._footer = TopLines(session, self._state), Footer()
        self._engine = EngineActions(self._state, session.clock)
        self._exporting = ExportActions(services)
        self._theme = ThemePreference(self, session)
        undo = UndoStack()
        keep = partial(save_preference, session)
        self._list_pane = ListPane(self._state, session.clock, undo, keep)
        self._groups = ErrorGroups(self._state, self._list_pane)
        now, save_split = session.clock.now(), partial(keep, Preference.SPLIT)
        self._panes = Panes(self._state, self._list_pane, now, save_split, self._draw_frame)
        self._jobs = self._panes.jobs
        self._job_actions = JobActions(self._state, self._jobs, undo, self._notifications, self._draw_marks)
        self._cancelling = CancelActions(services, self._job_actions.clear_marks)
        self._group_actions = GroupActions(services, self._list_pane, self._job_actions, self._groups, self._copy)
        self.programs = ProgramKeys(self._controls)
        self._adding = AddActions(services, self._controls)

    @property
    def profile_names(self) -> Sequence[str]:
        """The names that may start a target."""
        return self._session.profiles

    @property
    def mode(self) -> Mode:
        """What kind of session this is."""
        return Mode(read_only=self._controls is None, replay=bool(self._state.replay), browser=self.app.is_web)

    @property
    def deck_state(self) -> DeckState:
        """The state behind the deck."""
        return self._state

    def compose(self) -> ComposeResult:
        """Lay out header, panes and footer."""
        yield from (*self._top, self._panes, self._footer)

    def on_mount(self) -> None:
        """Draw the deck before the engine is open."""
        self._jobs.when_empty(self._empty_lines)
        if self.saved_jobs is not None:
            self.show_saved_jobs(self.saved_jobs)
        self._draw_frame()
        self._draw_selected()
        self._notices.show()

    # Called by the app.

    def show_saved_jobs(self, jobs: Sequence[Job]) -> None:
        """Show saved jobs until the engine reports all jobs."""
        self._restore_preferences()
        if jobs:
            self.draw(ChangeSet(tuple(jobs)))

    def attach(self, engine: OpenEngine) -> None:
        """Connect the engine after it was opened."""
        self._state.engine, self._state.controls = engine.view, engine.controls
        self._attention = engine.attention
        self._notices.show()
        self._jobs.when_empty(self._empty_lines)
        self.set_user_present(present=not self._state.unfocused)
        if self._attention is not None:
            self._attention.set_selected(self._jobs.selected)
            self._attention.set_visible(self._jobs.visible_keys)

    def draw(self, batch: ChangeSet) -> None:
        """Draw a batch of changes."""
        now = self._session.clock.now()
        update = self._state.apply(batch, now)
        if self._controls is not None:
            self._controls.run_hooks(batch, self._notifications.wanted)
        self._jobs.sync(now, settled=self._state.settled)
        self._job_actions.apply(batch.removed)
        self._see_failures()
        selected = self._jobs.selected
        if selected in update.changed or any(exchange.job == selected for exchange in batch.exchanges):
            self._draw_selected()
        self._draw_frame()
        self._adding.check_empty(self._jobs, self._empty_lines)

    def tick(self) -> None:
        """Update what changed because a second passed."""
        self._draw_moment()
        if not (self.app.is_headless or self.app.is_web):
            self._title.show(*self._state.totals, paused=self._state.paused)

    def set_user_present(self, *, present: bool) -> None:
        """Set whether the terminal has the focus."""
        if self._attention is not None:
            self._attention.set_user_present(present=present)
        self._state.unfocused = not present
        self._draw_frame()

    def fail(self, reason: str) -> None:
        """Show that the engine stopped, and that the data is old."""
        self._failure = reason
        self._jobs.when_empty(self._empty_lines)
        self._draw_frame()

    def pin_selection(self, action: str) -> None:
        """Make the selection stick to its job, whatever becomes more urgent: `action` is meant for that job."""
        self._jobs.pin_selection()

    # Messages of widgets.

    @on(JobList.Selected)
    def job_selected(self, message: JobList.Selected) -> None:
        """Show the selected job, and poll it more often."""
        if self._attention is not None:
            self._attention.set_selected(message.key)
        self._draw_selected()

    @on(JobList.VisibleRowsChanged)
    def visible_rows_changed(self, message: JobList.VisibleRowsChanged) -> None:
        """Poll the rows on the screen before the others."""
        if self._attention is not None:
            self._attention.set_visible(message.keys)
        self._see_failures()

    @on(JobList.Opened)
    def job_opened(self) -> None:
        """Move to the job."""
        self._panes.open_next()

    @on(GroupStrip.Chosen)
    def group_chosen(self, message: GroupStrip.Chosen) -> None:
        """Filter by the clicked state or error, or clear that filter."""
        self._say(self._groups.toggle(message.filter))

    @on(TabRule.Chosen)
    def tab_chosen(self, message: TabRule.Chosen) -> None:
        """Show the clicked tab."""
        self._panes.detail.turn_to(message.tab)
        self._draw_tab()

    @on(TreePane.ValueOpened)
    async def value_opened(self, message: TreePane.ValueOpened) -> None:
        """Show a value of the result in full."""
        if self.is_current:  # a key pressed twice
            await self._copy.show_value(message.label, message.text)

    @on(Trace.Opened)
    async def exchange_opened(self, message: Trace.Opened) -> None:
        """Show an exchange of the selected job."""
        if message.key == self._jobs.selected and self.is_current:
            await self._copy.exchange(message.key, message.exchange)

    @on(Footer.Chosen)
    async def key_chosen(self, message: Footer.Chosen) -> None:
        """Run the clicked action."""
        await self.run_action(message.action)

    def on_descendant_focus(self) -> None:
        """Update the titles and the footer for the focused pane."""
        self._draw_marks()

    async def on_key(self, event: events.Key) -> None:
        """Run the user's own key, or say why a key is unavailable."""
        if event.key in self.programs.keys:
            await self.run_action(f"program('{event.key}')")
        there = {key for action in actions_in(self.mode) for key in action.keys}
        missing = next((one for one in ACTIONS if event.key in one.keys and event.key not in there), None)
        if missing is not None and missing.saves:
            self._say("a browser view saves no files on the machine of jobdeck")
        elif missing is not None and missing.changes:
            self._say(self._read_only_reason)

    async def on_paste(self, event: events.Paste) -> None:
        """Offer to add targets that were pasted outside of an input."""
        event.stop()
        if self._read_only_reason or self._state.replay:
            self._say(self._read_only_reason or "not available in replay")
        elif event.text.strip():
            await self._adding.open_dialog(event.text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable actions that change something in a read-only session, and those of a replay outside of one."""
        return is_available(action, self.mode)

    # Panes.

    def action_next_pane(self) -> None:
        """Focus the next pane."""
        self._panes.step(1)

    def action_previous_pane(self) -> None:
        """Focus the previous pane."""
        self._panes.step(-1)

    def action_open(self) -> None:
        """Move from the list to the job, or from the job to its trace."""
        self._panes.open_next()

    def action_back(self) -> None:
        """Return to the list and end a zoom; on the list, clear the filter, then the marks."""
        if self._panes.zoomed is None and self.focused is self._jobs:
            if self._list_pane.is_filtered:
                self._list_pane.clear_filter()
            else:
                self._job_actions.clear_marks()
        self._panes.zoom(None)
        self._panes.focus_pane(self._jobs)

    def action_zoom(self) -> None:
        """Zoom the focused pane, or restore all panes."""
        self._panes.toggle_zoom()

    def action_next_tab(self) -> None:
        """Show the next tab."""
        self.action_tab()

    def action_previous_tab(self) -> None:
        """Show the previous tab."""
        self._panes.turn(-1)
        self._draw_tab()

    def action_tab(self, key: str = "") -> None:
        """Show a tab by its number, or the next one when the footer is clicked."""
        self._panes.turn_to(int(key)) if key else self._panes.turn(1)
        self._draw_tab()

    def action_grow(self) -> None:
        """Enlarge the list."""
        self._panes.resize_list(STEP)

    def action_shrink(self) -> None:
        """Shrink the list."""
        self._panes.resize_list(-STEP)

    def action_next_match(self) -> None:
        """Go to the next match of the search."""
        self._panes.find_next()

    def action_save_body(self) -> None:
        """Save the latest response body in full."""
        job = self._state.job(self._jobs.selected)
        saving = self._saver.save(job, self._panes.detail.body, self._state.controls)
        self.run_worker(saving, name="save", group=f"save {job.key if job is not None else ''}", exclusive=True)

    # The list.

    def action_filter(self) -> None:
        """Edit the filter of the list, or, in a result, the search."""
        if self._panes.searches_result:
            self._panes.search_bar.open()
            return
        if self._panes.zoomed is not self._jobs:
            self._panes.zoom(None)
        self._list_pane.open_filter()

    def action_problems(self) -> None:
        """Toggle between only problems and all jobs."""
        self._list_pane.toggle_problems()

    def action_same_error(self) -> None:
        """Show only the jobs with the same error as the selected one."""
        self._say(self._groups.show_same(self._jobs.selected))

    def action_next_error(self) -> None:
        """Show only the jobs with the most common error, then those with the next one, finally all again."""
        self._say(self._groups.show_next())

    async def action_groups(self) -> None:
        """Show the jobs in groups."""
        await self._group_actions.open(self.app.push_screen)

    def action_newest_failure(self) -> None:
        """Select the job that failed last, or, if it is selected, the one that failed before it."""
        key = self._state.next_failure(self._jobs.selected)
        self._say(self._list_pane.reveal(key) if key is not None else "no job has failed")

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._list_pane.sort_by_next()

    def action_sort_by(self, column: str) -> None:
        """Sort by a column; if it is the current one, reverse the order."""
        self._list_pane.sort_by(Name(column))

    async def action_columns(self) -> None:
        """Open the sort menu."""
        await self._push(ColumnsScreen(self._list_pane))

    async def action_views(self) -> None:
        """Open the saved views."""
        await self._push(ViewsScreen(self._list_pane, self.action_undo))

    def action_wide(self) -> None:
        """Toggle between all columns and the columns that fit the width."""
        wide = self._list_pane.toggle_wide()
        self._say("all columns that fit" if wide else "columns fitted to the width")

    async def action_export(self) -> None:
        """Ask for a format, and export the listed jobs to a file."""
        await self._exporting.open_dialog()

    def action_reverse(self) -> None:
        """Reverse the sort order."""
        self._list_pane.reverse()

    async def action_profiles(self) -> None:
        """Open the profile menu."""
        await self._push(ProfilesScreen(self._state, self._list_pane))

    def action_mark(self) -> None:
        """Toggle the mark of the selected job, and move to the next."""
        self._job_actions.mark()

    def action_mark_all(self) -> None:
        """Clear all marks, or, if there are none, mark every job shown."""
        self._job_actions.mark_all()

    # Clipboard, tickets and notifications.

    def action_copy_id(self) -> None:
        """Copy the selected value, the selected exchange's ID, or the IDs of the marked or selected jobs."""
        if (value := self._panes.selected_value) is not None:
            self.run_worker(self._copy.value(*value), group="clipboard")
            return
        self.run_worker(
            self._copy.request_ids(self._job_actions.chosen_jobs, self._panes.selected_exchange), group="clipboard"
        )

    def action_copy_curl(self) -> None:
        """Copy the request of the selected exchange, or a poll of the selected job, as a curl command."""
        job = self._state.job(self._jobs.selected)
        about = self._panes.selected_exchange or (job.target if job is not None else None)
        self.run_worker(self._copy.curl(about), group="clipboard")

    async def action_ticket(self) -> None:
        """Create one ticket for the marked jobs, or the jobs with the shown error, or the selected job."""
        keys, message = self._groups.jobs_for_ticket(self._job_actions.marks)
        self._say(message)
        await self._copy.ticket(keys)

    async def action_show_clipboard(self) -> None:
        """Show the text that was sent to the clipboard last."""
        await self._copy.show_clipboard()

    def action_notify_end(self) -> None:
        """Toggle notifications for the marked jobs, or else the selected one."""
        self._say(self._job_actions.notify())
        self._draw_titles()

    def action_notify_all(self) -> None:
        """Toggle notifications for every job."""
        self._say(self._job_actions.notify_all())
        self._draw_titles()

    # Polling, and the watch list.

    def action_refresh(self) -> None:
        """Poll the marked jobs, or else the selected one, now."""
        self._say(self._engine.poll_now(self._job_actions.marked_or_selected))

    def action_refresh_all(self) -> None:
        """Poll every unfinished job."""
        self._say(self._engine.poll_all_now())

    def action_pause(self) -> None:
        """Pause or resume polling."""
        self._say(self._engine.toggle_pause())
        self._draw_selected()
        self._draw_frame()

    async def action_add(self) -> None:
        """Add targets."""
        await self._adding.open_dialog()

    async def action_discover(self) -> None:
        """List the jobs that the APIs started recently, and add the chosen ones."""
        await self._adding.discover()

    async def action_last_list(self) -> None:
        """Add the jobs of the last watch list."""
        await self._adding.open_last()
        self._notices.show()

    def action_remove(self) -> None:
        """Stop watching the marked jobs, or else the selected one."""
        self._say(self._job_actions.remove())

    async def action_cancel_jobs(self) -> None:
        """Confirm, then cancel the marked jobs, or else the selected one, at the server."""
        await self._cancelling.open_dialog(self._job_actions.marked_or_selected)

    def action_acknowledge(self) -> None:
        """Acknowledge or unacknowledge the marked jobs, or else the selected one."""
        self._say(self._job_actions.acknowledge())

    def action_undo(self) -> None:
        """Undo the latest change."""
        self._say(*self._job_actions.undo())

    def action_theme(self) -> None:
        """Switch to the next theme."""
        self.notify(self._theme.use_next(), timeout=THEME_SECONDS, markup=False)

    def action_use_theme(self, name: str) -> None:
        """Switch to a theme, and save the choice."""
        self._theme.use(name)

    async def action_help(self) -> None:
        """Show the help."""
        sections = help_sections(self._panes.focused, self.mode)
        await self._push(HelpScreen([*sections[:2], *self.programs.help, *sections[2:]]))

    def action_program(self, key: str) -> None:
        """Run the user's program for the marked jobs, or else for the selected one."""
        self._say(self.programs.run(key, self._job_actions.chosen_jobs))

    async def action_palette(self) -> None:
        """Show the command palette."""
        await open_palette(self.app)

    async def action_mouse(self) -> None:
        """Take the mouse, or leave it to the terminal."""
        await self.app.run_action("mouse")

    async def action_suspend(self) -> None:
        """Suspend to the shell."""
        await self.app.run_action("suspend")

    async def action_quit(self) -> None:
        """Quit."""
        await self.app.run_action("quit")

    # Drawing.

    def _draw_selected(self) -> None:
        self._panes.draw_selected(self._session.clock.now(), self._job_actions.note)
        self._engine.fetch_shown(self._jobs.selected, self._panes.detail.tab)

    def _see_failures(self) -> None:
        """Mark the failures in view as seen."""
        if self._panes.zoomed in (None, self._jobs) and not self._state.unfocused:
            self._state.new_failures.mark_seen(self._jobs.visible_keys)

    def _draw_titles(self) -> None:
        self._panes.draw_titles(self._session.clock.now(), self._job_actions.note)

    def _draw_frame(self) -> None:
        self.set_class(not self._state.table.total, "-empty")
        self._list_pane.draw_filter()
        self._top.draw(self.size.height, self._list_pane.filter_text, self._failure, self.mode)
        self._draw_footer()

    def _draw_tab(self) -> None:
        self._draw_titles()
        self._engine.fetch_shown(self._jobs.selected, self._panes.detail.tab)
        self._draw_footer()

    def _draw_marks(self) -> None:
        self._draw_titles()
        self._draw_footer()

    def _draw_footer(self) -> None:
        typed = next((bar for bar in self._bars if bar.editing), None)
        if typed is not None:
            self._footer.show_keys(typed.keys)
        else:
            self._footer.show(footer_view(self._panes, self._job_actions, self._labels, self.mode))

    def _draw_moment(self, *, resort: bool = False) -> None:
        """Draw everything that depends on the time; with `resort`, re-sort the rows now, not every few seconds."""
        self._list_pane.tick(resort=resort)
        self._draw_selected()
        self._draw_frame()

    def _empty_lines(self, width: int) -> Sequence[Line]:
        return self._adding.empty_lines(self._failure, width)

    def _say(self, message: str, warn: bool = False) -> None:
        if message:
            self.notify(message, severity="warning" if warn else "information", markup=False)

    async def _push(self, screen: ModalScreen[None]) -> None:
        await self.app.push_screen(screen)

    @property
    def _bars(self) -> tuple[FilterBar, ...]:
        """The input lines."""
        return self._list_pane.filter_bar, self._panes.search_bar

    @property
    def _labels(self) -> dict[str, str]:
        """Actions that have another name at the moment."""
        return {"pause": "resume"} if self._state.paused else {}

    def _restore_preferences(self) -> None:
        """Restore the saved view of the deck, with a message if the order is not by urgency."""
        self._say(self._list_pane.restore(self._session.preferences))
        self._panes.restore_split(self._session.preferences.get(Preference.SPLIT, ""))
        self._theme.restore()
        if self._session.batch:
            self._list_pane.filter_by(batch_filter(self._session.batch))
