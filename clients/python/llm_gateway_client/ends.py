"""How a query ended: with an answer, with a problem, or not yet."""

from typing import Final

import httpx

from llm_gateway_client.answered import read
from llm_gateway_client.answers import Problem, QueryResponse
from llm_gateway_client.errors import refusal
from llm_gateway_client.reading import Answer

_UNFINISHED: Final = ("queued", "running")
_CANCELLED_STATUS: Final = 409


class _Result(Answer):
    """What every body of `/result` has, whichever it is."""

    id: str
    status: str
    error: Problem | None = None


def answer_in(response: httpx.Response) -> QueryResponse | None:
    """The answer that a result holds; None while there is none. Raises the query's own problem where it failed."""
    result = read(response, _Result)
    if result.status in _UNFINISHED:
        return None
    if result.error is not None:
        raise refusal(result.error.model_dump(mode="json"), status=result.error.status)
    if result.status != "succeeded":
        told = {"code": "query_cancelled", "detail": f"{result.id} is {result.status}.", "query_id": result.id}
        raise refusal(told, status=_CANCELLED_STATUS)
    return read(response, QueryResponse)
