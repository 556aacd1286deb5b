"""The gateway behind an app: the one of this process, unless the app was made for another."""

from functools import cache

from starlette.requests import Request

from llm_gateway.bootstrap import Gateway, gateway_of
from llm_gateway.settings import Settings


@cache
def gateway() -> Gateway:
    """Made from the environment when it is first asked for."""
    return gateway_of(Settings.from_environment())


def gateway_at_start() -> Gateway:
    """The gateway of a process that begins, or its end: with the sentence that names the variable which cannot be so."""
    try:
        return gateway()
    except ValueError as error:
        raise SystemExit(str(error)) from None


def gateway_behind(request: Request) -> Gateway:
    """The gateway that the request's app was made for."""
    behind: Gateway = request.app.state.gateway()
    return behind
