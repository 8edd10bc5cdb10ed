"""The Hog's routes, answers and errors as documented."""

from http import HTTPStatus

from jobdeck.simulator.dialect import Answer, ApiError, Ask, JsonObject, Route, bad_value, page_of, whole_number
from jobdeck.simulator.ids import request_id
from jobdeck.simulator.job_templates import Starter, thehog_starters
from jobdeck.simulator.lifecycle import JobState, State
from jobdeck.simulator.results import result_of, search_results
from jobdeck.simulator.scenario import Api, Endpoint, JobFailure, PollUrlForm, ProgressForm, Resource
from jobdeck.simulator.world import World

_STATUSES = ("queued", "processing", "succeeded", "failed", "partial_success", "cancelled")
_MESSAGES = {
    400: "Validation failed",
    401: "Authentication is required.",
    402: "Insufficient credits.",
    404: "Resource not found.",
    422: "Validation failed",
    429: "Rate limit exceeded. Please slow down and retry.",
    500: "An unexpected error occurred.",
    503: "Service temporarily unavailable.",
}


class TheHog:
    """The Hog as the simulator plays it."""

    api = Api.THEHOG

    @property
    def routes(self) -> tuple[Route, ...]:
        """The endpoints that start, poll and list asynchronous work."""
        starts = tuple(
            Route("POST", starter.path, Endpoint.START, "general", _Start(starter)) for starter in thehog_starters()
        )
        return (
            Route("GET", "/api/operations", Endpoint.LIST, "list", list_operations),
            Route("GET", "/api/operations/{id}", Endpoint.POLL, "polling", get_operation),
            Route("GET", "/api/enrichments/{id}", Endpoint.POLL, "polling", get_enrichment),
            Route("GET", "/api/v1/search", Endpoint.LIST, "list", list_searches),
            Route("GET", "/api/v1/search/{id}", Endpoint.POLL, "polling", get_search),
            *starts,
        )

    def trace(self, key: str) -> str:
        """A request ID: a UUID."""
        return request_id(key)

    def trace_headers(self, trace: str) -> tuple[tuple[str, str], ...]:
        """`X-Request-Id`."""
        return (("X-Request-Id", trace),)

    def error(self, ask: Ask, refusal: ApiError) -> Answer:
        """The documented error body; `errors` only on 400."""
        try:
            phrase = HTTPStatus(refusal.status).phrase
        except ValueError:
            phrase = "Error"
        body: JsonObject = {
            "statusCode": refusal.status,
            "error": phrase,
            "message": refusal.message or _MESSAGES.get(refusal.status, f"Error {refusal.status}."),
            "path": ask.path,
            "requestId": ask.trace,
            "timestamp": ask.at,
        }
        if refusal.status == 400:
            body["errors"] = refusal.details or []
        return Answer(refusal.status, body)


class _Start:
    def __init__(self, starter: Starter) -> None:
        self._starter = starter

    def __call__(self, world: World, ask: Ask) -> Answer:
        """Start the work and answer the endpoint's own accepted body."""
        starter = self._starter
        for name in starter.texts:
            value = ask.body.get(name)
            if value is not None and not isinstance(value, str):
                raise bad_value(f"body.{name}", f"{name} must be a string", "isString")
        state, _ = world.start(starter.script(world.scenario.seed, ask), ask.idempotency_key)
        return Answer(202, _accepted(world, ask, starter, state.script.id))


def _accepted(world: World, ask: Ask, starter: Starter, job_id: str) -> JsonObject:
    relative = starter.poll_path.format(id=job_id)
    form = world.scenario.poll_urls
    absolute = starter.absolute if form is PollUrlForm.MIXED else form is PollUrlForm.ABSOLUTE
    url = f"{ask.origin}{relative}" if absolute else relative
    if starter.snake_case:
        return {"id": job_id, "status": "queued", "poll_url": url, "meta": {"request_id": ask.trace}}
    body: JsonObject = {"id": job_id, "operationId": job_id, "status": "queued", "pollUrl": url}
    meta = {"requestId": ask.trace}
    if starter.wrapped:
        return {"data": body, "meta": meta}
    return {**body, "meta": meta} if starter.meta else body


def get_operation(world: World, ask: Ask) -> Answer:
    """`GET /api/operations/{id}`, for every job: enrichments and searches are operations too."""
    return Answer(200, _operation(_find(world, ask)))


def get_enrichment(world: World, ask: Ask) -> Answer:
    """`GET /api/enrichments/{id}`."""
    return Answer(200, _operation(_find(world, ask, Resource.ENRICHMENT)))


def get_search(world: World, ask: Ask) -> Answer:
    """`GET /api/v1/search/{id}`."""
    return Answer(200, _search(world, _find(world, ask, Resource.SEARCH)))


def list_operations(world: World, ask: Ask) -> Answer:
    """`GET /api/operations`: newest first, `limit` 1–100, and an optional `status`; a bare array."""
    limit = whole_number(ask, "limit", default=20, most=100, clamp=False)
    status = ask.query.get("status")
    if status is not None and status not in _STATUSES:
        raise bad_value("query.status", f"status must be one of {', '.join(_STATUSES)}", "isEnum")
    states = [state for state in world.states(Api.THEHOG) if state.script.resource is not Resource.SEARCH]
    return Answer(200, [_operation(state) for state in states if status in {None, _word(state)}][:limit])


def list_searches(world: World, ask: Ask) -> Answer:
    """`GET /api/v1/search`: newest first, `limit` up to 200, `cursor`, and an optional `type`."""
    limit = whole_number(ask, "limit", default=20, most=200, clamp=True)
    wanted = ask.query.get("type")
    states = [
        state
        for state in world.states(Api.THEHOG)
        if state.script.resource is Resource.SEARCH and wanted in {None, state.script.search_type}
    ]
    page, cursor = page_of(states, ask.query.get("cursor"), limit)
    return Answer(200, {"data": [_search(world, state) for state in page], "next_cursor": cursor})


def _find(world: World, ask: Ask, resource: Resource | None = None) -> JobState:
    state = world.find(Api.THEHOG, ask.params["id"])
    if state is None or resource not in {None, state.script.resource}:
        raise ApiError(404)
    return state


def _word(state: JobState) -> str:
    match state.state:
        case State.RUNNING:
            return "processing"
        case State.PARTIAL:
            return "partial_success"
        case other:
            return other.value


def _operation(state: JobState) -> JsonObject:
    script = state.script
    has_result = state.state in {State.SUCCEEDED, State.PARTIAL}
    error = script.error or JobFailure()
    failure: JsonObject = {"code": error.code, "message": error.message}
    if error.details is not None:
        failure["details"] = error.details
    return {
        "id": script.id,
        "status": _word(state),
        "progress": _percent(script.progress, state.done),
        "result": result_of(script) if has_result else None,
        "error": failure if state.state is State.FAILED else None,
    }


def _percent(form: ProgressForm, done: float) -> float | None:
    match form:
        case ProgressForm.NONE:
            return None
        case ProgressForm.INTEGER:
            return int(done * 100 + 1e-9)
        case ProgressForm.FLOAT:
            return round(done * 100, 2)


def _search(world: World, state: JobState) -> JsonObject:
    script = state.script
    results = search_results(script) if state.state is State.SUCCEEDED else None
    error = script.error or JobFailure()
    return {
        "id": script.id,
        "status": _word(state),
        "type": script.search_type,
        "query": script.query,
        "results": results,
        "total_results": None if results is None else len(results),
        "error": {"message": error.message, "retryable": error.retryable} if state.state is State.FAILED else None,
        "created_at": world.iso(state.created),
        "completed_at": None if state.ended is None else world.iso(state.ended),
    }
