"""Who may call a server that listens on loopback: programs of this machine, and no page of a browser.

A browser sends requests to loopback for any page that asks it to, and a page of a stranger may bring its own name for
127.0.0.1. What a page causes carries `Origin` or `Sec-Fetch-Site`; what comes by a stranger's name carries that as `Host`.
"""

import ipaddress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from local_model.errors import Forbidden


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without its port, is this machine's own."""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


class ProgramsOnly:
    """ASGI middleware: 403 for what a page causes, whichever page: this server has none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (fault := _fault_in(Headers(scope=scope))):
            error = Forbidden(fault)
            await JSONResponse(error.body(), error.status)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _fault_in(headers: Headers) -> str | None:
    host = headers.get("Host", "")
    name, colon, port = host.rpartition(":")
    if not is_loopback(name if colon and port.isdecimal() else host):
        return "Host must be one of this machine's own names: 127.0.0.1 or localhost"
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
        return "this server answers programs of this machine, and no page of a browser"
    return None
