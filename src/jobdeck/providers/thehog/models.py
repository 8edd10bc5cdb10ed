"""The Hog's answers, as far as a monitor reads them. Everything but the shape of the whole is optional."""

from typing import Any

from pydantic import AliasChoices, Field

from jobdeck.providers.lenient import Moment, Percent, Text, text
from jobdeck.providers.reading import Tolerant


class Operation(Tolerant):
    """``GET /api/operations/{id}`` and ``/api/enrichments/{id}``; `progress` is per cent there, a fraction here."""

    id: Text = None
    status: Text = None
    progress: Percent = None
    result: Any = None
    error: Any = None
    meta: Any = None
    request_id: Any = Field(None, alias="requestId")
    type: Text = None
    kind: Text = None
    created_us: Moment = Field(None, validation_alias=AliasChoices("created_at", "createdAt"))
    updated_us: Moment = Field(None, validation_alias=AliasChoices("updated_at", "updatedAt"))
    completed_us: Moment = Field(None, validation_alias=AliasChoices("completed_at", "completedAt"))


class Search(Tolerant):
    """``GET /api/v1/search/{id}``, which tells no progress."""

    id: Text = None
    status: Text = None
    type: Text = None
    query: Text = None
    results: Any = None
    total_results: Any = None
    error: Any = None
    meta: Any = None
    request_id: Any = Field(None, alias="requestId")
    created_us: Moment = Field(None, alias="created_at")
    completed_us: Moment = Field(None, alias="completed_at")

    @property
    def total(self) -> str | None:
        """`total_results` as a cell."""
        return text(self.total_results)
