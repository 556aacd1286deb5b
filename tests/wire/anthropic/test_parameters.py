"""The tables of parameters against the official SDK's own types: a new version with a new parameter fails here."""

from typing import Any, get_type_hints

import anthropic.types as sdk
import pytest
from anthropic.types import message_create_params
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.anthropic import blocks, parameters, requests, tools, turns
from llm_gateway.wire.messages import CacheControl
from llm_gateway.wire.schema import Incoming

# Later versions of the SDK have dropped them, and the API takes them for older models.
_OF_OLDER_MODELS = {"temperature", "top_p", "top_k"}
_PAIRS: list[tuple[type[Incoming], Any]] = [
    (turns.UserTurn, sdk.UserMessageParam),
    (turns.AssistantTurn, sdk.AssistantMessageParam),
    (turns.SystemTurn, sdk.SystemMessageParam),
    (blocks.TextBlock, sdk.TextBlockParam),
    (blocks.ImageBlock, sdk.ImageBlockParam),
    (blocks.Base64Image, sdk.Base64ImageSourceParam),
    (blocks.UrlImage, sdk.URLImageSourceParam),
    (blocks.DocumentBlock, sdk.DocumentBlockParam),
    (blocks.PdfSource, sdk.Base64PDFSourceParam),
    (blocks.PlainSource, sdk.PlainTextSourceParam),
    (blocks.ContentSource, sdk.ContentBlockSourceParam),
    (blocks.UrlSource, sdk.URLPDFSourceParam),
    (blocks.FileSource, sdk.FileDocumentSourceParam),
    (blocks.Citations, sdk.CitationsConfigParam),
    (blocks.ToolUseBlock, sdk.ToolUseBlockParam),
    (blocks.ToolResultBlock, sdk.ToolResultBlockParam),
    (blocks.ThinkingBlock, sdk.ThinkingBlockParam),
    (blocks.RedactedBlock, sdk.RedactedThinkingBlockParam),
    (tools.Tool, sdk.ToolParam),
    (tools.AutoTool, sdk.ToolChoiceAutoParam),
    (tools.AnyTool, sdk.ToolChoiceAnyParam),
    (tools.ChooseTool, sdk.ToolChoiceToolParam),
    (tools.NoTool, sdk.ToolChoiceNoneParam),
    (requests.AdaptiveThinking, sdk.ThinkingConfigAdaptiveParam),
    (requests.EnabledThinking, sdk.ThinkingConfigEnabledParam),
    (requests.NoThinking, sdk.ThinkingConfigDisabledParam),
    (requests.ThinkingBetweenTools, sdk.ThinkingConfigBetweenToolsParam),
    (requests.OutputConfig, sdk.OutputConfigParam),
    (requests.JsonFormat, sdk.JSONOutputFormatParam),
    (requests.RequestMetadata, sdk.MetadataParam),
    (CacheControl, sdk.CacheControlEphemeralParam),
]


def _names(shape: Any) -> set[str]:
    return set(shape.__annotations__) | {
        name for base in shape.__mro__ for name in getattr(base, "__annotations__", {})
    }


def _of_messages() -> set[str]:
    return set(get_type_hints(message_create_params.MessageCreateParamsStreaming))


def test_every_parameter_of_messages_has_its_fate() -> None:
    assert set(parameters.MESSAGES) == _of_messages() | _OF_OLDER_MODELS


def test_every_parameter_of_counting_has_its_fate() -> None:
    assert set(parameters.COUNT) == set(get_type_hints(sdk.MessageCountTokensParams))


@pytest.mark.parametrize(
    ("body", "table"), [(requests.MessagesBody, parameters.MESSAGES), (requests.CountBody, parameters.COUNT)]
)
def test_a_body_takes_what_the_table_says(body: type[Incoming], table: Any) -> None:
    assert body.known_fields() - {"gateway", "context_management"} == set(table)


@pytest.mark.parametrize(
    ("management", "is_taken"),
    [
        (None, True),
        ({}, True),
        ({"edits": []}, True),
        ({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, True),
        ({"edits": [{"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}]}, False),
        ({"edits": [{"type": "clear_tool_uses_20250919"}]}, False),
        ({"edits": 7}, False),
        ({"edits": None}, False),
        ({"edits": [], "more": 1}, False),
        ("all", False),
    ],
)
def test_contexts_are_managed_by_keeping_all(management: Any, is_taken: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "context_management": management}
    if is_taken:
        assert validated(requests.CountBody, body).to_domain().messages
    else:
        with pytest.raises(ValidationFailed, match="context_management: is not taken here, but to keep all thoughts"):
            validated(requests.CountBody, body)


@pytest.mark.parametrize(("ours", "theirs"), _PAIRS, ids=lambda shape: shape.__name__)
def test_each_shape_has_the_members_of_the_vendors(ours: type[Incoming], theirs: Any) -> None:
    assert ours.known_fields() == set(get_type_hints(theirs))


def test_no_kind_of_block_is_unheard_of() -> None:
    """Those that are neither taken nor known to be refused would be new."""
    refused = {
        *("search_result", "server_tool_use", "web_search_tool_result", "web_fetch_tool_result"),
        *("code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result"),
        *("tool_search_tool_result", "container_upload"),
    }
    taken = {"text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result"}
    found = {
        get_type_hints(block)["type"].__args__[0]
        for block in sdk.ContentBlockParam.__args__  # type: ignore[attr-defined]
    }
    assert found == refused | taken
