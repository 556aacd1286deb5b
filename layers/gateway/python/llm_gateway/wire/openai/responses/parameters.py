"""What becomes of each parameter of a Responses request.

docs/drop-in.md shows the table, and a test holds it to the request types of the official SDK.
"""

from collections.abc import Mapping
from typing import Final

from llm_gateway.wire.field_names import GATEWAYS, Rules
from llm_gateway.wire.openai.parameters import CHAT, Fate

_STATELESS: Final = "the gateway keeps no state at a provider: send the whole conversation"
_LATER: Final = "ask at `/api/v1/llm/query` with `mode: async` for an answer that is fetched later"
_SERVER_TOOLS: Final = "tools that run at OpenAI are not offered"
_AS_IN_CHAT: Final = (
    "model",
    "moderation",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "stream",
    "temperature",
    "top_p",
    "user",
)

RESPONSES: Final[Mapping[str, tuple[Fate, str]]] = {
    **{name: CHAT[name] for name in _AS_IN_CHAT},
    "access_programs": ("refused", "they belong to an account of OpenAI's"),
    "background": ("honoured", "`false` alone; " + _LATER),
    "background_options": ("refused", _LATER),
    "context_management": ("refused", _STATELESS),
    "conversation": ("refused", _STATELESS),
    "image": ("refused", "images are sent as they are"),
    "include": (
        "honoured",
        "`message.output_text.logprobs`, and `reasoning.encrypted_content`, which always is; what belongs to tools at OpenAI"
        " is refused",
    ),
    "input": (
        "honoured",
        "a text, or messages with text, images and PDFs, function calls, their outputs, and reasoning; files by id, PDFs by"
        " address, references and items of tools at OpenAI are refused",
    ),
    "instructions": ("honoured", ""),
    "max_output_tokens": ("honoured", "for every vendor"),
    "max_tool_calls": ("refused", _SERVER_TOOLS),
    "metadata": ("honoured", "as the query's own, and told in the answer"),
    "previous_response_id": ("refused", _STATELESS),
    "prompt": (
        "honoured",
        "a prompt of the gateway's: its `id`, a label or a version as `version`, and texts as `variables`",
    ),
    "reasoning": (
        "honoured",
        "`effort` for every vendor, and `summary: auto`, which is told wherever there is an effort; `mode: standard` and"
        " `context: auto` alone",
    ),
    "store": ("honoured", "`false` alone, and it is what holds without it: the gateway keeps no state at a provider"),
    "stream_options": ("honoured", "`include_obfuscation` only as `false`"),
    "text": (
        "honoured",
        "answers are held against `format`; `verbosity` is handed on to OpenAI: another candidate is passed over, the only"
        " one refuses it",
    ),
    "tool_choice": ("honoured", "`auto`, `none`, `required` and a function"),
    "tools": ("honoured", "functions; custom tools are refused, and " + _SERVER_TOOLS),
    "top_logprobs": ("honoured", "in a stream when the text is done"),
    "truncation": ("honoured", "`disabled` alone; `gateway.context.history` bounds what is sent of a conversation"),
}
"""By the name of the parameter: what becomes of it, and how."""

NAMES: Final[Rules] = {
    r"parameters\.logprobs": "top_logprobs",
    r"parameters\.reasoning_effort": "reasoning.effort",
    r"parameters\.(\w+)": r"\1",
    r"output\.schema": "text.format.schema",
    r"output(\.type)?": "text.format",
    r"tools\[(\d+)\]\.function": r"tools[\1]",
    r"verbosity": "text.verbosity",
    r"messages": "input",
    **GATEWAYS,
}
"""What the API's clients call what the gateway has another name for."""
