"""What a provider did lately: one counter item a minute, added to by every call, and combined when somebody asks.

Latencies are counted in classes that grow by a tenth, so a percentile is exact to 5 % and any number of counters add up.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.faults import (
    ProviderFault,
    ProviderNotConnected,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.limits import NS_PER_S, WINDOW_NS
from llm_gateway.domain.writes import Add, Item, Put, Write
from llm_gateway.errors import GatewayError
from llm_gateway.values import dataclass

MINUTES: Final = 5
KEPT_S: Final = 3600

_GROWTH: Final = math.log(1.1)
_LATENCY: Final = "ms_"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """How one call ended: with `fault`, `cancelled` by its caller, or well. `usage` None means that nobody knows it.

    One that `repeats` is of a query that has failed at this candidate before, and was counted by the circuit then.
    """

    latency_ms: int
    usage: Usage | None
    cost_usd: Decimal | None
    fault: GatewayError | None = None
    cancelled: bool = False
    repeats: bool = False

    @property
    def is_error(self) -> bool:
        """Whether the provider failed its caller. It did not where the request was at fault, or the gateway itself."""
        return isinstance(self.fault, ProviderFault) and not isinstance(self.fault, ProviderRejected)

    @property
    def is_unpriced(self) -> bool:
        """Whether the call is billed, and nobody knows how much."""
        return self.cost_usd is None and (self.answered or self.usage is not None)

    @property
    def may_be_billed(self) -> bool:
        """Whether the provider may bill the call: it reached the provider, which neither failed nor refused it for free."""
        return self.fault is None or self.usage is not None or _may_be_answered(self.fault)

    @property
    def is_told(self) -> bool:
        """Whether anybody knows what the call has used. Of one that was cancelled before anything of its answer came, nobody
        does: its provider may have been writing all the while."""
        usage = self.usage
        return usage is not None and not (self.cancelled and usage.estimated and not usage.output_tokens)

    @property
    def answered(self) -> bool:
        return self.fault is None and not self.cancelled


def _may_be_answered(fault: GatewayError) -> bool:
    """Whether the provider may have given, and bills, an answer that nobody could use. Where the gateway itself is at fault,
    nobody knows how far the call had come."""
    match fault:
        case ProviderNotConnected():
            return False
        case ProviderTimeout() | ProviderUnreachable():
            return True
        case ProviderResponseInvalid():
            return (fault.upstream_status or HTTPStatus.OK) < HTTPStatus.BAD_REQUEST
        case _:
            return fault.code == GatewayError.code


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyMs:
    p50: int
    p95: int
    p99: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetrics:
    """The last `window_s` seconds. Latencies are those of answers, None where there were none.

    `cost_usd` sums the known costs, beside `unpriced_requests` whose cost nobody knows; None where it is known of none.
    """

    window_s: int
    requests: int
    errors: int
    latency_ms: LatencyMs | None
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    unpriced_requests: int = 0

    @property
    def error_rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LastError:
    """The last failure; `upstream_status` is what the provider answered with, where it did."""

    code: str
    at: datetime
    detail: str | None = None
    upstream_status: int | None = None


def minutes_of_window(now_ns: int) -> range:
    """The minutes since 1970 that the window covers: the current one and those right before it."""
    minute = now_ns // WINDOW_NS
    return range(minute - MINUTES + 1, minute + 1)


def counting(result: CallResult, *, now_ns: int) -> Write:
    """The write that counts a call into its minute's item: no two calls disturb each other in it."""
    usage = result.usage or Usage()
    counts: dict[str, int | Decimal] = {
        "requests": 1,
        "errors": int(result.is_error),
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": result.cost_usd or Decimal(0),
        "unpriced": int(result.is_unpriced),
    }
    if result.answered:
        counts[f"{_LATENCY}{_latency_class(result.latency_ms)}"] = 1
    added = tuple(Add(name, amount) for name, amount in counts.items() if amount)
    success = (Put("last_success_at", now_ns),) if result.answered else ()
    return Write((), (*added, *success, Put("expires_at", now_ns // NS_PER_S + KEPT_S)))


def combined(items: Iterable[Item], *, now_ns: int) -> ProviderMetrics:
    totals: Counter[str] = Counter()
    cost_usd: Decimal | None = None
    for item in items:
        totals.update({name: value for name, value in item.items() if isinstance(value, int)})
        spent = item.get("cost_usd")
        cost_usd = (cost_usd or 0) + Decimal(spent) if isinstance(spent, int | Decimal) else cost_usd
    latencies = {int(name.removeprefix(_LATENCY)): n for name, n in totals.items() if name.startswith(_LATENCY)}
    return ProviderMetrics(
        window_s=(now_ns - minutes_of_window(now_ns)[0] * WINDOW_NS) // NS_PER_S,
        requests=totals["requests"],
        errors=totals["errors"],
        latency_ms=_percentiles(latencies) if latencies else None,
        input_tokens=totals["input_tokens"],
        output_tokens=totals["output_tokens"],
        cost_usd=Decimal(0) if cost_usd is None and not totals["unpriced"] else cost_usd,
        unpriced_requests=totals["unpriced"],
    )


def _latency_class(latency_ms: int) -> int:
    return round(math.log(max(1, latency_ms)) / _GROWTH)


def _percentiles(latencies: Mapping[int, int]) -> LatencyMs:
    return LatencyMs(p50=_percentile(latencies, 50), p95=_percentile(latencies, 95), p99=_percentile(latencies, 99))


def _percentile(latencies: Mapping[int, int], percent: int) -> int:
    """The nearest-rank percentile: the smallest class that holds at least `percent` of a hundred with those below it."""
    rank = math.ceil(sum(latencies.values()) * percent / 100)
    for latency_class in sorted(latencies):
        rank -= latencies[latency_class]
        if rank <= 0:
            return round(math.exp(latency_class * _GROWTH))
    raise ValueError("there is no percentile of nothing")
