"""A model of one's own: the llama.cpp server in `container-local-model`, or any other that speaks its wire."""

from typing import Final

from llm_gateway.ports.providers import Provider
from llm_gateway.ports.system import Clock
from llm_gateway.providers.chat_completions.adapter import ChatCompletions
from llm_gateway.providers.chat_completions.request import Dialect
from llm_gateway.providers.estimates import CountTokens
from llm_gateway.providers.upstream import Upstream

_LLAMA_CPP: Final = Dialect(max_tokens_field="max_tokens", developer_role="system")


def llama_cpp_adapter(upstream: Upstream, clock: Clock, count_tokens: CountTokens) -> Provider:
    return ChatCompletions(upstream=upstream, dialect=_LLAMA_CPP, clock=clock, count_tokens=count_tokens)
