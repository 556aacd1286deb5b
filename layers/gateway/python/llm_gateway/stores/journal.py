"""The journal: one line for each query, which CloudWatch reads both as a log record and, in its embedded format, as metrics."""

import json
import sys
import time
from typing import Any, Final, TextIO

from llm_gateway.domain.money import usd
from llm_gateway.domain.queries import AttemptOutcome, Query, QueryStatus

NAMESPACE: Final = "LlmGateway"

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
}
_METRICS: Final = {
    "Namespace": NAMESPACE,
    "Dimensions": [[], ["provider"]],
    "Metrics": [{"Name": name, "Unit": unit} for name, unit in _UNITS.items()],
}


class EmbeddedMetricsJournal:
    """Writes to standard output, which Lambda sends to CloudWatch."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def ended(self, query: Query) -> None:
        document = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [_METRICS]},
            "message": "query",
            **_record(query),
        }
        # One write, so that lines of several threads do not mix.
        (self._stream or sys.stdout).write(json.dumps(document) + "\n")


def _record(query: Query) -> dict[str, Any]:
    answer, problem = query.answer, query.problem
    attempts = answer.attempts if answer else problem.attempts if problem else ()
    called = [attempt for attempt in attempts if attempt.outcome is not AttemptOutcome.SKIPPED]
    return {
        "query_id": query.id,
        "key_id": query.owner,
        "mode": query.request.mode,
        "status": query.status,
        "error_code": problem.code if problem else None,
        "provider": answer.provider if answer else (called[-1].provider if called else "none"),
        "model": answer.model if answer else None,
        "finish_reason": answer.finish_reason if answer else None,
        "attempts": [f"{attempt.provider}:{attempt.error_code or attempt.outcome}" for attempt in attempts],
        "cost_usd": usd(answer.cost_usd) if answer and answer.cost_usd is not None else None,
        "Queries": 1,
        "FailedQueries": int(query.status is QueryStatus.FAILED),
        "CacheHits": int(answer is not None and answer.cache.hit),
        "UnpricedCalls": sum(attempt.outcome is AttemptOutcome.OK and attempt.cost_usd is None for attempt in called),
        "InputTokens": answer.usage.input_tokens if answer else 0,
        "OutputTokens": answer.usage.output_tokens if answer else 0,
        "OverheadMs": answer.latency.overhead_ms if answer else 0,
        "ProviderMs": answer.latency.provider_ms if answer else sum(attempt.latency_ms for attempt in called),
        "CostUsd": float(sum(attempt.cost_usd for attempt in called if attempt.cost_usd is not None)),
    }
