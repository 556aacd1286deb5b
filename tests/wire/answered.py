"""Answers to put into the shapes of dialects."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from llm_gateway.domain.chat import FinishReason, Message, MessageRole, TextPart, Usage
from llm_gateway.domain.queries import Latency, Output, Query, QueryAnswer, QueryRequest, QueryStatus

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def answered(output: Output, **changes: Any) -> Query:
    """A query with that answer."""
    said: dict[str, Any] = {
        "output": output,
        "finish_reason": FinishReason.STOP,
        "provider": "p",
        "model": "m-1",
        "usage": Usage(input_tokens=10, output_tokens=5),
        "cost_usd": Decimal("0.000012"),
        "attempts": (),
        "latency": Latency(total_ms=3, provider_ms=2, waiting_ms=0),
    }
    return Query(
        id="qry_01J00000000000000000000000",
        owner="key_1",
        mode="sync",
        status=QueryStatus.SUCCEEDED,
        created_at=NOW,
        expires_at=NOW,
        request=QueryRequest(messages=(Message(role=MessageRole.USER, content=(TextPart(text="?"),)),)),
        answer=QueryAnswer(**said | changes),
    )
