"""The documented example bodies, word for word."""

OP = "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T"
REQUEST_ID = "3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a"
JOB = "507f1f77bcf86cd799439011"

HOG_ACCEPTED = b"""{"id": "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", "operationId": "op_01HZ9K2QW3RV4M5N6P7Q8R9S0T", "status": "queued",
 "pollUrl": "https://developer.thehog.ai/api/operations/op_01HZ9K2QW3RV4M5N6P7Q8R9S0T",
 "meta": {"requestId": "3f7a1c2e-88b4-4d0e-a1f5-0c9e2b3d7f4a"}}"""  # noqa: E501 - word for word

HOG_RATE_LIMITED = """{"statusCode": 429, "error": "Too Many Requests", "message": "Rate limit exceeded. Please slow down and retry.",
 "path": "/api/operations/op_…", "requestId": "3f7a…", "timestamp": "2025-06-10T09:14:33.000Z",
 "errors": [{"property": "body.query", "message": "query must be a string", "constraints": {"isString": "…"}}]}""".encode()  # noqa: E501 - word for word

HOG_INVALID = b"""{"statusCode": 400, "error": "Bad Request", "message": "Validation failed", "path": "/api/v1/search",
 "timestamp": "2026-05-21T09:08:10.000Z", "requestId": "506af9b3-01a9-43be-9eb4-8458fe3e4f5b",
 "errors": [{"property": "body.query", "message": "query must be a string",
             "constraints": {"isString": "query must be a string"}}]}"""

SONARLY_JOB = """{"success": true,
 "data": {"jobId": "507f1f77bcf86cd799439011", "type": "prospecting", "status": "running",
          "createdAt": "2026-04-28T15:30:00.000Z", "updatedAt": "2026-04-28T15:30:00.000Z",
          "stages": {"import": {"status": "running", "progress": 0.82}, "enrichment": {"status": "queued", "progress": 0}},
          "error": {"code": "string", "message": "…"}},
 "error": null, "traceId": "507f1f77bcf86cd799439011"}""".encode()  # noqa: E501 - word for word

SONARLY_ACCEPTED = b"""{"success": true, "data": {"jobId": "507f1f77bcf86cd799439011", "status": "queued",
 "createdAt": "2026-04-28T15:30:00.000Z"}, "error": null, "traceId": "trace-9"}"""


def sonarly_error(code: str, message: str) -> dict[str, object]:
    return {
        "success": False,
        "data": None,
        "error": {"code": code, "message": message, "details": None},
        "traceId": "trace-err",
    }


def hog_error(status: int, message: str) -> dict[str, object]:
    return {
        "statusCode": status,
        "error": "Word",
        "message": message,
        "path": "/api/operations/op_1",
        "requestId": "req-body",
        "timestamp": "2025-06-10T09:14:33.000Z",
    }
