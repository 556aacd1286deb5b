"""Refused requests and their callers, as the audit log records them."""

from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from llm_gateway.access import Endpoint
from llm_gateway.entrypoints.request_state import state_of

if TYPE_CHECKING:
    from llm_gateway.domain.audit.denials import Denial

_DENIED: Final = frozenset({401, 403})
_FORBIDDEN: Final = "forbidden"


def denial_in(request: Request, row: Endpoint, response: Response) -> "Denial | None":
    """What the response denies, to be counted; None where it denies nothing."""
    return _denial(request, row) if response.status_code in _DENIED else None


def _denial(request: Request, row: Endpoint) -> "Denial":
    from llm_gateway.domain.audit.denials import Denial
    from llm_gateway.entrypoints.auditing import actor_of

    state, actor = state_of(request), actor_of(request)
    # Nobody knows who asked without a key: what they asked for tells nothing, and would be a kind of its own each.
    recognised = actor.key_id is not None
    return Denial(
        actor=actor,
        action=row.audit
        if recognised and state.error_code == _FORBIDDEN and row.audit
        else f"request.{state.error_code}",
        target=row.name if recognised else None,
        request_id=state.request_id,
    )
