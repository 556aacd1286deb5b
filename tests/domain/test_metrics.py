"""Metrics: what calls leave in the counters, and what comes out again."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.faults import ProviderFailed, ProviderRateLimited, ProviderRejected
from llm_gateway.domain.limits import NS_PER_S, WINDOW_NS
from llm_gateway.domain.metrics import (
    CallResult,
    LatencyMs,
    ProviderMetrics,
    combined,
    counting,
    minutes_of_window,
)

from tests.adapters.items import InMemoryItems

NOW_NS = 1_795_348_800 * NS_PER_S + 90 * NS_PER_S


def call(**changes: Any) -> CallResult:
    usage = Usage(input_tokens=10, output_tokens=4)
    return CallResult(**{"latency_ms": 640, "usage": usage, "cost_usd": Decimal("0.000312"), **changes})


def metrics_of(results: Sequence[CallResult], *, items: int = 3) -> ProviderMetrics:
    """The metrics of calls that were counted into several items."""
    counters = InMemoryItems()
    for number, result in enumerate(results):
        counters.write(str(number % items), counting(result, now_ns=NOW_NS))
    return combined(counters.items.values(), now_ns=NOW_NS)


def test_calls_are_summed_up() -> None:
    metrics = metrics_of([call(), call(cost_usd=Decimal("1.000001")), call(cost_usd=None)])
    assert metrics == ProviderMetrics(
        window_s=270,
        requests=3,
        errors=0,
        latency_ms=LatencyMs(p50=653, p95=653, p99=653),
        input_tokens=30,
        output_tokens=12,
        cost_usd=Decimal("1.000313"),
        unpriced_requests=1,
    )
    assert metrics_of([call(cost_usd=None)]).cost_usd is None
    assert metrics_of([call(cost_usd=Decimal(0))]).cost_usd == 0
    assert metrics_of([]).cost_usd == 0
    unanswered = call(cost_usd=None, usage=None, fault=ProviderFailed("500"))
    assert (metrics_of([unanswered]).cost_usd, metrics_of([unanswered]).unpriced_requests) == (0, 0)


def test_faults_are_errors_unless_the_request_was_at_fault() -> None:
    faults = [ProviderFailed("500"), ProviderRateLimited("429"), ProviderRejected("400"), None]
    metrics = metrics_of([call(fault=fault, usage=None) for fault in faults])
    assert (metrics.requests, metrics.errors, metrics.error_rate) == (4, 2, 0.5)


def test_only_answers_have_latencies() -> None:
    unanswered = [call(fault=ProviderFailed("500"), latency_ms=1), call(cancelled=True, latency_ms=1)]
    assert metrics_of(unanswered).latency_ms is None
    latency = metrics_of([*unanswered, call(latency_ms=20_000)]).latency_ms
    assert latency is not None
    assert latency.p50 == pytest.approx(20_000, rel=0.05)


def test_where_nothing_was_called_nothing_is_told() -> None:
    metrics = metrics_of([])
    assert (metrics.requests, metrics.error_rate, metrics.latency_ms, metrics.cost_usd) == (0, 0.0, None, 0)


@given(st.lists(st.decimals(min_value=0, max_value=10, places=9), max_size=50))
def test_costs_add_up_exactly(costs: list[Decimal]) -> None:
    assert metrics_of([call(cost_usd=cost) for cost in costs]).cost_usd == sum(costs)


@given(st.lists(st.integers(1, 900_000), min_size=1, max_size=200))
def test_percentiles_are_right_to_five_per_cent(latencies: list[int]) -> None:
    latency = metrics_of([call(latency_ms=latency_ms) for latency_ms in latencies]).latency_ms
    assert latency is not None
    in_order = sorted(latencies)
    for percent, found in ((50, latency.p50), (95, latency.p95), (99, latency.p99)):
        expected = in_order[-(-len(in_order) * percent // 100) - 1]
        # A class of 5 %, and then a whole number of milliseconds.
        assert abs(found - expected) <= expected * 0.05 + 0.5


@given(st.integers(0, 10**10))
def test_the_window_is_the_current_minute_and_those_before_it(now_s: int) -> None:
    now_ns = now_s * NS_PER_S
    minutes = minutes_of_window(now_ns)
    assert minutes[-1] == now_ns // WINDOW_NS
    assert 240 <= combined([], now_ns=now_ns).window_s < 300
    assert now_ns - minutes[0] * WINDOW_NS == combined([], now_ns=now_ns).window_s * NS_PER_S
