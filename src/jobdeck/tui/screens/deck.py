"""The main screen: the list, the selected job and its trace in step with the engine, and all that keys do there."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen

from jobdeck.app.session import Attention, OpenEngine, Preference, ReadOnly, Session, SessionControls, save_preference
from jobdeck.domain.job import Job
from jobdeck.domain.text import one_line
from jobdeck.engine.subscription import ChangeSet
from jobdeck.tui.actions import ACTIONS, Action, Group, actions_when, bindings, is_available
from jobdeck.tui.add_actions import AddActions
from jobdeck.tui.cancel_actions import CancelActions
from jobdeck.tui.clipboard import ClipboardService, ClipboardWriter
from jobdeck.tui.copy_actions import CopyActions
from jobdeck.tui.deck_state import DeckState
from jobdeck.tui.engine_actions import EngineActions
from jobdeck.tui.error_groups import ErrorGroups
from jobdeck.tui.export import BodySaver, Save, save
from jobdeck.tui.export_actions import ExportActions
from jobdeck.tui.footer_keys import footer_view
from jobdeck.tui.group_actions import GroupActions
from jobdeck.tui.grouping import batch_filter
from jobdeck.tui.job_actions import JobActions
from jobdeck.tui.marks import UndoStack
from jobdeck.tui.notifications import EndNotifications, SessionNotices
from jobdeck.tui.palette import open_palette
from jobdeck.tui.program_keys import ProgramKeys
from jobdeck.tui.render.columns import Name
from jobdeck.tui.render.frame import banner_lines
from jobdeck.tui.render.header import header_line
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
from jobdeck.tui.widgets.job_pane import JobPane
from jobdeck.tui.widgets.panes import Panes
from jobdeck.tui.widgets.split import STEP
from jobdeck.tui.widgets.static import Banner, Footer, GroupStrip, Header, TabRule
from jobdeck.tui.widgets.trace import Trace
from jobdeck.tui.widgets.tree_pane import TreePane

STRIP_FROM = 16
"""Lines of a screen from which on states and errors have a line of their own."""

OWN_KEYS = {Group.MOVE, Group.REPLAY}
"""The groups whose keys others bind: what they move in, and a replay."""

THEME_SECONDS = 1.5
"""Gone before the next but one: who goes through all themes looks at the screen, not at a pile of notices."""


class Deck(Screen[None]):
    """Draws what the engine tells, and does what the keys ask for."""

    AUTO_FOCUS = "JobList"
    TEXT_KEYS: ClassVar[str] = "/:a"
    """The keys that ask for a text, so that what comes together with one may be typed."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings(*(group for group in Group if group not in OWN_KEYS))

    def __init__(
        self, session: Session, put: ClipboardWriter, write: Callable[[str], object], save: Save = save
    ) -> None:
        super().__init__()
        self._session = session
        self._read_only = session.access.reason if isinstance(session.access, ReadOnly) else ""
        self._controls: SessionControls | None = None if isinstance(session.access, ReadOnly) else session.access
        self._attention: Attention | None = None
        self._saver = BodySaver(session.clock, save, self._say)
        clipboard = ClipboardService(put, session.clock, self._say, save)
        self._copy = CopyActions(session, clipboard, self._say, self._push)
        self._notifications = EndNotifications(write, self._say)
        self._title = TerminalTitle(write)
        if self._controls is not None:
            self._controls.on_jobs_ended(self._notifications.on_jobs_ended, partial(self._say, warn=True))
        self._state = DeckState(session.profiles, locked=bool(self._read_only), meanings=session.meanings)
        self._failure: str | None = None
        self._notices = SessionNotices(self, session)
        self._header, self._strip, self._banner, self._footer = Header(), GroupStrip(), Banner(), Footer()
        self._engine = EngineActions(self._state, session.clock)
        self._exporting = ExportActions(self._state, session.clock, save, self._say, self._push)
        self._theme = ThemePreference(self, session)
        undo = UndoStack()
        keep = partial(save_preference, session)
        self._job_pane = JobPane(self._state, session.clock, undo, keep)
        self._groups = ErrorGroups(self._state, self._job_pane)
        self._panes = Panes(self._state, self._job_pane, session.clock.now(), partial(keep, Preference.SPLIT))
        self._jobs = self._panes.jobs
        self._job_actions = JobActions(self._state, self._jobs, undo, self._notifications, self._draw_marks)
        self._cancelling = CancelActions(self._state, self._say, self._push, self._job_actions.clear_marks)
        self._group_actions = GroupActions(self._job_pane, self._job_actions, self._groups, self._copy, self._say)
        self.programs = ProgramKeys(self._controls)
        self._adding = AddActions(session, self._controls, self._state, say=self._say, push=self._push)

    @property
    def profile_names(self) -> Sequence[str]:
        """The names that a target may begin with."""
        return self._session.profiles

    @property
    def deck_state(self) -> DeckState:
        """What the deck knows."""
        return self._state

    def compose(self) -> ComposeResult:
        """Lay out header, panes and footer."""
        yield self._header
        yield self._strip
        yield self._banner
        yield self._panes
        yield self._footer

    def on_mount(self) -> None:
        """Draw the deck as it is before the engine is there."""
        self._jobs.when_empty(self._empty_lines)
        self._draw_frame()
        self._draw_selected()
        self._notices.show()

    # What the app tells the deck.

    def show_remembered(self, jobs: Sequence[Job]) -> None:
        """Draw jobs as they are remembered, until the engine tells of all."""
        self._restore_choices()
        if jobs:
            self.draw(ChangeSet(tuple(jobs)))

    def attach(self, engine: OpenEngine) -> None:
        """Take the engine that has been opened."""
        self._state.engine, self._state.controls = engine.view, engine.controls
        self._attention = engine.attention
        self._notices.show()
        self._jobs.when_empty(self._empty_lines)
        self.attend(present=not self._state.unfocused)
        if self._attention is not None:
            self._attention.set_selected(self._jobs.selected)
            self._attention.set_visible(self._jobs.viewed)

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
        """Draw what reads differently because a second has passed."""
        self._draw_moment()
        if not (self.app.is_headless or self.app.is_web):
            self._title.show(*self._state.totals, paused=self._state.paused)

    def attend(self, *, present: bool) -> None:
        """Say whether somebody looks."""
        if self._attention is not None:
            self._attention.set_user_present(present=present)
        self._state.unfocused = not present
        self._draw_frame()

    def fail(self, reason: str) -> None:
        """Say that the engine has stopped: what is on the screen is the past."""
        self._failure = reason
        self._jobs.when_empty(self._empty_lines)
        self._draw_frame()

    def pin_selection(self, action: str) -> None:
        """Keep the job selected that is selected now, whatever needs a look more: `action` is meant for it."""
        self._jobs.hold()

    # What widgets tell the deck.

    @on(JobList.Selected)
    def job_selected(self, message: JobList.Selected) -> None:
        """Show the job that is selected, and have it polled more often."""
        if self._attention is not None:
            self._attention.set_selected(message.key)
        self._draw_selected()

    @on(JobList.Viewed)
    def rows_viewed(self, message: JobList.Viewed) -> None:
        """Have the rows on the screen polled before the others."""
        if self._attention is not None:
            self._attention.set_visible(message.keys)
        self._see_failures()

    @on(JobList.Opened)
    def job_opened(self) -> None:
        """Go into the job."""
        self._panes.open_next()

    @on(GroupStrip.Chosen)
    def group_chosen(self, message: GroupStrip.Chosen) -> None:
        """Show only the jobs of the state or the error that was clicked; all again when those are shown."""
        self._say(self._groups.toggle(message.filter))

    @on(TabRule.Chosen)
    def tab_chosen(self, message: TabRule.Chosen) -> None:
        """Show the tab that was clicked."""
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
            await self._copy.exchange(self._state, message.key, message.exchange)

    @on(Footer.Chosen)
    async def key_chosen(self, message: Footer.Chosen) -> None:
        """Do the action that was clicked."""
        await self.run_action(message.action)

    def on_descendant_focus(self) -> None:
        """Show which pane the keys are for, and what they do there."""
        self._draw_marks()

    async def on_key(self, event: events.Key) -> None:
        """Do what a key of the user's own is for, or say why a key does nothing here."""
        if event.key in self.programs.keys:
            await self.run_action(f"program('{event.key}')")
        missing = any(event.key in action.keys for action in ACTIONS if action.changes)
        if self._read_only and missing and not any(event.key in action.keys for action in self._actions):
            self._say(self._read_only)

    async def on_paste(self, event: events.Paste) -> None:
        """Offer to add what was pasted where there is no input for it."""
        event.stop()
        if self._read_only or self._state.replay:
            self._say(self._read_only or "not available in replay")
        elif event.text.strip():
            await self._adding.ask(event.text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what changes something where nothing can be changed, and what is only for a replay."""
        return is_available(action, locked=bool(self._read_only), replay=bool(self._state.replay))

    # Keys of the panes.

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self._panes.step(1)

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self._panes.step(-1)

    def action_open(self) -> None:
        """Go from the list into the job, and from the job to its trace."""
        self._panes.open_next()

    def action_back(self) -> None:
        """Go back to the list, and give every pane its place again; from the list clear the filter, then the marks."""
        if self._panes.zoomed is None and self.focused is self._jobs:
            if self._job_pane.is_filtered:
                self._job_pane.clear_filter()
            else:
                self._job_actions.clear_marks()
        self._panes.zoom(None)
        self._panes.focus_pane(self._jobs)

    def action_zoom(self) -> None:
        """Give the whole screen to the pane of the keys, and take it back."""
        self._panes.toggle_zoom()

    def action_next_tab(self) -> None:
        """Show the next tab."""
        self.action_tab()

    def action_previous_tab(self) -> None:
        """Show the tab before."""
        self._panes.turn(-1)
        self._draw_tab()

    def action_tab(self, key: str = "") -> None:
        """Show a tab by its number; without one the next."""
        self._panes.turn_to(int(key)) if key else self._panes.turn(1)
        self._draw_tab()

    def action_grow(self) -> None:
        """Give the list more of the screen."""
        self._panes.resize_list(STEP)

    def action_shrink(self) -> None:
        """Give the list less of the screen."""
        self._panes.resize_list(-STEP)

    def action_next_match(self) -> None:
        """Go to the next place that was looked for."""
        self._panes.find_next()

    def action_save_body(self) -> None:
        """Save the last body whole."""
        job = self._state.job(self._jobs.selected)
        saving = self._saver.save(job, self._panes.detail.body, self._state.controls)
        self.run_worker(saving, name="save", group=f"save {job.key if job is not None else ''}", exclusive=True)

    # Keys of the list.

    def action_filter(self) -> None:
        """Ask for a filter of the list where it can be seen, or in a result for what to look for."""
        if self._panes.searches_result:
            self._panes.search_bar.open()
            return
        if self._panes.zoomed is not self._jobs:
            self._panes.zoom(None)
        self._job_pane.open_filter()

    def action_faults(self) -> None:
        """Show only jobs in trouble, or all again."""
        self._job_pane.toggle_faults()

    def action_same_fault(self) -> None:
        """Show only the jobs that failed like the selected one."""
        self._say(self._groups.show_same(self._jobs.selected))

    def action_next_error(self) -> None:
        """Show only the jobs that failed with the most common error, then with the next one, then all again."""
        self._say(self._groups.show_next())

    async def action_groups(self) -> None:
        """Show the jobs in groups, and do what is chosen there."""
        await self._group_actions.open(self.app.push_screen, self._state, self._session.clock)

    def action_newest_failure(self) -> None:
        """Select the job that failed last; again, the one that failed before it."""
        key = self._state.next_failure(self._jobs.selected)
        self._say(self._job_pane.reveal(key) if key is not None else "no job has failed")

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._job_pane.sort_by_next()

    def action_sort_by(self, column: str) -> None:
        """Sort by a column of that name; by the one it is sorted by already, the other way round."""
        self._job_pane.sort_by(Name(column))

    async def action_columns(self) -> None:
        """Ask by which column to sort, and which columns there are to be."""
        await self._push(ColumnsScreen(self._job_pane))

    async def action_views(self) -> None:
        """Ask for one of the saved views, or save this one."""
        await self._push(ViewsScreen(self._job_pane, self.action_undo))

    def action_wide(self) -> None:
        """Have every column, or as many as suit the width."""
        wide = self._job_pane.toggle_wide()
        self._say("all columns that fit" if wide else "columns fitted to the width")

    async def action_export(self) -> None:
        """Ask for a format, and write the jobs that are shown to a file."""
        await self._exporting.ask(self.run_worker)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._job_pane.reverse()

    async def action_profiles(self) -> None:
        """Show only the jobs of one profile, or those of all."""
        await self._push(ProfilesScreen(self._state, self._job_pane))

    def action_mark(self) -> None:
        """Mark the selected job, or take its mark away, and go on to the next."""
        self._job_actions.mark()

    def action_mark_all(self) -> None:
        """Take every mark away, or, when there is none, mark every job that is shown."""
        self._job_actions.mark_all()

    # Keys that hand on what is known of the selected and the marked jobs.

    def action_copy_id(self) -> None:
        """Send the selected value, the ID of the selected exchange, or those of the marked or the selected jobs."""
        if (value := self._panes.selected_value) is not None:
            self.run_worker(self._copy.value(*value), group="clipboard")
            return
        self.run_worker(
            self._copy.request_ids(self._job_actions.chosen_jobs, self._panes.selected_exchange), group="clipboard"
        )

    def action_copy_curl(self) -> None:
        """Send the request of the selected exchange, or one about the job, to the clipboard as a line for a shell."""
        job = self._state.job(self._jobs.selected)
        about = self._panes.selected_exchange or (job.target if job is not None else None)
        self.run_worker(self._copy.curl(about), group="clipboard")

    async def action_ticket(self) -> None:
        """Show one ticket of the marked jobs, else of the error that is shown alone, else of the selected job."""
        keys, message = self._groups.jobs_for_ticket(self._job_actions.marks)
        self._say(message)
        await self._copy.ticket(keys)

    async def action_show_sent(self) -> None:
        """Show what was sent to the clipboard last."""
        await self._copy.sent()

    def action_call(self) -> None:
        """Be notified when the marked jobs, else the selected one, end."""
        self._say(self._job_actions.notify())
        self._draw_titles()

    def action_call_all(self) -> None:
        """Be notified of every job that ends."""
        self._say(self._job_actions.notify_all())
        self._draw_titles()

    # Keys that change what is watched and polled.

    def action_refresh(self) -> None:
        """Poll the marked jobs, else the selected one, now."""
        self._say(self._engine.poll_now(self._job_actions.marked_or_selected))

    def action_refresh_all(self) -> None:
        """Poll every unfinished job."""
        self._say(self._engine.poll_all_now())

    def action_pause(self) -> None:
        """Send nothing more, or go on."""
        self._say(self._engine.toggle_pause())
        self._draw_selected()
        self._draw_frame()

    async def action_add(self) -> None:
        """Ask for targets, and watch them."""
        await self._adding.ask()

    async def action_discover(self) -> None:
        """List what the APIs started lately, and watch what is chosen of it."""
        await self._adding.discover()

    async def action_last_list(self) -> None:
        """Watch the last watch list."""
        await self._adding.open_last()
        self._notices.show()

    def action_remove(self) -> None:
        """Stop watching the marked jobs, else the selected one."""
        self._say(self._job_actions.remove())

    async def action_cancel_jobs(self) -> None:
        """Ask whether to cancel the marked jobs, else the selected one, at the server."""
        await self._cancelling.ask(self._job_actions.marked_or_selected, self.run_worker)

    def action_acknowledge(self) -> None:
        """Acknowledge the problems of the marked jobs, else of the selected one, or raise them again."""
        self._say(self._job_actions.acknowledge())

    def action_undo(self) -> None:
        """Undo what a key did last."""
        self._say(*self._job_actions.undo())

    def action_theme(self) -> None:
        """Show everything in the next theme."""
        self.notify(self._theme.use_next(), timeout=THEME_SECONDS, markup=False)

    def action_use_theme(self, name: str) -> None:
        """Show everything in the theme of that name, next time too."""
        self._theme.use(name)

    async def action_help(self) -> None:
        """Show the help."""
        sections = help_sections(self._panes.focused, locked=bool(self._read_only), replay=bool(self._state.replay))
        await self._push(HelpScreen([*sections[:2], *self.programs.help, *sections[2:]]))

    def action_program(self, key: str) -> None:
        """Run a program of the user's own with the marked jobs, else with the selected one."""
        self._say(self.programs.run(key, self._job_actions.chosen_jobs))

    async def action_palette(self) -> None:
        """Show the palette."""
        await open_palette(self.app)

    async def action_mouse(self) -> None:
        """Use the mouse, or leave it to the terminal."""
        await self.app.run_action("mouse")

    async def action_suspend(self) -> None:
        """Go back to the shell."""
        await self.app.run_action("suspend")

    async def action_quit(self) -> None:
        """Quit."""
        await self.app.run_action("quit")

    # Drawing.

    def _draw_selected(self) -> None:
        self._panes.draw_selected(self._session.clock.now(), self._job_actions.note)
        self._engine.fetch_shown(self._jobs.selected, self._panes.detail.tab)

    def _see_failures(self) -> None:
        """Note which failures are in view: they are news no more."""
        if self._panes.zoomed in (None, self._jobs) and not self._state.unfocused:
            self._state.new_failures.mark_seen(self._jobs.viewed)

    def _draw_titles(self) -> None:
        self._panes.draw_titles(self._session.clock.now(), self._job_actions.note)

    def _draw_frame(self) -> None:
        self.set_class(not self._state.table.total, "-empty")
        self._job_pane.draw_filter()
        now = self._session.clock.now()
        overview = self._state.overview(now, self._session.reading)
        below = self.size.height >= STRIP_FROM and bool(self._state.table.total)
        self._strip.display = below
        groups, new = self._state.faults.by_error(), len(self._state.new_failures)
        self._strip.show(self._state.table.counts, groups, self._job_pane.filter_text, new)
        self._header.show_lines(lambda width: (header_line(overview, width, strip_below=below),))
        halted = self._state.engine.halted() if self._state.engine is not None else {}
        unreachable = self._state.unreachable_profiles()
        failure, error = self._failure, one_line(self._session.storage_error)
        fixed = bool(self._read_only or self._state.replay)
        self._banner.show_lines(
            lambda width: banner_lines(width, halted, unreachable, now, failure, storage_error=error, locked=fixed)
        )
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
            self._footer.say(typed.keys)
        else:
            locked, replay = bool(self._read_only), bool(self._state.replay)
            self._footer.show(footer_view(self._panes, self._job_actions, self._labels, locked=locked, replay=replay))

    def _draw_moment(self, *, resort: bool = False) -> None:
        """Draw the present moment; with `resort` rows go where they belong now, however short a while they stood."""
        self._job_pane.tick(resort=resort)
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
        """The lines in which something may be typed."""
        return self._job_pane.filter_bar, self._panes.search_bar

    @property
    def _actions(self) -> tuple[Action, ...]:
        """The actions that there are here."""
        return actions_when(locked=bool(self._read_only), replay=bool(self._state.replay))

    @property
    def _labels(self) -> dict[str, str]:
        """What some actions are called at the moment."""
        return {"pause": "resume"} if self._state.paused else {}

    def _restore_choices(self) -> None:
        """Have all as somebody chose it last time, saying so where that is not the order of need."""
        self._say(self._job_pane.restore(self._session.preferences))
        self._panes.restore_split(self._session.preferences.get(Preference.SPLIT, ""))
        self._theme.restore()
        if self._session.batch:
            self._job_pane.filter_by(batch_filter(self._session.batch))
