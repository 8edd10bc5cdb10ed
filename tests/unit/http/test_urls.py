"""Where a request goes is known before it is sent, and is what its exchange says then."""

import pytest

from jobdeck.apis.client import ApiClient
from jobdeck.apis.profile import Profile
from jobdeck.domain.job import JobKey, Target
from jobdeck.scheduling.actions import ListPage
from tests.builders import APIS, make_profile
from tests.support.clocks import SteppingClock
from tests.unit.http.wire import NOON, answer, hog_target, profile_at, serve, sonarly_target

GITHUB = {"owner": "octocat", "repo": "hello"}


def runs_at(base_url: str) -> Profile:
    return make_profile("ci", APIS.spec("github-actions"), base_url=base_url, variables=GITHUB)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        (hog_target("op_1"), "/api/operations/op_1"),
        (hog_target("op:1", "search"), "/api/v1/search/op%3A1"),
        (hog_target("op_1", "prospecting"), ""),
        (ListPage("operation", status="queued", limit=500), "/api/operations?limit=100&status=queued"),
        (ListPage("search", cursor="a&b"), "/api/v1/search?limit=100&cursor=a%26b"),
        (ListPage("prospecting"), ""),
        (sonarly_target("job"), "/v1/accounts/group1/prospecting/job"),
        (ListPage("prospecting", "other", "queued", "next"),
         "/v1/accounts/other/prospecting?limit=100&cursor=next&status=queued"),
        (Target(JobKey("ci", "octocat/hello", "7"), "github-actions", "job"),
         "/repos/octocat/hello/actions/runs/7"),
        (ListPage("job"), "/repos/octocat/hello/actions/runs?per_page=100"),
    ],
)  # fmt: skip
async def test_a_request_goes_where_it_was_said_to_go(asked: Target | ListPage, path: str) -> None:
    async with serve(answer({})) as wire:
        group = asked.key.account_group if isinstance(asked, Target) else asked.account_group
        if asked.resource == "job":
            profile = runs_at(wire.base_url)
        else:
            speaks = "sonarly" if group is not None else "thehog"
            profile = profile_at(wire.base_url, speaks)  # type: ignore[arg-type] # one of the two, as just said
        provider = ApiClient(profile, SteppingClock(NOON))
        ask = provider.poll(asked) if isinstance(asked, Target) else provider.list_page(asked)
        assert provider.url_of(asked) == wire.base_url + path
        assert (await ask).exchange.url == wire.base_url + path
        assert [request.split()[1].decode() for request in wire.requests] == ([path] if path else [])
        await provider.aclose()
