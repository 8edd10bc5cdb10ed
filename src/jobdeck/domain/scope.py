"""The owner of jobs and budgets: an organization at one origin, whatever its profiles are called."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scope:
    """An organization's account with one API.

    Everything that is remembered or shared belongs to a scope: states, the watch list, timelines, requests, leases,
    durations. Two APIs at one origin share only the budget, since both may use the same ID for different jobs.
    """

    # Scheme, host and effective port, as `Origin` writes it; empty where an older database lacks it.
    origin: str
    organization: str
    # Empty where an older database has no jobs to derive it from.
    api: str = ""

    @property
    def budget(self) -> "Scope":
        """The scope that the rate limit belongs to: all APIs at this origin together."""
        return replace(self, api="")


def format_scope(scope: Scope) -> str:
    """Return the scope's origin, organization and API, those that are known, separated by spaces."""
    return " ".join(part for part in (scope.origin, scope.organization, scope.api) if part)


def parse_scope(text: str) -> Scope:
    """Return the scope that `format_scope` wrote."""
    parts = text.split(" ")
    if "://" not in parts[0]:
        parts = ["", *parts]
    return Scope(parts[0], *parts[1:3]) if len(parts) > 1 else Scope(parts[0], "")
