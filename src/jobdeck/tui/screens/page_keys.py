"""What the keys of the selected job's tabs do: turn, search, save. A part of the deck."""

import asyncio

from textual import on
from textual.widgets import Input

from jobdeck.domain import words
from jobdeck.domain.job import Job, JobKey
from jobdeck.domain.text import one_line
from jobdeck.tui.export import Save, open_stream
from jobdeck.tui.render.spans import Role
from jobdeck.tui.render.tabs import Tab
from jobdeck.tui.screens.list_keys import ListKeys
from jobdeck.tui.widgets.detail import Detail
from jobdeck.tui.widgets.filter_bar import FilterBar, FilterInput
from jobdeck.tui.widgets.static import TabRule
from jobdeck.wiring.private_file import PrivateFileError


class PageKeys(ListKeys):
    """Turning, searching and saving the pages about the selected job."""

    _detail: Detail
    _detail_rule: TabRule
    _search_bar: FilterBar
    _save: Save
    _query = ""
    _fetched: JobKey | None = None
    """Whose result is being fetched again."""

    def action_next_tab(self) -> None:
        """Show the next tab."""
        self._turn(1)

    def action_previous_tab(self) -> None:
        """Show the tab before."""
        self._turn(-1)

    def action_filter(self) -> None:
        """Ask for a filter of the list, or in a result for what to look for."""
        if self._searches:
            self._search_bar.open()
        else:
            super().action_filter()

    def action_next_match(self) -> None:
        """Go to the next place that was looked for."""
        self.run_worker(self._find(), name="search", group="search", exclusive=True)

    def action_save_body(self) -> None:
        """Save the last body whole."""
        self.run_worker(self._save_body(), name="save", group="save")

    async def _save_body(self) -> None:
        body, key = self._detail.body, self._jobs.selected
        job = self._watch.job(key)
        evicted = body is None and job is not None and job.evicted_result is not None
        if job is not None and (job.dropped_result is not None or evicted) and not self._session.locked:
            self.run_worker(self._download(job), name="download", group=f"download {job.key}", exclusive=True)
            return
        if body is None or key is None:
            self._say("there is no body to save yet" + ("" if self._session.locked else ": r asks now"))
            return
        try:
            text = body.decode("utf-8", "replace")
            path = await self._save(text, f"body-{key.id}", self._session.clock.now().us, suffix=".json")
        except PrivateFileError as error:
            self._say(f"not saved: {error}", warn=True)
        else:
            self._say(f"saved as {one_line(str(path))}")

    async def _download(self, job: Job) -> None:
        """Poll a job whose result is not in memory, and save the body as it comes."""
        engine = self._watch.engine
        if engine is None:
            return
        try:
            file = open_stream(f"body-{job.key.id}", self._session.clock.now().us)
        except PrivateFileError as error:
            self._say(f"not saved: {error}", warn=True)
            return
        said = words.dropped_result(job.dropped_result) or words.evicted_result(job.evicted_result)
        self._say(f"saving {job.key.id}, whose {said}")
        try:
            problem = await engine.download(job.key, file.write)
        except BaseException:
            file.discard()
            raise
        if problem is not None:
            file.discard()
            self._say(f"not saved: {problem.kind.words}: {problem.message}", warn=True)
            return
        try:
            await asyncio.to_thread(file.finish)
        except PrivateFileError as error:
            self._say(f"not saved: {error}", warn=True)
        else:
            self._say(f"saved as {one_line(str(file.path))} ({words.size(file.size)})")

    def on_tab_rule_chosen(self, message: TabRule.Chosen) -> None:
        """Show the tab that was clicked."""
        self._detail.turn_to(message.tab)
        self._draw_titles()
        self._fetch_result()

    @on(Input.Changed, "#search")
    def search_changed(self, event: Input.Changed) -> None:
        """Keep what is looked for in a result."""
        self._query = event.value
        self.run_worker(self._count(), name="count", group="count", exclusive=True)

    @on(Input.Submitted, "#search")
    def search_submitted(self) -> None:
        """Go to the first match."""
        self._leave_search()
        self.action_next_match()

    @on(Input.Blurred, "#search")
    def search_blurred(self) -> None:
        """Keep what is looked for, out of sight."""
        self._search_bar.show(self._query, (), wanted=False)

    @on(FilterInput.Cancelled, "#search")
    def search_cancelled(self) -> None:
        """Go back to the result."""
        self._query = ""
        self._leave_search()

    @property
    def _searches(self) -> bool:
        """Whether a text is looked for in a result, not among the jobs."""
        return self.focused is self._detail and self._detail.result_tree is not None

    def _turn(self, by: int) -> None:
        tabs = list(Tab)
        self._detail.turn_to(tabs[(tabs.index(self._detail.tab) + by) % len(tabs)])
        self._draw_titles()
        self._fetch_result()

    def _fetch_result(self) -> None:
        """Poll the job whose result is to be shown and is not in memory any more, once while it is selected."""
        job, engine = self._watch.job(self._jobs.selected), self._watch.engine
        if job is None or job.evicted_result is None or self._detail.tab is not Tab.RESULT:
            self._fetched = None
        elif engine is not None and not self._session.locked and self._fetched != job.key:
            self._fetched = job.key
            engine.ask(job.key)

    def _leave_search(self) -> None:
        self.set_focus(self._detail)
        self._search_bar.show(self._query, (), wanted=False)

    async def _count(self) -> None:
        count = await self._detail.count(self._query)
        keys = ((" · enter", Role.KEY), (" the first,", Role.DIM), (" n", Role.KEY), (" the next", Role.DIM))
        told = ((words.plural(count, "place"), Role.TEXT), *(keys if count else ()))
        self._search_bar.show(self._query, told if self._query else (), wanted=False)

    async def _find(self) -> None:
        if self._detail.result_tree is None:
            self._say("n goes on in a result that is shown: ] leads to it")
        elif not self._query:
            self._say("/ asks what to look for in the result")
        elif not await self._detail.search(self._query):
            self._say(f"not in the result: {one_line(self._query, 60)}")
