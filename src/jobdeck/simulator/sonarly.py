"""Sonarly's documented routes, responses and errors, all in the same envelope."""

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
from jobdeck.simulator.job_templates import prospecting_script
from jobdeck.simulator.lifecycle import JobState, SimulatedJobs, State
from jobdeck.simulator.scenario import Api, Endpoint, JobFailure, object_id

_STATUSES = ("queued", "running", "completed", "failed", "cancelled")
_ERRORS = {
    400: ("VALIDATION_ERROR", "The request is not valid."),
    401: ("UNAUTHORIZED", "The API key is missing or not valid."),
    402: ("INSUFFICIENT_CREDITS", "The organization has no credits left."),
    403: ("FORBIDDEN", "The API key lacks the permission prospecting:read."),
    404: ("NOT_FOUND", "There is no such resource."),
    409: ("CONFLICT", "The resource has changed meanwhile."),
    422: ("VALIDATION_ERROR", "The request cannot be carried out."),
    429: ("RATE_LIMITED", "Too many requests."),
    500: ("INTERNAL_ERROR", "Something went wrong on our side."),
    502: ("BAD_GATEWAY", "An upstream service did not answer."),
}
_JOBS = "/v1/accounts/{group}/prospecting"


class Sonarly:
    """The simulated Sonarly."""

    api = Api.SONARLY

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of the account groups and their prospecting jobs."""
        return (
            Route("GET", "/v1/accounts", Endpoint.LIST, "list", list_accounts),
            Route("GET", _JOBS, Endpoint.LIST, "list", list_jobs),
            Route("POST", _JOBS, Endpoint.START, "general", start_job),
            Route("GET", _JOBS + "/{id}", Endpoint.POLL, "polling", get_job),
            Route("POST", _JOBS + "/{id}/cancel", Endpoint.CANCEL, "general", cancel_job),
        )

    def trace(self, key: str) -> str:
        """Return a trace ID: 24 hexadecimal digits."""
        return object_id(key)

    def trace_headers(self, trace: str) -> tuple[tuple[str, str], ...]:
        """Return no headers: the envelope carries the ID."""
        return ()

    def error(self, request: ApiRequest, error: ApiError) -> ApiResponse:
        """Return the envelope with `success` false."""
        code, message = _ERRORS.get(error.status, (f"HTTP_{error.status}", f"Error {error.status}."))
        body: JsonObject = {"code": code, "message": error.message or message, "details": error.details}
        return ApiResponse(error.status, {"success": False, "data": None, "error": body, "traceId": request.trace})


def list_accounts(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET /v1/accounts`: the account groups a key can see."""
    items: list[JsonObject] = [
        {"id": group.id, "name": group.name, "createdAt": jobs.iso(-86_400.0)} for group in jobs.scenario.account_groups
    ]
    return _success(request, {"items": items, "nextCursor": None, "hasMore": False})


def list_jobs(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET …/prospecting`: newest first, without stages; `limit` up to 100, `cursor`, `status`."""
    limit = integer_parameter(request, "limit", default=20, most=100, clamp=True)
    status = request.query.get("status")
    if status is not None and status not in _STATUSES:
        raise validation_error("query.status", f"status must be one of {', '.join(_STATUSES)}", "isEnum")
    states = [state for state in _in_group(jobs, request) if status in {None, _status_of(state.state)}]
    page, cursor = page_after(states, request.query.get("cursor"), limit)
    items = [_row(jobs, state) for state in page]
    return _success(request, {"items": items, "nextCursor": cursor, "hasMore": cursor is not None})


def get_job(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`GET …/prospecting/{id}`: the job with its stages in order."""
    state = _find(jobs, request)
    data: JsonObject = _row(jobs, state)
    data["stages"] = {
        stage.name: {"status": _status_of(stage.state), "progress": round(stage.done, 4) if stage.done else 0}
        for stage in state.stages
    }
    failure: JsonObject | None = None
    if state.state is State.FAILED:
        error = state.script.error or JobFailure()
        failure = {"code": error.code, "message": error.message}
        if error.details is not None:
            failure["details"] = error.details
    # The documentation allows both: `error` is absent for a job that has ended without one, null before its end.
    if failure is not None or not state.state.ended:
        data["error"] = failure
    return _success(request, data)


def start_job(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`POST …/prospecting`: 202, or 200 when the idempotency key is known."""
    _in_group(jobs, request)
    state, replayed = jobs.start(prospecting_script(jobs.scenario.seed, request), request.idempotency_key)
    data: JsonObject = {"jobId": state.script.id, "status": "queued", "createdAt": jobs.iso(state.created)}
    return _success(request, data, 200 if replayed else 202)


def cancel_job(jobs: SimulatedJobs, request: ApiRequest) -> ApiResponse:
    """`POST …/cancel`: only queued and running jobs, else 422."""
    state = _find(jobs, request)
    if state.state.ended:
        raise ApiError(422, f"Only queued or running jobs can be cancelled; this one is {_status_of(state.state)}.")
    jobs.cancel(state.script.id)
    return _success(request, {"jobId": state.script.id, "status": "cancelled"})


def _success(request: ApiRequest, data: JsonObject, status: int = 200) -> ApiResponse:
    return ApiResponse(status, {"success": True, "data": data, "error": None, "traceId": request.trace})


def _in_group(jobs: SimulatedJobs, request: ApiRequest) -> list[JobState]:
    group = request.params["group"]
    if group not in {existing.id for existing in jobs.scenario.account_groups}:
        raise ApiError(404, "There is no such account group.")
    return [state for state in jobs.states(Api.SONARLY) if state.script.account_group == group]


def _find(jobs: SimulatedJobs, request: ApiRequest) -> JobState:
    state = jobs.find(Api.SONARLY, request.params["id"])
    if state is None or state.script.account_group != request.params["group"]:
        raise ApiError(404)
    return state


def _row(jobs: SimulatedJobs, state: JobState) -> JsonObject:
    return {
        "jobId": state.script.id,
        "type": "prospecting",
        "status": _status_of(state.state),
        "createdAt": jobs.iso(state.created),
        "updatedAt": jobs.iso(state.updated),
    }


def _status_of(state: State) -> str:
    return "completed" if state in {State.SUCCEEDED, State.PARTIAL} else state.value
