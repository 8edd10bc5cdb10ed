"""A described API, asked through one profile."""

from collections.abc import Iterable

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.base import GroupPage, Reply
from jobdeck.providers.described.parse import filled
from jobdeck.providers.described.reading import read_job, read_jobs
from jobdeck.providers.description import Description
from jobdeck.providers.http import HttpLayer
from jobdeck.providers.reading import conclude, without_body
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

    async def poll(self, target: Target) -> Reply:
        """Ask for one job."""
        key, described = target.key, self._described
        place = described.values_of(key.account_group, {})
        if target.resource is not Resource.JOB or place is None:
            return without_body(self._http.refuse("", f"not a job of {described.title}", key))
        path = described.url.path({**place, ID: key.id})
        answer = await self._http.get(path, query=self._query(described.query, key.id), job=key)
        if answer.body is None:
            return without_body(answer)
        status = answer.exchange.http_status or 0
        read = read_job(described, answer.body, status, key.id, key.account_group)
        return conclude(self._http, answer, read.reading)

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for one page of jobs: of the page's place, else of the profile's."""
        listed = self._described.list
        if page.resource is not Resource.JOB or listed is None:
            return without_body(self._http.refuse("", f"the description of {self._described.name} has no list"))
        place = self._described.values_of(
            page.account_group, {} if page.account_group else self._http.profile.variables
        )
        if place is None:
            names = ", ".join(self._described.place)
            return without_body(self._http.refuse("", f"a list of {self._described.title} jobs needs {names}"))
        query = self._query(listed.query)
        for name, value in (
            (listed.limit_parameter, str(min(max(page.limit, 1), listed.page))),
            (listed.cursor_parameter, page.cursor),
            (listed.status_parameter, page.status),
        ):
            if name is not None and value is not None:
                query[name] = value
        answer = await self._http.get(listed.url.path(place), query=query)
        if answer.body is None:
            return without_body(answer)
        group = self._described.group_of(place)
        reading = read_jobs(self._described, answer.body, answer.exchange.http_status or 0, group)
        return conclude(self._http, answer, reading)

    async def list_groups(self, cursor: str | None = None) -> GroupPage:
        """Return a problem: a described API has no account groups that could be listed."""
        del cursor
        return GroupPage(self._http.refuse("", f"{self._described.title} has no account groups").exchange)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    def _query(self, pairs: Iterable[tuple[str, str]], job_id: str = "") -> dict[str, str]:
        variables = {**self._http.profile.variables, ID: job_id}
        return {name: filled(value, variables) for name, value in pairs}
