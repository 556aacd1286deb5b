"""Items become the messages that they are, with what a model has thought in its place."""

from typing import Any

import pytest
from llm_gateway.domain.chat import Message, ReasoningItem
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.openai.responses.requests import ResponsesBody
from llm_gateway.wire.sealed_thoughts import sealed

CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "SECRET", "of_tomorrow": 1}


def _said(text: str, **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part], **more}


def _messages(*items: Any) -> tuple[Message, ...]:
    return validated(ResponsesBody, {"model": "small", "input": list(items)}).to_domain().messages


def test_what_a_model_said_and_called_is_one_turn() -> None:
    output = {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "Rain."}]}
    user = {"role": "user", "content": "Hello."}
    asked, turn, result, last = _messages(user, _said("I look."), CALL, output, _said("It rains."))
    assert (asked.role, asked.text) == ("user", "Hello.")
    assert (turn.role, turn.text, [call.id for call in turn.tool_calls]) == ("assistant", "I look.", ["call_1"])
    assert (result.role, result.tool_call_id, result.text) == ("tool", "call_1", "Rain.")
    assert (last.text, last.reasoning) == ("It rains.", ())


def test_a_thought_stands_where_it_stood() -> None:
    (turn,) = _messages(_said("One. ", phase="commentary"), THOUGHT, _said("Two.", phase="final_answer"), CALL)
    assert turn.text == "One. Two."
    assert [(item.after, item.item.get("phase", item.item["type"])) for item in turn.reasoning] == [
        (1, "commentary"),
        (1, "reasoning"),
        (1, "final_answer"),
    ]
    assert turn.reasoning[1].item == THOUGHT
    assert [item.item.get("length") for item in turn.reasoning] == [5, None, 4]


def test_messages_alone_need_no_marks() -> None:
    (turn,) = _messages(_said("One. "), {"role": "assistant", "content": "Two."})
    assert ([part.text for part in turn.content], turn.reasoning) == (["One. ", "Two."], ())  # type: ignore[union-attr]


def test_packed_thoughts_are_all_of_their_turn() -> None:
    packed = (ReasoningItem(vendor="anthropic", item={"type": "thinking", "thinking": "a", "signature": "b"}),)
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed(packed)}
    (turn,) = _messages(_said("One.", phase="final_answer"), item)
    assert turn.reasoning == packed


def test_what_says_nothing_is_left_out() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    assert [
        message.text for message in _messages({"role": "user", "content": []}, thought, _said(""), _said("One."))
    ] == ["One."]


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([CALL] * 129, "calls more than 128 functions in one turn"),
        ([THOUGHT] * 257, "has more than 256 thoughts in one turn"),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"}]
                    * 51,
                }
            ],
            "more than 50 documents",
        ),
        ([{"role": "user", "content": "a", "phase": "commentary"}], "it is an assistant's message that has a phase"),
        ([{**CALL, "async": True}], "calls are answered in turn"),
    ],
)
def test_there_are_bounds(items: list[Any], told: str) -> None:
    with pytest.raises(ValidationFailed, match=told):
        _messages(*items)
