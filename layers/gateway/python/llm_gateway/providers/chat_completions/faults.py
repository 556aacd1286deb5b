"""What failures of servers that speak Chat Completions mean."""

from collections.abc import Mapping
from typing import Final

from llm_gateway.errors import ContextWindowExceeded
from llm_gateway.ports.system import Clock
from llm_gateway.providers import openai_sdk
from llm_gateway.providers.faults import FaultTable, FaultType

_CODES: Final[Mapping[str, FaultType]] = {
    # llama.cpp's, a type: https://github.com/ggml-org/llama.cpp/pull/15780
    "exceed_context_size_error": ContextWindowExceeded,
}

# Of servers that give neither a code nor a type for it.
_BEGINNINGS: Final[Mapping[str, FaultType]] = {
    # vLLM, `vllm/entrypoints/openai`, and others after it.
    "This model's maximum context length is": ContextWindowExceeded,
}


def fault_table(clock: Clock, *, secret: str | None = None) -> FaultTable:
    return openai_sdk.fault_table(clock, secret=secret, codes=_CODES, beginnings=_BEGINNINGS)
