"""A count of tokens in Anthropic's shape."""

from llm_gateway.wire.schema import Outgoing


class CountShown(Outgoing):
    """How many tokens the model would read."""

    input_tokens: int
