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
_PROVIDERS_OWN: Final = "it is the provider's own"
_NOT_PRICED: Final = "what it costs then is not known"
_SHARED: Final[Mapping[str, str]] = {
    "model": "it is model",
    "messages": "it is messages",
    "stream": "ask at /query/stream for an answer that comes as it is written",
    "temperature": "it is parameters.temperature",
    "top_p": "it is parameters.top_p",
    "max_tokens": "it is parameters.max_output_tokens",
    "tools": "it is tools",
    "tool_choice": "it is tool_choice",
    # Words of SDKs and of other gateways, which may stand behind a provider.
    **dict.fromkeys(("api_base", "api_key", "api_version", "base_url", "custom_llm_provider"), _PROVIDERS_OWN),
    **dict.fromkeys(("models", "fallbacks"), "it is fallback"),
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
    **dict.fromkeys(("n", "best_of"), "one answer is asked for"),
    # llama.cpp's.
    "n_predict": "it is parameters.max_output_tokens",
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
    **dict.fromkeys(("serviceTier", "performanceConfig"), _NOT_PRICED),
}

TAKEN: Final[Mapping[ProviderKind, Mapping[str, str]]] = {
    ProviderKind.OPENAI: _OPENAI,
    ProviderKind.OPENAI_COMPATIBLE: _OPENAI,
    ProviderKind.LLAMA_CPP: _OPENAI,
    ProviderKind.ANTHROPIC: _ANTHROPIC,
    ProviderKind.BEDROCK: _BEDROCK,
}
"""The names that are not the caller's, by kind of provider, and why or where they belong."""


_WRAPPED: Final = ("extra_body", "extra_headers", "extra_query")
# Converse puts the members of this one into the body of the model's own API, beside what it makes of its own.
_MODELS_OWN: Final = "additionalModelRequestFields"
_EFFORTS: Final = ("thinking", "reasoning", "reasoning_effort", "output_config")
_IN_MODELS_OWN: Final[Mapping[str, str]] = {
    **{name: why for name, why in {**_OPENAI, **_ANTHROPIC}.items() if name not in _EFFORTS},
    **dict.fromkeys(("service_tier", "speed", "inference_geo"), _NOT_PRICED),
}


def faults_in_options(vendor: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What is wrong with a query's `vendor`: each place in it, and what to do there."""
    for kind, options in vendor.items():
        if kind not in TAKEN:
            yield kind, "is no kind of provider: " + ", ".join(TAKEN)
            continue
        yield from _taken(options, TAKEN[ProviderKind(kind)], kind)
        yield from (
            (f"{kind}.{name}", f"is not taken here: put what it holds beside it, as members of vendor.{kind} itself")
            for name in options
            if name.casefold() in _WRAPPED
        )
        inner = options.get(_MODELS_OWN) if kind == ProviderKind.BEDROCK else None
        if isinstance(inner, Mapping):
            yield from _taken(inner, _IN_MODELS_OWN, f"{kind}.{_MODELS_OWN}")


def _taken(options: Mapping[str, Any], taken: Mapping[str, str], place: str) -> Iterator[tuple[str, str]]:
    """In whatever case: many a server reads names without looking at that."""
    reasons = {name.casefold(): why for name, why in taken.items()}
    for name in options:
        why = reasons.get(name.casefold())
        if why is not None:
            yield f"{place}.{name}", f"is not taken here: {why}"
