"""A described API, asked through one profile."""

from collections.abc import Iterable, Mapping

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.base import GroupPage, Reply
from jobdeck.providers.described.parse import filled
from jobdeck.providers.described.reading import read_job, read_jobs
from jobdeck.providers.description import Description
from jobdeck.providers.http import Address, HttpLayer
from jobdeck.providers.reading import Reading, ask, limit_within
from jobdeck.providers.url_template import ID
from jobdeck.scheduling.actions import ListPage


class Described:
    """The jobs of an API that a description tells how to ask and how to read."""

    def __init__(self, http: HttpLayer, description: Description) -> None:
        self._http = http
        self._described = description

    @property
    def profile_name(self) -> str:
        """The profile this provider asks for."""
        return self._http.profile.name

    def url_of(self, asked: Target | ListPage) -> str:
        """Return where a request for that goes."""
        return self._http.url_of(self._address(asked))

    async def poll(self, target: Target) -> Reply:
        """Ask for one job."""
        key = target.key

        def read(body: bytes, http_status: int) -> Reading:
            return read_job(self._described, body, http_status, key.id, key.account_group).reading

        return await ask(self._http, self._address(target), read, key)

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for one page of jobs: of the page's place, else of the profile's."""

        def read(body: bytes, http_status: int) -> Reading:
            place = self._place(page)
            group = None if place is None else self._described.group_of(place)
            return read_jobs(self._described, body, http_status, group, page)

        return await ask(self._http, self._address(page), read)

    async def list_groups(self, cursor: str | None = None) -> GroupPage:
        """Return a problem: a described API has no account groups that could be listed."""
        return GroupPage(self._http.refuse(f"{self._described.title} has no account groups").exchange)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    def _place(self, asked: Target | ListPage) -> dict[str, str] | None:
        """Return the variables of the URL but the ID; those of the profile serve a page that names none."""
        if isinstance(asked, Target):
            return self._described.values_of(asked.key.account_group, {})
        known = {} if asked.account_group else self._http.profile.variables
        return self._described.values_of(asked.account_group, known)

    def _address(self, asked: Target | ListPage) -> Address | str:
        """Return where a request goes, or why there is none to send."""
        described, place, here = self._described, self._place(asked), asked.resource is Resource.JOB
        if isinstance(asked, Target):
            if not here or place is None:
                return f"not a job of {described.title}"
            return self._filled(described.url.path({**place, ID: asked.key.id}), described.query, {}, asked.key.id)
        listed = described.list
        if not here or listed is None:
            return f"the description of {described.name} has no list"
        if place is None:
            return f"a list of {described.title} jobs needs {', '.join(described.place)}"
        asking = {
            listed.limit_parameter: limit_within(listed.page, asked),
            listed.cursor_parameter or listed.page_parameter or listed.offset_parameter: asked.cursor,
            listed.status_parameter: asked.status,
        }
        named = {name: value for name, value in asking.items() if name is not None}
        return self._filled(listed.url.path(place), listed.query, named)

    def _filled(
        self, path: str, query: Iterable[tuple[str, str]], asking: Mapping[str, str | None], job_id: str = ""
    ) -> Address:
        variables = {**self._http.profile.variables, ID: job_id}
        return Address.of(path, {**{name: filled(value, variables) for name, value in query}, **asking})
