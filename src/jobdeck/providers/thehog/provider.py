"""The Hog, asked through one profile."""

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.base import GroupPage, Reply
from jobdeck.providers.http import HttpLayer, path_of
from jobdeck.providers.reading import conclude, without_body
from jobdeck.providers.thehog import mapping
from jobdeck.scheduling.actions import ListPage

MAX_OPERATIONS = 100
MAX_SEARCHES = 200

_PATHS = {
    Resource.OPERATION: ("api", "operations"),
    Resource.ENRICHMENT: ("api", "enrichments"),
    Resource.SEARCH: ("api", "v1", "search"),
}
_NOT_HERE = "The Hog has no prospecting jobs"


class TheHog:
    """Operations, enrichments and searches of The Hog."""

    def __init__(self, http: HttpLayer) -> None:
        self._http = http

    @property
    def profile_name(self) -> str:
        """The profile this provider asks for."""
        return self._http.profile.name

    async def poll(self, target: Target) -> Reply:
        """Ask for one operation, enrichment or search."""
        key, resource = target.key, target.resource
        if resource is Resource.PROSPECTING:
            return without_body(self._http.refuse("", _NOT_HERE, key))
        answer = await self._http.get(path_of(*_PATHS[resource], key.id), job=key)
        if answer.body is None:
            return without_body(answer)
        status = answer.exchange.http_status or 0
        if resource is Resource.SEARCH:
            return conclude(self._http, answer, mapping.read_search(answer.body, status, key.id))
        return conclude(self._http, answer, mapping.read_operation(answer.body, status, key.id, resource))

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for the newest operations (enrichments are among them), or for one page of searches."""
        if page.resource is Resource.PROSPECTING:
            return without_body(self._http.refuse("", _NOT_HERE))
        if page.resource is Resource.SEARCH:
            return await self._list_searches(page)
        return await self._list_operations(page)

    async def _list_operations(self, page: ListPage) -> Reply:
        query = {"limit": str(min(max(page.limit, 1), MAX_OPERATIONS))}
        if page.status is not None:
            query["status"] = page.status
        answer = await self._http.get(path_of(*_PATHS[Resource.OPERATION]), query=query)
        if answer.body is None:
            return without_body(answer)
        reading = mapping.read_operations(answer.body, answer.exchange.http_status or 0)
        return conclude(self._http, answer, reading)

    async def _list_searches(self, page: ListPage) -> Reply:
        query = {"limit": str(min(max(page.limit, 1), MAX_SEARCHES))}
        if page.cursor is not None:
            query["cursor"] = page.cursor
        answer = await self._http.get(path_of(*_PATHS[Resource.SEARCH]), query=query)
        if answer.body is None:
            return without_body(answer)
        reading = mapping.read_searches(answer.body, answer.exchange.http_status or 0, page.status)
        return conclude(self._http, answer, reading)

    async def list_groups(self, cursor: str | None = None) -> GroupPage:
        """Return a problem: The Hog has no account groups."""
        return GroupPage(self._http.refuse("", "The Hog has no account groups").exchange)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()
