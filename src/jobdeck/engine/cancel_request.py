"""Send the request that cancels a job: once, and on record before it is sent. Engines and direct clients use it."""

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
    """Return the problem of a cancel request that is not sent because of a cooldown."""
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
    """Send the cancel request that `permit` allows, record its result and return that.

    A request that ends without an answer is recorded, too: when this task is cancelled, or the provider raises.
    """
    started = clock.now()
    try:
        result = await provider.cancel(target)
    except Exception as error:  # noqa: BLE001 - a provider that raises may have sent the request
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
        result = PollResult(exchange)
    except BaseException:
        await coordinator.abandon(permit, clock.now())
        raise
    result = result.sent_as(permit.sequence)
    await coordinator.record(permit, result, clock.now())
    return result
