"""Whose jobs and budget something is: an organization's at one origin, whatever a profile is called."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scope:
    """An origin (scheme, host and effective port, as `Origin` writes it), an organization, and the API that is spoken.

    Everything that is remembered and shared belongs to one: states, the watch list, timelines, requests, leases, what
    was learnt of durations. Of two APIs at one origin only the budget is one, for they may give one ID to two jobs.
    `origin` is empty where an older database does not tell it, `api` where it has no jobs to tell it.
    """

    origin: str
    organization: str
    api: str = ""

    @property
    def budget(self) -> "Scope":
        """The scope whose rate limit holds: that of every API."""
        return replace(self, api="")


def format_scope(scope: Scope) -> str:
    """Return a scope as text: what is known of origin, organization and API, with spaces between."""
    return " ".join(part for part in (scope.origin, scope.organization, scope.api) if part)


def parse_scope(text: str) -> Scope:
    """Return the scope that `format_scope` wrote."""
    parts = text.split(" ")
    if "://" not in parts[0]:
        parts = ["", *parts]
    return Scope(parts[0], *parts[1:3]) if len(parts) > 1 else Scope(parts[0], "")
