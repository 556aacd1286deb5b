"""What a request becomes on each wire, as the upstream reads it: all of it, or an error that names what cannot be said."""

from dataclasses import replace

import pytest
from llm_gateway.domain.chat import (
    AudioPart,
    CacheControl,
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
from llm_gateway.domain.faults import ProviderRejected
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import UnsupportedParameter

from tests.providers.conftest import Subject, asking

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool(name="weather", description="Tells the weather.", parameters=CITY, strict=True)
PIXEL = "data:image/png;base64,iVBORw0KGgo="


UNBOUND = {"block_binding": {"prefix_mismatch_behavior": "drop_block"}}


def sent(subject: Subject, request: ChatRequest) -> dict:
    """The body that reached the upstream, which took it."""
    subject.provider.complete(request, timeouts=Timeouts())
    return subject.body


def refused(subject: Subject, request: ChatRequest) -> list[str]:
    """The fields that were refused, before anything was sent."""
    with pytest.raises(UnsupportedParameter) as caught:
        subject.provider.complete(request, timeouts=Timeouts())
    assert subject.upstream.requests == []
    return [error.field for error in caught.value.errors]


def turn(role: MessageRole, *texts: str, **more) -> Message:
    return Message(role=role, content=tuple(TextPart(text=text) for text in texts), **more)


def user(*texts: str) -> Message:
    return turn(MessageRole.USER, *texts)


CONVERSATION = (
    turn(MessageRole.DEVELOPER, "Be kind."),
    user("What is the weather?"),
    turn(
        MessageRole.ASSISTANT,
        "",
        tool_calls=(
            ToolCall(id="call_1", name="weather", arguments='{"city": "Paris"}'),
            ToolCall(id="call_2", name="weather", arguments=""),
        ),
    ),
    turn(MessageRole.TOOL, "Sunny.", tool_call_id="call_1", name="weather"),
    turn(MessageRole.TOOL, "Wet.", tool_call_id="call_2"),
    user("And", " tomorrow?"),
)


def test_a_conversation_in_chat_completions(openai: Subject) -> None:
    body = sent(openai, asking(system="You are terse.", messages=CONVERSATION, tools=(WEATHER,)))

    function = {"name": "weather", "arguments": '{"city": "Paris"}'}
    assert body["messages"] == [
        {"role": "system", "content": "You are terse."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "What is the weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": function},
                {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny."},
        {"role": "tool", "tool_call_id": "call_2", "content": "Wet."},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": " tomorrow?"}]},
    ]


def test_a_conversation_in_messages(anthropic: Subject) -> None:
    body = sent(anthropic, asking(system="You are terse.", messages=CONVERSATION, tools=(WEATHER,)))

    assert body["system"] == [{"type": "text", "text": "You are terse."}, {"type": "text", "text": "Be kind."}]
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "What is the weather?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": "call_2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "Sunny."}]},
                {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "Wet."}]},
                {"type": "text", "text": "And"},
                {"type": "text", "text": " tomorrow?"},
            ],
        },
    ]


def test_other_servers_know_no_developer(compatible: Subject) -> None:
    assert sent(compatible, asking(messages=CONVERSATION, tools=(WEATHER,)))["messages"][0]["role"] == "system"


def test_participants_have_names_in_chat_completions_only(openai: Subject, anthropic: Subject) -> None:
    request = asking(messages=(turn(MessageRole.USER, "Hello.", name="ann"),))

    assert refused(anthropic, request) == ["messages[0].name"]
    assert sent(openai, request)["messages"] == [{"role": "user", "content": "Hello.", "name": "ann"}]


def test_images(openai: Subject, anthropic: Subject) -> None:
    images = (ImagePart(url="https://example.org/cat.png"), ImagePart(url=PIXEL))
    request = asking(messages=(Message(role=MessageRole.USER, content=(TextPart(text="What?"), *images)),))

    assert sent(openai, request)["messages"][0]["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        {"type": "image_url", "image_url": {"url": PIXEL}},
    ]
    assert sent(anthropic, request)["messages"][0]["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    ]


def test_the_detail_of_an_image(openai: Subject, anthropic: Subject) -> None:
    def showing(detail):
        return asking(messages=(Message(role=MessageRole.USER, content=(ImagePart(url=PIXEL, detail=detail),)),))

    assert refused(anthropic, showing("high")) == ["messages[0].content"]
    assert "detail" not in str(sent(anthropic, showing("auto")))
    assert sent(openai, showing("high"))["messages"][0]["content"][0]["image_url"]["detail"] == "high"


@pytest.mark.parametrize("url", ["data:image/png,plain", "data:;x", "data:"])
def test_data_that_is_not_base64_is_the_requests_fault(anthropic: Subject, url: str) -> None:
    request = asking(messages=(Message(role=MessageRole.USER, content=(ImagePart(url=url),)),))

    assert refused(anthropic, request) == ["messages[0].content"]


def test_no_image_in_anthropics_system_prompt(anthropic: Subject) -> None:
    system = Message(role=MessageRole.SYSTEM, content=(ImagePart(url=PIXEL),))

    assert refused(anthropic, asking(messages=(system, user("Hello.")))) == ["messages[0].content"]


@pytest.mark.parametrize(
    "arguments",
    [
        *("{half", "[]", '"text"', '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud83d"}'),
        '{"a": ' + "9" * 5000 + "}",
        '{"a":' * 100_000 + "1" + "}" * 100_000,
    ],
    ids=lambda arguments: arguments[:16],
)
def test_arguments_that_are_no_json_object_cannot_be_told_to_anthropic(anthropic: Subject, arguments: str) -> None:
    call = ToolCall(id="call_1", name="weather", arguments=arguments)
    asked = asking(messages=(user("Hello."), turn(MessageRole.ASSISTANT, tool_calls=(call,))))

    assert refused(anthropic, asked) == ["messages[1].tool_calls[0].function.arguments"]
    assert anthropic.upstream.requests == []


def test_a_call_of_another_server_goes_back_under_an_id_that_anthropic_takes(anthropic: Subject) -> None:
    call = ToolCall(id="functions.weather:0", name="weather", arguments="")
    result = Message(role=MessageRole.TOOL, tool_call_id=call.id, content=(TextPart(text="sunny"),))

    body = sent(anthropic, asking(messages=(user("Hello."), turn(MessageRole.ASSISTANT, tool_calls=(call,)), result)))

    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "functions_weather_0", "name": "weather", "input": {}}
    ]
    assert body["messages"][2]["content"][0]["tool_use_id"] == "functions_weather_0"


def test_instructions_alone_are_what_the_user_says_to_anthropic(anthropic: Subject) -> None:
    system = Message(role=MessageRole.SYSTEM, content=(TextPart(text="Be nice."),))

    body = sent(anthropic, asking(messages=(system,), system="Be brief."))

    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Be nice."}]}]


def test_those_who_say_nothing_have_no_turn_at_anthropic(anthropic: Subject) -> None:
    asked = asking(messages=(user("Hello."), turn(MessageRole.ASSISTANT, " \n"), user("Well?")))

    assert refused(anthropic, asking(messages=(user(""),))) == ["messages"]
    assert [turn["role"] for turn in sent(anthropic, asked)["messages"]] == ["user"]


def test_an_answer_to_go_on_with_ends_without_white_space_for_anthropic(anthropic: Subject) -> None:
    asked = asking(messages=(user("Hello."), turn(MessageRole.ASSISTANT, "Well, \n")))

    assert sent(anthropic, asked)["messages"][1]["content"] == [{"type": "text", "text": "Well,"}]


def test_anthropic_is_told_the_registered_name_of_jpeg(anthropic: Subject) -> None:
    picture = Message(role=MessageRole.USER, content=(ImagePart(url="data:image/jpg;base64,AA=="),))

    source = sent(anthropic, asking(messages=(picture,)))["messages"][0]["content"][0]["source"]

    assert source == {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}


def test_marks_for_the_prompt_cache(anthropic: Subject, openai: Subject) -> None:
    marked = (
        Message(role=MessageRole.SYSTEM, content=(TextPart(text="Long.", cache_control=CacheControl(ttl="1h")),)),
        Message(role=MessageRole.USER, content=(TextPart(text="Hello.", cache_control=CacheControl()),)),
    )

    body = sent(anthropic, asking(messages=marked))
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    assert "cache" not in str(sent(openai, asking(messages=marked)))


def test_tools_in_chat_completions(openai: Subject) -> None:
    body = sent(openai, asking(tools=(WEATHER, Tool(name="now"))))

    function = {"name": "weather", "description": "Tells the weather.", "parameters": CITY, "strict": True}
    assert body["tools"] == [
        {"type": "function", "function": function},
        {"type": "function", "function": {"name": "now"}},
    ]


def test_tools_in_messages(anthropic: Subject) -> None:
    body = sent(anthropic, asking(tools=(WEATHER, Tool(name="now"))))

    assert body["tools"] == [
        {"name": "weather", "description": "Tells the weather.", "input_schema": CITY, "strict": True},
        {"name": "now", "input_schema": {"type": "object"}},
    ]


@pytest.mark.parametrize(
    ("choice", "completions", "messages"),
    [
        ("auto", "auto", {"type": "auto"}),
        ("none", "none", {"type": "none"}),
        ("required", "required", {"type": "any"}),
        (
            NamedTool(name="weather"),
            {"type": "function", "function": {"name": "weather"}},
            {"type": "tool", "name": "weather"},
        ),
    ],
)
def test_the_choice_of_a_tool(openai: Subject, anthropic: Subject, choice, completions, messages) -> None:
    request = asking(tools=(WEATHER,), tool_choice=choice)

    assert sent(openai, request)["tool_choice"] == completions
    assert sent(anthropic, request)["tool_choice"] == messages


def test_a_choice_among_no_tools_is_not_dropped(subject: Subject) -> None:
    assert "tool_choice" not in sent(subject, asking(tool_choice="none"))
    with pytest.raises(ProviderRejected):
        subject.provider.complete(asking(tool_choice="required"), timeouts=Timeouts())


def test_parameters_in_chat_completions(compatible: Subject) -> None:
    parameters = Parameters(temperature=0, max_output_tokens=9, top_p=0.5, stop=("END",), seed=0)

    body = sent(compatible, asking(parameters=parameters))

    assert {name: body[name] for name in ("temperature", "max_tokens", "top_p", "stop", "seed")} == {
        "temperature": 0,
        "max_tokens": 9,
        "top_p": 0.5,
        "stop": ["END"],
        "seed": 0,
    }
    assert body.keys() == {"model", "messages", "temperature", "max_tokens", "top_p", "stop", "seed"}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (ProviderKind.OPENAI, "max_completion_tokens"),
        (ProviderKind.OPENAI_COMPATIBLE, "max_tokens"),
        (ProviderKind.LLAMA_CPP, "max_tokens"),
        (ProviderKind.ANTHROPIC, "max_tokens"),
    ],
)
def test_the_most_tokens(subject: Subject, kind: ProviderKind, field: str) -> None:
    if subject.kind is kind and not subject.by_responses:
        assert sent(subject, asking(parameters=Parameters(max_output_tokens=9)))[field] == 9
        default = {"max_tokens": 4096} if kind is ProviderKind.ANTHROPIC else {}
        body = sent(subject, asking(parameters=Parameters()))
        assert {name: value for name, value in body.items() if "max" in name} == default


def test_sampling_asks_anthropic_for_the_version_that_has_it(anthropic: Subject) -> None:
    sampling = Parameters(temperature=0.0, top_p=0.9, max_output_tokens=9, stop=("END",))

    body = sent(anthropic, asking(parameters=sampling))
    assert (body["temperature"], body["top_p"], body["stop_sequences"]) == (0.0, 0.9, ["END"])
    assert anthropic.headers["anthropic-version"] == "2023-06-01"

    sent(anthropic, asking())
    assert anthropic.headers["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        (Parameters(seed=0), "parameters.seed"),
        (Parameters(temperature=1.1), "parameters.temperature"),
    ],
)
def test_what_anthropic_has_no_word_for_is_refused(anthropic: Subject, parameters: Parameters, field: str) -> None:
    request = asking(parameters=parameters)

    assert refused(anthropic, request) == [field]
    with pytest.raises(UnsupportedParameter):
        list(anthropic.provider.stream(request, timeouts=Timeouts()))


def test_a_parameter_that_a_model_refuses_is_named(openai: Subject) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        openai.provider.complete(
            asking(model="gpt-5-mini", parameters=Parameters(temperature=0.5)), timeouts=Timeouts()
        )

    assert [error.field for error in caught.value.errors] == ["parameters.temperature"]


def test_a_stream_asks_for_its_usage(openai: Subject, anthropic: Subject) -> None:
    list(openai.provider.stream(asking(), timeouts=Timeouts()))
    assert (openai.body["stream"], openai.body["stream_options"]) == (True, {"include_usage": True})

    list(anthropic.provider.stream(asking(), timeouts=Timeouts()))
    assert anthropic.body["stream"] is True


def test_json_is_asked_for_in_words_and_where_it_can_be_in_form(subject: Subject) -> None:
    body = sent(subject, asking(system="Be terse.", output=OutputFormat(type="json")))

    if subject.by_responses:
        told, form = body["input"][0]["content"], body["text"]["format"]
    elif subject.speaks_messages or subject.speaks_converse:
        told, form = body["system"][-1]["text"], {"type": "json_object"}
    else:
        told, form = body["messages"][0]["content"], body["response_format"]
    assert "JSON" in told
    assert form == {"type": "json_object"}
    assert "Be terse." in str(body)


def test_a_schema_is_asked_for_in_form(openai: Subject, anthropic: Subject) -> None:
    request = asking(output=OutputFormat(type="json_schema", schema=CITY))

    wanted = {"name": "answer", "schema": CITY, "strict": True}
    assert sent(openai, request)["response_format"] == {"type": "json_schema", "json_schema": wanted}
    body = sent(anthropic, request)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CITY}}
    assert "system" not in body


OPEN = {"type": "object", "properties": {"tags": {"type": "object"}}, "required": ["tags"]}
OPTIONAL = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}}


@pytest.mark.parametrize("schema", [OPEN, OPTIONAL, {}, {"type": "array", "items": CITY}])
def test_a_schema_beyond_strict_mode_is_asked_for_without_it(openai: Subject, schema: dict) -> None:
    wanted = sent(openai, asking(output=OutputFormat(type="json_schema", schema=schema)))["response_format"][
        "json_schema"
    ]

    assert (wanted["schema"], wanted["strict"]) == (schema, False)


def test_a_schema_is_brought_into_anthropics_form(anthropic: Subject) -> None:
    body = sent(anthropic, asking(output=OutputFormat(type="json_schema", schema=OPTIONAL)))

    schema = body["output_config"]["format"]["schema"]
    assert schema["additionalProperties"] is False
    assert "minimum: 0" in schema["properties"]["age"]["description"]


@pytest.mark.parametrize(
    "schema",
    [
        OPEN,
        {},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"$ref": "#/definitions/x", "definitions": {"x": CITY}},
    ],
)
def test_a_schema_that_has_no_such_form_is_told_in_words(anthropic: Subject, schema: dict) -> None:
    body = sent(anthropic, asking(output=OutputFormat(type="json_schema", schema=schema)))

    assert "output_config" not in body
    assert "JSON schema" in body["system"][0]["text"]


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "depth"),
    [
        ("claude-opus-5-5", "high", {"type": "adaptive", "display": "summarized"}, "high"),
        ("claude-opus-5-5", None, None, None),
        ("claude-haiku-5-5", "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        ("claude-haiku-4-5", "low", {"type": "enabled", "budget_tokens": 2048}, None),
        ("claude-haiku-4-5", "high", {"type": "enabled", "budget_tokens": 5000}, None),
        ("claude-haiku-4-5", "none", {"type": "disabled"}, None),
        ("claude-4-unheard-of", None, None, None),
    ],
)
def test_how_claude_is_told_to_think(anthropic: Subject, model: str, effort, thinking, depth) -> None:
    body = sent(
        anthropic, asking(model=model, parameters=Parameters(reasoning_effort=effort, max_output_tokens=10_000))
    )

    assert body.get("thinking") == thinking
    assert (body.get("output_config") or {}).get("effort") == depth


@pytest.mark.parametrize(
    ("model", "effort", "recomposed", "thinking"),
    [
        ("claude-opus-5-5", "high", True, {"type": "adaptive", "display": "summarized", **UNBOUND}),
        ("claude-haiku-5-5", None, True, {"type": "adaptive", **UNBOUND}),
        ("claude-haiku-5-5", "none", True, {"type": "disabled"}),
        ("claude-opus-5-5", "high", False, {"type": "adaptive", "display": "summarized"}),
        ("claude-opus-5", None, True, None),
        ("claude-haiku-4-5", None, True, None),
    ],
)
def test_thoughts_behind_other_words_than_they_followed_may_be_left_out(
    anthropic: Subject, model: str, effort, recomposed: bool, thinking
) -> None:
    parameters = Parameters(reasoning_effort=effort, max_output_tokens=10_000)
    body = sent(anthropic, asking(model=model, parameters=parameters, is_recomposed=recomposed))
    assert body.get("thinking") == thinking
    assert ("anthropic-beta" in anthropic.headers) == ("block_binding" in (thinking or {}))


def test_a_form_and_a_depth_go_together(anthropic: Subject) -> None:
    request = asking(
        model="claude-opus-5-5",
        output=OutputFormat(type="json_schema", schema=CITY),
        parameters=Parameters(reasoning_effort="low"),
    )
    wanted = {"format": {"type": "json_schema", "schema": CITY}, "effort": "low"}
    assert sent(anthropic, request)["output_config"] == wanted


def test_the_depth_of_thought_and_probabilities_in_chat_completions(openai: Subject, compatible: Subject) -> None:
    for subject in (openai, compatible):
        body = sent(subject, asking(parameters=Parameters(reasoning_effort="low", logprobs=2)))
        assert (body["reasoning_effort"], body["logprobs"], body["top_logprobs"]) == ("low", True, 2)


def test_documents_and_recordings(openai: Subject, anthropic: Subject) -> None:
    document = FilePart(data="JVBERi0=", filename="a.pdf", cache_control=CacheControl())
    request = asking(messages=(Message(role=MessageRole.USER, content=(document,)),))
    heard = asking(messages=(Message(role=MessageRole.USER, content=(AudioPart(data="SUQz", format="mp3"),)),))

    data = "data:application/pdf;base64,JVBERi0="
    assert sent(openai, request)["messages"][0]["content"] == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
    ]
    assert sent(openai, heard)["messages"][0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}}
    ]
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    mark = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}
    assert sent(anthropic, request)["messages"][0]["content"] == [
        {"type": "document", "source": source, "title": "a.pdf", **mark}
    ]
    anthropic.upstream.reset()
    assert refused(anthropic, heard) == ["messages[0].content"]


def test_a_document_is_no_instruction_of_claudes(anthropic: Subject) -> None:
    instruction = Message(role=MessageRole.SYSTEM, content=(FilePart(data="JVBERi0="),))
    assert refused(anthropic, asking(messages=(instruction, user("x")))) == ["messages[0].content"]


def test_the_vendors_own_switches(openai: Subject, anthropic: Subject) -> None:
    assert sent(openai, asking(vendor={"service_tier": "flex"}))["service_tier"] == "flex"
    assert sent(anthropic, asking(vendor={"metadata": {"user_id": "u"}}))["metadata"] == {"user_id": "u"}
    # A parameter of the older version of the API.
    assert sent(anthropic, asking(vendor={"top_k": 5}))["top_k"] == 5
    assert anthropic.headers["anthropic-version"] == "2023-06-01"


def test_gpt_5_6_takes_tools_in_chat_completions_where_it_does_not_think(openai: Subject) -> None:
    request = asking(model="gpt-5.6-sol", tools=(WEATHER,))
    with pytest.raises(UnsupportedParameter) as caught:
        sent(openai, request)
    assert [error.field for error in caught.value.errors] == ["tools"]
    assert sent(openai, replace(request, without_reasoning=True))["reasoning_effort"] == "none"
    assert sent(openai, replace(request, by_responses=True))["tools"][0]["name"] == "weather"
