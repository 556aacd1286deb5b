"""Which of a prompt's figures are asked for."""

from typing import Annotated, Literal

from llm_gateway.domain.usage import Bucket
from llm_gateway.entrypoints.declared import Depends, FromQuery
from llm_gateway.services.evals.performance import PerformanceWanted
from llm_gateway.wire.schema import Moment


def _wanted(
    version: Annotated[int | None, FromQuery(ge=0, le=2**53 - 1)] = None,
    since: Annotated[Moment | None, FromQuery(alias="from")] = None,
    until: Annotated[Moment | None, FromQuery(alias="to")] = None,
    bucket: Literal["hour", "day"] | None = None,
) -> PerformanceWanted:
    return PerformanceWanted(version=version, since=since, until=until, bucket=Bucket(bucket) if bucket else None)


PerformanceSearch = Annotated[PerformanceWanted, Depends(_wanted)]
