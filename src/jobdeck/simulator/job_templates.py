"""The jobs that clients can start, and the answers of the endpoints that start them."""

from dataclasses import dataclass

from jobdeck.simulator.dialect import ApiRequest
from jobdeck.simulator.scenario import Api, JobScript, Outcome, ProgressForm, Resource, ResultKind, seeded_random


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """An endpoint that starts jobs: their kind, their range of durations in seconds, and the shape of its 202."""

    path: str
    shortest: float
    longest: float
    result_kind: ResultKind
    resource: Resource = Resource.OPERATION
    progress: ProgressForm = ProgressForm.INTEGER
    poll_path: str = "/api/operations/{id}"
    # Whether the poll URL is absolute.
    absolute: bool = False
    # Whether the body is in `data`, beside `meta`.
    wrapped: bool = False
    snake_case: bool = False
    # Whether the answer has `meta`.
    meta: bool = True
    # Fields of the request that must be strings.
    texts: tuple[str, ...] = ()

    def script(self, seed: int, request: ApiRequest) -> JobScript:
        """Return the script of the job that `request` starts, derived from the seed and the request's ID."""
        rng = seeded_random(f"{seed}/start/{request.trace}")
        query = request.body.get("query") or request.body.get("prompt") or request.body.get("url") or "everything"
        return JobScript(
            resource=self.resource,
            queued_for=round(rng.uniform(0.5, 3.0), 3),
            duration=round(rng.uniform(self.shortest, self.longest), 3),
            result_kind=self.result_kind,
            progress=self.progress,
            query=str(query),
            search_type=str(request.body.get("type") or "web_search"),
        )


def thehog_templates() -> tuple[JobTemplate, ...]:
    """Return every endpoint of The Hog that starts asynchronous work."""
    scrapers = "/api/v1/platform/scrapers"
    return (
        JobTemplate(
            "/api/enrichments",
            8,
            30,
            ResultKind.ENRICHMENT,
            resource=Resource.ENRICHMENT,
            poll_path="/api/enrichments/{id}",
        ),
        JobTemplate(
            "/api/deep-research",
            60,
            180,
            ResultKind.DEEP_RESEARCH,
            progress=ProgressForm.FLOAT,
            absolute=True,
            texts=("prompt",),
        ),
        JobTemplate(
            "/api/v1/search",
            15,
            60,
            ResultKind.WEB_SEARCH,
            resource=Resource.SEARCH,
            poll_path="/api/v1/search/{id}",
            snake_case=True,
            texts=("query", "type"),
        ),
        JobTemplate("/api/v1/people/search", 20, 60, ResultKind.PEOPLE_SEARCH, absolute=True, texts=("query",)),
        JobTemplate("/api/v1/companies/search", 20, 60, ResultKind.COMPANY_SEARCH, meta=False, texts=("query",)),
        JobTemplate(f"{scrapers}/web/crawl", 30, 120, ResultKind.CRAWL, wrapped=True, texts=("url",)),
        JobTemplate(
            f"{scrapers}/web/scrape/jobs", 10, 40, ResultKind.CRAWL, wrapped=True, absolute=True, texts=("url",)
        ),
        JobTemplate(f"{scrapers}/web/scrape/batch", 20, 90, ResultKind.CRAWL, wrapped=True),
        JobTemplate(f"{scrapers}/linkedin/profile-posts", 10, 40, ResultKind.CRAWL, wrapped=True),
    )


def prospecting_script(seed: int, request: ApiRequest) -> JobScript:
    """Return the script of the prospecting job that `request` starts."""
    rng = seeded_random(f"{seed}/start/{request.trace}")
    return JobScript(
        api=Api.SONARLY,
        resource=Resource.PROSPECTING,
        account_group=request.params["group"],
        queued_for=round(rng.uniform(1.0, 4.0), 3),
        duration=round(rng.uniform(60, 150), 3),
        outcome=Outcome.COMPLETED,
    )
