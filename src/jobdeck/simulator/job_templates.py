"""The jobs that clients start, and how each endpoint accepts them."""

from dataclasses import dataclass

from jobdeck.simulator.dialect import Ask
from jobdeck.simulator.ids import dice
from jobdeck.simulator.scenario import Api, JobScript, Outcome, ProgressForm, Resource, ResultKind


@dataclass(frozen=True, slots=True)
class Starter:
    """An endpoint that starts work: what it starts, how long that takes, and the shape of its 202.

    `wrapped` puts the body into `data` beside `meta`; `texts` are fields of the request that must be strings.
    """

    path: str
    shortest: float
    longest: float
    result_kind: ResultKind
    resource: Resource = Resource.OPERATION
    progress: ProgressForm = ProgressForm.INTEGER
    poll_path: str = "/api/operations/{id}"
    absolute: bool = False
    wrapped: bool = False
    snake_case: bool = False
    meta: bool = True
    texts: tuple[str, ...] = ()

    def script(self, seed: int, ask: Ask) -> JobScript:
        """The life of the job that `ask` starts, drawn from the seed and the request's ID."""
        roll = dice(f"{seed}/start/{ask.trace}")
        query = ask.body.get("query") or ask.body.get("prompt") or ask.body.get("url") or "everything"
        return JobScript(
            resource=self.resource,
            queued_for=round(roll.uniform(0.5, 3.0), 3),
            duration=round(roll.uniform(self.shortest, self.longest), 3),
            result_kind=self.result_kind,
            progress=self.progress,
            query=str(query),
            search_type=str(ask.body.get("type") or "web_search"),
        )


def thehog_starters() -> tuple[Starter, ...]:
    """Every endpoint of The Hog that starts asynchronous work."""
    scrapers = "/api/v1/platform/scrapers"
    return (
        Starter(
            "/api/enrichments",
            8,
            30,
            ResultKind.ENRICHMENT,
            resource=Resource.ENRICHMENT,
            poll_path="/api/enrichments/{id}",
        ),
        Starter(
            "/api/deep-research",
            60,
            180,
            ResultKind.DEEP_RESEARCH,
            progress=ProgressForm.FLOAT,
            absolute=True,
            texts=("prompt",),
        ),
        Starter(
            "/api/v1/search",
            15,
            60,
            ResultKind.WEB_SEARCH,
            resource=Resource.SEARCH,
            poll_path="/api/v1/search/{id}",
            snake_case=True,
            texts=("query", "type"),
        ),
        Starter("/api/v1/people/search", 20, 60, ResultKind.PEOPLE_SEARCH, absolute=True, texts=("query",)),
        Starter("/api/v1/companies/search", 20, 60, ResultKind.COMPANY_SEARCH, meta=False, texts=("query",)),
        Starter(f"{scrapers}/web/crawl", 30, 120, ResultKind.CRAWL, wrapped=True, texts=("url",)),
        Starter(f"{scrapers}/web/scrape/jobs", 10, 40, ResultKind.CRAWL, wrapped=True, absolute=True, texts=("url",)),
        Starter(f"{scrapers}/web/scrape/batch", 20, 90, ResultKind.CRAWL, wrapped=True),
        Starter(f"{scrapers}/linkedin/profile-posts", 10, 40, ResultKind.CRAWL, wrapped=True),
    )


def prospecting_script(seed: int, ask: Ask) -> JobScript:
    """The life of the prospecting job that `ask` starts."""
    roll = dice(f"{seed}/start/{ask.trace}")
    return JobScript(
        api=Api.SONARLY,
        resource=Resource.PROSPECTING,
        account_group=ask.params["group"],
        queued_for=round(roll.uniform(1.0, 4.0), 3),
        duration=round(roll.uniform(60, 150), 3),
        outcome=Outcome.COMPLETED,
    )
