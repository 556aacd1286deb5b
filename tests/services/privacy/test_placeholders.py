"""Placeholders take the place of values, and values theirs, in whole texts and in pieces of any size."""

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.chat import (
    ChatAnswer,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from llm_gateway.instruments.personal_data.detector import PatternDetector
from llm_gateway.services.privacy.placeholders import Mask, Repeats, Restorer, placeholders_in, restored
from llm_gateway.services.privacy.streams import restored_pieces

EMAIL, IBAN = "anna@example.com", "DE89 3704 0044 0532 0130 00"
VALUES = {"[EMAIL_1]": EMAIL, "[EMAIL_2]": 'o"neil\\@example.com', "[IBAN_1]": IBAN, "[PHONE_1]": "[030] 901820"}


def mask(*taken: str) -> Mask:
    return Mask(PatternDetector(), taken=set(taken))


def test_the_same_value_has_the_same_placeholder_in_all_texts() -> None:
    one = mask()
    assert one.text(f"{EMAIL} and bob@example.com, {EMAIL}") == "[EMAIL_1] and [EMAIL_2], [EMAIL_1]"
    assert one.text(f"{IBAN} of {EMAIL}") == "[IBAN_1] of [EMAIL_1]"
    assert one.values == {"[EMAIL_1]": EMAIL, "[EMAIL_2]": "bob@example.com", "[IBAN_1]": IBAN}
    assert one.counts == {"email": 4, "iban": 1}


def test_every_value_is_known_again_however_many_there_are() -> None:
    known = {f"{number:07}@example.com": f"[EMAIL_{number}]" for number in range(1_500)} | {"536904399": "[SSN_1]"}
    repeats = Repeats(known)
    text = "; ".join(known)
    assert repeats.replaced(text) == "; ".join(known.values())
    assert repeats.replaced("again 536904399, not 5369043990 and not a536904399") == (
        "again [SSN_1], not 5369043990 and not a536904399"
    )


def test_the_longest_of_the_known_values_is_meant() -> None:
    repeats = Repeats({"+49 30 901820": "[PHONE_1]", "+49 30 901820 12": "[PHONE_2]", "short": "[NAME_1]"})
    assert repeats.replaced("+49 30 901820 12, +49 30 901820, short") == "[PHONE_2], [PHONE_1], short"


def test_a_placeholder_that_a_text_has_already_is_not_given_away() -> None:
    text = f"Keep [EMAIL_1] as it is, and write to {EMAIL}."
    one = mask(*placeholders_in(text))
    assert one.text(text) == "Keep [EMAIL_1] as it is, and write to [EMAIL_2]."
    assert restored(one.text(text), one.values) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Write to [EMAIL_1].", f"Write to {EMAIL}."),
        ("[EMAIL_9] was made up", "[EMAIL_9] was made up"),
        ("[email_1], EMAIL_1, [EMAIL_1", "[email_1], EMAIL_1, [EMAIL_1"),
        ("[[EMAIL_1]]", f"[{EMAIL}]"),
        (r"Write to [EMAIL\_1], not [EMAIL\_9].", rf"Write to {EMAIL}, not [EMAIL\_9]."),
        ("no placeholder", "no placeholder"),
    ],
)
def test_what_is_put_back(text: str, told: str) -> None:
    assert restored(text, VALUES) == told


def test_in_json_a_value_is_escaped() -> None:
    assert json.loads(restored('{"to": "[EMAIL_2]"}', VALUES, in_json=True)) == {"to": VALUES["[EMAIL_2]"]}
    assert json.loads(restored(json.dumps({"to": r"[EMAIL\_2]"}), VALUES, in_json=True)) == {"to": VALUES["[EMAIL_2]"]}


def test_one_that_a_text_has_with_a_backslash_is_not_given_away_either() -> None:
    text = rf"Keep [EMAIL\_1] as it is, and write to {EMAIL}."
    one = mask(*placeholders_in(text))
    assert restored(one.text(text), one.values) == text


ALPHABET = [
    "[EMAIL_1]",
    "[EMAIL_2]",
    "[IBAN_1]",
    r"[IBAN\_1]",
    r"[IBAN\\_1]",
    "\\",
    "[PHONE_1]",
    "[EMAIL_77]",
    "[",
    "]",
    "EMAIL_1",
    "[[",
    "a",
    " ",
    "_1]",
    "[E",
]


@given(st.lists(st.sampled_from(ALPHABET), max_size=30), st.data())
def test_any_cut_gives_the_whole(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    restorer, told, start = Restorer(VALUES, in_json=False), "", 0
    while start < len(text):
        end = data.draw(st.integers(start + 1, len(text)))
        told += restorer.feed(text[start:end])
        start = end
    assert told + restorer.rest() == restored(text, VALUES)


def test_what_cannot_be_a_placeholder_is_told_at_once() -> None:
    restorer = Restorer(VALUES, in_json=False)
    assert restorer.feed("see [1]") == "see [1]"
    assert restorer.feed(" and [link") == " and [link"
    assert restorer.feed(" and [EMAI") == " and "
    assert restorer.feed("L_1] ") == f"{EMAIL} "
    assert restorer.feed("[" + "A" * 60) == "[" + "A" * 60


def cut(text: str, chance: random.Random) -> list[str]:
    places = sorted({0, len(text), *(chance.randrange(len(text) + 1) for _ in range(chance.randrange(12)))})
    return [text[start:end] for start, end in pairwise(places)]


@pytest.mark.parametrize("is_json", [False, True])
def test_two_thousand_streams_come_back_whole_however_they_are_cut(is_json: bool) -> None:
    chance = random.Random(15)  # noqa: S311
    for _ in range(1_000):
        text = "".join(chance.choice(ALPHABET) for _ in range(chance.randrange(1, 25)))
        thought = "".join(chance.choice(ALPHABET) for _ in range(chance.randrange(8)))
        calls = [
            json.dumps({"to": "".join(chance.choice(ALPHABET) for _ in range(chance.randrange(8)))})
            for _ in range(chance.randrange(3))
        ]
        queues = [[TextDelta(text=piece) for piece in cut(text, chance)]]
        queues += [[ReasoningDelta(text=piece) for piece in cut(thought, chance)]]
        for index, call in enumerate(calls):
            pieces = [ToolCallDelta(index=index, arguments=piece) for piece in cut(call, chance)]
            queues.append([ToolCallDelta(index=index, id=f"call_{index}", name="send"), *pieces])
        waiting = [queue for queue in queues if queue]
        deltas = []
        while waiting:
            queue = chance.choice(waiting)
            deltas.append(queue.pop(0))
            waiting = [queue for queue in waiting if queue]
        answer = ChatAnswer(
            text=text,
            finish_reason=FinishReason.STOP,
            model="m",
            usage=Usage(),
            tool_calls=tuple(ToolCall(id=f"call_{n}", name="send", arguments=call) for n, call in enumerate(calls)),
        )
        *told, last = restored_pieces((each for each in [*deltas, answer]), VALUES, is_json=is_json)
        assert last is answer
        assert "".join(d.text for d in told if isinstance(d, TextDelta)) == restored(text, VALUES, in_json=is_json)
        assert "".join(d.text for d in told if isinstance(d, ReasoningDelta)) == restored(thought, VALUES)
        for index, call in enumerate(calls):
            own = [d for d in told if isinstance(d, ToolCallDelta) and d.index == index]
            assert own[0].id == f"call_{index}"
            assert "".join(d.arguments for d in own) == restored(call, VALUES, in_json=True)


def test_a_stream_that_is_left_is_closed() -> None:
    closed = []

    def items():
        try:
            yield TextDelta(text="a")
            yield TextDelta(text="b")
        finally:
            closed.append(True)

    pieces = restored_pieces(items(), VALUES, is_json=False)
    next(pieces)
    pieces.close()
    assert closed == [True]
