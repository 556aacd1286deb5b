"""Why no answer came: what kept the connection from being made, or which limit struck, told in the fault's detail."""

from collections.abc import Iterator, Mapping
from functools import cache

from llm_gateway.domain.faults import ProviderNotConnected, ProviderTimeout, ProviderUnreachable
from llm_gateway.errors import GatewayError
from llm_gateway.providers.deadline import Deadline


def explain(fault: GatewayError, error: Exception, deadline: Deadline) -> None:
    """Says why there was no connection, or which limit struck."""
    if isinstance(fault, ProviderTimeout):
        fault.struck_by(*deadline.struck)
    elif isinstance(fault, ProviderUnreachable):
        causes = [cause for kind in _chain(error) for cause in _reasons(kind)]
        if causes:
            fault.detail = f"No connection to the provider could be made: {causes[-1]}"
        elif isinstance(fault, ProviderNotConnected) and _has_timed_out(error):
            limit, limit_s = deadline.connecting
            fault.detail = f"No connection to the provider could be made within {limit_s:.4g} s ({limit})."


def _reasons(error: BaseException) -> Iterator[str]:
    found = next((_causes()[kind] for kind in type(error).__mro__ if kind in _causes()), None)
    if found is not None:
        yield found


def _has_timed_out(error: BaseException) -> bool:
    import httpx2

    return any(isinstance(cause, httpx2.TimeoutException) for cause in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


@cache
def _causes() -> Mapping[type[BaseException], str]:
    """Why there is no connection, by the innermost exception that tells."""
    import socket
    import ssl

    from llm_gateway.providers.transport import AddressForbidden

    return {
        AddressForbidden: "its host's name stands for an address that may not be called.",
        socket.gaierror: "its host's name is unknown.",
        ConnectionRefusedError: "its host refuses connections at that port.",
        ssl.SSLCertVerificationError: "its TLS certificate is not trusted.",
        ssl.SSLError: "TLS could not be agreed on.",
    }
