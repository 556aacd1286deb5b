"""The journal: one line for each query, which CloudWatch reads both as a log record and, in its embedded format, as metrics."""

import json
import sys
import time
from contextlib import suppress
from typing import Any, Final, TextIO

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.money import usd
from llm_gateway.domain.queries import AttemptOutcome, Query, QueryStatus

NAMESPACE: Final = "LlmGateway"

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
}


class EmbeddedMetricsJournal:
    """Writes to standard output, which Lambda sends to CloudWatch."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def ended(self, query: Query) -> None:
        record = _record(query)
        metrics = {
            "Namespace": NAMESPACE,
            "Dimensions": [[], ["provider"]],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in _UNITS.items() if record[name] is not None],
        }
        stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metrics]}
        document = {"_aws": stamp, "message": "query", **record}
        # One write, so that lines of several threads do not mix. Whoever read the output may have gone.
        with suppress(OSError, ValueError):
            (self._stream or sys.stdout).write(json.dumps(document) + "\n")


def _record(query: Query) -> dict[str, Any]:
    answer, problem = query.answer, query.problem
    attempts = answer.attempts if answer else problem.attempts if problem else ()
    called = [attempt for attempt in attempts if attempt.outcome is not AttemptOutcome.SKIPPED]
    # A hit shows the first answer's usage, which was counted then.
    usage = answer.usage if answer and not answer.cache.hit else Usage()
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
        "UnpricedCalls": sum(attempt.outcome in _BILLED and attempt.cost_usd is None for attempt in called),
        "InputTokens": usage.input_tokens,
        "OutputTokens": usage.output_tokens,
        # Nothing, rather than a zero that would pull the average down.
        "OverheadMs": answer.latency.overhead_ms if answer else None,
        "ProviderMs": sum(attempt.latency_ms for attempt in called) if called else None,
        "CostUsd": float(sum(attempt.cost_usd for attempt in called if attempt.cost_usd is not None)),
    }
