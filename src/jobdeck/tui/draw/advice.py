"""What an exchange's problem means for the person in front of it: in words, with what to do about it."""

from jobdeck.domain import words
from jobdeck.domain.exchange import Exchange
from jobdeck.domain.instant import Instant
from jobdeck.domain.problem import Problem, ProblemKind
from jobdeck.tui.cells import clip

PROFILE_CELLS = 24


def advice(problem: Problem, exchange: Exchange, now: Instant) -> str:
    """Return what a problem asks of a person, or why it asks nothing."""
    profile = clip(exchange.profile, PROFILE_CELLS)
    match problem.kind:
        case ProblemKind.RATE_LIMIT:
            return _wait(problem, exchange, now)
        case ProblemKind.AUTH:
            return f"the key of profile {profile} was refused: jobdeck doctor"
        case ProblemKind.PERMISSION:
            return f"the key of profile {profile} may not see this: jobdeck doctor"
        case ProblemKind.PAYMENT:
            return "the account is out of credits: top it up, then r asks again"
        case ProblemKind.NOT_FOUND:
            return f"the server of profile {profile} knows no such job: check the ID"
        case ProblemKind.REDIRECT:
            return f"not followed, keys stay here: check base_url of profile {profile}"
        case ProblemKind.NETWORK:
            return "no way to the server: check network, proxy and base_url"
        case ProblemKind.TIMEOUT:
            return "no whole answer in time: asked again, less often"
        case ProblemKind.SERVER_ERROR:
            return _wait(problem, exchange, now, "the server's own trouble: ")
        case ProblemKind.TOO_BIG:
            return "more than is safe to read: the job itself may be well"
        case ProblemKind.NOT_JSON:
            return "something between here and the API answered: a proxy, a wrong base_url"
        case ProblemKind.PROTOCOL:
            return "not what the API promises: Y makes a ticket for support"


def _wait(problem: Problem, exchange: Exchange, now: Instant, why: str = "") -> str:
    if problem.retry_at_us is None:
        return f"{why or 'too many requests, and no time named: '}asked again, less often"
    answered = exchange.started.us + round(exchange.duration * 1e6)
    asked = words.span(round((problem.retry_at_us - answered) / 1e6))
    until = words.near(problem.retry_at_us, now)
    if problem.retry_at_us > now.us:
        return f"{why}asks to wait {asked}: waiting until {until}"
    return f"{why}asked to wait {asked}, until {until}"
