"""Sonarly's answers, as far as a monitor reads them: one envelope, and what is in it."""

from typing import Any

from pydantic import AliasChoices, Field

from jobdeck.providers.lenient import Moment, Text
from jobdeck.providers.reading import Tolerant


class Envelope(Tolerant):
    """What every answer is wrapped in. `error` is the request's own, never a job's."""

    success: Any = None
    data: Any = None
    error: Any = None
    trace_id: Any = Field(None, alias="traceId")


class Job(Tolerant):
    """A prospecting job; a row of a list has no stages. `error` is the job's own failure."""

    id: Text = Field(None, validation_alias=AliasChoices("jobId", "id"))
    type: Text = None
    status: Text = None
    created_us: Moment = Field(None, alias="createdAt")
    updated_us: Moment = Field(None, alias="updatedAt")
    stages: Any = None
    error: Any = None
