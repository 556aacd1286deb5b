"""OpenAI itself, and the many servers that speak its Chat Completions API."""

from typing import Final

from llm_gateway.ports.providers import Provider
from llm_gateway.ports.system import Clock
from llm_gateway.providers.chat_completions.adapter import ChatCompletions
from llm_gateway.providers.chat_completions.request import Dialect
from llm_gateway.providers.estimates import CountTokens
from llm_gateway.providers.upstream import Upstream

# OpenAI's newer models refuse `max_tokens`; other servers do not know what came after it.
_OPENAI: Final = Dialect(max_tokens_field="max_completion_tokens", developer_role="developer")
_COMPATIBLE: Final = Dialect(max_tokens_field="max_tokens", developer_role="system")


def openai_adapter(upstream: Upstream, clock: Clock, count_tokens: CountTokens) -> Provider:
    return ChatCompletions(upstream=upstream, dialect=_OPENAI, clock=clock, count_tokens=count_tokens)


def openai_compatible_adapter(upstream: Upstream, clock: Clock, count_tokens: CountTokens) -> Provider:
    return ChatCompletions(upstream=upstream, dialect=_COMPATIBLE, clock=clock, count_tokens=count_tokens)
