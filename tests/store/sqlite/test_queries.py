import apsw

from jobdeck.store.sqlite.requests import _OF_JOB
from tests.store.engines import LocalClock
from tests.store.sqlite.conftest import OpenFile
from tests.store.steps import NOW, poll, prepare


async def test_the_newest_hundred_requests_of_a_job_are_found_by_an_index(open_file: OpenFile) -> None:
    connection = (await open_file())._db._session.connection
    plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {_OF_JOB}", (1, 100))]
    assert plan
    assert not [
        step for step in plan if step.startswith("SCAN") and step.split()[1] in {"exchanges", "observations", "e"}
    ]


async def test_health_tells_the_version_and_the_size_of_all_files(open_file: OpenFile, clock: LocalClock) -> None:
    store = await open_file()
    before = (await store.health()).size
    await prepare(store)
    await poll(store, clock, NOW)
    health = await store.health()
    assert apsw.sqlite_lib_version() in health.server_version
    assert health.size > before, "with its log, where the newest changes are"
