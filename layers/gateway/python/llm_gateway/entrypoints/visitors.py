"""Who may call a server on this machine: programs here, pages that the server itself serves, and those of origins that were named
to it; no other page of a browser.

A browser sends requests to loopback for any page that asks it to, and a page of a stranger may bring its own name for
127.0.0.1. What a page causes carries `Origin` or `Sec-Fetch-Site`; what comes by a stranger's name carries that as `Host`.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OWN_SITE: Final = frozenset({"none", "same-origin"})
_FORBIDDEN: Final = b"This server answers programs on this machine, and no page of another site.\n"


@lru_cache(maxsize=64)
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


def fault_in(headers: Mapping[str, str], *, origins: Collection[str] = ()) -> str | None:
    """What makes a request with these headers (names in lower case) a stranger's; None where nothing does.

    Pages of `origins`, which are other sites, are none.
    """
    host = headers.get("host", "")
    if not is_loopback(_without_port(host)):
        return "Host is none of this machine's own names: use 127.0.0.1 or localhost."
    origin = headers.get("origin")
    if origin in origins:
        return None
    if origin is not None and origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}"):
        return "Origin is another site: no page but this server's own may call it."
    if headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        return "Sec-Fetch-Site is another site: no page but this server's own may call it."
    return None


_TELLING: Final = {b"host": "host", b"origin": "origin", b"sec-fetch-site": "sec-fetch-site"}

Refusal = Callable[[Scope, str], ASGIApp]


def plain(_scope: Scope, fault: str) -> ASGIApp:
    """The plainest refusal there is."""
    return PlainTextResponse(f"{fault}\n", 403)


class NoOtherSites:
    """ASGI middleware: a stranger's request is answered by what `refusal` makes, and nothing behind it lets other sites read an
    answer."""

    def __init__(self, app: ASGIApp, *, refusal: Refusal = plain, origins: Collection[str] = ()) -> None:
        self.app = app
        self.refusal = refusal
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if "headers" in message:
                message["headers"] = [
                    line for line in message["headers"] if not line[0].lower().startswith(b"access-control-")
                ]
            await send(message)

        fault = fault_in(_telling(scope["headers"]), origins=self.origins)
        answering = self.app if fault is None else self.refusal(scope, fault)
        await answering(scope, receive, sending)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) else host


def _telling(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Those that tell who asks. Lines of one name become one, which then is no value that this server takes."""
    joined: dict[str, str] = {}
    for name, value in headers:
        text = name.lower()
        if text in _TELLING:
            before = joined.get(_TELLING[text])
            line = value.decode("latin-1")
            joined[_TELLING[text]] = line if before is None else f"{before}, {line}"
    return joined
