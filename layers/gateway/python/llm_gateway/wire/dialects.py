"""What a dialect says in its own words: how a request was refused, how a stream broke off, what is left of a limit."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from llm_gateway.domain.accounts import Room
    from llm_gateway.errors import GatewayError
    from llm_gateway.wire.problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The status, the body (to be JSON) and the further headers of an error."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


class Speech(Protocol):
    """The module `wire.<dialect>.speech`. What failed comes as the error itself and as the problem that tells of it."""

    def refusal(self, error: "GatewayError", problem: "Problem") -> Refusal:
        """The error in the vendor's own shape, with its status and code."""

    def broken_off(self, error: "GatewayError", problem: "Problem") -> bytes:
        """The last event of a stream that failed after something was sent."""

    def headers(self, *, request_id: str, room: "Room | None") -> dict[str, str]:
        """What every answer carries; `room` is what the key's limits leave, where it has any."""
