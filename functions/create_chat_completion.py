"""POST /v1/chat/completions: OpenAI's Chat Completions."""

from llm_gateway.entrypoints.aws import app_and_handler, endpoint
from llm_gateway.entrypoints.completing import Completing, EventStream
from llm_gateway.wire.openai.chat import ChatCompletionBody


@endpoint
def create_chat_completion(body: ChatCompletionBody, completing: Completing) -> EventStream:
    """The answer whole, or with `stream` chunk by chunk, as OpenAI's own clients read it."""
    return completing.complete(body)


app, handler = app_and_handler(create_chat_completion)
