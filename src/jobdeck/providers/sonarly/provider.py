"""Sonarly, asked through one profile."""

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.base import GroupPage, Reply
from jobdeck.providers.http import HttpLayer, path_of
from jobdeck.providers.reading import conclude, without_body
from jobdeck.providers.sonarly import mapping
from jobdeck.scheduling.actions import ListPage

MAX_ROWS = 100


class Sonarly:
    """Prospecting jobs of Sonarly."""

    def __init__(self, http: HttpLayer) -> None:
        self._http = http

    @property
    def profile_name(self) -> str:
        """The profile this provider asks for."""
        return self._http.profile.name

    async def poll(self, target: Target) -> Reply:
        """Ask for one prospecting job."""
        key = target.key
        if target.resource is not Resource.PROSPECTING or key.account_group is None:
            return without_body(self._http.refuse("", "not a prospecting job of an account group", key))
        answer = await self._http.get(path_of("v1", "accounts", key.account_group, "prospecting", key.id), job=key)
        if answer.body is None:
            return without_body(answer)
        status = answer.exchange.http_status or 0
        return conclude(self._http, answer, mapping.read_job(answer.body, status, key.id, key.account_group))

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for one page of an account group's jobs: the page's group, else the profile's."""
        group = page.account_group or self._http.profile.account_group
        if page.resource is not Resource.PROSPECTING or group is None:
            return without_body(self._http.refuse("", "a list of Sonarly jobs needs an account group"))
        query = _query(page.limit, page.cursor)
        if page.status is not None:
            query["status"] = page.status
        answer = await self._http.get(path_of("v1", "accounts", group, "prospecting"), query=query)
        if answer.body is None:
            return without_body(answer)
        return conclude(self._http, answer, mapping.read_jobs(answer.body, answer.exchange.http_status or 0, group))

    async def list_groups(self, cursor: str | None = None) -> GroupPage:
        """Ask for one page of the account groups that the key can see."""
        answer = await self._http.get(path_of("v1", "accounts"), query=_query(MAX_ROWS, cursor))
        if answer.body is None:
            return GroupPage(answer.exchange)
        groups, reading = mapping.read_groups(answer.body, answer.exchange.http_status or 0)
        reply = conclude(self._http, answer, reading)
        return GroupPage(reply.exchange, groups, reply.next_cursor)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()


def _query(limit: int, cursor: str | None) -> dict[str, str]:
    query = {"limit": str(min(max(limit, 1), MAX_ROWS))}
    return query if cursor is None else {**query, "cursor": cursor}
