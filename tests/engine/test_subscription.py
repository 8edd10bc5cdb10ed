from dataclasses import replace

from jobdeck.domain.events import JobAdded
from jobdeck.engine.subscription import ChangeSet, Subscription
from tests.builders import START, make_exchange, make_job


def open_subscription(*ids: str) -> Subscription:
    return Subscription([make_job(id_) for id_ in ids], lambda _: None)


async def next_batch(subscription: Subscription) -> ChangeSet:
    return await anext(aiter(subscription))


async def test_the_first_batch_comes_at_once_and_holds_every_job() -> None:
    batch = await next_batch(open_subscription("op_1", "op_2"))
    assert [job.key.id for job in batch.jobs] == ["op_1", "op_2"]


async def test_the_first_batch_comes_even_without_jobs() -> None:
    assert await next_batch(open_subscription()) == ChangeSet()


async def test_changes_of_one_job_merge_into_its_newest_state() -> None:
    subscription = open_subscription()
    stream = aiter(subscription)
    await anext(stream)
    job = make_job()
    for progress in (0.1, 0.2, 0.3):
        subscription.put(jobs=[replace(job, progress=progress)], exchanges=[make_exchange()])
    batch = await anext(stream)
    assert [job.progress for job in batch.jobs] == [0.3]
    assert len(batch.exchanges) == 3


async def test_a_job_removed_and_added_again_is_there() -> None:
    subscription = open_subscription("op_1")
    job = make_job("op_1")
    subscription.put(removed=[job.key])
    subscription.put(jobs=[job], events=[JobAdded(START, job.key)])
    batch = await next_batch(subscription)
    assert batch.removed == ()
    assert batch.jobs == (job,)


async def test_a_closed_stream_gives_what_is_left_and_ends() -> None:
    subscription = open_subscription()
    subscription.put(jobs=[make_job()])
    subscription.close()
    assert [len(batch.jobs) async for batch in subscription] == [1]


async def test_what_comes_while_the_consumer_is_busy_is_not_lost_by_a_close() -> None:
    subscription = open_subscription()
    seen: list[int] = []
    async for batch in subscription:
        seen.append(len(batch.jobs))
        if len(seen) == 1:
            subscription.put(jobs=[make_job()])
            subscription.close()
    assert seen == [0, 1]
