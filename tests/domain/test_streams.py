"""Positions: however an answer was cut into events, a reader that comes back after any of them gets exactly the rest."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.chat import Delta, Reasoning, ReasoningDelta, TextDelta, ToolCall, ToolCallDelta
from llm_gateway.domain.queries import Output
from llm_gateway.domain.streams import Position, rest_of

TEXTS = st.text(max_size=30)
CALLS = st.lists(
    st.builds(ToolCall, id=st.text(min_size=1, max_size=5), name=st.text(min_size=1, max_size=5), arguments=TEXTS),
    max_size=4,
)


@st.composite
def pieces(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def streams(draw: st.DrawFn) -> tuple[Output, list[Delta]]:
    """An answer and the deltas it came in: calls begin in their order, and everything else as it pleases."""
    text, thought, calls = draw(st.none() | TEXTS), draw(st.none() | TEXTS), draw(CALLS)
    said = [TextDelta(text=piece) for piece in draw(pieces(text))] if text else []
    thoughts = [ReasoningDelta(text=piece) for piece in draw(pieces(thought))] if thought else []
    queues: list[list[Delta]] = [[*thoughts, *said]]
    for index, call in enumerate(calls):
        first, *others = draw(pieces(call.arguments))
        queue: list[Delta] = [ToolCallDelta(index=index, id=call.id, name=call.name, arguments=first)]
        queues.append(queue + [ToolCallDelta(index=index, arguments=piece) for piece in others])
    deltas: list[Delta] = []
    begun = 0
    while any(queues):
        ready = [number for number, queue in enumerate(queues) if queue and number <= begun + 1]
        number = draw(st.sampled_from(ready))
        begun = max(begun, number)
        deltas.append(queues[number].pop(0))
    return Output(text=text, tool_calls=tuple(calls), reasoning=Reasoning(text=thought) if thought else None), deltas


def joined(deltas: Iterable[Delta]) -> tuple[str, list[ToolCall]]:
    """What a client makes of them."""
    text, calls = "", {}
    for delta in deltas:
        if isinstance(delta, TextDelta):
            text += delta.text
        elif isinstance(delta, ReasoningDelta):
            continue
        elif delta.index in calls:
            assert (delta.id, delta.name) == (None, None), "a call that was met is not introduced again"
            calls[delta.index][2] += delta.arguments
        else:
            assert delta.id is not None
            assert delta.name is not None
            calls[delta.index] = [delta.id, delta.name, delta.arguments]
    ordered = [calls[index] for index in sorted(calls)]
    return text, [ToolCall(id=call[0], name=call[1], arguments=call[2]) for call in ordered]


def thought_of(deltas: Iterable[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))


def position_after(deltas: Sequence[Delta]) -> Position:
    position = Position()
    for delta in deltas:
        position = position.after(delta)
    return position


@given(streams(), st.data())
def test_who_comes_back_after_any_event_gets_exactly_the_rest(
    stream: tuple[Output, list[Delta]], data: st.DataObject
) -> None:
    output, deltas = stream
    read = deltas[: data.draw(st.integers(0, len(deltas)))]
    position = Position.parse(str(position_after(read)))
    assert position is not None
    rest = list(rest_of(output, position))
    assert joined([*read, *rest]) == (output.text or "", list(output.tool_calls))
    assert thought_of([*read, *rest]) == (output.reasoning.text if output.reasoning else "")
    assert sum(len(delta.text) for delta in rest if isinstance(delta, TextDelta)) == len(output.text or "") - sum(
        len(delta.text) for delta in read if isinstance(delta, TextDelta)
    )


@given(streams(), st.data())
def test_who_comes_back_twice_gets_the_rest_of_the_rest(
    stream: tuple[Output, list[Delta]], data: st.DataObject
) -> None:
    output, deltas = stream
    read = deltas[: data.draw(st.integers(0, len(deltas)))]
    rest = list(rest_of(output, position_after(read)))
    more = rest[: data.draw(st.integers(0, len(rest)))]
    last = rest_of(output, position_after([*read, *more]))
    assert joined([*read, *more, *last]) == (output.text or "", list(output.tool_calls))


@given(streams())
def test_nothing_is_left_at_the_end(stream: tuple[Output, list[Delta]]) -> None:
    output, deltas = stream
    assert list(rest_of(output, position_after(deltas))) == []


@given(st.integers(0, 10**9 - 1), st.lists(st.integers(0, 10**9 - 1), max_size=128), st.integers(0, 10**9 - 1))
def test_a_position_reads_as_it_is_written(text: int, arguments: list[int], reasoning: int) -> None:
    position = Position(text=text, arguments=tuple(arguments), reasoning=reasoning)
    assert Position.parse(str(position)) == position


@given(st.text(max_size=20))
def test_any_other_text_is_none(text: str) -> None:
    position = Position.parse(text)
    assert position is None or all(part.isdigit() for part in text.replace("r", ".").split("."))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".1",
        "-1",
        "1,2",
        " 1",
        "1\n",
        "1e3",
        "end",
        "0x1",
        "r1",
        "1r",
        "1r2r3",
        "1r2.3",
        "1" * 10,
        "1" + ".1" * 129,
    ],
)
def test_what_is_no_position(text: str) -> None:
    assert Position.parse(text) is None


def test_one_that_is_beyond_the_end_leaves_nothing() -> None:
    output = Output(text="abc", tool_calls=(ToolCall(id="1", name="f", arguments="{}"),))
    assert list(rest_of(output, Position(text=99, arguments=(99, 99)))) == []
