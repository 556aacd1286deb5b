"""The data of a stream's events, for the published document; `done` has a whole answer, `error` a problem."""

from llm_gateway.wire.schema import Outgoing


class QueryEvent(Outgoing):
    """`query`: once, right before the first content."""

    id: str
    provider: str
    model: str


class ReasoningEvent(Outgoing):
    """`reasoning`: a piece of the summary of what the model thinks, where the query set an effort."""

    text: str


class DeltaEvent(Outgoing):
    """`delta`: a piece of the answer."""

    text: str


class ToolCallEvent(Outgoing):
    """`tool_call`: a piece of a call; pieces of one index belong together."""

    index: int
    id: str | None
    name: str | None
    arguments: str
