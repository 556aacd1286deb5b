"""What the gateway promises, and alarms on how fast it uses up what it may miss of that.

A burn rate of 1 would use up exactly what may be missed. Each alarm looks at a long window, so that a moment does not ring, and
at a short one, so that it is over when the trouble is: CloudWatch takes one length of time in an alarm, so there is an alarm for
each, and a composite that rings where both do. At 14.4 an hour takes a fiftieth of what a month may miss, at 6 six hours take a
twentieth.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct
from llm_gateway.access import OVERHEAD_GOAL_MS

from infra.deployment import Deployment
from infra.metrics import of_api, of_gateway
from infra.runbook import described

Burning = Callable[[Deployment, Duration], cloudwatch.MathExpression]

# A part of all: of requests that are answered with 5xx, and of answers that took longer than the gateway may take.
UNAVAILABLE = 0.001
TOO_SLOW = 0.05
# Where little is asked, a single failure is a large part and says nothing.
_LEAST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class _Speed:
    name: str
    factor: float
    windows: tuple[Duration, Duration]


_SPEEDS = (
    _Speed("Fast", 14.4, (Duration.hours(1), Duration.minutes(5))),
    _Speed("Slow", 6, (Duration.hours(6), Duration.minutes(30))),
)


def burn_rate_alarms(scope: Construct, deployment: Deployment) -> list[cloudwatch.CompositeAlarm]:
    """The composites, which are to be told of; those that they are made of do nothing by themselves."""
    promises = {
        "AvailabilityBurns": (unavailable, "Requests are answered with 5xx: more than one in a thousand"),
        "OverheadBurns": (too_slow, f"Queries take {OVERHEAD_GOAL_MS} ms and more beside their provider"),
    }
    return [
        _both(scope, deployment, f"{name}{speed.name}", speed, burning, said)
        for name, (burning, said) in promises.items()
        for speed in _SPEEDS
    ]


def unavailable(deployment: Deployment, window: Duration) -> cloudwatch.MathExpression:
    """How fast requests that fail use up what may fail. API Gateway counts them: it sees functions that cannot answer, too."""
    return cloudwatch.MathExpression(
        expression=f"IF(failed >= {_LEAST_FAILURES}, failed / requests / {UNAVAILABLE}, 0)",
        using_metrics={
            "failed": of_api(deployment, "5XXError", period=window),
            "requests": of_api(deployment, "Count", period=window),
        },
        label="availability",
        period=window,
    )


def too_slow(deployment: Deployment, window: Duration) -> cloudwatch.MathExpression:
    """The same for answers; every one says whether it took too long."""
    return cloudwatch.MathExpression(
        expression=f"IF(slow >= {_LEAST_FAILURES}, slow / answers / {TOO_SLOW}, 0)",
        using_metrics={
            "slow": of_gateway(deployment, "SlowQueries", period=window),
            "answers": of_gateway(deployment, "SlowQueries", "SampleCount", period=window),
        },
        label="overhead",
        period=window,
    )


def _both(
    scope: Construct, deployment: Deployment, name: str, speed: _Speed, burning: Burning, said: str
) -> cloudwatch.CompositeAlarm:
    parts = [
        burning(deployment, window).create_alarm(
            scope,
            f"{name}{window.to_minutes():.0f}",
            alarm_name=f"{deployment.prefix}-{name}-{window.to_minutes():.0f}m",
            alarm_description=described(name, f"{said}, seen over {window.to_human_string()}."),
            threshold=speed.factor,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        for window in speed.windows
    ]
    return cloudwatch.CompositeAlarm(
        scope,
        name,
        composite_alarm_name=f"{deployment.prefix}-{name}",
        alarm_description=described(name, f"{said}, {speed.factor:g} times as many as may be."),
        alarm_rule=cloudwatch.AlarmRule.all_of(*parts),
    )
