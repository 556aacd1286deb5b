"""The journal: one line for each query, which CloudWatch reads both as a log record and, in its embedded format, as metrics."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TextIO

from llm_gateway.access import OVERHEAD_GOAL_MS, metrics_namespace
from llm_gateway.correlation import CURRENT, LineKind, kind_of
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.faults import ResponseValidationFailed
from llm_gateway.domain.money import usd
from llm_gateway.domain.queries import Attempt, AttemptOutcome, Query, QueryAnswer, QueryStatus, QuerySummary
from llm_gateway.domain.redaction import redacted
from llm_gateway.errors import error_class

if TYPE_CHECKING:
    from llm_gateway.domain.budget_news import BudgetReached
    from llm_gateway.domain.circuits import CircuitState
    from llm_gateway.domain.pii import PiiRule
    from llm_gateway.domain.prompts.canary_news import CanaryNews

_BILLED: Final = (AttemptOutcome.OK, AttemptOutcome.CANCELLED)

_UNITS: Final = {
    "Queries": "Count",
    "FailedQueries": "Count",
    "CacheHits": "Count",
    "UnpricedCalls": "Count",
    "InputTokens": "Count",
    "OutputTokens": "Count",
    "OverheadMs": "Milliseconds",
    "ProviderMs": "Milliseconds",
    "CostUsd": "None",
    "TotalMs": "Milliseconds",
    "SlowQueries": "Count",
    "CachedInputTokens": "Count",
    "CacheWriteTokens": "Count",
    "ReasoningTokens": "Count",
    "Errors": "Count",
    "CanariesRolledBack": "Count",
    "CircuitsOpened": "Count",
    "CircuitsClosed": "Count",
    "BudgetsReached": "Count",
    "GatesPassed": "Count",
    "GatesFailed": "Count",
    "PersonalData": "Count",
}
_SPENT: Final = ("UnpricedCalls", "InputTokens", "OutputTokens", "CostUsd")
_BY_PROVIDER: Final = ("Queries", "FailedQueries", "CacheHits", "OverheadMs", "ProviderMs", *_SPENT)
# In all alone: each provider's would be one more metric to pay for.
_IN_ALL: Final = ("TotalMs", "SlowQueries", "CachedInputTokens", "CacheWriteTokens", "ReasoningTokens")
_COUNTED: Final = frozenset({*_BY_PROVIDER, *_IN_ALL})

Directives = tuple[tuple[Sequence[str], list[list[str]]], ...]
_OF_QUERIES: Final[Directives] = ((_BY_PROVIDER, [[], ["provider"]]), (_IN_ALL, [[]]))
# A query that somebody waits for is counted where its request ends, with all that never became a query.
_OF_FAILED_LATER: Final[Directives] = (*_OF_QUERIES, (("Errors",), [["error_class"]]))


class EmbeddedMetricsJournal:
    """Writes to standard output, which Lambda sends to CloudWatch."""

    def __init__(self, stream: TextIO | None = None, *, namespace: str = metrics_namespace()) -> None:
        self._stream = stream
        self._namespace = namespace

    def ended(self, query: QuerySummary, *, calls: Sequence[Attempt] = ()) -> None:
        record, problem = _record(query, calls), query.problem
        directives = _OF_QUERIES
        if problem is not None and query.status is QueryStatus.FAILED:
            record["error_class"] = error_class(problem.code, problem.status)
            record["kind"] = kind_of(record["error_class"])
            if query.mode == "async":
                record["Errors"] = 1
                directives = _OF_FAILED_LATER
        self._measure("query", record, directives)
        if query.logs_bodies and isinstance(query, Query):
            from llm_gateway.instruments.words import bodies_line

            self._write({"kind": LineKind.REQUEST, **CURRENT.get().told(), **bodies_line(query)})

    def rolled_back(self, news: "CanaryNews") -> None:
        record = {
            "prompt": news.prompt_id,
            "label": news.label,
            "version": news.version,
            "heaviest": news.heaviest,
            "reason": news.reason,
            "CanariesRolledBack": 1,
        }
        self._measure("canary_rolled_back", record, (_once("CanariesRolledBack", by="prompt"),))

    def circuit_turned(self, provider_id: str, state: "CircuitState") -> None:
        name = "CircuitsOpened" if state == "open" else "CircuitsClosed"
        record = {"kind": LineKind.ERROR if state == "open" else LineKind.PERFORMANCE, "provider": provider_id, name: 1}
        self._measure(f"circuit_{state}", record, (_once(name, by="provider"),))

    def budget_reached(self, news: "BudgetReached") -> None:
        record = {"key_id": news.key_id, "percent": news.percent, "period": news.period, "BudgetsReached": 1}
        self._measure("budget_reached", record, (_once("BudgetsReached"),))

    def gate_judged(self, prompt_id: str, versions: frozenset[int], *, passed: bool) -> None:
        name = "GatesPassed" if passed else "GatesFailed"
        record = {"prompt": prompt_id, "versions": sorted(versions), name: 1}
        self._measure("gate_judged", record, (_once(name),))

    def personal_data(self, counts: Mapping[str, int], *, key_id: str, rules: "Sequence[PiiRule]") -> None:
        for kind, count in sorted(counts.items()):
            record = {
                "kind": LineKind.SECURITY,
                "key_id": key_id,
                "policies": list(rules),
                "data_kind": kind,
                "PersonalData": count,
            }
            self._measure("personal_data", record, (_once("PersonalData", by="data_kind"),))

    def spent(self, query: Query, *, calls: Sequence[Attempt]) -> None:
        record = _record(query, calls)
        if record["CostUsd"] or record["UnpricedCalls"]:
            # The query itself is counted where it ends.
            kept = {name: value for name, value in record.items() if name not in _COUNTED or name in _SPENT}
            self._measure("query_calls", kept, ((_SPENT, [[], ["provider"]]),))

    def _measure(self, message: str, record: dict[str, Any], directives: Directives) -> None:
        """Writes `record` as a line of which CloudWatch takes the `directives`' metrics, each as a whole and by members of it."""
        taken = [
            {
                "Namespace": self._namespace,
                "Dimensions": dimensions,
                # Nothing, rather than a zero that would pull the average down.
                "Metrics": [{"Name": name, "Unit": _UNITS[name]} for name in names if record[name] is not None],
            }
            for names, dimensions in directives
        ]
        stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": taken}
        known = CURRENT.get().told()
        self._write({"_aws": stamp, "message": message, "kind": LineKind.PERFORMANCE, **known, **record})

    def _write(self, document: dict[str, Any]) -> None:
        # One write, so that lines of several threads do not mix. The reader of the output may have gone.
        with suppress(OSError, ValueError):
            stream = self._stream or sys.stdout
            stream.write(json.dumps(document) + "\n")
            # Lambda may freeze the process once the answer is out.
            stream.flush()


def _once(name: str, *, by: str | None = None) -> tuple[Sequence[str], list[list[str]]]:
    return (name,), [[], [by]] if by else [[]]


def _record(query: QuerySummary, calls: Sequence[Attempt]) -> dict[str, Any]:
    """What is told of a query, and of the `calls` that are to be counted with it."""
    answer, problem = query.answer if isinstance(query, Query) else None, query.problem
    # Those of an earlier try, where nobody was called this time; they were counted then.
    attempts = calls or (problem.attempts if problem else ())
    called = [attempt for attempt in calls if attempt.outcome is not AttemptOutcome.SKIPPED]
    latency = answer.latency if answer else None
    # A hit shows the first answer's usage, which was counted then.
    usage = answer.usage if answer and not answer.cache.hit else Usage()
    unpriced = sum(attempt.outcome in _BILLED and attempt.cost_usd is None for attempt in called)
    costs = [attempt.cost_usd for attempt in called if attempt.cost_usd is not None]
    return {
        "query_id": query.id,
        "key_id": query.owner,
        "mode": query.mode,
        "status": query.status,
        "error_code": problem.code if problem else None,
        "prompt": f"{query.prompt.id}@{query.prompt.version}" if query.prompt else None,
        "provider": _provider(answer, attempts),
        "model": answer.model if answer else None,
        "finish_reason": answer.finish_reason if answer else None,
        "attempts": [f"{attempt.provider}:{attempt.error_code or attempt.outcome}" for attempt in attempts],
        "failures": [_failure(attempt) for attempt in attempts if attempt.error_code],
        "cost_usd": usd(answer.cost_usd) if answer and answer.cost_usd is not None else None,
        "Queries": 1,
        "FailedQueries": int(query.status is QueryStatus.FAILED),
        "CacheHits": int(answer is not None and answer.cache.hit),
        "UnpricedCalls": unpriced,
        "InputTokens": usage.input_tokens,
        "OutputTokens": usage.output_tokens,
        "CachedInputTokens": usage.cached_input_tokens,
        "CacheWriteTokens": usage.cache_write_tokens,
        "ReasoningTokens": usage.reasoning_tokens,
        "TotalMs": latency.total_ms if latency else None,
        "OverheadMs": latency.overhead_ms if latency else None,
        "SlowQueries": int(latency.overhead_ms >= OVERHEAD_GOAL_MS) if latency else None,
        "ProviderMs": sum(attempt.latency_ms for attempt in called) if called else None,
        # Nothing is known to be spent where all that was called has no price: no zero, then.
        "CostUsd": None if unpriced and not costs else float(sum(costs, Decimal(0))),
    }


def _failure(attempt: Attempt) -> dict[str, Any]:
    """Why a candidate did not answer; without the provider's words and the fault in an answer's form, which may quote."""
    quotes = attempt.error_code == ResponseValidationFailed.code
    return {
        "provider": attempt.provider,
        "code": attempt.error_code,
        "upstream_status": attempt.upstream_status,
        "detail": None if quotes or attempt.cause is None else redacted(attempt.cause),
    }


def _provider(answer: QueryAnswer | None, attempts: Sequence[Attempt]) -> str:
    """The provider that the metrics count the query for: the one that answered, or else the one that was asked last."""
    asked = [attempt.provider for attempt in attempts if attempt.outcome is not AttemptOutcome.SKIPPED]
    return answer.provider if answer else asked[-1] if asked else "none"
