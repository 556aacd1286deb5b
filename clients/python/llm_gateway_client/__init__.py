"""Talks to a gateway over HTTP; knows nothing of the gateway's own code.

    from llm_gateway_client import GatewayClient

    with GatewayClient() as gateway:
        print(gateway.ask("What is photosynthesis?").output.text)

`AsyncGatewayClient` is the same for `asyncio`. `llm_gateway_client.errors` has what a call can raise.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from llm_gateway_client.asynchronous.client import AsyncGatewayClient as AsyncGatewayClient
    from llm_gateway_client.asynchronous.streams import AsyncAnswerStream as AsyncAnswerStream
    from llm_gateway_client.errors import GatewayError as GatewayError
    from llm_gateway_client.errors import Refused as Refused
    from llm_gateway_client.retries import Retries as Retries
    from llm_gateway_client.signing import SignatureAuth as SignatureAuth
    from llm_gateway_client.synchronous.client import GatewayClient as GatewayClient
    from llm_gateway_client.synchronous.streams import AnswerStream as AnswerStream

# Imported when they are used: signing alone needs neither pydantic nor the other client.
_HOMES: Final = {
    "AnswerStream": "synchronous.streams",
    "AsyncAnswerStream": "asynchronous.streams",
    "AsyncGatewayClient": "asynchronous.client",
    "GatewayClient": "synchronous.client",
    "GatewayError": "errors",
    "Refused": "errors",
    "Retries": "retries",
    "SignatureAuth": "signing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
