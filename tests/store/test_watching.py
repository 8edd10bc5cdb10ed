import random
from dataclasses import replace

import pytest

from jobdeck.domain.attention import Attention, rank
from jobdeck.domain.instant import Instant
from jobdeck.domain.job import JobKey, Stage
from jobdeck.domain.phase import Phase
from jobdeck.domain.problem import ProblemKind
from jobdeck.store import POLL, Store, UnknownJobError
from tests.builders import START, make_observation, make_target
from tests.store.conftest import OpenClient
from tests.store.engines import Clock
from tests.store.steps import KEY, NOW, PLENTY, SECOND, a_problem, listed, poll, saved

UNKNOWN = JobKey("hog", None, "op_nobody_watches")


async def test_the_watch_list_keeps_order_and_accepting_ids(empty: Store) -> None:
    first = replace(make_target("op_b"), accepted_request_id="r-1", accepted_trace_id="t-1")
    second = make_target("job-1", "sonarly", "prospecting")
    third = make_target("op_a")
    assert await empty.watch([first, second]) == (first.key, second.key)
    assert await empty.watch([third, first]) == (third.key,)
    assert await listed(empty) == (first, second, third)


async def test_an_unwatched_job_leaves_the_list_and_stays_known(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW)
    assert await store.unwatch([KEY, UNKNOWN]) == (KEY,)
    assert await store.unwatch([KEY]) == ()
    assert await listed(store) == ()
    remembered = await saved(store)
    assert remembered.last.status == "processing"
    assert remembered.watched_us is None


async def test_a_job_that_is_not_listed_is_known_and_can_be_polled(empty: Store, clock: Clock) -> None:
    assert await empty.watch([make_target()], listed=False) == ()
    assert await listed(empty) == ()
    assert (await poll(empty, clock, NOW)).changed == (KEY,)


async def test_watching_again_keeps_the_state_and_takes_over_a_missing_accepting_id(store: Store, clock: Clock) -> None:
    await poll(store, clock, NOW)
    await store.watch([replace(make_target(), accepted_request_id="r-1")])
    await store.watch([replace(make_target(), accepted_request_id="r-2")])
    remembered = await saved(store)
    assert remembered.last.status == "processing"
    assert remembered.last.target.accepted_request_id == "r-1"


async def test_a_job_stays_in_its_batch_until_a_person_names_another(empty: Store) -> None:
    first, alone = replace(make_target("op_a"), batch="night"), make_target("op_b")
    await empty.watch([first, alone])
    assert [target.batch for target in await listed(empty)] == ["night", ""]
    await empty.watch([make_target("op_a"), replace(alone, batch="day")])
    assert [target.batch for target in await listed(empty)] == ["night", "day"]
    await empty.watch([replace(first, batch="ids"), replace(alone, batch="import 7", replaces_batch=True)])
    assert [target.batch for target in await listed(empty)] == ["night", "import 7"]


async def test_the_same_id_in_two_profiles_and_groups_is_three_jobs(empty: Store) -> None:
    plain, other = make_target("same"), make_target("same", "other")
    grouped = make_target("same", "other", "prospecting")
    assert len(await empty.watch([plain, other, grouped])) == 3
    assert {job.last.key for job in await empty.jobs()} == {plain.key, other.key, grouped.key}


async def test_a_note_and_an_acknowledgement_change_nothing_of_each_other(store: Store, clock: Clock) -> None:
    assert await store.annotations([KEY]) == {}
    await store.annotate([KEY], "ask Ada")
    await clock.set(NOW + 1)
    await store.acknowledge([KEY], acknowledged=True)
    found = await store.annotations([KEY, UNKNOWN])
    assert list(found) == [KEY]
    said = found[KEY]
    assert (said.acknowledged, said.note, said.client, said.at_us) == (True, "ask Ada", "me", NOW + 1)
    await clock.set(NOW + 2)
    await store.annotate([KEY], "ask Bob")
    assert (await store.annotations([KEY]))[KEY] == replace(said, note="ask Bob")
    await store.acknowledge([KEY], acknowledged=False)
    assert (await store.annotations([KEY]))[KEY] == replace(said, note="ask Bob", acknowledged=False, at_us=NOW + 2)


async def test_an_acknowledgement_overtaken_by_a_later_end_stays_overtaken_when_a_note_is_saved(
    store: Store, clock: Clock
) -> None:
    other = make_target("op_2")
    await store.watch([other])
    await poll(store, clock, NOW, make_observation(Phase.FAILED))
    await clock.set(NOW + SECOND)
    await store.acknowledge([KEY], acknowledged=True)
    await poll(store, clock, NOW + 2 * SECOND, make_observation(Phase.RUNNING, id_="op_2"), other.key)
    assert [job.key for job in await store.watched(START, 1)] == [other.key]
    await poll(store, clock, NOW + 3 * SECOND, make_observation(Phase.RUNNING))
    await poll(store, clock, NOW + 4 * SECOND, make_observation(Phase.FAILED))
    await clock.set(NOW + 5 * SECOND)
    await store.annotate([KEY], "it failed again")
    ended = (await saved(store)).last.ended
    assert ended is not None
    assert (await store.annotations([KEY]))[KEY].at_us < ended.us
    assert [job.key for job in await store.watched(START, 1)] == [KEY]


async def test_a_note_takes_the_place_of_none_but_those_that_it_replaces(store: Store) -> None:
    targets = [make_target(f"op_{number}") for number in (2, 3, 4)]
    keys = [KEY, *(target.key for target in targets)]
    await store.watch(targets)
    for key, note in zip(keys, ["", "mine", "shared", "older"], strict=True):
        if note:
            await store.annotate([key], note)
    await store.annotate([*keys, UNKNOWN], "new", {"shared", "older"})
    found = await store.annotations([*keys, UNKNOWN])
    assert {key.id: said.note for key, said in found.items()} == {
        "op_1": "new", "op_2": "mine", "op_3": "new", "op_4": "new",
    }  # fmt: skip
    await store.annotate(keys, "whatever was there")
    assert {said.note for said in (await store.annotations(keys)).values()} == {"whatever was there"}


async def test_a_note_cannot_carry_a_terminal_command(store: Store) -> None:
    await store.annotate([KEY], "one\ntwo\x1b[2J\udc80")
    assert (await store.annotations([KEY]))[KEY].note == "one\ntwo\\x1b[2J\\udc80"


async def test_a_job_never_watched_is_left_out_of_annotations_and_has_no_events(store: Store) -> None:
    await store.annotate([UNKNOWN, KEY], "?")
    await store.acknowledge([UNKNOWN, KEY], acknowledged=True)
    assert list(await store.annotations([UNKNOWN, KEY])) == [KEY]
    with pytest.raises(UnknownJobError, match="op_nobody_watches"):
        await store.claim_event(UNKNOWN, "ended")


async def test_an_event_is_claimed_once(store: Store) -> None:
    assert await store.claim_event(KEY, "ended:failed")
    assert not await store.claim_event(KEY, "ended:failed")
    assert await store.claim_event(KEY, "ended:succeeded")


async def test_an_event_is_claimed_by_one_of_two_clients(pair: tuple[Store, Store]) -> None:
    me, you = pair
    assert [await client.claim_event(KEY, "ended") for client in (you, me, you)] == [True, False, False]


async def test_estimates_come_back_as_they_were_given(store: Store, clock: Clock) -> None:
    assert await store.load_estimates() == {}
    await store.save_estimates("hog", '{"search":[61.5,3]}')
    await clock.set(NOW + 1)
    await store.save_estimates("hog", '{"search":[60.5,4]}')
    assert await store.load_estimates() == {"hog": '{"search":[60.5,4]}'}


async def test_the_watched_jobs_are_those_that_are_loaded_by_key(store: Store, clock: Clock) -> None:
    targets = [make_target(f"op_{number}") for number in (3, 1, 2)]
    await store.watch(targets)
    await store.unwatch([targets[0].key])
    await poll(
        store, clock, NOW, make_observation(Phase.RUNNING, stages=(Stage("import", "running", Phase.RUNNING, 0.5),))
    )
    now = Instant(NOW + 10, 7.0)
    found = await store.load([*(target.key for target in targets[1:]), UNKNOWN])
    loaded = [job.at(now) for job in found.values()]
    assert [job.key.id for job in loaded] == ["op_1", "op_2"]
    assert list(await store.watched(now)) == loaded
    assert loaded[0].stages[0].stage.progress == 0.5


async def test_of_the_watched_jobs_those_that_need_a_look_most_can_be_had_alone(empty: Store, clock: Clock) -> None:
    phases = {
        "op_done": Phase.SUCCEEDED,
        "op_queued": Phase.QUEUED,
        "op_run": Phase.RUNNING,
        "op_known": Phase.FAILED,
        "op_failed": Phase.FAILED,
        "op_short": Phase.PARTIAL,
    }
    for number, (name, phase) in enumerate(phases.items()):
        await empty.watch([make_target(name)])
        at_us = NOW + 10 * number * SECOND
        await poll(empty, clock, at_us, make_observation(phase, id_=name), make_target(name).key)
    await clock.set(NOW)
    await empty.watch([make_target("op_new"), make_target("a" * 24, "sonarly", "prospecting")])
    await clock.set(NOW + 100 * SECOND)
    await empty.acknowledge([make_target("op_known").key], acknowledged=True)
    needed = ["op_failed", "op_short", "op_run", "op_queued", "op_new", "a" * 24, "op_done", "op_known"]
    in_order = [job.key.id for job in await empty.watched(Instant(NOW, 1.0))]
    for most in range(len(needed) + 1):
        found = [job.key.id for job in await empty.watched(Instant(NOW, 1.0), most)]
        assert found == [name for name in in_order if name in needed[:most]], "in the order of the list"
    assert await empty.count_watched() == {"hog": 7, "sonarly": 1}


async def test_the_order_of_need_is_the_same_in_the_domain_and_in_the_database(empty: Store, clock: Clock) -> None:
    chance, now = random.Random(17), Instant(NOW + 10_000 * SECOND, 20_000.0)
    targets = [make_target(f"op_{number}") for number in range(50)]
    await empty.set_limits("hog", {POLL: PLENTY})
    await clock.set(NOW)
    await empty.watch(targets)
    for at_us in range(NOW + SECOND, NOW + 150 * SECOND, SECOND):
        key = chance.choice(targets).key
        match chance.randrange(6):
            case 0:
                await empty.acknowledge([key], acknowledged=chance.random() < 0.7)
            case 1 | 2:
                await poll(empty, clock, at_us, a_problem(ProblemKind.TIMEOUT), key)
            case _:
                await poll(empty, clock, at_us, make_observation(chance.choice(list(Phase)), id_=key.id), key)
    notes = await empty.annotations(target.key for target in targets)
    jobs = [notes[job.key].applied_to(job) if job.key in notes else job for job in await empty.watched(now)]
    ranks = {job.key: rank(job, None, arrival) for arrival, job in enumerate(jobs)}
    assert len({need for need, *_ in ranks.values()}) == len(Attention), "all but stalled, and acknowledged"
    in_need = sorted(ranks, key=ranks.__getitem__)
    for most in range(1, len(jobs)):
        assert {job.key for job in await empty.watched(now, most)} == set(in_need[:most])


async def test_of_many_jobs_those_with_a_note_are_found(store: Store) -> None:
    targets = [make_target(f"op_{number}") for number in range(60)]
    await store.watch(targets)
    await store.annotate([targets[7].key], "ask Ada")
    found = await store.annotations(one.key for one in targets)
    assert {key.id: said.note for key, said in found.items()} == {"op_7": "ask Ada"}


async def test_a_preference_is_kept_until_another_is_saved(store: Store) -> None:
    assert await store.load_preferences() == {}
    await store.save_preference("order", "KIND")
    await store.save_preference("order", "-KIND\x1b[2J")
    await store.save_preference("theme", "dark")
    assert await store.load_preferences() == {"order": "-KIND\\x1b[2J", "theme": "dark"}


async def test_everything_is_there_again_after_a_restart(open_client: OpenClient, clock: Clock) -> None:
    store = await open_client("yesterday")
    await store.watch([make_target()])
    await poll(store, clock, NOW)
    await store.annotate([KEY], "ask Ada")
    await store.save_preference("order", "KIND")
    before = await saved(store)
    await store.close()
    again = await open_client("today")
    assert await listed(again) == (make_target(),)
    assert await saved(again) == before
    assert (await again.annotations([KEY]))[KEY].client in {"yesterday", "me"}, "the client, or the person"
    assert await again.load_preferences() == {"order": "KIND"}
    assert len(await again.requests(KEY)) == 1
