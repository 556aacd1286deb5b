"""The line with a query's words: only where it is asked for, without credentials or images, and never too long."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import ImagePart, Message, MessageRole, TextPart, ToolCall
from llm_gateway.domain.queries import Output, Query, QueryStatus, QuerySummary
from llm_gateway.instruments.journal import EmbeddedMetricsJournal
from llm_gateway.instruments.words import MOST_TEXT_CHARACTERS

from tests.stores.values import answer, problem, query, question, succeeded

CLOUDWATCH_BYTES = 256 * 1024 - 26
SECRET = "sk-" + "proj-abcDEF123456_7890-ghijklmnop"


def lines(ended: Query) -> list[dict[str, Any]]:
    stream = io.StringIO()
    EmbeddedMetricsJournal(stream).ended(ended)
    found = stream.getvalue().splitlines()
    for line in found:
        assert len(line.encode()) <= CLOUDWATCH_BYTES
    return [json.loads(line) for line in found]


def bodies(ended: Query) -> dict[str, Any]:
    record, line = lines(replace(ended, logs_bodies=True))
    assert record["message"] == "query"
    assert (line["message"], line["query_id"]) == ("query_bodies", record["query_id"])
    return line


def saying(*texts: str, **changes: Any) -> Query:
    messages = tuple(Message(role=MessageRole.USER, content=(TextPart(text=text),)) for text in texts)
    return query(request=question(messages=messages, **changes))


def test_without_being_asked_for_there_is_none() -> None:
    (record,) = lines(succeeded(query()))
    assert record["message"] == "query"


def test_question_and_answer_are_in_it() -> None:
    assert bodies(succeeded(query())) == {
        "kind": "request",
        "message": "query_bodies",
        "query_id": query().id,
        "key_id": query().owner,
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "text": "What is this? \N{OWL}",
                "images": [{"size_bytes": 9}],
                "files": [{"size_bytes": 6}],
                "recordings": [{"size_bytes": 3}],
                "tool_calls": [],
            },
            {
                "role": "assistant",
                "text": "",
                "images": [],
                "tool_calls": [{"name": "look", "arguments": '{"at": "it"}'}],
            },
            {"role": "tool", "text": "an owl", "images": [], "tool_calls": []},
        ],
        "answer": {"text": '{"is": "an owl"}', "tool_calls": []},
        "truncated": False,
        "messages_left_out": 0,
    }


def test_one_that_failed_has_no_answer() -> None:
    line = bodies(query(status=QueryStatus.FAILED, problem=problem()))
    assert line["answer"] is None
    assert line["messages"]


def test_one_that_is_known_by_its_summary_alone_has_no_words_to_log() -> None:
    whole = succeeded(query(logs_bodies=True))
    names = QuerySummary.__dataclass_fields__
    stream = io.StringIO()
    EmbeddedMetricsJournal(stream).ended(QuerySummary(**{name: getattr(whole, name) for name in names}))
    assert len(stream.getvalue().splitlines()) == 1


def test_no_line_of_spent_calls_has_words() -> None:
    stream = io.StringIO()
    whole = succeeded(query(logs_bodies=True))
    assert whole.answer is not None
    EmbeddedMetricsJournal(stream).spent(whole, calls=whole.answer.attempts)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "query_calls"
    for word in ("What is this?", "Be brief.", "an owl"):
        assert word not in line


def test_credentials_go_wherever_they_stand() -> None:
    call = ToolCall(id="1", name=SECRET, arguments=json.dumps({"key": SECRET}))
    spoken = saying(f"Use {SECRET}!", system=f"The key is {SECRET}")
    turn = Message(role=MessageRole.ASSISTANT, tool_calls=(call,))
    asked = replace(spoken.request, messages=(*spoken.request.messages, turn))
    told = replace(answer(f"I used {SECRET}"), output=Output(text=f"I used {SECRET}", tool_calls=(call,)))
    text = json.dumps(bodies(replace(spoken, request=asked, answer=told)))
    assert "proj-abc" not in text
    assert text.count("[redacted]") == 7


@pytest.mark.parametrize(
    ("url", "size_bytes"),
    [("data:image/png;base64," + "A" * 4000, 3000), ("https://images.example/a.png?signature=abc", None)],
)
def test_an_image_is_only_measured(url: str, size_bytes: int | None) -> None:
    content = (TextPart(text="Look."), ImagePart(url=url), TextPart(text=f" Or {url}"))
    turn = Message(role=MessageRole.USER, content=content)
    line = bodies(query(request=question(messages=(turn,))))
    (message,) = line["messages"]
    assert message["images"] == [{"size_bytes": size_bytes}]
    assert "AAAA" not in json.dumps(line)


def test_a_long_text_is_cut_and_that_is_said() -> None:
    line = bodies(saying("x" * MOST_TEXT_CHARACTERS))
    assert line["truncated"] is False
    line = bodies(saying("x" * (MOST_TEXT_CHARACTERS + 1)))
    assert line["truncated"] is True
    assert line["messages_left_out"] == 0
    assert line["messages"][0]["text"] == "x" * MOST_TEXT_CHARACTERS


def test_a_credential_at_the_cut_does_not_stay_in_part() -> None:
    text = "x" * (MOST_TEXT_CHARACTERS - 16) + " " + SECRET
    assert "sk-" not in json.dumps(bodies(saying(text)))


@pytest.mark.parametrize("character", ["x", '"', "\N{OWL}", "\x00", "\ud800"])
def test_a_long_conversation_keeps_its_answer_and_its_end(character: str) -> None:
    spoken = saying(*[f"{number} " + character * 15_000 for number in range(200)])
    line = bodies(succeeded(spoken, "The end."))
    assert line["answer"]["text"] == "The end."
    assert line["truncated"] is True
    kept = [int(message["text"].split()[0]) for message in line["messages"]]
    assert kept == list(range(200 - len(kept), 200))
    assert line["messages_left_out"] == 200 - len(kept)
    assert kept


def test_very_many_small_messages_are_left_out_too() -> None:
    line = bodies(saying(*["Hi."] * 50_000))
    assert line["truncated"] is True
    assert line["messages_left_out"] == 50_000 - len(line["messages"])


def test_an_answer_of_too_many_calls_is_left_out() -> None:
    call = ToolCall(id="1", name="look", arguments="x" * 15_000)
    told = replace(answer(), output=Output(text=None, tool_calls=(call,) * 100))
    line = bodies(replace(saying("Look."), answer=told))
    assert line["answer"] is None
    assert line["truncated"] is True
    assert line["messages"][0]["text"] == "Look."
