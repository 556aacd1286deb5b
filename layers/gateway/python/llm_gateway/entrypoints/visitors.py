"""Who may call a server on this machine: programs here, and pages that the server itself serves; no other page of a browser.

A browser sends requests to loopback for any page that asks it to, and a page of a stranger may bring its own name for
127.0.0.1. What a page causes carries `Origin` or `Sec-Fetch-Site`; what comes by a stranger's name carries that as `Host`.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OWN_SITE: Final = frozenset({"none", "same-origin"})
_FORBIDDEN: Final = b"This server answers programs on this machine, and no page of another site.\n"


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without its port, is this machine's own."""
    name = host.lower().removesuffix(".")
    # A name below 127.0.0.1 is an emulator's for one of its APIs. No browser takes it: what ends in a number is an address to it.
    if name == "localhost" or name.endswith((".localhost", ".127.0.0.1")):
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def fault_in(headers: Mapping[str, str]) -> str | None:
    """What makes a request with these headers (names in lower case) a stranger's; None where nothing does."""
    host = headers.get("host", "")
    if not is_loopback(_without_port(host)):
        return "Host is none of this machine's own names: use 127.0.0.1 or localhost."
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
        return "Origin is another site: no page but this server's own may call it."
    if headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        return "Sec-Fetch-Site is another site: no page but this server's own may call it."
    return None


Refusal = Callable[[Scope, str], ASGIApp]


def plain(_scope: Scope, fault: str) -> ASGIApp:
    """The plainest refusal there is."""
    return PlainTextResponse(f"{fault}\n", 403)


class NoOtherSites:
    """ASGI middleware: a stranger's request is answered by what `refusal` makes, and no answer lets another site read it."""

    def __init__(self, app: ASGIApp, *, refusal: Refusal = plain) -> None:
        self.app = app
        self.refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if "headers" in message:
                message["headers"] = [*_for_no_other_site(message["headers"])]
            await send(message)

        fault = fault_in(_joined(scope["headers"]))
        answering = self.app if fault is None else self.refusal(scope, fault)
        await answering(scope, receive, sending)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lines of one name become one, which then is no value that this server takes."""
    joined: dict[str, str] = {}
    for name, value in headers:
        text, line = name.decode("latin-1").lower(), value.decode("latin-1")
        joined[text] = f"{joined[text]}, {line}" if text in joined else line
    return joined


def _for_no_other_site(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    return ((name, value) for name, value in headers if not name.lower().startswith(b"access-control-"))
