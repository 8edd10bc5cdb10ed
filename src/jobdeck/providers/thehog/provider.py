"""The Hog, asked through one profile."""

from functools import partial

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.base import GroupPage, Reply
from jobdeck.providers.http import Address, HttpLayer, path_of
from jobdeck.providers.reading import ask, limit_within
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

    def url_of(self, asked: Target | ListPage) -> str:
        """Return where a request for that goes."""
        return self._http.url_of(_address(asked))

    async def poll(self, target: Target) -> Reply:
        """Ask for one operation, enrichment or search."""
        key, resource = target.key, target.resource
        read = (
            partial(mapping.read_search, wanted=key.id)
            if resource is Resource.SEARCH
            else partial(mapping.read_operation, wanted=key.id, resource=resource)
        )
        return await ask(self._http, _address(target), read, key)

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for the newest operations (enrichments are among them), or for one page of searches."""
        searches = page.resource is Resource.SEARCH
        read = partial(mapping.read_searches, only=page.status) if searches else mapping.read_operations
        return await ask(self._http, _address(page), read)

    async def list_groups(self, cursor: str | None = None) -> GroupPage:
        """Return a problem: The Hog has no account groups."""
        return GroupPage(self._http.refuse("The Hog has no account groups").exchange)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()


def _address(asked: Target | ListPage) -> Address | str:
    """Return where a request goes, or why there is none to send."""
    if asked.resource not in _PATHS:
        return _NOT_HERE
    if isinstance(asked, Target):
        return Address(path_of(*_PATHS[asked.resource], asked.key.id))
    if asked.resource is Resource.SEARCH:
        query = {"limit": limit_within(MAX_SEARCHES, asked), "cursor": asked.cursor}
        return Address.of(path_of(*_PATHS[Resource.SEARCH]), query)
    query = {"limit": limit_within(MAX_OPERATIONS, asked), "status": asked.status}
    return Address.of(path_of(*_PATHS[Resource.OPERATION]), query)
