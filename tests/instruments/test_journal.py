"""The journal's line: a record that tells what a query cost and how it went, metrics that CloudWatch takes, and no content."""

import io
import json
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from llm_gateway.access import metrics_namespace
from llm_gateway.correlation import CURRENT, Correlation
from llm_gateway.domain.budget_news import BudgetReached
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.prompts.canary_news import CanaryNews
from llm_gateway.domain.queries import (
    Attempt,
    AttemptOutcome,
    CacheNote,
    Latency,
    Query,
    QueryAnswer,
    QueryStatus,
    QuerySummary,
)
from llm_gateway.instruments.journal import EmbeddedMetricsJournal

from tests.stores.values import answer, problem, query, question

UNSEEN = "A WORD OF NOBODY ELSE'S"


def attempt(outcome: AttemptOutcome = AttemptOutcome.OK, cost: str | None = "0.000393", **changes: Any) -> Attempt:
    fields: dict[str, Any] = {"provider": "openai", "model": "gpt", "latency_ms": 640}
    return Attempt(outcome=outcome, cost_usd=None if cost is None else Decimal(cost), **{**fields, **changes})


def answered(*attempts: Attempt, **changes: Any) -> Query:
    fields: dict[str, Any] = {"attempts": attempts or (attempt(),), "cache": CacheNote()}
    return query(status=QueryStatus.SUCCEEDED, answer=replace(answer(UNSEEN), **{**fields, **changes}))


def failed(**changes: Any) -> Query:
    return query(status=QueryStatus.FAILED, problem=replace(problem(), **changes))


def calls_of(ended: Query) -> tuple[Attempt, ...]:
    told = ended.answer or ended.problem
    return told.attempts if told else ()


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    text = stream.getvalue()
    assert not text or text.endswith("\n")
    return [json.loads(line, parse_constant=lambda constant: pytest.fail(constant)) for line in text.splitlines()]


def line(ended: Query) -> dict[str, Any]:
    stream = io.StringIO()
    EmbeddedMetricsJournal(stream).ended(ended, calls=calls_of(ended))
    (document,) = read(stream)
    return document


def spent(query: Query, *calls: Attempt) -> list[dict[str, Any]]:
    stream = io.StringIO()
    EmbeddedMetricsJournal(stream).spent(query, calls=calls)
    return read(stream)


ENDS = {
    "answered": answered(),
    "hit": answered(attempts=(), cost_usd=Decimal(0), cache=CacheNote(hit=True, age_s=3)),
    "unpriced": answered(attempt(cost=None), cost_usd=None),
    "failed": failed(),
    "failed before anybody was asked": failed(attempts=(), provider=None),
    "cancelled": query(status=QueryStatus.CANCELLED),
    "cancelled on the way": replace(answered(attempt(AttemptOutcome.CANCELLED)), status=QueryStatus.CANCELLED),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_line_is_what_cloudwatch_reads_as_metrics(end: str) -> None:
    document = line(ENDS[end])
    stamp = document["_aws"]
    assert stamp["Timestamp"] == pytest.approx(time.time() * 1000, abs=60_000)
    names: list[str] = []
    for directive in stamp["CloudWatchMetrics"]:
        assert directive["Namespace"] == metrics_namespace()
        for dimension in (name for names in directive["Dimensions"] for name in names):
            assert isinstance(document[dimension], str)
            assert document[dimension]
        names += [metric["Name"] for metric in directive["Metrics"]]
        assert {metric["Unit"] for metric in directive["Metrics"]} <= {"Count", "Milliseconds", "None"}
    by_provider, in_all = stamp["CloudWatchMetrics"]
    assert (by_provider["Dimensions"], in_all["Dimensions"]) == ([[], ["provider"]], [[]])
    assert len(names) == len(set(names)) <= 100
    for name in names:
        assert isinstance(document[name], int | float)
        assert not isinstance(document[name], bool)
    assert document["Queries"] == 1


@pytest.mark.parametrize("end", ENDS)
def test_no_word_of_question_or_answer_is_in_it(end: str) -> None:
    ended = replace(ENDS[end], request=question(system=UNSEEN, metadata={"x": UNSEEN}))
    text = json.dumps(line(ended))
    for word in (UNSEEN, "What is this?", "Be brief.", "an owl", "look", "iVBOR"):
        assert word not in text


def test_an_answer_in_all_its_figures() -> None:
    failed_over = attempt(
        AttemptOutcome.ERROR, "0.0001", provider="local", error_code="provider_timeout", latency_ms=50
    )
    passed_by = attempt(
        AttemptOutcome.SKIPPED,
        None,
        provider="full",
        error_code="provider_rate_limited",
        detail="Full for sk-proj-abcdefghijklmnopqrstuvwxyz012345: words of the provider",
        cause="Full for sk-proj-abcdefghijklmnopqrstuvwxyz012345.",
        upstream_status=429,
    )
    document = line(
        answered(
            passed_by,
            failed_over,
            attempt(),
            cost_usd=Decimal("0.000493"),
            latency=Latency(total_ms=755, provider_ms=690, waiting_ms=40),
        )
    )
    document.pop("_aws")
    assert document == {
        "message": "query",
        "kind": "performance",
        "query_id": query().id,
        "key_id": query().owner,
        "mode": "sync",
        "status": "succeeded",
        "error_code": None,
        "prompt": None,
        "provider": "openai",
        "model": "gpt-4.1-mini-2025-04-14",
        "finish_reason": "stop",
        "attempts": ["full:provider_rate_limited", "local:provider_timeout", "openai:ok"],
        "failures": [
            {
                "provider": "full",
                "code": "provider_rate_limited",
                "upstream_status": 429,
                "detail": "Full for [redacted].",
            },
            {"provider": "local", "code": "provider_timeout", "upstream_status": None, "detail": None},
        ],
        "cost_usd": "0.000493",
        "Queries": 1,
        "FailedQueries": 0,
        "CacheHits": 0,
        "UnpricedCalls": 0,
        "InputTokens": 812,
        "OutputTokens": 95,
        "CachedInputTokens": 512,
        "CacheWriteTokens": 0,
        "ReasoningTokens": 0,
        "TotalMs": 755,
        "OverheadMs": 25,
        "SlowQueries": 0,
        "ProviderMs": 690,
        "CostUsd": 0.000493,
    }


def test_what_is_wrong_with_an_answer_is_told_without_its_words() -> None:
    misshapen = attempt(
        AttemptOutcome.ERROR, error_code="response_validation_failed", detail=f"$.name: {UNSEEN!r} is not a number"
    )
    text = json.dumps(line(failed(attempts=(misshapen,))))
    assert "response_validation_failed" in text
    assert UNSEEN not in text


def test_money_is_what_all_calls_cost() -> None:
    calls = [attempt(AttemptOutcome.ERROR, "0.1"), attempt(AttemptOutcome.ERROR, None), attempt(cost="0.2")]
    document = line(answered(*calls, cost_usd=Decimal("0.3")))
    # Added as decimals: floats would make 0.30000000000000004 of it.
    assert document["CostUsd"] == 0.3
    assert document["cost_usd"] == "0.3"


def test_a_very_small_amount_is_still_plain() -> None:
    assert line(answered(cost_usd=Decimal("0.00000001")))["cost_usd"] == "0.00000001"


def test_a_failure_costs_what_its_calls_did() -> None:
    calls = (attempt(AttemptOutcome.ERROR, "0.25", provider="a"), attempt(AttemptOutcome.ERROR, None, provider="b"))
    document = line(failed(attempts=calls))
    assert document["CostUsd"] == 0.25
    assert document["cost_usd"] is None
    assert (document["FailedQueries"], document["status"], document["error_code"]) == (1, "failed", "provider_error")
    assert document["provider"] == "b"
    assert document["ProviderMs"] == 1280


@pytest.mark.parametrize("outcome", [AttemptOutcome.OK, AttemptOutcome.CANCELLED])
def test_a_call_without_a_price_is_counted(outcome: AttemptOutcome) -> None:
    document = line(answered(attempt(outcome, None), cost_usd=None))
    assert document["UnpricedCalls"] == 1
    assert (document["cost_usd"], document["CostUsd"]) == (None, None)
    assert "CostUsd" not in [metric["Name"] for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]]


def test_a_hit_costs_nothing_and_counts_its_tokens_no_second_time() -> None:
    document = line(ENDS["hit"])
    assert (document["CacheHits"], document["CostUsd"], document["cost_usd"]) == (1, 0, "0")
    assert (document["InputTokens"], document["OutputTokens"]) == (0, 0)


def test_one_that_somebody_else_had_worked_on_counts_no_call_again() -> None:
    """A dead letter keeps the problem of its last try, whose calls were counted when it was given back."""
    given_up = failed(attempts=(attempt(AttemptOutcome.ERROR, "0.25", provider="a"),))
    summary = QuerySummary(**{field.name: getattr(given_up, field.name) for field in fields(QuerySummary)})
    stream = io.StringIO()
    EmbeddedMetricsJournal(stream).ended(summary)
    (document,) = read(stream)
    assert (document["Queries"], document["FailedQueries"], document["error_code"]) == (1, 1, "provider_error")
    assert (document["provider"], document["attempts"]) == ("a", ["a:error"])
    assert (document["CostUsd"], document["ProviderMs"], document["mode"]) == (0, None, "sync")


def test_calls_of_one_that_was_cancelled_between_them_are_counted() -> None:
    stream = io.StringIO()
    calls = (attempt(AttemptOutcome.ERROR, "0.25", provider="a"),)
    EmbeddedMetricsJournal(stream).ended(query(status=QueryStatus.CANCELLED), calls=calls)
    (document,) = read(stream)
    assert (document["status"], document["CostUsd"], document["provider"]) == ("cancelled", 0.25, "a")


# Calls that did not end their query


def test_what_was_spent_without_an_end_counts_no_query() -> None:
    (document,) = spent(answered(), attempt(AttemptOutcome.ERROR, "0.25"), attempt(AttemptOutcome.CANCELLED, None))
    assert document["message"] == "query_calls"
    assert document["query_id"] == query().id
    assert (document["CostUsd"], document["UnpricedCalls"]) == (0.25, 1)
    assert (document["InputTokens"], document["OutputTokens"]) == (812, 95)
    assert _metrics(document) == {"UnpricedCalls", "InputTokens", "OutputTokens", "CostUsd"}
    assert not {"Queries", "FailedQueries", "CacheHits", "ProviderMs"} & document.keys()


@pytest.mark.parametrize(
    "calls",
    [(), (attempt(AttemptOutcome.SKIPPED, None),), (attempt(AttemptOutcome.ERROR, None),), (attempt(cost="0"),)],
    ids=["no call", "skipped", "refused", "free"],
)
def test_nothing_spent_is_no_line(calls: tuple[Attempt, ...]) -> None:
    assert spent(query(), *calls) == []


def _metrics(document: dict[str, Any]) -> set[str]:
    return {metric["Name"] for directive in document["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]}


def test_what_there_was_none_of_does_not_pull_averages_down() -> None:
    assert not {"OverheadMs", "TotalMs", "SlowQueries"} & _metrics(line(ENDS["failed"]))
    assert "ProviderMs" not in _metrics(line(ENDS["hit"]))
    assert {"OverheadMs", "ProviderMs", "CostUsd"} <= _metrics(line(ENDS["answered"]))


def test_one_that_nobody_was_asked_for_is_nobodys() -> None:
    document = line(ENDS["failed before anybody was asked"])
    assert document["provider"] == "none"
    assert document["attempts"] == []


def test_it_goes_to_standard_output_as_it_is_at_the_time() -> None:
    journal = EmbeddedMetricsJournal()
    with redirect_stdout(io.StringIO()) as output:
        journal.ended(answered())
    assert json.loads(output.getvalue())["message"] == "query"


def test_lines_of_several_threads_do_not_mix() -> None:
    stream = io.StringIO()
    journal = EmbeddedMetricsJournal(stream)
    threads = [Thread(target=lambda: [journal.ended(answered()) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json.loads(text)["Queries"] for text in stream.getvalue().splitlines()] == [1] * 400


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_an_output_that_is_gone_is_no_fault_of_the_query() -> None:
    EmbeddedMetricsJournal(Broken()).ended(answered())
    closed = io.StringIO()
    closed.close()
    EmbeddedMetricsJournal(closed).ended(answered())


def test_usage_that_is_estimated_counts() -> None:
    used = Usage(input_tokens=7, output_tokens=3, estimated=True)
    ended: QueryAnswer = replace(answer(), usage=used, cache=CacheNote())
    document = line(query(status=QueryStatus.CANCELLED, answer=ended))
    assert (document["InputTokens"], document["OutputTokens"]) == (7, 3)


def test_a_version_that_was_rolled_back_is_a_line_and_a_metric() -> None:
    stream = io.StringIO()
    at = datetime(2026, 11, 29, 19, tzinfo=UTC)
    news = CanaryNews(prompt_id="answer", label="production", version=4, heaviest=3, reason="it is slow", at=at)
    EmbeddedMetricsJournal(stream).rolled_back(news)
    (document,) = read(stream)
    (directive,) = document.pop("_aws")["CloudWatchMetrics"]
    assert directive == {
        "Namespace": metrics_namespace(),
        "Dimensions": [[], ["prompt"]],
        "Metrics": [{"Name": "CanariesRolledBack", "Unit": "Count"}],
    }
    assert document == {
        "message": "canary_rolled_back",
        "kind": "performance",
        "prompt": "answer",
        "label": "production",
        "version": 4,
        "heaviest": 3,
        "reason": "it is slow",
        "CanariesRolledBack": 1,
    }


# What is told of more than one query


def said(tell: Callable[[EmbeddedMetricsJournal], None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The line, and the one directive that was in it."""
    stream = io.StringIO()
    tell(EmbeddedMetricsJournal(stream))
    (document,) = read(stream)
    (directive,) = document.pop("_aws")["CloudWatchMetrics"]
    return document, directive


@pytest.mark.parametrize(
    ("state", "name", "kind"),
    [(CircuitState.OPEN, "CircuitsOpened", "error"), (CircuitState.CLOSED, "CircuitsClosed", "performance")],
)
def test_a_circuit_that_turns_is_counted_by_provider(state: CircuitState, name: str, kind: str) -> None:
    document, directive = said(lambda journal: journal.circuit_turned("openai", state))
    assert document == {"message": f"circuit_{state}", "kind": kind, "provider": "openai", name: 1}
    assert directive["Dimensions"] == [[], ["provider"]]
    assert directive["Metrics"] == [{"Name": name, "Unit": "Count"}]


def test_a_budget_that_is_reached_is_counted() -> None:
    news = BudgetReached(
        key_id="key_1",
        percent=80,
        period="2026-11",
        amount_usd=Decimal(25),
        spent_usd=Decimal(20),
        resets_at=datetime(2026, 12, 1, tzinfo=UTC),
    )
    document, directive = said(lambda journal: journal.budget_reached(news))
    assert (document["message"], document["key_id"], document["percent"]) == ("budget_reached", "key_1", 80)
    # Never by key: each would be a metric to pay for.
    assert directive["Dimensions"] == [[]]


@pytest.mark.parametrize(("passed", "name"), [(True, "GatesPassed"), (False, "GatesFailed")])
def test_a_quality_gates_verdict_is_counted(passed: bool, name: str) -> None:
    document, directive = said(lambda journal: journal.gate_judged("answer", frozenset({4, 3}), passed=passed))
    assert (document["prompt"], document["versions"], document[name]) == ("answer", [3, 4], 1)
    assert (directive["Dimensions"], directive["Metrics"]) == ([[]], [{"Name": name, "Unit": "Count"}])


def test_a_line_tells_whose_request_it_goes_back_to() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    before = CURRENT.set(Correlation(request_id="req_01J00000000000000000000000", traceparent=trace))
    try:
        document = line(answered())
    finally:
        CURRENT.reset(before)
    assert document["request_id"] == "req_01J00000000000000000000000"
    assert document["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert document["query_id"] == query().id


@pytest.mark.parametrize(("overhead_ms", "slow"), [(99, 0), (100, 1)])
def test_a_query_that_took_longer_than_is_promised_is_counted(overhead_ms: int, slow: int) -> None:
    latency = Latency(total_ms=600 + overhead_ms, provider_ms=600, waiting_ms=0)
    assert line(answered(latency=latency))["SlowQueries"] == slow


@pytest.mark.parametrize(
    ("code", "status", "error_class", "kind"),
    [
        ("provider_error", 502, "provider", "error"),
        ("internal_error", 500, "gateway", "error"),
        ("deadline_exceeded", 504, "time", "error"),
        ("validation_failed", 422, "caller", "request"),
    ],
)
def test_a_failure_says_whose_part_it_was(code: str, status: int, error_class: str, kind: str) -> None:
    later = replace(failed(code=code, status=status), mode="async")
    document = line(later)
    assert (document["error_class"], document["kind"], document["Errors"]) == (error_class, kind, 1)
    assert document["_aws"]["CloudWatchMetrics"][-1]["Dimensions"] == [["error_class"]]
    # One that somebody waits for is counted with its request.
    waited_for = line(failed(code=code, status=status))
    assert (waited_for["error_class"], "Errors" in waited_for) == (error_class, False)


def test_personal_data_is_a_line_and_a_metric_for_each_kind() -> None:
    stream = io.StringIO()
    EmbeddedMetricsJournal(stream).personal_data(
        {"iban": 1, "email": 3}, key_id="key_1", rules=(PiiRule.LOG, PiiRule.MASK)
    )
    documents = read(stream)
    (directive,) = documents[0].pop("_aws")["CloudWatchMetrics"]
    assert directive["Dimensions"] == [[], ["data_kind"]]
    assert directive["Metrics"] == [{"Name": "PersonalData", "Unit": "Count"}]
    assert documents[0] == {
        "message": "personal_data",
        "kind": "security",
        "key_id": "key_1",
        "policies": ["log", "mask"],
        "data_kind": "email",
        "PersonalData": 3,
    }
    assert [(document["data_kind"], document["PersonalData"]) for document in documents] == [("email", 3), ("iban", 1)]
