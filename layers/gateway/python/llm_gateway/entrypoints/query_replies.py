"""Replies to questions: the answer, or the promise of one."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.money import usd
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.entrypoints.prefix import address
from llm_gateway.entrypoints.replies import Reply
from llm_gateway.wire.answers import AnswerShown, CutShortShown, ResultShown
from llm_gateway.wire.query_status import AcceptedShown, StatusShown

if TYPE_CHECKING:
    from llm_gateway.domain.queries import Query, QueryAnswer

_POLL_AFTER_S = 1

QueryReply = Reply[AnswerShown | AcceptedShown]


def reply_to(request: Request, found: "Query | Replayed[Query]") -> QueryReply:
    """The answer to a query, or the promise of one."""
    query, replayed = (found.made, {"Idempotent-Replayed": "true"}) if isinstance(found, Replayed) else (found, {})
    if query.request.mode == "async":
        accepted = AcceptedShown.of(query, at=address(request, f"{BASE_PATH}/query/{query.id}"))
        return Reply(accepted, status=202, headers={"Location": accepted.status_url, **replayed})
    if query.answer is None:
        raise ValueError("a query that was waited for has an answer")
    overhead_ms = query.answer.latency.overhead_ms
    return Reply(AnswerShown.of(query, query.answer), headers={"X-Gateway-Overhead-Ms": str(overhead_ms), **replayed})


def shown_whole(
    found: "Query | Replayed[Query]", show: "Callable[[Query, QueryAnswer], dict[str, Any]]"
) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of an answer that `show` puts into another dialect."""
    query, replayed = (found.made, {"Idempotent-Replayed": "true"}) if isinstance(found, Replayed) else (found, {})
    answer = query.answer
    if answer is None:
        raise ValueError("a query that was waited for has an answer")
    content = json.dumps(show(query, answer), ensure_ascii=False).encode("utf-8", "replace")
    return content, {**headers_of(answer), **replayed}


def headers_of(answer: "QueryAnswer") -> dict[str, str]:
    """What the headers of a whole answer in another dialect tell."""
    cost = {} if answer.cost_usd is None else {"X-Gateway-Cost-Usd": usd(answer.cost_usd)}
    return {"X-Gateway-Provider": answer.provider, "X-Gateway-Overhead-Ms": str(answer.latency.overhead_ms), **cost}


def result_of(query: "Query") -> Reply[ResultShown]:
    """The answer; where there is none, the status: as 202 while there may still be one."""
    if query.answer is not None:
        shown = AnswerShown.of(query, query.answer)
        return Reply(shown if query.problem is None else CutShortShown.cut_by(query.problem, shown))
    if query.status.finished:
        return Reply(StatusShown.of(query))
    return Reply(StatusShown.of(query), status=202, headers={"Retry-After": str(_POLL_AFTER_S)})
