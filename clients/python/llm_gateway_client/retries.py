"""Which failures are worth another try, and after how long."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from llm_gateway_client.calls import Call
from llm_gateway_client.errors import (
    AnswerUnreadable,
    BudgetExceeded,
    GatewayError,
    InternalError,
    NoAnswer,
    QueryInProgress,
    Refused,
    TooManyRequests,
    Unavailable,
)

_FIRST_WAIT_S: Final = 0.5
_LONGEST_GUESS_S: Final = 8.0
_MOST_POLLS: Final = 30
_PROXIES_OWN: Final = range(500, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """At most `most` further tries. A wait that the gateway asks for is kept, up to `longest_wait_s`, else the failure is told.

    Repeated are requests to which no answer came, if they do the same when sent twice; those that met a limit (429), and
    those that the gateway could not serve (503, and 500 where sending twice is harmless). What providers answered is not
    asked again: the gateway has tried already.
    """

    most: int = 2
    longest_wait_s: float = 60.0
    draw: Callable[[], float] = random.random

    def wait_s(self, failure: GatewayError, call: Call, *, tries: int) -> float | None:
        """How long to wait before the next try, after so many tries; None where there is to be none."""
        # The first try of a request still runs whose answer did not come through: it is waited for.
        polls = _MOST_POLLS if self.most and isinstance(failure, QueryInProgress) else 0
        if tries > self.most + polls or not _is_worth_it(failure, call):
            return None
        told_s = failure.retry_after_s if isinstance(failure, Refused) else None
        if told_s is not None:
            return told_s if told_s <= self.longest_wait_s else None
        guess_s = min(_FIRST_WAIT_S * 2.0 ** (tries - 1), _LONGEST_GUESS_S)
        return guess_s * (0.5 + self.draw() / 2)


def _is_worth_it(failure: GatewayError, call: Call) -> bool:
    match failure:
        case BudgetExceeded():
            return False
        case QueryInProgress():
            return call.has_idempotency_key
        case TooManyRequests() | Unavailable():
            return True
        case InternalError():
            return call.is_repeatable
        case AnswerUnreadable():
            return call.is_repeatable and failure.status in _PROXIES_OWN
        case NoAnswer():
            return call.is_repeatable
        case _:
            return False
