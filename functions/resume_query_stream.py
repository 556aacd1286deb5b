"""GET /api/v1/llm/query/{query_id}/stream: go on reading an answer after `Last-Event-ID`."""

from llm_gateway.entrypoints.aws import app_and_handler, endpoint
from llm_gateway.entrypoints.resuming import EventStream, Resuming


@endpoint
def resume_query_stream(query_id: str, resuming: Resuming) -> EventStream:
    """The rest of a stream, from what is stored: no provider is asked again."""
    return resuming.stream(query_id)


app, handler = app_and_handler(resume_query_stream)
