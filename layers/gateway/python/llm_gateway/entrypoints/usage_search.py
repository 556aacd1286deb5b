"""What usage is asked for."""

from typing import Annotated

from llm_gateway.domain.usage import Bucket, Grouping
from llm_gateway.entrypoints.declared import Depends, FromQuery
from llm_gateway.services.usage.reading import UsageWanted
from llm_gateway.wire.schema import Moment


def _wanted(
    since: Annotated[Moment | None, FromQuery(alias="from")] = None,
    until: Annotated[Moment | None, FromQuery(alias="to")] = None,
    group_by: Grouping | None = None,
    bucket: Bucket | None = None,
) -> UsageWanted:
    return UsageWanted(since=since, until=until, by=group_by, bucket=bucket)


UsageSearch = Annotated[UsageWanted, Depends(_wanted)]
