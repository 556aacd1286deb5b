"""The metrics that alarms and the dashboard are made of: AWS's own, and those in the lines that the gateway logs."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from llm_gateway.access import Row, metrics_namespace

from infra.deployment import Deployment
from infra.functions import function_name

WINDOW = Duration.minutes(5)


def of_gateway(
    deployment: Deployment, name: str, statistic: str = "Sum", *, period: Duration = WINDOW, **by: str
) -> cloudwatch.Metric:
    """A metric of the gateway's own, in all or by a dimension."""
    return _metric(metrics_namespace(deployment.prefix), name, statistic, by, period)


def of_api(
    deployment: Deployment, name: str, statistic: str = "Sum", *, period: Duration = WINDOW
) -> cloudwatch.Metric:
    dimensions = {"ApiName": deployment.prefix, "Stage": deployment.stage}
    return _metric("AWS/ApiGateway", name, statistic, dimensions, period)


def of_function(deployment: Deployment, row: Row, name: str) -> cloudwatch.Metric:
    # By name, because a reference would tie this stack to functions that the next deployment may remove.
    return _metric("AWS/Lambda", name, "Sum", {"FunctionName": function_name(deployment, row)}, WINDOW)


def of_all_functions(name: str) -> cloudwatch.Metric:
    """Lambda's own sum over the account's functions in this region, the only one that an alarm can have: it takes no search."""
    return _metric("AWS/Lambda", name, "Sum", {}, WINDOW)


def _metric(
    namespace: str, name: str, statistic: str, dimensions: Mapping[str, str], period: Duration
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        statistic=statistic,
        dimensions_map=dict(dimensions) or None,
        period=period,
    )
