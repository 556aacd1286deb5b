"""The alarms on what is promised, by CloudWatch's arithmetic over hours that a test writes down minute by minute."""

import ast
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from llm_gateway.access import metrics_namespace

from tests.infra.deployments import deployed

PREFIX = "llm-gateway-prod"
# A minute's samples of each metric.
Minute = dict[str, list[float]]
_STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "SampleCount": len}
_OPERATORS: dict[type, Callable[[float, float], Any]] = {ast.Div: operator.truediv, ast.GtE: operator.ge}


def properties(kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        each
        for each in deployed(stage="prod").monitoring.properties(f"AWS::CloudWatch::{kind}")
        if each["AlarmName"] == f"{PREFIX}-{name}"
    )
    return found


def worth(expression: ast.expr, values: dict[str, float]) -> Any:
    """A metric math expression, as far as ours go. Raises KeyError for a metric without data."""
    match expression:
        case ast.Call(func=ast.Name(id="IF"), args=[condition, yes, no]):
            return worth(yes if worth(condition, values) else no, values)
        case ast.Compare(left=left, ops=[how], comparators=[right]):
            return _OPERATORS[type(how)](worth(left, values), worth(right, values))
        case ast.BinOp(left=left, op=how, right=right):
            return _OPERATORS[type(how)](worth(left, values), worth(right, values))
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=value):
            return value
    raise AssertionError(ast.dump(expression))


def rings(alarm: dict[str, Any], minutes: list[Minute]) -> bool:
    """Whether the alarm rings at the end of `minutes`. What is missing breaches nothing."""
    (watched,) = (part for part in alarm["Metrics"] if part.get("ReturnData", True))
    values: dict[str, float] = {}
    for part in alarm["Metrics"]:
        if "MetricStat" in part:
            window = minutes[-(part["MetricStat"]["Period"] // 60) :]
            samples = [
                value for minute in window for value in minute.get(part["MetricStat"]["Metric"]["MetricName"], [])
            ]
            if samples:
                values[part["Id"]] = _STATISTICS[part["MetricStat"]["Stat"]](samples)
    assert (alarm["EvaluationPeriods"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert alarm["TreatMissingData"] == "notBreaching"
    try:
        return bool(worth(ast.parse(watched["Expression"], mode="eval").body, values) >= alarm["Threshold"])
    except KeyError:
        return False


def composite_rings(name: str, minutes: list[Minute]) -> bool:
    rule = properties("CompositeAlarm", name)["AlarmRule"]
    parts = [rings(alarm, minutes) for alarm in parts_of(name)]
    assert re.fullmatch(r'\(ALARM\("\*"\) AND ALARM\("\*"\)\)', _flat(rule)), rule
    return all(parts)


def parts_of(name: str) -> list[dict[str, Any]]:
    """The alarms that the composite's rule refers to."""
    template = deployed(stage="prod").monitoring
    rule = properties("CompositeAlarm", name)["AlarmRule"]["Fn::Join"][1]
    ids = [part["Fn::GetAtt"][0] for part in rule if isinstance(part, dict)]
    return [template.body["Resources"][id_]["Properties"] for id_ in ids]


def _flat(rule: Any) -> str:
    return "".join(part if isinstance(part, str) else "*" for part in rule["Fn::Join"][1])


def traffic(minutes: int, *, requests: int = 100, failed: float = 0) -> Iterable[Minute]:
    """Minutes in which that part of the requests is answered with 5xx; API Gateway counts 1 or 0 for each."""
    bad = round(requests * failed)
    for _ in range(minutes):
        yield {"Count": [1.0] * requests, "5XXError": [1.0] * bad + [0.0] * (requests - bad)}


def answers(minutes: int, *, number: int = 100, slow: float = 0) -> Iterable[Minute]:
    late = round(number * slow)
    for _ in range(minutes):
        yield {"SlowQueries": [1.0] * late + [0.0] * (number - late)}


DAY = list(traffic(24 * 60))
QUIET = list(answers(24 * 60))


@pytest.mark.parametrize(
    ("hours", "fast", "slow"),
    [
        (DAY, False, False),
        # One in a hundred fails: ten times as many as may, and a day of that is no emergency yet.
        ([*DAY, *traffic(60, failed=0.01)], False, False),
        ([*DAY, *traffic(360, failed=0.01)], False, True),
        ([*DAY, *traffic(60, failed=0.02)], True, False),
        # Everything fails: two minutes ring.
        ([*DAY, *traffic(2, failed=1)], True, False),
        # It is over for more than half an hour, and both are still.
        ([*DAY, *traffic(60, failed=0.5), *traffic(31)], False, False),
        # The long window still sees it, the short one does not.
        ([*DAY, *traffic(30, failed=0.5), *traffic(6)], False, True),
        ([], False, False),
    ],
)
def test_availability(hours: list[Minute], fast: bool, slow: bool) -> None:
    assert composite_rings("AvailabilityBurnsFast", hours) is fast
    assert composite_rings("AvailabilityBurnsSlow", hours) is slow


@pytest.mark.parametrize(
    ("hours", "fast", "slow"),
    [
        (QUIET, False, False),
        # Of 95 in 100 it is promised.
        ([*QUIET, *answers(360, slow=0.05)], False, False),
        ([*QUIET, *answers(360, slow=0.31)], False, True),
        ([*QUIET, *answers(60, slow=0.75)], True, False),
        ([*QUIET, *answers(360, slow=0.75)], True, True),
        ([], False, False),
    ],
)
def test_overhead(hours: list[Minute], fast: bool, slow: bool) -> None:
    assert composite_rings("OverheadBurnsFast", hours) is fast
    assert composite_rings("OverheadBurnsSlow", hours) is slow


def test_where_little_is_asked_two_failures_are_no_emergency() -> None:
    nights = [*traffic(60, requests=0), *traffic(1, requests=2, failed=1)]
    assert not composite_rings("AvailabilityBurnsFast", nights)
    assert composite_rings("AvailabilityBurnsFast", [*nights, *traffic(1, requests=2, failed=1)])


def test_they_look_at_one_deployment_and_ring_once() -> None:
    for name in ("AvailabilityBurnsFast", "AvailabilityBurnsSlow", "OverheadBurnsFast", "OverheadBurnsSlow"):
        assert properties("CompositeAlarm", name)["AlarmActions"]
        for alarm in parts_of(name):
            assert "AlarmActions" not in alarm
            stats = [part["MetricStat"] for part in alarm["Metrics"] if "MetricStat" in part]
            # CloudWatch refuses an alarm whose metrics have different periods.
            assert len({stat["Period"] for stat in stats}) == 1
            for stat in stats:
                dimensions = {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions", [])}
                own = stat["Metric"]["Namespace"] == metrics_namespace(PREFIX)
                assert own or dimensions == {"ApiName": PREFIX, "Stage": "prod"}
