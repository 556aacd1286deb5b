"""Answers over HTTP, as the contract shows them."""

import json
from dataclasses import replace
from decimal import Decimal

from llm_gateway.domain.chat import Reasoning, ReasoningItem, ToolCall
from llm_gateway.domain.queries import Attempt, AttemptOutcome, CacheNote, Output, QueryStatus
from llm_gateway.wire.answers import AnswerShown
from llm_gateway.wire.messages import AssistantMessage
from llm_gateway.wire.query_status import AcceptedShown, StatusShown

from tests.stores.values import answer, problem, query, succeeded

_NOTHING_MORE = {"reasoning": None, "annotations": None, "logprobs": None}


def _json(shown: AnswerShown | StatusShown | AcceptedShown) -> dict[str, object]:
    document: dict[str, object] = json.loads(shown.model_dump_json(by_alias=True))
    return document


def test_json_is_shown_under_that_name() -> None:
    stored = succeeded(query())
    said = replace(answer(), output=Output(text='{"a": null}', json={"a": None}))
    assert _json(AnswerShown.of(stored, said))["output"] == {
        "text": '{"a": null}',
        "json": {"a": None},
        "tool_calls": [],
        **_NOTHING_MORE,
    }


def test_no_text_is_null() -> None:
    call = ToolCall(id="1", name="weather", arguments="{}")
    said = replace(answer(), output=Output(text=None, tool_calls=(call,)))
    shown = _json(AnswerShown.of(succeeded(query()), said))
    assert shown["output"] == {
        "text": None,
        "json": None,
        "tool_calls": [{"id": "1", "name": "weather", "arguments": "{}"}],
        **_NOTHING_MORE,
    }


def test_what_the_model_thought_is_shown_so_that_it_can_be_sent_back() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    reasoning = Reasoning(text="It thought.", items=(ReasoningItem(vendor="anthropic", item=thought),))
    output = Output(text="x", reasoning=reasoning, annotations=({"type": "url_citation"},), logprobs=({"token": "x"},))
    shown = _json(AnswerShown.of(succeeded(query()), replace(answer(), output=output)))["output"]
    assert isinstance(shown, dict)
    assert shown["reasoning"] == {
        "text": "It thought.",
        "items": [{"vendor": "anthropic", "item": thought, "after": 0}],
    }
    assert (shown["annotations"], shown["logprobs"]) == ([{"type": "url_citation"}], [{"token": "x"}])
    turn = AssistantMessage.model_validate({"role": "assistant", "content": "x", "reasoning": shown["reasoning"]})
    assert turn.to_domain().reasoning == reasoning.items


def test_an_unknown_price_is_null_and_never_zero() -> None:
    attempts = (Attempt(provider="p", model="m", outcome=AttemptOutcome.OK),)
    shown = _json(AnswerShown.of(succeeded(query()), replace(answer(), cost_usd=None, attempts=attempts)))
    assert shown["cost_usd"] is None
    assert shown["attempts"] == [
        {
            "provider": "p",
            "model": "m",
            "outcome": "ok",
            "error_code": None,
            "detail": None,
            "upstream_status": None,
            "latency_ms": 0,
            "cost_usd": None,
        }
    ]


def test_a_hit_tells_its_age_and_what_it_saved() -> None:
    said = replace(answer(), cost_usd=Decimal(0), cache=CacheNote(hit=True, age_s=12, saved_usd=Decimal("0.000393")))
    shown = _json(AnswerShown.of(succeeded(query()), said))
    assert shown["cost_usd"] == "0"
    assert shown["cache"] == {"hit": True, "age_s": 12, "saved_usd": "0.000393"}


def test_a_failure_is_shown_as_it_was_first_answered() -> None:
    failed = replace(query(), status=QueryStatus.FAILED, problem=problem())
    shown = _json(StatusShown.of(failed))
    error = shown["error"]
    assert isinstance(error, dict)
    assert shown["status"] == "failed"
    assert (error["status"], error["code"], error["query_id"]) == (problem().status, problem().code, failed.id)
    assert str(error["type"]).endswith(problem().code)
    # As in a problem that is answered, what does not apply is not there.
    assert None not in error.values()
    assert "request_id" not in error


def test_a_query_that_was_taken_on_tells_where_to_ask() -> None:
    at = "/dev/api/v1/llm/query/qry_1"
    shown = _json(AcceptedShown.of(query("qry_1"), at=at))
    assert shown == {"id": "qry_1", "status": "queued", "status_url": f"{at}/status", "result_url": f"{at}/result"}
