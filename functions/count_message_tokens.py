"""POST /v1/messages/count_tokens: count as Anthropic's clients do how many tokens a message would take."""

from llm_gateway.entrypoints.asking import Asking
from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.entrypoints.messages import Version
from llm_gateway.wire.anthropic.counts import CountShown
from llm_gateway.wire.anthropic.requests import CountBody


@endpoint
def count_message_tokens(body: CountBody, asking: Asking, _version: Version) -> CountShown:
    """Anthropic's token counting: exact where its provider counts for the gateway. Nobody is asked to answer."""
    asking.speak_of(body)
    return CountShown(input_tokens=asking.count(body.to_domain(), body.choices()))


handler = lambda_handler(count_message_tokens)
