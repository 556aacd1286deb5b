"""Tool calls put together: however a server cuts and marks their pieces, what is joined is what was meant."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.providers.tool_calls import Growing, ToolCalls

from tests.providers.conftest import asking

CALLS = st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3), min_size=1, max_size=4)


def pieces_of(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def joined(pieces: list[dict]) -> tuple[ToolCalls, list]:
    calls = ToolCalls(request=asking())
    deltas = [
        delta
        for piece in pieces
        for delta in calls.join(
            given=piece.get("id"),
            place=piece.get("index"),
            name=piece.get("name"),
            arguments=piece.get("arguments", ""),
            begun=set(),
        )
    ]
    return calls, [*deltas, *calls.end()]


@pytest.mark.parametrize("marks", [("id",), ("index",), ("id", "index"), ()])
@pytest.mark.parametrize("repeats", [False, True])
@given(arguments=CALLS, size=st.integers(1, 9))
def test_pieces_in_order(marks: tuple[str, ...], repeats: bool, arguments: list[dict], size: int) -> None:
    """A mark is on each piece; some servers repeat the name too."""
    texts = [json.dumps(each) for each in arguments]
    pieces = []
    for number, text in enumerate(texts):
        marked = {"id": f"call_{number}", "index": number}
        for first, part in enumerate(pieces_of(text, size)):
            named = {"name": "look"} if repeats or first == 0 else {}
            pieces.append({name: marked[name] for name in marks} | named | {"arguments": part})

    calls, deltas = joined(pieces)

    assert [call.arguments for call in calls.whole()] == texts
    for index, text in enumerate(texts):
        assert "".join(delta.arguments for delta in deltas if delta.index == index) == text


@pytest.mark.parametrize("mark", ["id", "index"])
@given(arguments=CALLS, seed=st.integers())
def test_pieces_out_of_order_go_by_their_mark(mark: str, arguments: list[dict], seed: int) -> None:
    texts = [json.dumps(each) for each in arguments]
    marks = [f"call_{number}" if mark == "id" else number for number in range(len(texts))]
    heads = [{mark: each, "name": "look"} for each in marks]
    rest = [[{mark: each, "arguments": part} for part in text] for each, text in zip(marks, texts, strict=True)]
    turns = [number for number, parts in enumerate(rest) for _ in parts]
    Random(seed).shuffle(turns)  # noqa: S311

    calls, _ = joined([*heads, *(rest[number].pop(0) for number in turns)])

    assert [call.arguments for call in calls.whole()] == texts


def test_ids_of_the_gateways_own_differ_from_turn_to_turn_and_are_the_same_for_the_same() -> None:
    def own(*texts: str) -> list[str]:
        calls = ToolCalls(request=asking(*texts))
        for _ in range(2):
            calls.begin(given=None, place=None, name="look")
        return [call.id for call in calls.whole()]

    assert own("a") == own("a")
    assert len({*own("a"), *own("b")}) == 4


def test_a_piece_of_a_call_that_was_not_begun_is_refused() -> None:
    with pytest.raises(ProviderResponseInvalid):
        ToolCalls(request=asking()).extend(0, "{}")


@given(st.text(st.characters()), st.integers(1, 3))
def test_a_text_in_pieces_is_the_text(text: str, size: int) -> None:
    """Also where a cut goes through a surrogate pair, as escapes make it."""
    halves = text.encode("utf-16-le", "surrogatepass")
    units = [halves[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(halves), 2)]
    growing = Growing()

    handed_on = (
        "".join(growing.add("".join(units[at : at + size])) for at in range(0, len(units), size)) + growing.end()
    )

    expected = halves.decode("utf-16-le", "replace")
    assert str(growing) == handed_on
    assert handed_on.replace("\ufffd", "") == expected.replace("\ufffd", "")
    handed_on.encode()
