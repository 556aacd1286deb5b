"""Alarms on what a caller would notice, word of budgets that are nearly spent, and a dashboard to look at when one rings."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from llm_gateway.access import BUDGET_DETAIL_TYPE, EVENT_SOURCE, Row
from llm_gateway.endpoints import WORKERS

from infra.data import DataStack
from infra.deployment import Deployment
from infra.functions import function_name

_WINDOW = Duration.minutes(5)
# A message in flight grows old, too: one query may take 840 s, and twice that if its first worker died.
_LONG_WAIT_S = 1800


class MonitoringStack(Stack):
    """Alarms and budgets' news, which go to one topic, and the dashboard."""

    def __init__(self, scope: Construct, *, rows: Sequence[Row], deployment: Deployment, data: DataStack) -> None:
        super().__init__(scope, f"{deployment.prefix}-monitoring", description="LLM gateway: alarms and dashboard")
        self._deployment = deployment
        topic = self._topic(data)
        waiting, urgent = (
            queue.metric_approximate_age_of_oldest_message(period=_WINDOW)
            for queue in (data.normal_queue, data.high_queue)
        )
        # Counted as they come: the worker that takes note of them leaves none behind to be counted.
        dead = data.dead_letters.metric_number_of_messages_received(period=_WINDOW)
        alarms = [
            self._alarm("ServerErrors", self._api("5XXError"), 5, "The API answers with 5xx."),
            self._alarm(
                "Throttles", _of_all_functions("Throttles"), 1, "Lambda refuses to run a function of this account."
            ),
            self._alarm("FunctionErrors", _of_all_functions("Errors"), 5, "Functions of this account raise errors."),
            self._alarm("QueriesWait", waiting, _LONG_WAIT_S, "Async queries have waited for more than half an hour."),
            self._alarm(
                "UrgentQueriesWait", urgent, _LONG_WAIT_S, "Async queries of high priority have waited that long."
            ),
            self._alarm("DeadLetters", dead, 1, "An async query failed for good."),
            *(self._alarm(row.name, self._errors(row), 1, f"{row.name} raises errors.") for row in WORKERS),
        ]
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))
        self._tell_of_budgets(topic, data)
        if deployment.dashboards:
            self._dashboard(rows, [waiting, urgent], dead)

    def _topic(self, data: DataStack) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", master_key=data.key, enforce_ssl=True)
        # CloudWatch works for everybody: only the alarms of this account are told here.
        topic.grant_publish(
            iam.ServicePrincipal(
                "cloudwatch.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            )
        )
        if self._deployment.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(self._deployment.alarm_email))
        return topic

    def _tell_of_budgets(self, topic: sns.Topic, data: DataStack) -> None:
        field = events.EventField.from_path
        said = (
            f"Key {field('$.detail.key_id')} of {self._deployment.prefix} has spent {field('$.detail.percent')} % of its budget:"
            f" ${field('$.detail.spent_usd')} of ${field('$.detail.amount_usd')} in {field('$.detail.period')}."
        )
        events.Rule(
            self,
            "BudgetReached",
            event_bus=data.event_bus,
            description="A key has spent most or all of its budget.",
            event_pattern=events.EventPattern(source=[EVENT_SOURCE], detail_type=[BUDGET_DETAIL_TYPE]),
            targets=[targets.SnsTopic(topic, message=events.RuleTargetInput.from_text(said))],
        )

    def _alarm(self, name: str, metric: cloudwatch.Metric, threshold: int, description: str) -> cloudwatch.Alarm:
        return metric.create_alarm(
            self,
            name,
            alarm_name=f"{self._deployment.prefix}-{name}",
            alarm_description=description,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _dashboard(self, rows: Sequence[Row], waiting: list[cloudwatch.Metric], dead: cloudwatch.Metric) -> None:
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._deployment.prefix)
        requests = [self._api(name) for name in ("Count", "4XXError", "5XXError")]
        latencies = [self._api("Latency", statistic) for statistic in ("p50", "p95", "p99")]
        functions = [self._errors(row).with_(label=row.name) for row in rows]
        dashboard.add_widgets(
            cloudwatch.GraphWidget(title="Requests", left=requests, width=12),
            cloudwatch.GraphWidget(title="Latency, ms", left=latencies, width=12),
            cloudwatch.GraphWidget(title="Queues", left=[dead], right=waiting, width=12),
            cloudwatch.GraphWidget(title="Errors by function", left=functions, width=12),
        )

    def _api(self, metric_name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ApiGateway",
            metric_name=metric_name,
            dimensions_map={"ApiName": self._deployment.prefix, "Stage": self._deployment.stage},
            statistic=statistic,
            period=_WINDOW,
        )

    def _errors(self, row: Row) -> cloudwatch.Metric:
        # By name, because a reference would tie this stack to functions that the next deployment may remove.
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name="Errors",
            dimensions_map={"FunctionName": function_name(self._deployment, row)},
            statistic="Sum",
            period=_WINDOW,
        )


def _of_all_functions(metric_name: str) -> cloudwatch.Metric:
    """Lambda's own sum over the account's functions in this region, the only one that an alarm can have: it takes no search."""
    return cloudwatch.Metric(namespace="AWS/Lambda", metric_name=metric_name, statistic="Sum", period=_WINDOW)
