"""A vendor's own switches, which a caller may put into the body that a candidate is sent: which names are taken.

Sources: the request types of openai 3.54 and anthropic 2.12, botocore's description of
Converse, and the vendors' API references of November 2026.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from llm_gateway.domain.providers import ProviderKind

_HERE: Final = "the gateway sets it itself"
_STATELESS: Final = "the gateway keeps no state at a provider"
_SERVER_TOOLS: Final = "tools that run at the provider are not offered"
_SOUND: Final = "answers are text"
_SHARED: Final[Mapping[str, str]] = {
    "model": "it is model",
    "messages": "it is messages",
    "stream": "ask at /query/stream for an answer that comes as it is written",
    "temperature": "it is parameters.temperature",
    "top_p": "it is parameters.top_p",
    "max_tokens": "it is parameters.max_output_tokens",
    "tools": "it is tools",
    "tool_choice": "it is tool_choice",
}
_OPENAI: Final[Mapping[str, str]] = {
    **_SHARED,
    "input": "it is messages",
    "instructions": "it is system.text",
    "stop": "it is parameters.stop",
    "seed": "it is parameters.seed",
    "max_completion_tokens": "it is parameters.max_output_tokens",
    "max_output_tokens": "it is parameters.max_output_tokens",
    "functions": "it is tools",
    "function_call": "it is tool_choice",
    "response_format": "it is output",
    "text": "it is output, and verbosity is a member of its own",
    "reasoning": "it is parameters.reasoning_effort",
    "reasoning_effort": "it is parameters.reasoning_effort",
    "logprobs": "it is parameters.logprobs",
    "top_logprobs": "it is parameters.logprobs",
    "stream_options": _HERE,
    "include": _HERE,
    "n": "one answer is asked for",
    **dict.fromkeys(("store", "previous_response_id", "conversation", "prompt"), _STATELESS),
    **dict.fromkeys(("background", "background_options", "context_management"), _STATELESS),
    **dict.fromkeys(("web_search_options", "max_tool_calls"), _SERVER_TOOLS),
    **dict.fromkeys(("audio", "modalities", "image"), _SOUND),
}
_ANTHROPIC: Final[Mapping[str, str]] = {
    **_SHARED,
    "system": "it is system.text",
    "stop_sequences": "it is parameters.stop",
    "thinking": "it is parameters.reasoning_effort",
    "output_config": "it is output and parameters.reasoning_effort",
    "output_format": "it is output",
    **dict.fromkeys(("container", "mcp_servers"), _SERVER_TOOLS),
    **dict.fromkeys(("context_management", "diagnostics"), _STATELESS),
}

_BEDROCK: Final[Mapping[str, str]] = {
    "modelId": "it is model",
    "messages": "it is messages",
    "system": "it is system.text",
    "inferenceConfig": "its members are parameters",
    "toolConfig": "it is tools and tool_choice",
    "outputConfig": "it is output",
    **dict.fromkeys(("serviceTier", "performanceConfig"), "what it costs then is not known"),
}

TAKEN: Final[Mapping[ProviderKind, Mapping[str, str]]] = {
    ProviderKind.OPENAI: _OPENAI,
    ProviderKind.OPENAI_COMPATIBLE: _OPENAI,
    ProviderKind.LLAMA_CPP: _OPENAI,
    ProviderKind.ANTHROPIC: _ANTHROPIC,
    ProviderKind.BEDROCK: _BEDROCK,
}
"""The names that are not the caller's, by kind of provider, and why or where they belong."""


def faults_in_options(vendor: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What is wrong with a query's `vendor`: each place in it, and what to do there."""
    for kind, options in vendor.items():
        if kind not in TAKEN:
            yield kind, "is no kind of provider: " + ", ".join(TAKEN)
            continue
        taken = TAKEN[ProviderKind(kind)]
        yield from ((f"{kind}.{name}", f"is not taken here: {taken[name]}") for name in options if name in taken)
