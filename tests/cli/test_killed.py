"""A watch that is killed in the middle of its work."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from jobdeck.simulator.scenario import Api, JobScript, Outcome, RateLimit, Resource, Scenario
from jobdeck.simulator.server import ThreadedSimulator
from tests.cli.harness import environment, jobdeck
from tests.support.forked import Piped

JOBS = 60
KILLS = 6
PLENTY = 6_000
SCENARIO = Scenario(
    jobs=tuple(
        JobScript(id=f"en_{number}", resource=Resource.ENRICHMENT, outcome=Outcome.NEVER, duration=1e6)
        for number in range(JOBS)
    ),
    limits=(RateLimit(Api.THEHOG, PLENTY), RateLimit(Api.THEHOG, PLENTY, bucket="polling")),
)


def shown_before_a_kill(env: dict[str, str], after: int) -> set[str]:
    """Kill a watch as soon as it has told of `after` jobs, and return every copy ID it has shown."""
    shown: set[str] = set()
    told = 0
    with closing(Piped("watch", "--json", *(f"/api/enrichments/en_{n}" for n in range(JOBS)), env=env)) as process:
        for line in process.stdout:
            item = json.loads(line)
            shown.update({item["request_id"]} if item.get("request_id") else ())
            told += item.get("change", {}).get("event") == "phase"
            if told == after:
                process.kill()
                break
        rest = process.stdout.read()
    whole = rest[: rest.rfind("\n") + 1].splitlines()
    return shown | {item["request_id"] for line in whole if (item := json.loads(line)).get("request_id")}


def test_what_a_killed_watch_has_shown_is_on_record(tmp_path: Path) -> None:
    with ThreadedSimulator(SCENARIO) as server:
        env = environment(server.url, tmp_path)
        config = tmp_path / "config.toml"
        config.write_text(
            f'[profiles.hog]\nprovider = "thehog"\nbase_url = "{server.url}"\nrequests_per_minute = {PLENTY}\n'
            'access_key = "env:THE_HOG_ACCESS_KEY"\nsecret_key = "env:THE_HOG_SECRET_KEY"\n'
        )
        env["JOBDECK_CONFIG"] = str(config)
        shown = set().union(*(shown_before_a_kill(env, after=1 + 2 * number) for number in range(KILLS)))
        entries = jobdeck("requests", "--json", "--limit", "10000", env=env).objects
        sent = [record.request_id for record in server.requests]
    on_record = {entry["request_id"] for entry in entries if entry["state"] == "answered"}
    assert len(shown) >= KILLS
    assert shown <= on_record <= set(sent)
    assert len(entries) >= len(sent), "each request is on record before it is sent, answered or not"
    with closing(sqlite3.connect(tmp_path / "data" / "jobdeck.db")) as database:
        assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
