"""POST /v1/responses: OpenAI's Responses, without any state."""

from llm_gateway.entrypoints.aws import app_and_handler, endpoint
from llm_gateway.entrypoints.responding import EventStream, Responding
from llm_gateway.wire.openai.responses.requests import ResponsesBody


@endpoint
def create_response(body: ResponsesBody, responding: Responding) -> EventStream:
    """The answer whole, or with `stream` event by event, as OpenAI's own clients read it."""
    return responding.respond(body)


app, handler = app_and_handler(create_response)
