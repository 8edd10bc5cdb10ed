"""Which scopes a client works in, and under which of its names what is saved of a scope is shown.

Names of profiles are personal, scopes are not: a client sees the scopes of its own profiles, and no others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobdeck.domain.job import JobKey
from jobdeck.domain.scope import Scope, format_scope
from jobdeck.store.columns import key_from
from jobdeck.store.postgres.connect import Server

_ADD = (
    "WITH named AS (SELECT unnest($1::text[]) AS name, unnest($2::text[]) AS budget),"
    " budgets AS (INSERT INTO jobdeck.scopes (name) SELECT DISTINCT budget FROM named"
    "  ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, name)"
    " SELECT id, name FROM budgets"
)
_ADD_SCOPES = (
    "INSERT INTO jobdeck.scopes (name, budget) SELECT * FROM unnest($1::text[], $2::bigint[])"
    " ON CONFLICT (name) DO UPDATE SET budget = excluded.budget RETURNING id, name"
)


@dataclass(slots=True)
class ProfileScopes:
    """The scopes of the configured profiles: their rows, and those of the scopes whose budgets they spend.

    A profile that is not configured has a scope of its own name.
    """

    server: Server
    configured: Mapping[str, Scope]
    rows: dict[str, int] = field(default_factory=dict)
    budgets: dict[str, int] = field(default_factory=dict)
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    scopes: dict[int, Scope] = field(default_factory=dict)

    async def require(self, profiles: Iterable[str]) -> None:
        """Have a row for each of these profiles' scopes."""
        new = {
            name: self.configured.get(name) or Scope("", name)
            for name in dict.fromkeys(profiles)
            if name not in self.rows
        }
        if not new:
            return
        budgets = {name: format_scope(scope.budget) for name, scope in new.items()}
        ids = {
            row["name"]: int(row["id"]) for row in await self.server.rows(_ADD, list(budgets), list(budgets.values()))
        }
        own = {format_scope(scope): ids[budgets[name]] for name, scope in new.items() if format_scope(scope) not in ids}
        if own:
            added = await self.server.rows(_ADD_SCOPES, list(own), list(own.values()))
            ids |= {row["name"]: int(row["id"]) for row in added}
        for name, scope in new.items():
            row = ids[format_scope(scope)]
            self.rows[name], self.budgets[name] = row, ids[budgets[name]]
            self.names[row] = (*self.names.get(row, ()), name)
            self.scopes[row] = scope

    @property
    def all(self) -> list[int]:
        """The rows of every scope."""
        return list(self.names)

    def of(self, profile: str | None) -> list[int]:
        """Return the row of a profile's scope, or (None) of all."""
        if profile is None:
            return self.all
        return [self.rows[profile]] if profile in self.rows else []

    def name(self, scope: int, saved: str) -> str:
        """Return the name under which something of a scope is shown, `saved` with another person's name for it."""
        names = self.names.get(scope, ())
        return saved if saved in names or not names else names[0]

    def parts(self, keys: Iterable[JobKey]) -> tuple[list[int], list[str], list[str]]:
        """Return scopes, account groups and IDs of jobs, for a query by `unnest`, without those of unknown profiles."""
        known = [key for key in keys if key.profile in self.rows]
        return (
            [self.rows[key.profile] for key in known],
            [key.account_group or "" for key in known],
            [key.id for key in known],
        )

    def keys(self, scope: int, profile: str, account_group: str, id_: str) -> tuple[JobKey, ...]:
        """Return the keys of a job: one for each of the profiles that have its scope."""
        return tuple(key_from(name, account_group, id_) for name in self.names.get(scope, (profile,)))
