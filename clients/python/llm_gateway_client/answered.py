"""Reads what came back over HTTP: an answer, a problem, or something that is neither."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import httpx
from pydantic import ValidationError

from llm_gateway_client.errors import AnswerUnreadable, ConnectionFailed, GatewayError, NoAnswer, TimedOut, refusal
from llm_gateway_client.reading import Answer

A = TypeVar("A", bound=Answer)

_SHOWN: Final = 200


def read(response: httpx.Response, answer: type[A]) -> A:
    """The body as an `answer`. Raises AnswerUnreadable for what is none."""
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise AnswerUnreadable(
            f"What came from {response.url} is no {answer.__name__}: {error.errors()[0]['msg']}",
            status=response.status_code,
        ) from error


def failure(response: httpx.Response) -> GatewayError:
    """The exception that an answer with an error's status stands for."""
    problem = _object(response)
    if "code" in problem or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return refusal(problem, status=response.status_code, retry_after_s=retry_after_s(response.headers))
    return AnswerUnreadable(
        f"{response.url} answers with status {response.status_code}, and not as a gateway does: {_beginning(response)}",
        status=response.status_code,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` says, where it is a number of seconds."""
    told = headers.get("Retry-After", "")
    return float(told) if told.isdecimal() and told.isascii() and len(told) < len("1000000000") else None


def no_answer(error: httpx.HTTPError, url: object) -> NoAnswer:
    """The exception for a request that HTTP itself failed."""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return TimedOut(f"No answer came in time from {url}.")
    return ConnectionFailed(f"{url} cannot be reached: {str(error) or type(error).__name__}.")


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        told = response.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _beginning(response: httpx.Response) -> str:
    text = " ".join(response.text.split())
    return repr(text[:_SHOWN]) if text else "with nothing"
