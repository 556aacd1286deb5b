"""Errors in another dialect name what its clients have sent, and not what the gateway has made of it."""

from typing import Any

import pytest
from llm_gateway.errors import FieldError, PiiBlocked, ValidationFailed
from llm_gateway.wire.anthropic.requests import MessagesBody
from llm_gateway.wire.field_names import Named, rename
from llm_gateway.wire.openai.chat import ChatCompletionBody
from llm_gateway.wire.openai.embeddings import EmbeddingsBody
from llm_gateway.wire.openai.responses.requests import ResponsesBody

SAYS = {"role": "user", "content": "Hi"}
SEES = {
    "role": "user",
    "content": [{"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": "https://a/b"}],
}
CALLS = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
ANSWERED = {"type": "function_call_output", "call_id": "c1", "output": "1"}
SAID = {"role": "assistant", "content": "Hello."}
USES = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "1"}
TEXT = {"type": "text", "text": "Hi"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://a/b"}}
SHOWN = {"role": "user", "content": [TEXT, IMAGE]}
USED = {"role": "assistant", "content": [USES]}
USED_AND_SAID = {"role": "assistant", "content": [TEXT, USES]}
TOLD_TWICE = {"role": "user", "content": [RESULT, RESULT | {"tool_use_id": "c2"}]}
TOLD_AND_SAID = {"role": "user", "content": [RESULT, TEXT]}


def chat(**more: Any) -> Named:
    return ChatCompletionBody.model_validate({"model": "m", "messages": [SAYS], **more})


def embeddings() -> Named:
    return EmbeddingsBody.model_validate({"model": "m", "input": "x"})


def responses(*items: Any, **more: Any) -> Named:
    return ResponsesBody.model_validate({"model": "m", "input": [*(items or (SAYS,))], **more})


def messages(*turns: Any, **more: Any) -> Named:
    return MessagesBody.model_validate({"model": "m", "max_tokens": 9, "messages": [*(turns or (SAYS,))], **more})


@pytest.mark.parametrize(
    ("body", "field", "own"),
    [
        (chat(), "messages[0].content[1].image_url.url", "messages[0].content[1].image_url.url"),
        (chat(), "parameters.max_output_tokens", "max_completion_tokens"),
        (chat(), "parameters.temperature", "temperature"),
        (chat(), "output.schema", "response_format"),
        (chat(), "output", "response_format"),
        (chat(), "tools[0].function.parameters.x", "tools[0].function.parameters.x"),
        (chat(), "system.roles[0]", "gateway.system.roles[0]"),
        (chat(), "context.items", "gateway.context.items"),
        (chat(), "provider", "gateway.provider"),
        (chat(), "logit_bias", "logit_bias"),
        (chat(), "systematic", "systematic"),
        (chat(gateway={"prompt": {"id": "p"}}), "messages[1].content", "messages"),
        (chat(gateway={"prompt": {"id": "p"}}), "prompt.id", "gateway.prompt.id"),
        (chat(model="prompt:p@beta"), "prompt.label", "model"),
        (chat(model="prompt:p"), "prompt.variables.name", "gateway.prompt.variables.name"),
        (embeddings(), "input[0]", "input[0]"),
        (embeddings(), "messages[3].content", "input[3]"),
        (embeddings(), "vendor.openai.user", "user"),
        (embeddings(), "metadata.a", "gateway.metadata.a"),
        (embeddings(), "provider", "gateway.provider"),
        (chat(user="a"), "vendor.anthropic.metadata.user_id", "user"),
        (chat(safety_identifier="a"), "vendor.anthropic.metadata.user_id", "safety_identifier"),
        (chat(prediction={"type": "content", "content": "x"}), "vendor.openai.prediction.content", "prediction.content"),
        (chat(metadata={"a": "b"}), "metadata.a", "metadata.a"),
        (chat(gateway={"metadata": {"a": "b"}}), "metadata.a", "gateway.metadata.a"),
        (messages(metadata={"user_id": "a"}), "vendor.openai.safety_identifier", "metadata.user_id"),
        (messages(metadata={"user_id": "a"}), "vendor.anthropic.metadata.user_id", "metadata.user_id"),
        (responses(SAYS, SAID, SEES), "messages[2].content[1].image_url.url", "input[2].content[1].image_url"),
        (responses(SAYS, SAID, CALLS, CALLS | {"call_id": "c2"}), "messages[1].tool_calls[1].function.name", "input[3].name"),
        (responses(SAYS, SAID, CALLS, CALLS | {"call_id": "c2"}), "messages[1].content", "input[1].content"),
        (responses(SAYS, SAID, SAID, SAYS), "messages[1].content[1]", "input[1]"),
        (responses(SAYS, SAID, SAID, SAYS), "messages[2].content", "input[3].content"),
        (responses(SAYS, CALLS, ANSWERED), "messages[2].content", "input[2].output"),
        (responses({"role": "user", "content": ""}, SAYS), "messages[0].content", "input[1].content"),
        (responses(SAYS), "messages[7]", "input"),
        (responses(SAYS), "messages", "input"),
        (responses(instructions="Be brief."), "system", "instructions"),
        (responses(instructions="Be brief.", gateway={"system": {"text": "x"}}), "messages[0].content", "instructions"),
        (responses(instructions="Be brief.", gateway={"system": {"text": "x"}}), "messages[1].content", "input[0].content"),
        (responses(instructions="Be brief.", gateway={"system": {"text": "x"}}), "system.text", "gateway.system.text"),
        (responses(prompt={"id": "p", "version": "beta"}), "prompt.label", "prompt.version"),
        (responses(prompt={"id": "p", "version": "beta"}), "messages[0]", "input"),
        (responses(prompt={"id": "p"}), "prompt.variables.name", "prompt.variables.name"),
        (responses(model="prompt:p"), "prompt.id", "model"),
        (responses(), "parameters.max_output_tokens", "max_output_tokens"),
        (responses(), "parameters.reasoning_effort", "reasoning.effort"),
        (responses(), "output.schema.properties.a", "text.format.schema.properties.a"),
        (responses(), "verbosity", "text.verbosity"),
        (responses(), "tools[0].function.parameters", "tools[0].parameters"),
        (messages(), "parameters.stop", "stop_sequences"),
        (messages(), "parameters.top_p", "top_p"),
        (messages(), "metadata.a", "gateway.metadata.a"),
        (messages(), "tools[2].function.parameters.x", "tools[2].input_schema.x"),
        (messages(), "tools[2].function.name", "tools[2].name"),
        (messages(system="Be brief."), "system", "system"),
        (messages(system=[TEXT]), "messages[0].content", "system"),
        (messages(system=[TEXT]), "messages[1].content", "messages[0].content"),
        (messages(SHOWN), "messages[0].content[1].image_url.url", "messages[0].content[1].source.url"),
        (messages(SAYS, USED_AND_SAID), "messages[1].tool_calls[0].function.name", "messages[1].content[1].name"),
        (messages(USED_AND_SAID), "messages[0].tool_calls[0].function.arguments", "messages[0].content[1].input"),
        (messages(SAYS, USED), "messages[1].tool_calls[3]", "messages[1].content"),
        (messages(SAYS, USED, TOLD_TWICE), "messages[3].content", "messages[2].content[1]"),
        (messages(SAYS, USED, TOLD_AND_SAID, SAYS), "messages[3].content", "messages[2].content"),
        (messages(SAYS, USED, TOLD_AND_SAID, SAYS), "messages[4].content", "messages[3].content"),
        (messages(SAYS, SAID), "messages[1]", "messages[1]"),
        (messages(), "messages[5]", "messages"),
        (messages(gateway={"prompt": {"id": "p"}}), "messages[1].content", "messages"),
        (messages(model="prompt:p@2"), "prompt.version", "model"),
    ],
)  # fmt: skip
def test_a_field_is_called_as_its_dialect_calls_it(body: Named, field: str, own: str) -> None:
    assert body.called(field) == own


def test_the_detail_says_the_same() -> None:
    error = ValidationFailed(
        "system: is bad; messages[1].content (email); a system that fails; parameters.top_p: 2",
        errors=[
            FieldError("system", "is bad"),
            FieldError("messages[1].content", "x"),
            FieldError("parameters.top_p", "2"),
        ],
    )
    rename(error, messages(SAYS, SAID, system=[TEXT]).called)
    assert error.detail == "system: is bad; messages[0].content (email); a system that fails; top_p: 2"
    assert [fault.field for fault in error.errors] == ["system", "messages[0].content", "top_p"]


def test_two_fields_of_which_one_is_called_as_the_other_is_here_are_told_apart() -> None:
    fields = ("metadata.user_id", "vendor.anthropic.metadata.user_id", "vendor.openai.safety_identifier")
    error = PiiBlocked(
        f"Personal data: {'; '.join(f'{field} (email)' for field in fields)}.",
        errors=[FieldError(field, "holds personal data (email)") for field in fields],
    )
    rename(error, messages(metadata={"user_id": "a"}).called)
    assert error.detail == "Personal data: gateway.metadata.user_id (email); metadata.user_id (email)."
    assert [fault.field for fault in error.errors] == ["gateway.metadata.user_id", "metadata.user_id"]
