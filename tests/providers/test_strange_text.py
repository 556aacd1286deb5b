"""What some servers send and no store takes: halves of surrogate pairs, and tool calls under numbers of their own."""

import json

import pytest
from llm_gateway.domain.chat import ChatAnswer, OutputFormat, TextDelta, ToolCall, ToolCallDelta
from llm_gateway.domain.providers import Timeouts
from llm_gateway.services.output.structured import InvalidOutput, parsed_output

from tests.adapters.upstream import Answer
from tests.adapters.upstream_wires import Said, SaidCall
from tests.providers.conftest import Subject, asking

TIMEOUTS = Timeouts(connect_s=2, first_token_s=5, total_s=10)
HALF = "\ud83d"


def escaped(event: bytes) -> list[bytes]:
    return [event.replace(b"HALF", rb"\ud83d")]


def test_half_of_a_pair_in_a_whole_answer(subject: Subject) -> None:
    call = SaidCall(name="weather", arguments=(f'{{"city": "{HALF}"}}',))
    subject.upstream.script(Answer(said=Said(pieces=(f"Owl {HALF}, \N{OWL}",), calls=(call,), finish="tool_calls")))
    answer = subject.provider.complete(asking(), timeouts=TIMEOUTS)
    assert answer.text == "Owl \N{REPLACEMENT CHARACTER}, \N{OWL}"
    for made in answer.tool_calls:
        made.arguments.encode()


def test_half_of_a_pair_in_a_stream(keyed: Subject) -> None:
    keyed.upstream.script(Answer(said=Said(pieces=("Owl ", "HALF", ", \N{OWL}")), sse=escaped))
    *deltas, answer = keyed.provider.stream(asking(), timeouts=TIMEOUTS)
    assert isinstance(answer, ChatAnswer)
    assert answer.text == "Owl \N{REPLACEMENT CHARACTER}, \N{OWL}"
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == answer.text


@pytest.mark.parametrize("text", [json.dumps({"a": HALF}), json.dumps([{HALF: 1}])])
def test_half_of_a_pair_inside_of_json(text: str) -> None:
    """Escaped twice, it only comes out where the text is parsed."""
    answer = ChatAnswer(text=text, finish_reason="stop", model="m", usage=None)  # type: ignore[arg-type]
    with pytest.raises(InvalidOutput, match="surrogate"):
        parsed_output(answer, OutputFormat(type="json"))


def test_a_whole_pair_is_text() -> None:
    answer = ChatAnswer(text='"\\ud83e\\udd89"', finish_reason="stop", model="m", usage=None)  # type: ignore[arg-type]
    assert parsed_output(answer, OutputFormat(type="json")) == "\N{OWL}"


@pytest.mark.parametrize("numbers", [(1, 2), (7, 3), (10**9, 0)])
def test_tool_calls_are_numbered_as_they_begin(openai: Subject, numbers: tuple[int, int]) -> None:
    def renumbered(event: bytes) -> list[bytes]:
        for index, number in enumerate(numbers):
            event = event.replace(
                f'"tool_calls": [{{"index": {index},'.encode(), f'"tool_calls": [{{"index": -{number},'.encode()
            )
        return [event.replace(b"-", b"")]

    calls = (SaidCall(name="weather", id="call1"), SaidCall(name="tide", id="call2", arguments=("{", "}")))
    openai.upstream.script(Answer(said=Said(pieces=(), calls=calls, finish="tool_calls"), sse=renumbered))
    *deltas, answer = openai.provider.stream(asking(), timeouts=TIMEOUTS)
    pieces = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert [(piece.index, piece.name) for piece in pieces if piece.name] == [(0, "weather"), (1, "tide")]
    assert {piece.index for piece in pieces} == {0, 1}
    assert isinstance(answer, ChatAnswer)
    assert answer.tool_calls == (
        ToolCall(id="call1", name="weather", arguments='{"city": "Paris"}'),
        ToolCall(id="call2", name="tide", arguments="{}"),
    )
