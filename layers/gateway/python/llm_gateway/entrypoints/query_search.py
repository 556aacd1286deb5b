"""Which queries are looked for."""

from typing import Annotated

from llm_gateway.domain.query_status import QueryStatus
from llm_gateway.entrypoints.declared import Depends, FromQuery
from llm_gateway.services.queries.listing import QueriesWanted
from llm_gateway.wire.schema import Moment, Slug


def _wanted(
    status: QueryStatus | None = None,
    since: Annotated[Moment | None, FromQuery(alias="from")] = None,
    until: Annotated[Moment | None, FromQuery(alias="to")] = None,
    prompt: Slug | None = None,
) -> QueriesWanted:
    return QueriesWanted(status=status, since=since, until=until, prompt=prompt)


QuerySearch = Annotated[QueriesWanted, Depends(_wanted)]
