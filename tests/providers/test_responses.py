"""OpenAI's Responses API: what a request becomes in its words, and what its answers mean where other wires have no such thing."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from llm_gateway.domain.chat import (
    AudioPart,
    ChatAnswer,
    ChatRequest,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    OutputFormat,
    Parameters,
    TextPart,
    Tool,
    Usage,
)
from llm_gateway.domain.faults import (
    ProviderFailed,
    ProviderFault,
    ProviderRateLimited,
    ProviderRejected,
    ProviderResponseInvalid,
)
from llm_gateway.domain.providers import Timeouts
from llm_gateway.errors import UnsupportedParameter
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.responses.answer import _HANDLERS
from llm_gateway.providers.responses.faults import fault_table
from llm_gateway.providers.responses.request import places_of_messages
from openai.types.responses import ResponseError, ResponseStreamEvent

from tests.adapters.upstream import Answer, Raw, Refusal
from tests.adapters.upstream_wires import RESPONSES, Counts, Said, SaidCall
from tests.providers.conftest import Subject, asking
from tests.providers.test_requests import CITY, CONVERSATION, PIXEL, WEATHER, refused, sent

TIMEOUTS = Timeouts(connect_s=2, first_token_s=5, total_s=10)


def events(*told: dict) -> Raw:
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in told)
    return Raw(body=body.encode(), content_type="text/event-stream")


def response(**changes: object) -> dict:
    return {**RESPONSES.whole(Said(), Counts()), **changes}


def both(subject: Subject, behavior: Raw, request: ChatRequest | None = None) -> list:
    """What comes of it, asked whole and as a stream: an answer or a fault."""
    results: list = []
    for ask in (
        lambda asked: subject.provider.complete(asked, timeouts=TIMEOUTS),
        lambda asked: list(subject.provider.stream(asked, timeouts=TIMEOUTS))[-1],
    ):
        subject.upstream.script(behavior)
        try:
            results.append(ask(request or asking()))
        except (ProviderFault, UnsupportedParameter) as fault:
            results.append(fault)
    return results


def test_nothing_is_kept_and_thoughts_come_along(responses: Subject) -> None:
    body = sent(responses, asking(model="gpt-5.6-sol"))

    assert body == {
        "model": "gpt-5.6-sol",
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "input": [{"role": "user", "content": "Say hello."}],
        "max_output_tokens": 100,
    }
    assert responses.upstream.requests[-1].path == "/v1/responses"


def test_a_model_that_never_thinks_is_not_asked_for_its_thoughts(responses: Subject) -> None:
    assert "include" not in sent(responses, asking(model="gpt-4.1"))


def test_a_conversation(responses: Subject) -> None:
    messages = tuple(message for message in CONVERSATION)
    body = sent(responses, asking(system="You are terse.", messages=messages, tools=(WEATHER,)))

    assert body["instructions"] == "You are terse."
    assert body["input"] == [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "What is the weather?"},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Paris"}'},
        {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": ""},
        {"type": "function_call_output", "call_id": "call_1", "output": "Sunny."},
        {"type": "function_call_output", "call_id": "call_2", "output": "Wet."},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "And"}, {"type": "input_text", "text": " tomorrow?"}],
        },
    ]
    assert body["tools"] == [
        {"type": "function", "name": "weather", "description": "Tells the weather.", "parameters": CITY, "strict": True}
    ]


def test_a_message_is_found_again_among_the_items() -> None:
    request = asking(messages=CONVERSATION)
    assert places_of_messages(request) == (0, 1, 2, 2, 3, 4, 5)
    worded = asking(messages=CONVERSATION, output=OutputFormat(type="json"))
    assert places_of_messages(worded) == (-1, 0, 1, 2, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("param", "field"),
    [
        ("input[3].call_id", "messages[2]"),
        ("input[6].content[0].text", "messages[5].content"),
        ("input[99]", "messages"),
        ("input", "messages"),
        ("reasoning.effort", "parameters.reasoning_effort"),
        ("max_output_tokens", "parameters.max_output_tokens"),
        ("text.format", "output"),
        ("instructions", "system"),
    ],
)
def test_what_is_refused_is_called_as_the_client_calls_it(responses: Subject, param: str, field: str) -> None:
    responses.upstream.script(Refusal(status=400, code="unsupported_value", param=param))
    with pytest.raises(UnsupportedParameter) as caught:
        responses.provider.complete(asking(messages=CONVERSATION), timeouts=TIMEOUTS)
    assert [error.field for error in caught.value.errors] == [field]


def test_parts(responses: Subject) -> None:
    content = (
        TextPart(text="What?"),
        ImagePart(url=PIXEL, detail="low"),
        ImagePart(url="https://example.org/cat.png"),
        FilePart(data="JVBERi0=", filename="a.pdf"),
        FilePart(data="JVBERi0="),
    )
    body = sent(responses, asking(messages=(Message(role=MessageRole.USER, content=content),)))

    url = "data:application/pdf;base64,JVBERi0="
    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "What?"},
        {"type": "input_image", "image_url": PIXEL, "detail": "low"},
        {"type": "input_image", "image_url": "https://example.org/cat.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": url},
        {"type": "input_file", "filename": "document.pdf", "file_data": url},
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"parameters": Parameters(stop=("x",))}, "parameters.stop"),
        ({"parameters": Parameters(seed=1)}, "parameters.seed"),
        (
            {"messages": (Message(role=MessageRole.USER, content=(TextPart(text="x"),), name="ann"),)},
            "messages[0].name",
        ),
        (
            {"messages": (Message(role=MessageRole.USER, content=(AudioPart(data="SUQz", format="mp3"),)),)},
            "messages[0].content",
        ),
    ],
)
def test_what_it_has_no_word_for_is_refused(responses: Subject, changes: dict, field: str) -> None:
    assert refused(responses, asking(**changes)) == [field]


def test_forms(responses: Subject) -> None:
    body = sent(responses, asking(output=OutputFormat(type="json_schema", schema=CITY)))
    assert body["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": CITY, "strict": True}}
    loose = {"type": "object", "properties": {"age": {"type": "integer"}}}
    body = sent(responses, asking(output=OutputFormat(type="json_schema", schema=loose)))
    assert body["text"]["format"]["strict"] is False


@pytest.mark.parametrize(
    ("effort", "wanted"),
    [(None, None), ("none", {"effort": "none"}), ("high", {"effort": "high", "summary": "auto"})],
)
def test_the_depth_of_thought(responses: Subject, effort, wanted) -> None:
    assert sent(responses, asking(parameters=Parameters(reasoning_effort=effort))).get("reasoning") == wanted


def test_tools_that_must_be_called(responses: Subject) -> None:
    named = sent(responses, asking(tools=(WEATHER,), tool_choice=NamedTool(name="weather")))
    assert named["tool_choice"] == {"type": "function", "name": "weather"}
    assert sent(responses, asking(tools=(WEATHER,), tool_choice="required"))["tool_choice"] == "required"


def test_the_vendors_own_switches(responses: Subject) -> None:
    options = {"service_tier": "flex", "verbosity": "low", "parallel_tool_calls": False}
    body = sent(responses, asking(vendor=options))

    assert (body["service_tier"], body["text"], body["parallel_tool_calls"]) == ("flex", {"verbosity": "low"}, False)


def test_probabilities(responses: Subject) -> None:
    body = sent(responses, asking(model="gpt-4.1", parameters=Parameters(logprobs=3)))
    assert (body["top_logprobs"], body["include"]) == (3, ["message.output_text.logprobs"])


def test_a_response_that_failed_after_a_200(responses: Subject) -> None:
    failed = response(status="failed", error={"code": "server_error", "message": "Oh no."}, output=[])
    for behavior in (Raw(body=json.dumps(failed).encode()), events({"type": "response.failed", "response": failed})):
        for fault in both(responses, behavior):
            assert type(fault) is ProviderFailed
            assert fault.provider_message == "Oh no."
            assert fault.usage == Usage(input_tokens=20, output_tokens=7)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "rate_limit_exceeded", "message": "m"}, ProviderRateLimited),
        ({"error": {"type": "invalid_request_error", "message": "m"}}, ProviderRejected),
        ({"code": "invalid_encrypted_content", "message": "m"}, ProviderRejected),
        ({"message": "m"}, ProviderFailed),
    ],
)
def test_an_error_in_the_stream(responses: Subject, error: dict, expected: type) -> None:
    begun = {"type": "response.created", "response": response(status="in_progress", output=[])}
    for fault in both(responses, events(begun, {"type": "error", "sequence_number": 1, **error})):
        assert type(fault) is expected
        assert fault.provider_message == "m"


@pytest.mark.parametrize("code", ["invalid_prompt", "bio_policy"])
def test_a_prompt_that_a_policy_stopped_is_filtered(responses: Subject, code: str) -> None:
    failed = response(status="failed", error={"code": code, "message": "no"}, output=[])
    for answer in both(responses, Raw(body=json.dumps(failed).encode())):
        assert answer.finish_reason is FinishReason.CONTENT_FILTER


def test_an_answer_cut_for_another_reason_is_none(responses: Subject) -> None:
    steered = response(status="incomplete", incomplete_details={"reason": "steered"})
    for fault in both(responses, Raw(body=json.dumps(steered).encode())):
        assert type(fault) is ProviderResponseInvalid


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_stream_without_its_last_event_is_no_answer(responses: Subject, cut: int) -> None:
    said = Said(thoughts=("hm",), secrets=("s",), calls=(SaidCall(name="look"),), finish="tool_calls")
    told = [event for event, _ in RESPONSES.events({}, said, Counts())]
    assert len(told) > cut
    raw = Raw(body=b"".join(told[:-cut]), content_type="text/event-stream")
    for fault in both(responses, raw):
        assert type(fault) is ProviderResponseInvalid


def test_items_that_came_only_at_the_end(responses: Subject) -> None:
    """A server that streams no pieces, or no ends of items, has told everything with its last event."""
    said = Said(thoughts=("Hm.",), secrets=("s",), calls=(SaidCall(name="look"),), finish="tool_calls")
    whole = RESPONSES.whole(said, Counts())
    asked = asking(parameters=Parameters(reasoning_effort="low"))
    for told in (
        [{"type": "response.completed", "response": whole}],
        [
            *(
                {"type": "response.output_item.done", "output_index": n, "item": item}
                for n, item in enumerate(whole["output"])
            ),
            {"type": "response.completed", "response": {**whole, "output": []}},
        ],
    ):
        for answer in both(responses, events(*told), asked):
            assert answer.text == "Hello there."
            assert [call.arguments for call in answer.tool_calls] == ['{"city": "Paris"}']
            assert answer.reasoning.text == "Hm."
            assert [item.item["encrypted_content"] for item in answer.reasoning.items] == ["s"]


def test_what_was_left_out_of_the_thoughts_is_told(responses: Subject) -> None:
    removed = [{"id": "rs_1", "type": "reasoning", "action": "removed", "reason": "organization_mismatch"}]
    for answer in both(responses, Raw(body=json.dumps(response(input_transformations=removed)).encode())):
        assert answer.warnings == ("The provider left out some of the reasoning that was sent back.",)


def test_the_output_of_tools_that_nobody_asked_for_is_passed_over(responses: Subject) -> None:
    output = [{"type": "web_search_call", "id": "ws_1", "status": "completed"}, *response()["output"]]
    for answer in both(responses, Raw(body=json.dumps(response(output=output)).encode())):
        assert answer.text == "Hello there."


def test_every_code_that_the_sdk_knows_has_a_row() -> None:
    codes = get_args(ResponseError.model_fields["code"].annotation)
    assert len(codes) > 15
    assert set(codes) <= fault_table(SystemClock()).codes.keys()


# Of tools that run at the provider, of sound, and of what the ends of items tell again.
SILENT = (
    *("response.audio", "response.code_interpreter", "response.file_search", "response.mcp", "response.compaction"),
    *("response.image_generation", "response.web_search", "response.custom_tool", "response.shell"),
)
TOLD_AGAIN = (".done", "content_part.added", "annotation.added")


def test_every_event_that_the_sdk_knows_is_read_or_says_nothing_of_an_answer() -> None:
    kinds = get_args(get_args(ResponseStreamEvent)[0])
    told = {get_args(kind.model_fields["type"].annotation)[0] for kind in kinds}
    assert len(told) > 50
    silent = {name for name in told if name.startswith(SILENT) or name.endswith(TOLD_AGAIN)}
    assert told - (silent - {"response.output_item.done"}) == _HANDLERS.keys() - {"response.cancelled"}


def thought(name: str) -> dict:
    return {"type": "reasoning", "id": name, "summary": [], "encrypted_content": name}


def message(text: str, phase: str | None) -> dict:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "type": "message",
        "id": "msg",
        "role": "assistant",
        "status": "completed",
        "content": content,
        "phase": phase,
    }


CALL = {"type": "function_call", "id": "fc", "call_id": "c1", "name": "look", "arguments": "{}"}
LOOK = Tool(name="look")


def said_back(responses: Subject, answer: ChatAnswer, **changes: Any) -> list[dict]:
    """What becomes of the answer as a turn of the next request, without the question before it and after it."""
    said = Message(
        role=MessageRole.ASSISTANT,
        content=(TextPart(text=answer.text),) if answer.text else (),
        tool_calls=answer.tool_calls,
        reasoning=answer.reasoning.items if answer.reasoning else (),
    )
    results = [
        Message(role=MessageRole.TOOL, content=(TextPart(text="x"),), tool_call_id=call.id)
        for call in answer.tool_calls
    ]
    (asked,) = asking().messages
    turn = replace(said, **changes)
    responses.upstream.script(Answer())
    body = sent(responses, asking(messages=(asked, turn, *results, asked), tools=(LOOK,)))
    return [item for item in body["input"][1:-1] if item.get("type") != "function_call_output"]


@pytest.mark.parametrize(
    "output",
    [
        [thought("a"), message("Let me look.", "commentary"), CALL],
        [thought("a"), message("First.", "commentary"), thought("b"), message("Then.", "final_answer")],
        [thought("a"), message("First.", None), thought("b"), message("Then.", None)],
        [message("Only this.", "final_answer")],
    ],
)
def test_messages_go_back_with_their_phases_behind_the_thoughts_that_led_to_them(
    responses: Subject, output: list[dict]
) -> None:
    spoken = {"role": "assistant"}
    expected = [
        item
        if item["type"] != "message"
        else {**spoken, "content": item["content"][0]["text"], **({"phase": item["phase"]} if item["phase"] else {})}
        for item in output
    ]
    ends = [
        {"type": "response.output_item.done", "output_index": place, "item": item} for place, item in enumerate(output)
    ]
    for behavior in (
        Raw(body=json.dumps(response(output=output)).encode()),
        events(*ends, {"type": "response.completed", "response": response(output=output)}),
    ):
        for answer in both(responses, behavior, asking(tools=(LOOK,))):
            back = [{key: value for key, value in item.items() if key != "id"} for item in said_back(responses, answer)]
            assert back == [{key: value for key, value in item.items() if key != "id"} for item in expected]


def test_one_message_without_a_phase_is_nothing_to_keep(responses: Subject) -> None:
    for output in ([message("Hi.", None)], [message("A.", None), message("B.", None)]):
        for answer in both(responses, Raw(body=json.dumps(response(output=output)).encode())):
            assert answer.reasoning is None


def test_a_text_that_was_changed_keeps_the_phase_that_all_of_it_had(responses: Subject) -> None:
    for phases, phase in ((("commentary", "commentary"), {"phase": "commentary"}), (("commentary", "x y"), {})):
        output = [message("First.", phases[0]), message("Then.", phases[1])]
        (answer, _) = both(responses, Raw(body=json.dumps(response(output=output)).encode()))
        back = said_back(responses, answer, content=(TextPart(text="Another."),))
        assert back == [{"role": "assistant", "content": "Another.", **phase}]
