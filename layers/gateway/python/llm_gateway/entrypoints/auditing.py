"""Who asks for a change, as the audit log tells it."""

from typing import Annotated

from starlette.requests import Request

from llm_gateway.domain.audit.entries import Actor, Author
from llm_gateway.endpoints import endpoint
from llm_gateway.entrypoints.declared import Depends
from llm_gateway.entrypoints.request_state import state_of


def actor_of(request: Request) -> Actor:
    """The key that was checked, if one was, and the network address that the request came from."""
    caller = state_of(request).caller
    address = request.client.host if request.client else None
    if caller is None:
        return Actor(address=address)
    return Actor(key_id=caller.key_id, role=caller.role.value, address=address)


def _author(request: Request) -> Author:
    row = endpoint(request.scope["route"].name)
    if row.audit is None:
        raise LookupError(f"the endpoint {row.name} has no action in the audit log")
    return Author(actor=actor_of(request), action=row.audit, request_id=state_of(request).request_id)


By = Annotated[Author, Depends(_author)]
