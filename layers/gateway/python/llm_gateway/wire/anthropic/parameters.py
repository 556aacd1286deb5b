"""What becomes of each parameter of Anthropic's requests.

docs/drop-in.md shows these tables, and the tests hold them to the request types of the official SDK.
"""

from collections.abc import Mapping
from typing import Final, Literal

from llm_gateway.wire.field_names import GATEWAYS, Rules

Fate = Literal["honoured", "handed on", "accepted", "refused"]

_ONLY_ANTHROPIC: Final = "to Anthropic; another candidate is passed over, the only one refuses it"
_HEADERS: Final = "headers of Anthropic's own are not handed on"
_SERVER_TOOLS: Final = "tools that run at Anthropic are not offered"
_STATELESS: Final = "the gateway keeps no state at a provider"

COUNT: Final[Mapping[str, tuple[Fate, str]]] = {
    "messages": (
        "honoured",
        "text, images, PDFs, documents, calls and results of tools, thoughts; files by id, PDFs by address, citations,"
        " search results and blocks of server tools are refused",
    ),
    "model": ("honoured", "a listed model, `provider/model`, or `prompt:<id>` with `@<label or version>`"),
    "cache_control": (
        "handed on",
        "to Anthropic; elsewhere it has no effect on the answer. So it is in blocks and tools",
    ),
    "output_config": ("honoured", "`effort` by candidates that can think so long; answers are held against `format`"),
    "speed": ("handed on", "`standard` everywhere, `fast` " + _ONLY_ANTHROPIC),
    "system": ("honoured", "a text or blocks"),
    "thinking": ("honoured", "as it is by Anthropic; elsewhere as the nearest effort"),
    "tool_choice": ("honoured", "`disable_parallel_tool_use` too, for every vendor"),
    "tools": ("honoured", "the caller's own; " + _SERVER_TOOLS + ", and `input_examples` belong into the description"),
    "user_profile_id": ("refused", _HEADERS),
    "workspace_id": ("refused", _HEADERS),
}
"""By the name of the parameter: what becomes of it, and how."""

MESSAGES: Final[Mapping[str, tuple[Fate, str]]] = {
    **COUNT,
    "container": ("refused", _SERVER_TOOLS),
    "diagnostics": ("refused", _STATELESS),
    "inference_geo": ("handed on", _ONLY_ANTHROPIC),
    "max_tokens": ("honoured", "1 at least"),
    "metadata": ("handed on", "`user_id` to Anthropic, to OpenAI as `safety_identifier` up to 64 characters"),
    "service_tier": ("handed on", "to Anthropic; elsewhere it has no effect on the answer"),
    "stop_sequences": (
        "honoured",
        "by candidates that know them; which of them struck is told where Anthropic answers",
    ),
    "stream": ("honoured", ""),
    "temperature": ("honoured", "by candidates that know it"),
    "top_k": ("handed on", _ONLY_ANTHROPIC),
    "top_p": ("honoured", "by candidates that know it"),
}

NAMES: Final[Rules] = {
    r"parameters\.max_output_tokens": "max_tokens",
    r"parameters\.reasoning_effort": "thinking or output_config.effort",
    r"parameters\.stop": "stop_sequences",
    r"parameters\.(\w+)": r"\1",
    r"output\.schema": "output_config.format.schema",
    r"output(\.type)?": "output_config.format",
    r"tools\[(\d+)\]\.function\.parameters": r"tools[\1].input_schema",
    r"tools\[(\d+)\]\.function": r"tools[\1]",
    r"metadata": "gateway.metadata",
    r"vendor\.openai\.safety_identifier": "metadata.user_id",
    r"vendor\.anthropic\.(\w+)": r"\1",
    **GATEWAYS,
}
"""What Anthropic's clients call what the gateway has another name for."""
