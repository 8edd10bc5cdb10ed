"""Sessions of several people who share one PostgreSQL database, on one simulator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from jobdeck.apis.targets import parse_target
from jobdeck.app.context import AppContext
from jobdeck.app.live_session import LiveSession
from jobdeck.config import Settings
from jobdeck.config.credentials import SecretRef
from jobdeck.config.programs import Hook
from jobdeck.config.team import TeamSettings, WhenAway
from jobdeck.domain.job import Target
from jobdeck.engine.engine import Engine
from tests.engine.running import settings_for


class Team:
    """A database and a server of an API; `context` is that of a person, in an organization."""

    def __init__(self, database: str, server: str) -> None:
        self._database = database
        self._server = server

    def settings(self, user: str, *hooks: Hook, organization: str = "acme", without_key: str = "") -> Settings:
        settings = settings_for(self._server)
        missing = {"token": SecretRef("env:NOT_SET", "a test")}
        profiles = {
            name: replace(
                one,
                profile=replace(one.profile, organization=organization),
                secret_refs=missing if name == without_key else one.secret_refs,
            )
            for name, one in settings.profiles.items()
        }
        team = TeamSettings(SecretRef(self._database, "a test"), WhenAway.WAIT, user)
        return replace(settings, profiles=profiles, team=team, hooks=hooks)

    def context(
        self, user: str, *hooks: Hook, everyone: bool = False, organization: str = "acme", without_key: str = ""
    ) -> AppContext:
        settings = self.settings(user, *hooks, organization=organization, without_key=without_key)
        return AppContext({}, settings=settings, everyone=everyone)

    def targets(self, *texts: str) -> tuple[Target, ...]:
        registry = self.context("nobody").registry
        return tuple(parse_target(text, registry) for text in texts)


@asynccontextmanager
async def running(session: LiveSession) -> AsyncIterator[Engine]:
    """Run a session's engine and hooks, as a screen does."""
    engine = await session.start()

    async def follow() -> None:
        async for batch in engine.subscribe():
            session.run_hooks(batch, None)

    tasks = [asyncio.create_task(follow()), asyncio.create_task(engine.run())]
    try:
        yield engine
    finally:
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        await session.close()
        await tasks[0]
