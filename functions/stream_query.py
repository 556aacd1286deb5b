"""POST /api/v1/llm/query/stream: ask a model and read the answer as it is written."""

from llm_gateway.entrypoints.asking import Asking, EventStream
from llm_gateway.entrypoints.aws import app_and_handler, endpoint
from llm_gateway.wire.queries import StreamBody


@endpoint
def stream_query(body: StreamBody, asking: Asking) -> EventStream:
    """Server-sent events: `query`, then `delta` and `tool_call`, then `done` or `error`."""
    return asking.stream(body.to_domain(), body.choices())


app, handler = app_and_handler(stream_query)
