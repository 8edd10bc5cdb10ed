"""Sonarly, asked through one profile."""

from functools import partial

from jobdeck.domain.job import Resource, Target
from jobdeck.providers.base import GroupPage, Reply
from jobdeck.providers.http import Address, HttpLayer, path_of
from jobdeck.providers.reading import Reading, ask, limit_within
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

    def url_of(self, asked: Target | ListPage) -> str:
        """Return where a request for that goes."""
        return self._http.url_of(self._address(asked))

    async def poll(self, target: Target) -> Reply:
        """Ask for one prospecting job."""
        key = target.key
        read = partial(mapping.read_job, wanted=key.id, account_group=key.account_group)
        return await ask(self._http, self._address(target), read, key)

    async def list_page(self, page: ListPage) -> Reply:
        """Ask for one page of an account group's jobs: the page's group, else the profile's."""
        read = partial(mapping.read_jobs, account_group=self._group(page))
        return await ask(self._http, self._address(page), read)

    async def list_groups(self, cursor: str | None = None) -> GroupPage:
        """Ask for one page of the account groups that the key can see."""
        found: list[str] = []

        def read(body: bytes, http_status: int) -> Reading:
            groups, reading = mapping.read_groups(body, http_status)
            found.extend(groups)
            return reading

        address = Address.of(path_of("v1", "accounts"), {"limit": str(MAX_ROWS), "cursor": cursor})
        reply = await ask(self._http, address, read)
        return GroupPage(reply.exchange, tuple(found), reply.next_cursor)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    def _group(self, page: ListPage) -> str | None:
        return page.account_group or self._http.profile.account_group

    def _address(self, asked: Target | ListPage) -> Address | str:
        """Return where a request goes, or why there is none to send."""
        if isinstance(asked, Target):
            group = asked.key.account_group
            if asked.resource is not Resource.PROSPECTING or group is None:
                return "not a prospecting job of an account group"
            return Address(path_of("v1", "accounts", group, "prospecting", asked.key.id))
        group = self._group(asked)
        if asked.resource is not Resource.PROSPECTING or group is None:
            return "a list of Sonarly jobs needs an account group"
        query = {"limit": limit_within(MAX_ROWS, asked), "cursor": asked.cursor, "status": asked.status}
        return Address.of(path_of("v1", "accounts", group, "prospecting"), query)
