"""The requests that the simulator got, and their counts: what tests of rate limits look at."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request. `at` is simulated seconds since the start, `status` None when the connection was reset.

    `bucket` is the rate bucket it was counted in, None when its credentials were refused. `refused`: the
    bucket was empty, so it was answered 429. Header values are not kept.
    """

    at: float
    api: str
    method: str
    path: str
    query: str
    endpoint: str
    bucket: str | None
    status: int | None
    request_id: str
    header_names: frozenset[str]
    fault: str | None = None
    refused: bool = False


@dataclass(slots=True)
class Stats:
    """Running counts. Buckets are named `thehog/polling`; `refused` counts the 429s by bucket."""

    requests: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    by_bucket: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    by_endpoint: Counter[str] = field(default_factory=Counter)

    def count(self, record: RequestRecord) -> None:
        """Count one request."""
        self.requests += 1
        self.by_endpoint[f"{record.api}/{record.endpoint}"] += 1
        if record.bucket is not None:
            self.by_bucket[record.bucket] += 1
            if record.refused:
                self.refused[record.bucket] += 1
        if record.status is not None:
            self.by_status[record.status] += 1
        if record.fault is not None:
            self.by_fault[record.fault] += 1
