"""What a question is made of, and how long its answer may take."""

from collections.abc import Mapping
from typing import Any, Final, cast

from llm_gateway_client.requests import QueryRequest, StreamRequest

# What the gateway takes where a query does not say, and what the way there and back may take on top.
SYNC_TIMEOUT_S: Final = 25.0
GRACE_S: Final = 15.0
# A stream says something every 15 s at least.
SILENCE_S: Final = 45.0


def query(question: str | None, said: QueryRequest, **own: str) -> dict[str, Any]:
    """The body of a query: what was `said`, with the question as the last message of a user."""
    return _with(question, cast("Mapping[str, Any]", said)) | own


def streamed(question: str | None, said: StreamRequest) -> dict[str, Any]:
    """The body of a streamed query, whose answer is written to its end though the connection breaks, unless it says otherwise."""
    return {"on_disconnect": "finish"} | _with(question, cast("Mapping[str, Any]", said))


def patience_s(body: Mapping[str, Any]) -> float:
    """How long a client waits for an answer that is not streamed."""
    told = body.get("timeout_s")
    return (float(told) if isinstance(told, int | float) else SYNC_TIMEOUT_S) + GRACE_S


def _with(question: str | None, said: Mapping[str, Any]) -> dict[str, Any]:
    if question is None:
        return dict(said)
    return {**said, "messages": [*said.get("messages", ()), {"role": "user", "content": question}]}
