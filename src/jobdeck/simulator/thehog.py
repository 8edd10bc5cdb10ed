"""The Hog's documented routes, responses and errors."""

from http import HTTPStatus

from jobdeck.simulator.dialect import (
    ApiError,
    ApiRequest,
    ApiResponse,
    JsonObject,
    Route,
    integer_parameter,
    page_after,
    validation_error,
)
from jobdeck.simulator.job_templates import JobTemplate, thehog_templates
from jobdeck.simulator.lifecycle import JobState, SimulatedJobs, State
from jobdeck.simulator.results import result_of, search_results
from jobdeck.simulator.scenario import Api, Endpoint, JobFailure, PollUrlForm, ProgressForm, Resource, request_id

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
    """The simulated The Hog."""

    api = Api.THEHOG

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that start, poll and list asynchronous work."""
        starts = tuple(
            Route("POST", template.path, Endpoint.START, "general", _StartJob(template))
            for template in thehog_templates()
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
        """Return a request ID: a UUID."""
        return request_id(key)

    def trace_headers(self, trace: str) -> tuple[tuple[str, str], ...]:
        """Return the header `X-Request-Id`."""
        return (("X-Request-Id", trace),)

    def error(self, request: ApiRequest, error: ApiError) -> ApiResponse:
        """Return the documented error body; it has `errors` only for a 400."""
        try:
            phrase = HTTPStatus(error.status).phrase
        except ValueError:
            phrase = "Error"
        body: JsonObject = {
            "statusCode": error.status,
            "error": phrase,
            "message": error.message or _MESSAGES.get(error.status, f"Error {error.status}."),
            "path": request.path,
            "requestId": request.trace,
            "timestamp": request.at,
        }
        if error.status == 400:
            body["errors"] = error.details or []
        return ApiResponse(error.status, body)


class _StartJob:
    def __init__(self, template: JobTemplate) -> None:
        self._template = template

    def __call__(self, jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
        """Start the job and respond in the endpoint's own shape."""
        template = self._template
        for name in template.texts:
            value = request.body.get(name)
            if value is not None and not isinstance(value, str):
                raise validation_error(f"body.{name}", f"{name} must be a string", "isString")
        state, _ = jobs.start(template.script(jobs.scenario.seed, request), request.idempotency_key)
        return ApiResponse(202, _accepted_body(jobs, request, template, state.script.id))


def _accepted_body(jobs: SimulatedJobs, request: ApiRequest, template: JobTemplate, job_id: str) -> JsonObject:
    relative = template.poll_path.format(id=job_id)
    form = jobs.scenario.poll_urls
    absolute = template.absolute if form is PollUrlForm.MIXED else form is PollUrlForm.ABSOLUTE
    url = f"{request.origin}{relative}" if absolute else relative
    if template.snake_case:
        return {"id": job_id, "status": "queued", "poll_url": url, "meta": {"request_id": request.trace}}
    body: JsonObject = {"id": job_id, "operationId": job_id, "status": "queued", "pollUrl": url}
    meta = {"requestId": request.trace}
    if template.wrapped:
        return {"data": body, "meta": meta}
    return {**body, "meta": meta} if template.meta else body


def get_operation(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET /api/operations/{id}`, for every job: enrichments and searches are operations too."""
    return ApiResponse(200, _operation(_find(jobs, request)))


def get_enrichment(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET /api/enrichments/{id}`."""
    return ApiResponse(200, _operation(_find(jobs, request, Resource.ENRICHMENT)))


def get_search(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET /api/v1/search/{id}`."""
    return ApiResponse(200, _search(jobs, _find(jobs, request, Resource.SEARCH)))


def list_operations(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET /api/operations`: newest first, `limit` 1–100, and an optional `status`; a bare array."""
    limit = integer_parameter(request, "limit", default=20, most=100, clamp=False)
    status = request.query.get("status")
    if status is not None and status not in _STATUSES:
        raise validation_error("query.status", f"status must be one of {', '.join(_STATUSES)}", "isEnum")
    states = [state for state in jobs.states(Api.THEHOG) if state.script.resource is not Resource.SEARCH]
    return ApiResponse(200, [_operation(state) for state in states if status in {None, _status_of(state)}][:limit])


def list_searches(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET /api/v1/search`: newest first, `limit` up to 200, `cursor`, and an optional `type`."""
    limit = integer_parameter(request, "limit", default=20, most=200, clamp=True)
    wanted = request.query.get("type")
    states = [
        state
        for state in jobs.states(Api.THEHOG)
        if state.script.resource is Resource.SEARCH and wanted in {None, state.script.search_type}
    ]
    page, cursor = page_after(states, request.query.get("cursor"), limit)
    return ApiResponse(200, {"data": [_search(jobs, state) for state in page], "next_cursor": cursor})


def _find(jobs: SimulatedJobs, request: ApiRequest, resource: Resource | None = None) -> JobState:
    state = jobs.find(Api.THEHOG, request.params["id"])
    if state is None or resource not in {None, state.script.resource}:
        raise ApiError(404)
    return state


def _status_of(state: JobState) -> str:
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
        "status": _status_of(state),
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


def _search(jobs: SimulatedJobs, state: JobState) -> JsonObject:
    script = state.script
    results = search_results(script) if state.state is State.SUCCEEDED else None
    error = script.error or JobFailure()
    return {
        "id": script.id,
        "status": _status_of(state),
        "type": script.search_type,
        "query": script.query,
        "results": results,
        "total_results": None if results is None else len(results),
        "error": {"message": error.message, "retryable": error.retryable} if state.state is State.FAILED else None,
        "created_at": jobs.iso(state.created),
        "completed_at": None if state.ended is None else jobs.iso(state.ended),
    }
