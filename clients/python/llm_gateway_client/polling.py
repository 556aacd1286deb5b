"""Waits for what goes on at the gateway, as long as its user wants."""

import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from llm_gateway_client.errors import Unfinished

_POLL_S: Final = 1.0


class Running(Protocol):
    """What says of itself whether it still runs."""

    @property
    def status(self) -> str: ...


R = TypeVar("R", bound=Running)


def ended(
    state: R,
    read: Callable[[], R],
    *,
    timeout_s: float,
    unfinished: Callable[[str], Unfinished],
    tell: Callable[[R], None] = lambda _: None,
) -> R:
    """`state`, read anew until it runs no more. Raises what `unfinished` makes of a message after `timeout_s`.

    `tell` hears how far it is.
    """
    until_s = time.monotonic() + timeout_s
    while state.status == "running":
        tell(state)
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise unfinished(f"has not ended within {timeout_s:g} s, and goes on.")
        time.sleep(min(_POLL_S, left_s))
        state = read()
    return state
