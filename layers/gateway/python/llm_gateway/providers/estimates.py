"""What a provider that does not say so will probably bill: token counts for when there is nothing better, marked as such."""

import json
from collections.abc import Callable, Iterator
from typing import Final

from llm_gateway.domain.chat import ChatRequest, ImagePart, TextPart, Usage

CountTokens = Callable[[str], int]

_TOKENS_PER_MESSAGE: Final = 4
# A square image of 1024 pixels at high detail, by OpenAI's published formula: 85, and 170 for each of 4 tiles.
_TOKENS_PER_IMAGE: Final = 765


def quarter_of_bytes(text: str) -> int:
    """One token for every four bytes of UTF-8, rounded up: near what BPE makes of English, and of Chinese (three bytes each)."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def estimated_usage(request: ChatRequest, generated: str, *, count_tokens: CountTokens) -> Usage:
    images = sum(isinstance(part, ImagePart) for message in request.messages for part in message.content)
    input_tokens = (
        count_tokens("\n".join(_texts(request)))
        + _TOKENS_PER_MESSAGE * len(request.messages)
        + _TOKENS_PER_IMAGE * images
    )
    return Usage(input_tokens=input_tokens, output_tokens=count_tokens(generated) if generated else 0, estimated=True)


def _texts(request: ChatRequest) -> Iterator[str]:
    if request.system:
        yield request.system
    for message in request.messages:
        yield from (part.text for part in message.content if isinstance(part, TextPart))
        yield from (call.name + call.arguments for call in message.tool_calls)
    for tool in request.tools:
        yield json.dumps([tool.name, tool.description, dict(tool.parameters)])
    if request.output.schema is not None:
        yield json.dumps(dict(request.output.schema))
