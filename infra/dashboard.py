"""The one page on which an operator sees how the gateway is."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct
from llm_gateway.access import OVERHEAD_GOAL_MS

from infra.burn_rates import too_slow, unavailable
from infra.deployment import Deployment
from infra.metrics import of_all_functions, of_api, of_gateway

_PERCENTILES = ("p50", "p95", "p99")
ERROR_CLASSES = ("caller", "access", "limit", "budget", "provider", "time", "dependency", "gateway")


def add_dashboard(
    scope: Construct,
    deployment: Deployment,
    *,
    alarms: Sequence[cloudwatch.IAlarm],
    waiting: Sequence[cloudwatch.IMetric],
    dead: cloudwatch.IMetric,
) -> None:
    """From what callers notice, over what it costs, down to what is behind it.

    It has no more than 50 metrics: with more it is none of those that AWS gives for nothing.
    """

    def own(*names: str, statistic: str = "Sum") -> list[cloudwatch.IMetric]:
        return [of_gateway(deployment, name, statistic) for name in names]

    burning: list[cloudwatch.IMetric] = [burn(deployment, Duration.hours(1)) for burn in (unavailable, too_slow)]
    graphs: dict[str, tuple[list[cloudwatch.IMetric], list[cloudwatch.IMetric]]] = {
        "Requests": ([of_api(deployment, name) for name in ("Count", "4XXError", "5XXError")], []),
        "Burn rates over an hour: 1 is what may be": (burning, []),
        "Latency of requests, ms": ([of_api(deployment, "Latency", each) for each in _PERCENTILES], []),
        f"Overhead of queries, ms: p95 below {OVERHEAD_GOAL_MS}": (
            [of_gateway(deployment, "OverheadMs", each) for each in _PERCENTILES],
            own("SlowQueries"),
        ),
        "Queries in all and their providers, ms": (
            [of_gateway(deployment, name, "p95") for name in ("TotalMs", "ProviderMs")],
            own("ColdStarts"),
        ),
        "Errors by whose part they are": (
            [of_gateway(deployment, "Errors", error_class=each).with_(label=each) for each in ERROR_CLASSES],
            own("PersonalData"),
        ),
        "Queries": (own("Queries", "FailedQueries", "CacheHits"), []),
        "Tokens": (own("InputTokens", "OutputTokens", "CachedInputTokens", "CacheWriteTokens", "ReasoningTokens"), []),
        "Cost, US dollars": (own("CostUsd"), own("UnpricedCalls", "BudgetsReached")),
        "Queues: dead letters, and age in seconds": ([dead], list(waiting)),
        "Wait in the queue, ms": ([of_gateway(deployment, "QueueMs", each) for each in _PERCENTILES], []),
        "Circuits and releases of prompts": (
            own("CircuitsOpened", "CircuitsClosed"),
            own("GatesPassed", "GatesFailed", "CanariesRolledBack"),
        ),
        "Functions of the account": ([of_all_functions(name) for name in ("Errors", "Throttles")], []),
    }
    dashboard = cloudwatch.Dashboard(scope, "Dashboard", dashboard_name=deployment.prefix)
    dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=4))
    dashboard.add_widgets(
        *(
            cloudwatch.GraphWidget(title=title, left=left, right=right, width=12)
            for title, (left, right) in graphs.items()
        )
    )
