"""Structured output: what is taken for JSON, and what the model is told."""

import json

import pytest
from llm_gateway.domain.chat import (
    ChatAnswer,
    ChatRequest,
    FinishReason,
    Message,
    MessageRole,
    OutputFormat,
    TextPart,
    Usage,
)
from llm_gateway.services.output.structured import InvalidOutput, in_words, parsed_output, repairing

JSON = OutputFormat(type="json")
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
OF_SCHEMA = OutputFormat(type="json_schema", schema=PERSON)


def answer(text: str | None, finish: FinishReason = FinishReason.STOP) -> ChatAnswer:
    return ChatAnswer(text=text, finish_reason=finish, model="m", usage=Usage(input_tokens=1, output_tokens=1))


def asking(**changes) -> ChatRequest:
    message = Message(role=MessageRole.USER, content=(TextPart(text="Who?"),))
    return ChatRequest(**{"model": "m", "messages": (message,), **changes})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"name": "Ada", "age": 36}', {"name": "Ada", "age": 36}),
        ('```json\n{"name": "Ada"}\n```', {"name": "Ada"}),
        ('  ```\n{"name": "Ada"}```\n', {"name": "Ada"}),
        (' {"name": "\\u00e4"}\n', {"name": "ä"}),
    ],
)
def test_an_answer_of_the_asked_form_is_parsed(text: str, value: object) -> None:
    assert parsed_output(answer(text), OF_SCHEMA) == value


def test_any_json_value_will_do_where_no_schema_is_asked_for() -> None:
    assert parsed_output(answer("[1, 2.5, null, true]"), JSON) == [1, 2.5, None, True]


def test_a_text_is_not_parsed() -> None:
    assert parsed_output(answer('{"a": 1}'), OutputFormat()) is None


@pytest.mark.parametrize("finish", [FinishReason.TOOL_CALLS, FinishReason.CONTENT_FILTER])
def test_what_is_no_output_is_held_against_nothing(finish: FinishReason) -> None:
    assert parsed_output(answer("I cannot say.", finish), OF_SCHEMA) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Sure: {}", "not JSON"),
        ("", "not JSON"),
        (None, "not JSON"),
        ('{"name": "Ada"', "line 1, column"),
        ("NaN", "none in JSON"),
        ('{"age": Infinity}', "none in JSON"),
        ('{"age": 1e999}', "too large"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 101 + "]" * 101, "in more than 100 levels"),
        ("1" * 5_000, "too large"),
        ("[]", "$: [] is not of type 'object'"),
        ('{"name": 7}', "$.name: 7 is not of type 'string'"),
        ('{"age": -1}', "$: 'name' is a required property"),
        ('{"name": "Ada", "pet": "owl"}', "'pet' was unexpected"),
    ],
)
def test_what_is_wrong_is_told_to_the_model(text: str | None, complaint: str) -> None:
    with pytest.raises(InvalidOutput) as caught:
        parsed_output(answer(text), OF_SCHEMA)

    assert complaint in str(caught.value)


def test_the_complaint_stays_short() -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    text = "[" + ", ".join(['"' + "x" * 2_000 + '"'] * 50) + "]"

    with pytest.raises(InvalidOutput) as caught:
        parsed_output(answer(text), OutputFormat(type="json_schema", schema=schema))

    assert len(str(caught.value)) < 2_000


def test_an_answer_is_nested_as_deeply_as_it_may_be() -> None:
    text = "[" * 100 + "]" * 100

    assert parsed_output(answer(text), JSON) == json.loads(text)


def test_an_answer_that_is_nested_too_deeply_for_its_schema_is_the_models_fault() -> None:
    tree = {"allOf": [{"anyOf": [{"$ref": "#/$defs/node"}]}], "$defs": {"node": {"items": {"$ref": "#"}}}}

    with pytest.raises(InvalidOutput, match="nested too deeply"):
        parsed_output(answer("[" * 100 + "]" * 100), OutputFormat(type="json_schema", schema=tree))


def test_a_number_beyond_floats_is_no_fault_of_the_gateways() -> None:
    of_cents = OutputFormat(type="json_schema", schema={"multipleOf": 0.01})

    with pytest.raises(InvalidOutput):
        parsed_output(answer("1" + "0" * 400), of_cents)


def test_a_repair_shows_the_model_its_answer_and_what_is_wrong_with_it() -> None:
    request = asking(system="Be brief.", output=OF_SCHEMA)

    repair = repairing(request, answer("Ada, 36"), "it is not JSON")

    assert repair.messages[:1] == request.messages
    shown, complaint = repair.messages[1:]
    assert (shown.role, shown.text) == (MessageRole.ASSISTANT, "Ada, 36")
    assert complaint.role is MessageRole.USER
    assert "it is not JSON" in complaint.text
    assert (repair.system, repair.output) == (request.system, request.output)


def test_a_repair_of_nothing_still_has_a_turn_to_complain_of() -> None:
    assert repairing(asking(), answer(None), "it is not JSON").messages[1].text


def test_a_form_is_asked_for_in_words() -> None:
    plain = in_words(asking(output=JSON))
    of_schema = in_words(asking(system="Be brief.", output=OF_SCHEMA))

    assert plain.output == of_schema.output == OutputFormat()
    assert "JSON" in plain.system
    assert of_schema.system.startswith("Be brief.\n\n")
    assert '"required": ["name"]' in of_schema.system
