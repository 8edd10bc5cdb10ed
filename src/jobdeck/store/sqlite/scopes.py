"""Which scope each configured profile has, and the name under which what is remembered of a scope is shown.

A connection knows it by two views of its own, so that any query can join them:

- `profile_scopes` (name, scope, profile): the scope of every configured profile, and of a name that is not configured
  any more and was never that of another scope.
- `profile_names` (profile, scope, name): what a row written through `profile` is shown as. In the scope of a configured
  profile that is its own name, else that of the first such profile. Rows of another scope whose profile's name is
  configured by now, for another server, are in no view: nothing may show them under that name.
"""

from collections.abc import Mapping

import apsw

from jobdeck.domain.scope import Scope, format_scope

_ADD = (
    "INSERT OR IGNORE INTO scopes (name) VALUES (?2)",
    "INSERT OR IGNORE INTO profiles (name, scope) SELECT ?1, id FROM scopes WHERE name = ?2",
)
_CONFIGURED = (
    "CREATE TEMP TABLE configured ("
    "place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, scope INTEGER NOT NULL, profile INTEGER NOT NULL)"
)
_CONFIGURE = (
    "INSERT INTO configured (name, scope, profile) SELECT p.name, p.scope, p.id FROM scopes s JOIN profiles p"
    " ON p.scope = s.id WHERE p.name = ? AND s.name = ?"
)
_VIEWS = (
    (
        "CREATE TEMP VIEW profile_scopes AS SELECT name, scope, profile FROM configured"
        " UNION ALL SELECT name, min(scope), min(id) FROM profiles WHERE name NOT IN (SELECT name FROM configured)"
        " GROUP BY name HAVING count(*) = 1"
    ),
    (
        "CREATE TEMP VIEW profile_names AS SELECT p.id AS profile, p.scope, coalesce((SELECT c.name FROM configured c"
        " WHERE c.scope = p.scope ORDER BY c.name <> p.name, c.place LIMIT 1), p.name) AS name FROM profiles p"
        " WHERE p.scope IN (SELECT scope FROM configured) OR p.name NOT IN (SELECT name FROM configured)"
    ),
)

NAMES = "WITH names AS MATERIALIZED (SELECT profile, name FROM profile_names) "
"""Begins a query over many rows: the name of each profile is made out once, not once a row."""


def add_scopes(connection: apsw.Connection, scopes: Mapping[str, Scope]) -> None:
    """Have a row for each profile and its scope; needs a transaction."""
    for name, scope in scopes.items():
        for sql in _ADD:
            connection.execute(sql, (name, format_scope(scope)))


def make_views(connection: apsw.Connection, scopes: Mapping[str, Scope]) -> None:
    """Make the views of a connection for the profiles, whose rows are there."""
    connection.execute(_CONFIGURED)
    for name, scope in scopes.items():
        connection.execute(_CONFIGURE, (name, format_scope(scope)))
    for sql in _VIEWS:
        connection.execute(sql)
