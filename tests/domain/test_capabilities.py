"""What models can take: rows, families, overrides, and the fields that a request names in vain."""

from dataclasses import replace
from typing import get_args

import pytest
from llm_gateway.domain.capabilities import (
    adapted,
    capabilities_of,
    efforts_of,
    output_limit,
    output_reserve,
    unsupported,
)
from llm_gateway.domain.chat import (
    EFFORTS,
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    OutputFormat,
    Parameters,
    TextPart,
    Tool,
    ToolCall,
)
from llm_gateway.domain.providers import Api, Capability, ModelConfig, ProviderKind
from llm_gateway.domain.tokens import fits
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.errors import UnsupportedParameter

OPENAI, ANTHROPIC = ProviderKind.OPENAI, ProviderKind.ANTHROPIC
LLAMA_CPP, COMPATIBLE = ProviderKind.LLAMA_CPP, ProviderKind.OPENAI_COMPATIBLE
HELLO = Message(role=MessageRole.USER, content=(TextPart(text="hello"),))


def profile(kind, name, **overrides):
    return capabilities_of(kind, ModelConfig(name=name, **overrides))


def asking(*messages, **fields):
    return ChatRequest(model="m", messages=messages or (HELLO,), **fields)


@pytest.mark.parametrize(
    ("kind", "name", "window", "output"),
    [
        (OPENAI, "gpt-4o", 128_000, 16_384),
        (OPENAI, "gpt-4o-2024-05-13", 128_000, 4_096),
        (OPENAI, "gpt-4o-2024-11-20", 128_000, 16_384),
        (OPENAI, "gpt-4o-mini-2024-07-18", 128_000, 16_384),
        (OPENAI, "gpt-4.1-mini-2025-04-14", 1_047_576, 32_768),
        (OPENAI, "gpt-4", 8_192, 8_192),
        (OPENAI, "gpt-4-turbo-2024-04-09", 128_000, 4_096),
        (OPENAI, "gpt-3.5-turbo-0125", 16_385, 4_096),
        (OPENAI, "o1-2024-12-17", 200_000, 100_000),
        (OPENAI, "o3-mini", 200_000, 100_000),
        (OPENAI, "o4-mini-2025-04-16", 200_000, 100_000),
        (OPENAI, "gpt-5-2025-08-07", 400_000, 128_000),
        (OPENAI, "gpt-5.2", 400_000, 128_000),
        (OPENAI, "gpt-5.4", 1_050_000, 128_000),
        (OPENAI, "gpt-5.4-mini-2026-03-17", 400_000, 128_000),
        (OPENAI, "gpt-6.2-astra", 1_050_000, 128_000),
        (ANTHROPIC, "claude-3-haiku-20240307", 200_000, 4_096),
        (ANTHROPIC, "claude-3-5-sonnet-20241022", 200_000, 8_192),
        (ANTHROPIC, "claude-opus-4-20250514", 200_000, 32_000),
        (ANTHROPIC, "claude-sonnet-4-5-20250929", 200_000, 64_000),
        (ANTHROPIC, "claude-haiku-4-5", 200_000, 64_000),
        (ANTHROPIC, "claude-sonnet-4-6", 1_000_000, 64_000),
        (ANTHROPIC, "claude-opus-4-7", 1_000_000, 128_000),
        (ANTHROPIC, "claude-opus-5-5", 1_000_000, 128_000),
        (ANTHROPIC, "claude-haiku-5-5", 1_000_000, 128_000),
        (LLAMA_CPP, "smollm2", None, None),
        (COMPATIBLE, "gpt-4o", None, None),
    ],
)
def test_a_snapshot_has_its_familys_window(kind, name, window, output):
    found = profile(kind, name)
    assert (found.context_window, found.max_output_tokens) == (window, output)


def test_every_chat_model_that_the_sdks_name_has_a_row():
    from anthropic.types.model import Model
    from openai.types.shared.chat_model import ChatModel

    elsewhere = ("audio", "codex-mini-latest")  # not for text chats, or not on Chat Completions
    openai = [name for name in get_args(ChatModel) if not any(part in name for part in elsewhere)]
    anthropic = get_args(get_args(Model)[0])
    unlisted = [name for name in openai if profile(OPENAI, name) is VENDORS[OPENAI].unlisted]
    unlisted += [name for name in anthropic if profile(ANTHROPIC, name) is VENDORS[ANTHROPIC].unlisted]
    assert len(openai) > 50
    assert len(anthropic) > 15
    assert unlisted == []


@pytest.mark.parametrize("kind", ProviderKind)
def test_rows_agree_with_themselves(kind):
    for name, row in [*VENDORS[kind].families.items(), ("unlisted", VENDORS[kind].unlisted)]:
        assert (row.image_tokens > 0) == (Capability.IMAGES in row.capabilities), name
        assert Capability.STREAMING in row.capabilities, name
        if row.context_window is not None:
            assert 0 < row.max_output_tokens <= row.context_window, name
            assert (row.default_output_tokens or 0) <= row.max_output_tokens, name


def test_overrides_win():
    found = profile(
        OPENAI, "gpt-5", context_window=9_000, max_output_tokens=700, capabilities=frozenset({Capability.STOP})
    )
    assert (found.context_window, found.max_output_tokens) == (9_000, 700)
    assert found.capabilities == {Capability.STOP}
    assert fits(8_300, 700, found)


def test_an_empty_override_of_capabilities_takes_all_of_them_away():
    request = asking(parameters=Parameters(temperature=0.5))
    assert unsupported(request, profile(OPENAI, "gpt-4o", capabilities=frozenset())) == ("parameters.temperature",)


EVERYTHING = asking(
    parameters=Parameters(temperature=0.5, top_p=0.9, stop=("\n",), seed=7, max_output_tokens=100),
    tools=(Tool(name="look"),),
    output=OutputFormat(type="json_schema", schema={"type": "object"}),
)


@pytest.mark.parametrize(
    ("kind", "name", "fields"),
    [
        (OPENAI, "gpt-4.1", ()),
        (OPENAI, "gpt-4o-2024-05-13", ("output.schema",)),
        (OPENAI, "gpt-5-mini", ("parameters.temperature", "parameters.top_p", "parameters.stop", "parameters.seed")),
        (OPENAI, "o3", ("parameters.temperature", "parameters.top_p", "parameters.stop", "parameters.seed")),
        (OPENAI, "gpt-6-sol", ("parameters.temperature", "parameters.top_p", "parameters.stop", "parameters.seed")),
        (OPENAI, "my-deployment", ()),
        (ANTHROPIC, "claude-3-7-sonnet-latest", ("parameters.seed", "output.schema")),
        (ANTHROPIC, "claude-sonnet-4-5", ("parameters.top_p", "parameters.seed")),
        (ANTHROPIC, "claude-opus-4-7", ("parameters.temperature", "parameters.top_p", "parameters.seed")),
        (ANTHROPIC, "claude-opus-9", ("parameters.temperature", "parameters.top_p", "parameters.seed")),
        (LLAMA_CPP, "smollm2", ("tools",)),
        (COMPATIBLE, "mistral-large", ()),
    ],
)
def test_what_a_model_does_not_take_is_named(kind, name, fields):
    assert unsupported(EVERYTHING, profile(kind, name)) == fields


@pytest.mark.parametrize("kind", ProviderKind)
def test_a_plain_question_is_for_every_model(kind):
    for name in [*VENDORS[kind].families, "anything"]:
        assert unsupported(asking(), profile(kind, name)) == ()


def test_one_sampling_parameter_alone_is_taken():
    for parameters in (Parameters(temperature=0.5), Parameters(top_p=0.5)):
        assert unsupported(asking(parameters=parameters), profile(ANTHROPIC, "claude-sonnet-4-5")) == ()


def test_zero_is_a_temperature_and_a_seed():
    request = asking(parameters=Parameters(temperature=0, seed=0))
    fields = ("parameters.temperature", "parameters.seed")
    assert unsupported(request, profile(ANTHROPIC, "claude-opus-4-8")) == fields


def test_more_output_than_the_model_has():
    model = profile(OPENAI, "gpt-4o")
    assert unsupported(asking(parameters=Parameters(max_output_tokens=16_384)), model) == ()
    assert unsupported(asking(parameters=Parameters(max_output_tokens=16_385)), model) == (
        "parameters.max_output_tokens",
    )


def test_images_are_named_by_their_place():
    picture = ImagePart(url="https://example.com/a.png")
    request = asking(
        HELLO,
        Message(role=MessageRole.USER, content=(TextPart(text="and"), picture, picture)),
    )
    assert unsupported(request, profile(OPENAI, "o3-mini")) == ("messages[1].content[1]", "messages[1].content[2]")
    assert unsupported(request, profile(OPENAI, "o3")) == ()


def test_a_conversation_that_used_tools_needs_them():
    call = ToolCall(id="1", name="look", arguments="{}")
    request = asking(
        HELLO,
        Message(role=MessageRole.ASSISTANT, tool_calls=(call,)),
        Message(role=MessageRole.TOOL, content=(TextPart(text="rain"),), tool_call_id="1"),
    )
    assert unsupported(request, profile(LLAMA_CPP, "smollm2")) == ("messages[1].tool_calls", "messages[2]")
    assert unsupported(request, profile(ANTHROPIC, "claude-opus-5-5")) == ()


@pytest.mark.parametrize("choice", ["required", NamedTool(name="look")])
def test_a_forced_tool_is_not_for_every_claude(choice):
    request = asking(tools=(Tool(name="look"),), tool_choice=choice)
    assert unsupported(request, profile(ANTHROPIC, "claude-sonnet-5-5")) == ("tool_choice",)
    assert unsupported(request, profile(ANTHROPIC, "claude-sonnet-4-6")) == ()


def test_a_prefilled_answer_is_not_for_newer_claudes():
    prefilled = asking(HELLO, Message(role=MessageRole.ASSISTANT, content=(TextPart(text="{"),)))
    assert unsupported(prefilled, profile(ANTHROPIC, "claude-opus-4-6")) == ("messages[1]",)
    assert unsupported(prefilled, profile(ANTHROPIC, "claude-opus-4-5")) == ()


def test_json_without_a_schema_has_its_own_field():
    assert unsupported(asking(output=OutputFormat(type="json")), profile(OPENAI, "gpt-4")) == ("output.type",)


def test_input_and_output_share_the_window():
    model = profile(OPENAI, "gpt-4o")
    assert fits(112_000, 16_000, model)
    assert not fits(112_001, 16_000, model)


def test_a_reasoning_model_keeps_its_output_free():
    model = profile(OPENAI, "gpt-5")
    assert fits(272_000, 100, model)
    assert not fits(272_001, 100, model)


def test_an_unknown_window_is_not_checked():
    assert fits(10**9, 10**9, profile(LLAMA_CPP, "any"))


def test_a_maximum_is_sent_where_the_wire_demands_one():
    usual, thinking = profile(ANTHROPIC, "claude-haiku-4-5"), profile(ANTHROPIC, "claude-opus-5-5")
    assert output_limit(Parameters(), usual) == 4_096
    assert output_limit(Parameters(), thinking) == 16_384
    assert output_limit(Parameters(max_output_tokens=9), usual) == 9
    assert output_limit(Parameters(), profile(ANTHROPIC, "claude-opus-5-5", max_output_tokens=1_000)) == 1_000
    assert output_limit(Parameters(), profile(OPENAI, "gpt-4o")) is None


def test_a_reservation_is_what_is_sent_or_a_usual_answer():
    assert output_reserve(Parameters(max_output_tokens=9), profile(OPENAI, "gpt-4o")) == 9
    assert output_reserve(Parameters(), profile(OPENAI, "gpt-4o")) == 4_096
    assert output_reserve(Parameters(), profile(LLAMA_CPP, "m", max_output_tokens=256)) == 256
    assert output_reserve(Parameters(), profile(ANTHROPIC, "claude-opus-5-5")) == 16_384


def test_a_level_that_a_model_lacks_names_those_it_has():
    asked = asking(parameters=Parameters(reasoning_effort="minimal"))
    with pytest.raises(UnsupportedParameter) as caught:
        adapted(asked, profile(OPENAI, "gpt-5.6-sol"))
    assert [error.field for error in caught.value.errors] == ["parameters.reasoning_effort"]
    assert "has these levels: none, low, medium, high, xhigh, max" in caught.value.detail
    with pytest.raises(UnsupportedParameter, match="has no levels of reasoning"):
        adapted(asked, profile(OPENAI, "gpt-4.1"))
    assert unsupported(asked, profile(OPENAI, "gpt-5-mini")) == ()


@pytest.mark.parametrize(
    ("kind", "name", "levels"),
    [
        (OPENAI, "gpt-6-astra", ("low", "medium", "high", "xhigh", "max")),
        (OPENAI, "gpt-6-luna", ("none", "low", "medium", "high", "xhigh", "max")),
        (OPENAI, "gpt-5.2-pro-2025-12-11", ("medium", "high", "xhigh")),
        (OPENAI, "o4-mini-2025-04-16", ("low", "medium", "high")),
        (OPENAI, "gpt-4o", ()),
        (OPENAI, "gpt-5-chat-latest", ()),
        (OPENAI, "o1-mini", ()),
        (ANTHROPIC, "claude-opus-4-5-20251101", ("none", "low", "medium", "high")),
        (ANTHROPIC, "claude-sonnet-4-6", ("none", "low", "medium", "high", "max")),
        (ANTHROPIC, "claude-opus-5-5", ("low", "medium", "high", "xhigh", "max")),
        (ANTHROPIC, "claude-mythos-preview", ("low", "medium", "high", "max")),
        (ANTHROPIC, "claude-3-5-haiku-latest", ()),
        (LLAMA_CPP, "smollm2", ()),
        (COMPATIBLE, "any", EFFORTS),
    ],
)
def test_each_model_has_levels_of_its_own(kind, name, levels):
    assert efforts_of(profile(kind, name)) == levels


def test_with_an_effort_claude_thinks_freely():
    forced = asking(tools=(Tool(name="look"),), tool_choice="required")
    sampled = Parameters(temperature=0.5)
    sonnet = profile(ANTHROPIC, "claude-sonnet-4-5")
    for parameters, fields in (
        (Parameters(reasoning_effort="low"), ("tool_choice",)),
        (Parameters(reasoning_effort="none"), ()),
    ):
        assert unsupported(replace(forced, parameters=parameters), sonnet) == fields
    assert unsupported(asking(parameters=replace(sampled, reasoning_effort="low")), sonnet) == (
        "parameters.temperature",
    )
    assert unsupported(asking(parameters=replace(sampled, reasoning_effort="none")), sonnet) == ()
    prefilled = asking(HELLO, Message(role=MessageRole.ASSISTANT, content=(TextPart(text="{"),)))
    assert unsupported(replace(prefilled, parameters=Parameters(reasoning_effort="low")), sonnet) == ("messages[1]",)
    with pytest.raises(UnsupportedParameter, match="together with reasoning_effort"):
        adapted(asking(parameters=replace(sampled, reasoning_effort="low")), sonnet)


def test_a_budget_to_think_with_leaves_room_for_the_answer():
    short = asking(parameters=Parameters(reasoning_effort="low", max_output_tokens=2_047))
    with pytest.raises(UnsupportedParameter, match="max_output_tokens of at least 2048"):
        adapted(short, profile(ANTHROPIC, "claude-sonnet-4-5"))
    assert unsupported(short, profile(ANTHROPIC, "claude-opus-4-6")) == ()


def test_a_deeper_thought_gets_more_room():
    claude, gpt = profile(ANTHROPIC, "claude-haiku-4-5"), profile(OPENAI, "gpt-5.6-sol")
    assert output_limit(Parameters(reasoning_effort="none"), claude) == 4_096
    assert output_limit(Parameters(reasoning_effort="low"), claude) == 8_192
    assert output_limit(Parameters(reasoning_effort="high"), claude) == 32_768
    assert output_limit(Parameters(reasoning_effort="high", max_output_tokens=5_000), claude) == 5_000
    assert output_limit(Parameters(reasoning_effort="max"), gpt) is None
    assert output_reserve(Parameters(reasoning_effort="max"), gpt) == 128_000


def test_sampling_goes_with_no_reasoning_at_all():
    sampled = Parameters(temperature=0.5, top_p=0.9, logprobs=3)
    gpt = profile(OPENAI, "gpt-5.6-sol")
    fields = ("parameters.temperature", "parameters.top_p", "parameters.logprobs")
    assert unsupported(asking(parameters=sampled), gpt) == fields
    assert unsupported(asking(parameters=replace(sampled, reasoning_effort="none")), gpt) == ()


def test_openais_two_apis_take_different_things():
    model = ModelConfig(name="gpt-5.6-sol")
    usual, chat = capabilities_of(OPENAI, model), capabilities_of(OPENAI, model, Api.CHAT_COMPLETIONS)
    assert (usual.api, usual.thoughts, chat.api, chat.thoughts) == (Api.RESPONSES, "openai", Api.CHAT_COMPLETIONS, None)
    asked = asking(tools=(Tool(name="look"),), parameters=Parameters(reasoning_effort="high"))
    assert unsupported(asked, usual) == ()
    with pytest.raises(UnsupportedParameter, match="ask it by the Responses API"):
        adapted(asked, chat)
    plain, _ = adapted(asking(tools=(Tool(name="look"),)), chat)
    assert plain.without_reasoning
    astra = capabilities_of(OPENAI, ModelConfig(name="gpt-6-astra"), Api.CHAT_COMPLETIONS)
    assert unsupported(asking(tools=(Tool(name="look"),)), astra) == ("tools",)
    gpt_4 = capabilities_of(OPENAI, ModelConfig(name="gpt-4.1"), Api.RESPONSES)
    assert unsupported(asking(parameters=Parameters(stop=("x",), seed=1)), gpt_4) == (
        "parameters.stop",
        "parameters.seed",
    )


def test_documents_and_recordings_are_for_those_that_take_them():
    document = Message(role=MessageRole.USER, content=(FilePart(data="JVBERi0="), AudioPart(data="SUQz", format="mp3")))
    for kind, name, fields in (
        (OPENAI, "gpt-4.1", ("messages[0].content[1]",)),
        (OPENAI, "gpt-audio-mini", ("messages[0].content[0]",)),
        (OPENAI, "o3-mini", ("messages[0].content[0]", "messages[0].content[1]")),
        (ANTHROPIC, "claude-sonnet-5-5", ("messages[0].content[1]",)),
        (COMPATIBLE, "any", ()),
    ):
        assert unsupported(asking(document), profile(kind, name)) == fields, name
