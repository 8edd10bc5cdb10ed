"""The export key: ask for a format, and write the listed jobs to a private file."""

import asyncio

from jobdeck.app.job_export import ExportFormat, export_jobs
from jobdeck.app.private_file import PrivateFileError
from jobdeck.domain import humanize
from jobdeck.domain.text import one_line
from jobdeck.tui.deck_state import DeckServices
from jobdeck.tui.export import save_folder
from jobdeck.tui.screens.export import ExportScreen


class ExportActions:
    """Writes the listed jobs to a file, in their order, and reports the result."""

    def __init__(self, deck: DeckServices) -> None:
        self._state, self._clock, self._save = deck.state, deck.session.clock, deck.save
        self._say, self._push, self._run = deck.say, deck.push, deck.run

    async def open_dialog(self) -> None:
        """Ask for a format, then export in the background."""
        shown, total = len(self._state.table), self._state.table.total
        if not shown:
            self._say("no jobs to export" if not total else "no matching jobs to export, esc clears the filter", False)
            return
        of = f" of {total:,}, as filtered" if shown < total else ""
        what = f"{humanize.pluralize(shown, 'job')}{of}"
        await self._push(ExportScreen(what, save_folder(), lambda form: self._run(self._export(form))))

    async def _export(self, form: ExportFormat) -> None:
        now, table = self._clock.now(), self._state.table
        jobs = [row.job for key in table.keys(0, len(table)) if (row := table.row(key)) is not None]
        # Takes seconds for 10,000 jobs with results.
        text = await asyncio.to_thread(export_jobs, jobs, now, form)
        try:
            path = await self._save(text, "jobs", now.us, suffix=form.suffix)
        except PrivateFileError as error:
            self._say(f"not exported: {error}", True)
        else:
            self._say(f"{humanize.pluralize(len(jobs), 'job')} exported to {one_line(str(path))}", False)
