"""What becomes of each parameter of OpenAI's requests, and what is put into the body of a candidate of which kind.

docs/drop-in.md shows these tables, and the tests hold them to the request types of the official SDK.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from llm_gateway.domain.providers import ProviderKind
from llm_gateway.wire.field_names import GATEWAYS, Rules

Fate = Literal["honoured", "handed on", "accepted", "refused"]

_OPENAI: Final = (ProviderKind.OPENAI,)
_COMPATIBLE: Final = (ProviderKind.OPENAI, ProviderKind.OPENAI_COMPATIBLE, ProviderKind.LLAMA_CPP)
_ONLY_OPENAI: Final = "to OpenAI; another candidate is passed over, the only one refuses it"
_ONLY_COMPATIBLE: Final = "to OpenAI and to servers that speak its API; another candidate is passed over"
_SOUND: Final = "answers are text"
_OLD: Final = "use `tools` and `tool_choice`"

CHAT: Final[Mapping[str, tuple[Fate, str]]] = {
    "messages": ("honoured", "with every part but `file_id`"),
    "model": ("honoured", "a listed model, `provider/model`, or `prompt:<id>` with `@<label or version>`"),
    "audio": ("refused", _SOUND),
    "frequency_penalty": ("handed on", _ONLY_COMPATIBLE),
    "function_call": ("refused", _OLD),
    "functions": ("refused", _OLD),
    "logit_bias": ("handed on", _ONLY_COMPATIBLE),
    "logprobs": ("honoured", "in a stream with the last content chunk"),
    "max_completion_tokens": ("honoured", "for every vendor"),
    "max_tokens": ("honoured", "the same as `max_completion_tokens`"),
    "metadata": ("honoured", "as the query's own"),
    "modalities": ("honoured", "`text` alone"),
    "moderation": ("refused", "answers are not moderated here"),
    "n": ("honoured", "1 alone"),
    "parallel_tool_calls": (
        "honoured",
        "for every vendor: where one does not know it, the first call alone is handed out",
    ),
    "prediction": ("handed on", "to OpenAI; elsewhere it has no effect on the answer"),
    "presence_penalty": ("handed on", _ONLY_COMPATIBLE),
    "prompt_cache_key": ("handed on", "to OpenAI; elsewhere it has no effect on the answer"),
    "prompt_cache_options": ("handed on", "to OpenAI; elsewhere it has no effect on the answer"),
    "prompt_cache_retention": ("handed on", "to OpenAI; elsewhere it has no effect on the answer"),
    "reasoning_effort": ("honoured", "for every vendor"),
    "response_format": (
        "honoured",
        "answers are held against the schema; its `name` is not sent, and `strict` is where it can be",
    ),
    "safety_identifier": ("handed on", "to OpenAI, to Anthropic as `metadata.user_id`"),
    "seed": ("honoured", "by candidates that know it"),
    "service_tier": ("handed on", "`auto` and `default` everywhere, another " + _ONLY_OPENAI),
    "stop": ("honoured", "by candidates that know it"),
    "store": ("honoured", "`false` alone: the gateway keeps no state at a provider"),
    "stream": ("honoured", ""),
    "stream_options": ("honoured", "`include_usage`; `include_obfuscation` only as `false`"),
    "temperature": ("honoured", "by candidates that know it"),
    "tool_choice": ("honoured", "but `allowed_tools` and custom tools"),
    "tools": ("honoured", "functions; custom tools are refused"),
    "top_logprobs": ("honoured", ""),
    "top_p": ("honoured", "by candidates that know it"),
    "user": ("handed on", "to OpenAI and servers that speak its API, to Anthropic as `metadata.user_id`"),
    "verbosity": ("handed on", _ONLY_OPENAI),
    "web_search_options": ("refused", "tools that run at the provider are not offered"),
}
"""By the name of the parameter: what becomes of it, and how."""

EMBEDDINGS: Final[Mapping[str, tuple[Fate, str]]] = {
    "input": ("honoured", "a text or a list of texts; lists of tokens are refused"),
    "model": ("honoured", "a listed model or `provider/model`"),
    "dimensions": ("honoured", "by models that know it"),
    "encoding_format": ("honoured", "`float` and `base64`"),
    "user": ("handed on", "to OpenAI and servers that speak its API; elsewhere it has no effect on the answer"),
}

NAMES: Final[Rules] = {
    r"parameters\.max_output_tokens": "max_completion_tokens",
    r"parameters\.(\w+)": r"\1",
    r"output(\.type|\.schema)?": "response_format",
    **GATEWAYS,
}
"""What OpenAI's clients call what the gateway has another name for."""

# A provider of one of the kinds gets these; no other may answer where the value asks for something.
_NEEDED: Final[Mapping[str, tuple[tuple[ProviderKind, ...], tuple[Any, ...]]]] = {
    "frequency_penalty": (_COMPATIBLE, (0,)),
    "presence_penalty": (_COMPATIBLE, (0,)),
    "logit_bias": (_COMPATIBLE, ({},)),
    "service_tier": (_OPENAI, ("auto", "default")),
    "verbosity": (_OPENAI, ()),
}
# These change nothing of an answer: who does not know them answers all the same.
_HINTS: Final[Mapping[str, tuple[ProviderKind, ...]]] = {
    "prediction": _OPENAI,
    "prompt_cache_key": _OPENAI,
    "prompt_cache_options": _OPENAI,
    "prompt_cache_retention": _OPENAI,
    "safety_identifier": _OPENAI,
    "user": (ProviderKind.OPENAI, ProviderKind.OPENAI_COMPATIBLE),
}
HANDED_ON: Final = (*_NEEDED, *_HINTS)
_USERS: Final = ("safety_identifier", "user")


def members_of_bodies(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the body of a candidate has besides, by its kind. `given` are the parameters of `HANDED_ON` that were sent."""
    bodies: dict[str, dict[str, Any]] = {}
    for name, kinds, value in _handed_on(given):
        for kind in kinds:
            bodies.setdefault(kind.value, {})[name] = value
    user = next((given[name] for name in _USERS if name in given), None)
    if user is not None:
        bodies[ProviderKind.ANTHROPIC.value] = {"metadata": {"user_id": user}}
    return bodies


def names_of(given: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> Rules:
    """What a client that sent these calls the members of bodies, and the query's metadata."""
    user = next((name for name in _USERS if name in given), _USERS[-1])
    return {
        r"vendor\.anthropic\.metadata\.user_id": user,
        r"vendor\.\w+\.(\w+)": r"\1",
        **({} if metadata else {r"metadata": "gateway.metadata"}),
    }


def kinds_for(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of the parameters that were sent, those that not every kind of provider has, with the kinds that have them."""
    return {
        name: tuple(kind.value for kind in kinds)
        for name, (kinds, usual) in _NEEDED.items()
        if name in given and given[name] not in usual
    }


def _handed_on(given: Mapping[str, Any]) -> Iterator[tuple[str, tuple[ProviderKind, ...], Any]]:
    for name, (kinds, usual) in _NEEDED.items():
        if name in given and (name == "service_tier" or given[name] not in usual):
            yield name, kinds, given[name]
    for name, kinds in _HINTS.items():
        if name in given:
            yield name, kinds, given[name]
