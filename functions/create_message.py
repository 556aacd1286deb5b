"""POST /v1/messages: ask a model as Anthropic's clients do."""

from llm_gateway.entrypoints.asking import Asking, EventStream
from llm_gateway.entrypoints.aws import app_and_handler, endpoint
from llm_gateway.entrypoints.messages import Version
from llm_gateway.wire.anthropic.answers import message_of
from llm_gateway.wire.anthropic.events import events
from llm_gateway.wire.anthropic.requests import MessagesBody


@endpoint
def create_message(body: MessagesBody, asking: Asking, _version: Version) -> EventStream:
    """Anthropic's Messages API: a message, or with `stream` its events. Any provider may answer."""
    asking.speak_of(body)
    if body.stream:
        return asking.stream(body.to_domain(), body.choices(), write=events)
    return asking.whole(body.to_domain(), body.choices(), message_of)


app, handler = app_and_handler(create_message)
