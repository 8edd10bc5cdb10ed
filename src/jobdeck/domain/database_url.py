"""The URL of a PostgreSQL database, split into the parts that may be shown and those that are secret."""

import re
from dataclasses import dataclass, field

_URL = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^:@/?#]*)(?::(?P<password>[^@/?#]*))?@)?(?P<host>\[[^\]]*\]|[^:/?#]*)"
    r"(?::(?P<port>[0-9]*))?(?P<path>/[^?#]*)?(?:\?(?P<options>[^#]*))?"
)
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The parts of a database's URL. `text` is the whole URL; like the password, it is never shown."""

    host: str
    port: str
    database: str
    options: tuple[tuple[str, str], ...]
    password: str = field(repr=False)
    text: str = field(repr=False)

    @property
    def described(self) -> str:
        """Server and database, without user and password."""
        return f"{self.server or 'local socket'}{f':{self.port}' if self.port else ''}/{self.database}"

    @property
    def server(self) -> str:
        """The name or address of the server, or the directory of its socket; empty if the URL has neither."""
        return self.host or dict(self.options).get("host", "")

    @property
    def tls_mode(self) -> str | None:
        """The URL's ``sslmode``; None if it has none."""
        return dict(self.options).get("sslmode")

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self.server in {"", "localhost", "::1"} or self.server.startswith(("/", "127."))


def parse_database_url(text: str) -> DatabaseUrl | None:
    """Return the parts of a URL such as ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``; None for any other text."""
    found = _URL.fullmatch(text)
    if found is None:
        return None
    options = (pair.partition("=") for pair in (found["options"] or "").split("&") if pair)
    return DatabaseUrl(
        host=_plain(found["host"]).strip("[]"),
        port=found["port"] or "",
        database=_plain((found["path"] or "/")[1:]),
        options=tuple((_plain(name), _plain(value)) for name, _, value in options),
        password=_plain(found["password"] or ""),
        text=text,
    )


def _plain(text: str) -> str:
    """Return `text` with percent-encoding decoded."""
    return _ESCAPED.sub(lambda part: bytes.fromhex(part[0].replace("%", "")).decode("utf-8", "replace"), text)
