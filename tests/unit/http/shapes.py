"""Bodies as the public documentation of three APIs shows them, and what each of them means."""

from jobdeck.domain.phase import Phase

OPERATION = "projects/123456/locations/us-central1/operations/7612202767953098924"
OPERATION_ID = "7612202767953098924"


def operation(**more: object) -> dict[str, object]:
    return {
        "name": OPERATION,
        "metadata": {
            "@type": "type.googleapis.com/google.cloud.speech.v1.LongRunningRecognizeMetadata",
            "progressPercent": 34,
            "startTime": "2026-04-28T15:30:00.123456Z",
            "lastUpdateTime": "2026-04-28T15:31:00Z",
        },
        **more,
    }


GOOGLE: tuple[tuple[str, dict[str, object], str, Phase], ...] = (
    ("going on, done left out", operation(), "not done", Phase.RUNNING),
    ("going on", operation(done=False), "not done", Phase.RUNNING),
    ("with a response", operation(done=True, response={"results": [1]}), "done", Phase.SUCCEEDED),
    ("without a response, as some services", operation(done=True), "done", Phase.SUCCEEDED),
    ("with an empty response", operation(done=True, response={}), "done", Phase.SUCCEEDED),
    (
        "failed",
        operation(done=True, error={"code": 3, "message": "bad audio", "details": [{"reason": "RATE"}]}),
        "done",
        Phase.FAILED,
    ),
    ("cancelled", operation(done=True, error={"code": 1, "message": "cancelled"}), "done", Phase.CANCELLED),
)

AZURE_ID = "4b7c1a5e-9c3d-4f6e-8a21-0f1e2d3c4b5a"


def azure(status: str, **more: object) -> dict[str, object]:
    return {
        "id": f"/subscriptions/sub-1/providers/Microsoft.Compute/locations/westus/operations/{AZURE_ID}",
        "name": AZURE_ID,
        "status": status,
        "startTime": "2026-04-28T15:30:00.0000000+00:00",
        **more,
    }


AZURE_ERROR = {"code": "ResourceNotFound", "message": "The disk was not found.", "target": "disk"}
AZURE: tuple[tuple[str, dict[str, object], str, Phase], ...] = (
    ("in progress", azure("InProgress", percentComplete=50.0), "InProgress", Phase.RUNNING),
    ("in words of its own", azure("Resizing"), "Resizing", Phase.RUNNING),
    ("the least that is allowed", {"status": "Running"}, "Running", Phase.RUNNING),
    (
        "succeeded",
        azure("Succeeded", percentComplete=100, endTime="2026-04-28T15:40:00Z", properties={"output": {"sku": "S"}}),
        "Succeeded",
        Phase.SUCCEEDED,
    ),
    ("failed", azure("Failed", error=AZURE_ERROR), "Failed", Phase.FAILED),
    ("cancelled", azure("Canceled", error={"code": "Canceled", "message": "by user"}), "Canceled", Phase.CANCELLED),
)


def run(status: str, conclusion: str | None = None, **more: object) -> dict[str, object]:
    return {
        "id": 30433642,
        "name": "Build",
        "node_id": "MDEyOldvcmtmbG93IFJ1bjI2OTI4OQ==",
        "head_branch": "main",
        "head_sha": "acb5820ced9479c074f688cc328bf03f341a511d",
        "run_number": 562,
        "run_attempt": 1,
        "event": "push",
        "display_title": "Update README.md",
        "status": status,
        "conclusion": conclusion,
        "workflow_id": 159038,
        "html_url": "https://github.com/octocat/Hello-World/actions/runs/30433642",
        "created_at": "2026-01-22T19:33:08Z",
        "updated_at": "2026-01-22T19:35:08Z",
        "run_started_at": "2026-01-22T19:33:10Z",
        **more,
    }


_CONCLUSIONS = {
    "success": Phase.SUCCEEDED,
    "neutral": Phase.SUCCEEDED,
    "skipped": Phase.SUCCEEDED,
    "failure": Phase.FAILED,
    "timed_out": Phase.FAILED,
    "startup_failure": Phase.FAILED,
    "stale": Phase.FAILED,
    "cancelled": Phase.CANCELLED,
    "action_required": Phase.QUEUED,
}
_STATUSES = {
    "queued": Phase.QUEUED,
    "requested": Phase.QUEUED,
    "waiting": Phase.QUEUED,
    "pending": Phase.QUEUED,
    "in_progress": Phase.RUNNING,
}
GITHUB: tuple[tuple[str, dict[str, object], str, Phase], ...] = (
    *((word, run(word), word, phase) for word, phase in _STATUSES.items()),
    *((f"completed: {word}", run("completed", word), word, phase) for word, phase in _CONCLUSIONS.items()),
    ("a conclusion before the end says nothing", run("in_progress", "success"), "in_progress", Phase.RUNNING),
    ("completed, and not how", run("completed"), "completed", Phase.UNKNOWN),
    ("completed in a new way", run("completed", "exploded"), "exploded", Phase.UNKNOWN),
    ("in a new state", run("levitating"), "levitating", Phase.UNKNOWN),
)
