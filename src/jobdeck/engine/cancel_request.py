"""The request that cancels a job: on record before it is sent, and sent once; for engines and for direct clients."""

import logging

from jobdeck.domain.exchange import Exchange
from jobdeck.domain.humanize import format_time
from jobdeck.domain.instant import Clock, Instant
from jobdeck.domain.job import Target
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.engine.coordinator import Coordinator, Permit
from jobdeck.http.base import CancelRequest, PollResult, Provider

_log = logging.getLogger(__name__)


def cooldown_problem(until: Instant) -> Problem:
    """Return why no request to cancel a job is sent during a cooldown."""
    message = f"no requests until {format_time(until.us)} (cooldown): cancel again then"
    return Problem(ProblemKind.RATE_LIMIT, message, retry_at_us=until.us)


async def send_cancel(
    provider: Provider,
    coordinator: Coordinator,
    clock: Clock,
    *,
    target: Target,
    request: CancelRequest,
    permit: Permit,
) -> PollResult:
    """Send the request that `permit` has put on record, and put on record what came of it.

    Whatever ends it before there is an answer is on record as such: cancellation, and a provider that raises.
    """
    started = clock.now()
    try:
        reply = await provider.cancel(target)
    except Exception as error:  # noqa: BLE001 - a provider that breaks its promise may have sent the request
        _log.exception("the provider of profile %s raised", provider.profile_name)
        message = f"internal error ({type(error).__name__}): please report it"
        exchange = Exchange(
            provider.profile_name,
            request.method,
            request.url,
            started,
            clock.now().mono - started.mono,
            job=target.key,
            problem=Problem(ProblemKind.PROTOCOL, message),
        )
        reply = PollResult(exchange)
    except BaseException:
        await coordinator.abandon(permit, clock.now())
        raise
    reply = reply.sent_as(permit.sequence)
    await coordinator.record(permit, reply, clock.now())
    return reply
