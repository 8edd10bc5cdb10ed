"""``jobdeck store``: set up, describe and migrate a team's shared database."""

import argparse
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from jobdeck.app.data_store import load_postgres
from jobdeck.cli.bootstrap import read_settings
from jobdeck.cli.exit_codes import CommandError, ExitCode
from jobdeck.cli.log import log
from jobdeck.cli.output import print_json
from jobdeck.cli.run_async import run_async
from jobdeck.config import ConfigError
from jobdeck.config.settings import default_path
from jobdeck.domain import humanize
from jobdeck.store.errors import StoreError, StoreUnavailableError


def run(arguments: argparse.Namespace) -> ExitCode:
    """Set up, describe or migrate the configured database."""
    settings = read_settings(arguments)
    if settings.team is None:
        place = settings.path or default_path(os.environ)
        raise ConfigError(f"no team database configured: set JOBDECK_STORE_URL, or url under [store] in {place}")
    url = settings.team.url(os.environ)
    action = _ACTIONS[arguments.action]
    try:
        return run_async(action(url, arguments))
    except StoreError as error:
        code = ExitCode.UNREACHABLE if isinstance(error, StoreUnavailableError) else ExitCode.USAGE
        raise CommandError(str(error), code) from None


async def _init(url: str, _: argparse.Namespace) -> ExitCode:
    return await _migrate_from(url, new=True)


async def _migrate(url: str, _: argparse.Namespace) -> ExitCode:
    return await _migrate_from(url, new=False)


async def _migrate_from(url: str, *, new: bool) -> ExitCode:
    postgres = load_postgres()
    address = postgres.ServerAddress.parse(url)
    before, after = await postgres.migrate(address, new=new)
    where = address.described
    if before == after:
        log(f"{where} is up to date (schema {after})")
    elif before == 0:
        log(f"{where} is set up (schema {after})")
    else:
        log(f"{where} was migrated from schema {before} to {after}")
    return ExitCode.OK


async def _status(url: str, arguments: argparse.Namespace) -> ExitCode:
    postgres = load_postgres()
    address = postgres.ServerAddress.parse(url)
    found = await postgres.describe(address)
    if arguments.json:
        print_json(found)
    else:
        size = "" if found["size"] is None else f", {found['size'] / 1024 / 1024:.1f} MiB"
        sys.stdout.write(f"{address.described}: PostgreSQL {found['server']}, role {found['role']}, {found['tls']}\n")
        sys.stdout.write(f"schema {found['schema']} of {found['known_schema']}{size}\n")
        for client in found["clients"]:
            seen = humanize.format_datetime(client["since_us"])
            sys.stdout.write(f"{client['user']}  {client['name']}  since {seen}\n")
        sys.stdout.flush()
    if found["schema"] == found["known_schema"]:
        return ExitCode.OK
    todo = "run 'jobdeck store init'" if found["schema"] == 0 else "run 'jobdeck store migrate'"
    log("upgrade jobdeck" if found["schema"] > found["known_schema"] else todo)
    return ExitCode.USAGE


_ACTIONS: dict[str, Callable[[str, argparse.Namespace], Coroutine[Any, Any, ExitCode]]] = {
    "init": _init,
    "status": _status,
    "migrate": _migrate,
}
