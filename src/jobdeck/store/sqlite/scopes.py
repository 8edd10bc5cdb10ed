"""Which scope each configured profile has, and the name under which a query shows the rows of a scope.

Every connection has two views for that, which any query can join:

- `profile_scopes` (name, scope, budget, profile): the scope of every configured profile, and of names that are no
  longer configured and never had another scope. `budget` is the scope whose rate limit holds.
- `profile_names` (profile, scope, name): the name that queries show for a row written through `profile`. In the scope
  of a configured profile that is the row's own name if configured, else the name of the first such profile. No view has
  the rows of other scopes whose profile's name is configured for another server by now: no query may show them under
  that name.
"""

from collections.abc import Mapping

import apsw

from jobdeck.domain.scope import Scope, format_scope

_ADD = (
    "INSERT OR IGNORE INTO scopes (name) VALUES (:budget)",
    (
        "INSERT OR IGNORE INTO scopes (name, budget) SELECT :scope, id FROM scopes"
        " WHERE name = :budget AND :scope <> :budget"
    ),
    # An older database may have requests of the profile, and no job that tells their API.
    (
        "UPDATE OR IGNORE profiles SET scope = (SELECT id FROM scopes WHERE name = :scope)"
        " WHERE name = :name AND scope = (SELECT id FROM scopes WHERE name = :budget)"
    ),
    "INSERT OR IGNORE INTO profiles (name, scope) SELECT :name, id FROM scopes WHERE name = :scope",
)
_CONFIGURED = (
    "CREATE TEMP TABLE configured (place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, scope INTEGER NOT NULL,"
    " budget INTEGER NOT NULL, profile INTEGER NOT NULL, unplaced TEXT NOT NULL)"
)
_CONFIGURE = (
    "INSERT INTO configured (name, scope, budget, profile, unplaced)"
    " SELECT p.name, s.id, coalesce(b.id, s.id), p.id, :unplaced FROM scopes s JOIN profiles p ON p.scope = s.id"
    " LEFT JOIN scopes b ON b.id = s.budget"
    " WHERE p.name = :name AND s.name = :scope"
)
_VIEWS = (
    (
        "CREATE TEMP VIEW profile_scopes AS SELECT name, scope, budget, profile FROM configured"
        " UNION ALL SELECT p.name, s.id, coalesce(b.id, s.id), p.id FROM profiles p JOIN scopes s ON s.id = p.scope"
        " LEFT JOIN scopes b ON b.id = s.budget"
        " WHERE p.name NOT IN (SELECT name FROM configured) GROUP BY p.name HAVING count(*) = 1"
    ),
    (
        "CREATE TEMP VIEW profile_names AS SELECT p.id AS profile, p.scope, coalesce((SELECT c.name FROM configured c"
        " WHERE c.scope = p.scope ORDER BY c.name <> p.name, c.place LIMIT 1), p.name) AS name FROM profiles p"
        " WHERE p.scope IN (SELECT scope FROM configured) OR p.name NOT IN (SELECT name FROM configured)"
    ),
)

NAMES = "WITH names AS MATERIALIZED (SELECT profile, name FROM profile_names) "
"""Begins a query over many rows, so that it computes the name of each profile once, not once a row."""


def add_scopes(connection: apsw.Connection, scopes: Mapping[str, Scope]) -> None:
    """Add the missing rows of profiles and their scopes; needs a transaction."""
    for name, scope in scopes.items():
        for sql in _ADD:
            connection.execute(sql, _bindings(name, scope))


def make_views(connection: apsw.Connection, scopes: Mapping[str, Scope]) -> None:
    """Make the views of a connection, after `add_scopes`."""
    connection.execute(_CONFIGURED)
    for name, scope in scopes.items():
        connection.execute(_CONFIGURE, _bindings(name, scope))
    for sql in _VIEWS:
        connection.execute(sql)


def _bindings(name: str, scope: Scope) -> dict[str, str]:
    return {
        "name": name,
        "scope": format_scope(scope),
        "budget": format_scope(scope.budget),
        "unplaced": format_scope(Scope("", name, scope.api)),
    }
