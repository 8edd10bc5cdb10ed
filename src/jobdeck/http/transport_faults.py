"""Why a request got no answer, in words: httpx's own messages may be empty, or contain what was sent."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from jobdeck.domain.problem import ProblemKind
from jobdeck.http.origin import Origin
from jobdeck.http.problems import ProblemDraft

_MAX_CAUSES = 20


def describe_transport_error(error: Exception, origin: Origin, proxy_variable: str | None) -> ProblemDraft:
    """Return the problem that an exception of httpx, or of a layer below it, means; its message is never empty."""
    through = f" through the proxy of {proxy_variable}" if proxy_variable else ""
    match error:
        case httpx.ConnectTimeout():
            return ProblemDraft(ProblemKind.TIMEOUT, f"connecting to {origin}{through} timed out")
        case httpx.TimeoutException():
            return ProblemDraft(ProblemKind.TIMEOUT, f"{origin}{through} did not respond in time")
        case httpx.ProxyError():
            return ProblemDraft(
                ProblemKind.NETWORK,
                f"the proxy of {proxy_variable or 'the environment'} refused the connection: {error}",
            )
        case httpx.ConnectError():
            return ProblemDraft(ProblemKind.NETWORK, f"cannot connect to {origin}{through}: {_reason(error)}")
        case httpx.NetworkError():
            return ProblemDraft(ProblemKind.NETWORK, f"lost the connection to {origin}{through}: {_reason(error)}")
        case httpx.RemoteProtocolError() if "disconnect" in str(error) or "closed connection" in str(error):
            return ProblemDraft(ProblemKind.NETWORK, f"{origin} closed the connection before its response was complete")
        case httpx.RemoteProtocolError():
            return ProblemDraft(ProblemKind.PROTOCOL, f"{origin} sent invalid HTTP: {error}")
        case httpx.LocalProtocolError():
            # h11's message repeats the header that it refused, which may be a key.
            return ProblemDraft(ProblemKind.PROTOCOL, f"cannot send a request to {origin}: malformed header")
        case OSError():
            return ProblemDraft(ProblemKind.NETWORK, f"cannot reach {origin}{through}: {_reason(error)}")
        case _:
            return ProblemDraft(
                ProblemKind.PROTOCOL, f"cannot read the response from {origin} ({type(error).__name__})"
            )


def _reason(error: BaseException) -> str:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate verification failed: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or cause.strerror or 'no reason given'}"
        if isinstance(cause, socket.gaierror):
            return f"cannot resolve the host name ({cause.strerror or 'no reason given'})"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return next((str(cause) for cause in causes if str(cause)), type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, members of groups included; at most 20, since they can be cyclic."""
    pending: list[BaseException] = [error]
    for _ in range(_MAX_CAUSES):
        if not pending:
            return
        cause = pending.pop(0)
        yield cause
        pending += getattr(cause, "exceptions", ())
        pending += [below for below in (cause.__cause__, cause.__context__) if below is not None]
