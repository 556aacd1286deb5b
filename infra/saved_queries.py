"""Questions to the logs that operators need not think up in an incident: CloudWatch Logs Insights keeps them in a folder.

They name no log group: what another stack imports could not be removed, and a query names fifty at most, which a deployment has
more of. Those of a deployment all begin with its name, and are chosen by that: docs/operations.md tells how.
"""

from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.deployment import Deployment

_FIELDS = "fields @timestamp, kind, message, status, error_code, duration_ms, request_id, query_id, trace_id"
_NEWEST_FIRST = "sort @timestamp desc"
SAVED = {
    "everything about a query": (_FIELDS, "filter query_id = 'qry_…'", "sort @timestamp"),
    "everything about a request": (_FIELDS, "filter request_id = 'req_…'", "sort @timestamp"),
    "everything in a trace": (_FIELDS, "filter trace_id = '…'", "sort @timestamp"),
    "errors": (f"{_FIELDS}, error_class, error_type, where.0, reason", "filter kind = 'error'", _NEWEST_FIRST),
    "who was not let in": (
        "filter message = 'request' and kind = 'security'",
        "stats count() as refused by error_code, endpoint, key_id",
        "sort refused desc",
    ),
    "requests by route": (
        "filter message = 'request'",
        "stats count() as requests, sum(Errors) as errors, pct(duration_ms, 50), pct(duration_ms, 95) by endpoint",
        "sort requests desc",
    ),
    "providers": (
        "filter message = 'query'",
        "stats count() as queries, sum(FailedQueries) as failed, pct(ProviderMs, 95), sum(CostUsd) as usd by provider, model",
        "sort queries desc",
    ),
    "slow in the gateway": (
        "fields @timestamp, OverheadMs, TotalMs, ProviderMs, mode, request_id, query_id",
        "filter message = 'query' and SlowQueries = 1",
        "sort OverheadMs desc",
    ),
    "dear keys": (
        "filter message in ['query', 'query_calls']",
        "stats sum(CostUsd) as usd, count() as lines by key_id",
        "sort usd desc",
    ),
    "models without a price": (
        "filter UnpricedCalls > 0",
        "stats sum(UnpricedCalls) as calls by provider, model",
        "sort calls desc",
    ),
    "circuits": ("fields @timestamp, message, provider", "filter message like /^circuit_/", _NEWEST_FIRST),
    "budgets": (
        "filter message = 'budget_reached' or error_class = 'budget'",
        "stats count() as times, max(percent) as most by key_id",
        "sort times desc",
    ),
    "cold starts": (
        "filter ColdStarts = 1",
        "stats count() as starts, pct(duration_ms, 50), pct(duration_ms, 95) by endpoint, queue",
    ),
}


def save_queries(scope: Construct, deployment: Deployment) -> None:
    for name, steps in SAVED.items():
        id_ = "".join(word.title() for word in name.split())
        logs.CfnQueryDefinition(scope, id_, name=f"{deployment.prefix}/{name}", query_string="\n| ".join(steps))
