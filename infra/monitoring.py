"""Alarms on what a caller would notice, word of budgets that are nearly spent, and a dashboard to look at when one rings."""

from collections.abc import Iterator, Sequence

from aws_cdk import Annotations, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from llm_gateway.access import BUDGET_DETAIL_TYPE, EVENT_SOURCE, SERVER_ERRORS, Schedule
from llm_gateway.endpoints import SCHEDULES, WORKERS

from infra.burn_rates import burn_rate_alarms
from infra.dashboard import add_dashboard
from infra.data import DataStack
from infra.deployment import Deployment
from infra.functions import function_name
from infra.metrics import WINDOW, of_all_functions, of_api, of_function, of_gateway
from infra.runbook import described
from infra.saved_queries import save_queries

# A message in flight grows old, too: one query may take 840 s, and twice that if its first worker died.
_LONG_WAIT_S = 1800
# In five minutes: more than somebody who mistypes a key, and less than somebody who tries many.
_MANY_DENIALS = 100
NOBODY_IS_TOLD = "llm-gateway:nobody-is-told"
UNFORESEEN = "-unforeseen"
"""The end of the name of a worker's second alarm, which has the heading of the first."""


class MonitoringStack(Stack):
    """Alarms and budgets' news, which go to one topic, and the dashboard."""

    def __init__(self, scope: Construct, *, deployment: Deployment, data: DataStack) -> None:
        super().__init__(scope, f"{deployment.prefix}-monitoring", description="LLM gateway: alarms and dashboard")
        self._deployment = deployment
        topic = self._topic(data)
        waiting = [
            queue.metric_approximate_age_of_oldest_message(period=WINDOW)
            for queue in (data.normal_queue, data.high_queue)
        ]
        # Counted as they come: the worker that takes note of them leaves none behind to be counted.
        dead = data.dead_letters.metric_number_of_messages_received(period=WINDOW)
        alarms: list[cloudwatch.AlarmBase] = [*self._alarms(waiting, dead)]
        if deployment.dashboards:
            alarms += burn_rate_alarms(self, deployment)
            add_dashboard(self, deployment, alarms=alarms, waiting=waiting, dead=dead)
            save_queries(self, deployment)
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))
        self._tell_of_budgets(topic, data)
        if deployment.is_prod and not deployment.alarm_email:
            Annotations.of(self).add_warning_v2(NOBODY_IS_TOLD, "Alarms ring, and nobody is told: alarmEmail is empty.")

    def _alarms(self, waiting: Sequence[cloudwatch.Metric], dead: cloudwatch.Metric) -> Iterator[cloudwatch.Alarm]:
        deployment, (normal, high) = self._deployment, waiting
        yield self._alarm("ServerErrors", of_api(deployment, "5XXError"), 5, "The API answers with 5xx.")
        yield self._alarm(
            "Throttles", of_all_functions("Throttles"), 1, "Lambda refuses to run a function of this account."
        )
        yield self._alarm("FunctionErrors", of_all_functions("Errors"), 5, "Functions of this account raise errors.")
        yield self._alarm("QueriesWait", normal, _LONG_WAIT_S, "Async queries have waited for more than half an hour.")
        yield self._alarm(
            "UrgentQueriesWait", high, _LONG_WAIT_S, "Async queries of high priority have waited that long."
        )
        yield self._alarm("DeadLetters", dead, 1, "An async query failed for good.")
        yield self._own("CircuitsOpened", 1, "A provider fails so often that it is left alone for a while.")
        yield self._own("UnpricedCalls", 1, "Calls cost nobody knows what: budgets do not see them.")
        yield self._own("CanariesRolledBack", 1, "A version of a prompt broke its label's gate and lost its weight.")
        refused = of_gateway(deployment, "Errors", error_class="budget")
        yield self._alarm("BudgetRefusals", refused, 1, "Queries are refused because a key's budget is spent.")
        denied = of_gateway(deployment, "Errors", error_class="access")
        yield self._alarm("Denials", denied, _MANY_DENIALS, "Many requests come with no valid key, or ask too much.")
        for row in WORKERS:
            yield self._alarm(row.name, of_function(deployment, row, "Errors"), 1, f"{row.name} raises errors.")
            # A message that fails is reported to the queue, and nothing is raised that Lambda would count.
            unforeseen = of_gateway(deployment, SERVER_ERRORS, function=function_name(deployment, row))
            yield self._alarm(row.name, unforeseen, 1, f"{row.name} meets what nobody foresaw.", suffix=UNFORESEEN)
        for schedule in SCHEDULES:
            errors = of_function(deployment, schedule, "Errors")
            yield self._alarm(schedule.name, errors, _many(schedule), f"{schedule.name} fails.")

    def _own(self, name: str, threshold: int, said: str) -> cloudwatch.Alarm:
        return self._alarm(name, of_gateway(self._deployment, name), threshold, said)

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

    def _alarm(
        self, name: str, metric: cloudwatch.Metric, threshold: int, description: str, *, suffix: str = ""
    ) -> cloudwatch.Alarm:
        return metric.create_alarm(
            self,
            f"{name}{suffix}",
            alarm_name=f"{self._deployment.prefix}-{name}{suffix}",
            alarm_description=described(name, description),
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )


def _many(row: Schedule) -> int:
    """More than half of its runs in a window: one that AWS made fail is made good by the next, where that comes soon."""
    return int(WINDOW.to_minutes()) // row.every_min // 2 + 1
