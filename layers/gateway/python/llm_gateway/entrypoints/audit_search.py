"""What is looked for in the audit log."""

from typing import Annotated

from llm_gateway.entrypoints.declared import Depends, FromQuery
from llm_gateway.services.audit.trail import Wanted
from llm_gateway.wire.schema import Moment

_Words = Annotated[str | None, FromQuery(min_length=1, max_length=200)]


def _wanted(
    since: Annotated[Moment | None, FromQuery(alias="from")] = None,
    until: Annotated[Moment | None, FromQuery(alias="to")] = None,
    actor: _Words = None,
    action: _Words = None,
) -> Wanted:
    return Wanted(since=since, until=until, actor=actor, action=action)


AuditSearch = Annotated[Wanted, Depends(_wanted)]
