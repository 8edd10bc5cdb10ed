"""Whose jobs and budget something is: an organization's at one origin, whatever a profile is called."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """An origin (scheme, host and effective port, as `Origin` writes it) and an organization.

    Everything that is remembered and shared belongs to one: states, the watch list, timelines, requests, the rate
    limit, leases, what was learnt of durations. `origin` is empty where an older database does not tell it.
    """

    origin: str
    organization: str


def format_scope(scope: Scope) -> str:
    """Return a scope as text: its origin, a space, its organization; the organization alone without an origin."""
    return f"{scope.origin} {scope.organization}" if scope.origin else scope.organization


def parse_scope(text: str) -> Scope:
    """Return the scope that `format_scope` wrote."""
    origin, space, organization = text.partition(" ")
    return Scope(origin, organization) if space else Scope("", text)
