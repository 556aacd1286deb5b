"""Feedback in DynamoDB: on the query itself, and in the sums of its prompt's version, both in one transaction."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any, Final

from botocore.exceptions import ClientError

from llm_gateway.domain.prompts.canaries import Feedback
from llm_gateway.domain.prompts.performance import FeedbackSum, feedback_change
from llm_gateway.domain.queries import QuerySummary
from llm_gateway.domain.usage import Bucket
from llm_gateway.errors import DependencyUnavailable, ValidationFailed
from llm_gateway.ports.system import Clock
from llm_gateway.stores.connection import RETRY_AFTER_S, Aws, error_code, reaching
from llm_gateway.stores.query_items import QueryItem, is_erased, summary_of
from llm_gateway.stores.raw_items import is_key

MOST_NAMES: Final = 10
_HOLDING: Final = "feedback"
_TRIES: Final = 5
_CANCELLED: Final = "TransactionCanceledException"
_HOUR: Final = "%Y-%m-%dT%H"
_READ: Final = [name for name in QueryItem.get_attributes() if name not in ("request", "answer", "write_id")]

Given = Mapping[str, Mapping[str, Any]]
"""By name: `score` (a decimal as text), `comment` and `at`."""


class _Overtaken(Exception):
    """Somebody else gave feedback, or the query was erased, since it was read."""


class DynamoFeedbackStore:
    """`retention` is for how long sums are kept."""

    def __init__(self, *, aws: Aws, queries: str, sums: str, clock: Clock, retention: timedelta) -> None:
        self._aws = aws
        self._queries = queries
        self._sums = sums
        self._clock = clock
        self._retention = retention

    def give(self, query_id: str, *, name: str, score: Decimal, comment: str | None, at: datetime) -> bool:
        new = {"score": str(score), "comment": comment, "at": at.isoformat()}
        for _ in range(_TRIES):
            item = self._item(query_id)
            query = None if item is None else summary_of(item, now=self._clock.now())
            if item is None or query is None:
                return False
            try:
                self._change(query, item.feedback, name, new)
            except _Overtaken:
                continue
            return True
        raise DependencyUnavailable("Too much feedback comes at the same time.", retry_after_s=RETRY_AFTER_S)

    def sums(self, prompt_id: str, *, since: datetime, until: datetime) -> Iterator[FeedbackSum]:
        lowest, highest = since.strftime(_HOUR), until.strftime(_HOUR) + "~"
        start: dict[str, Any] = {}
        while True:
            with reaching(_HOLDING):
                page = self._aws.dynamodb.query(
                    TableName=self._sums,
                    ConsistentRead=True,
                    KeyConditionExpression="#collection = :collection AND place BETWEEN :lowest AND :highest",
                    ExpressionAttributeNames={"#collection": "collection"},
                    ExpressionAttributeValues={
                        ":collection": {"S": _collection(prompt_id)},
                        ":lowest": {"S": lowest},
                        ":highest": {"S": highest},
                    },
                    **start,
                )
            yield from (each for each in map(_sum, page["Items"]) if since <= each.start < until)
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _item(self, query_id: str) -> QueryItem | None:
        if not is_key(query_id):
            return None
        with reaching(_HOLDING):
            answer = self._aws.dynamodb.get_item(
                TableName=self._queries,
                Key={"query_id": {"S": query_id}},
                ConsistentRead=True,
                ProjectionExpression=", ".join(f"#{name}" for name in _READ),
                ExpressionAttributeNames={f"#{name}": name for name in _READ},
            )
        item = QueryItem.from_raw_data(answer["Item"]) if "Item" in answer else None
        return None if item is None or is_erased(item) else item

    def _change(self, query: QuerySummary, stored: str | None, name: str, new: Mapping[str, Any]) -> None:
        given: Given = json.loads(stored) if stored else {}
        if name not in given and len(given) >= MOST_NAMES:
            raise ValidationFailed.of("name", f"is one too many: a query has feedback under {MOST_NAMES} names at most")
        after: Given = {**given, name: new}
        operations: list[Any] = [{"Update": self._noting(query.id, stored, after)}]
        change = feedback_change(query, _scores(given), _scores(after))
        if change is not None:
            operations.append({"Update": self._adding(query, change)})
        self._transact(operations)

    def _transact(self, operations: list[Any]) -> None:
        with reaching(_HOLDING):
            try:
                # Once alone: what got no answer is read before it is tried again, and then there is nothing to add.
                self._aws.dynamodb_once.transact_write_items(TransactItems=operations)
            except ClientError as fault:
                if error_code(fault) == _CANCELLED:
                    raise _Overtaken from fault
                raise

    def _noting(self, query_id: str, stored: str | None, given: Given) -> dict[str, Any]:
        values = {":given": {"S": json.dumps(given)}}
        if stored is not None:
            values[":stored"] = {"S": stored}
        return {
            "TableName": self._queries,
            "Key": {"query_id": {"S": query_id}},
            "UpdateExpression": "SET feedback = :given",
            "ConditionExpression": "attribute_exists(#owner) AND "
            + ("attribute_not_exists(feedback)" if stored is None else "feedback = :stored"),
            # Of an erased query nothing is left but how it counts.
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": values,
        }

    def _adding(self, query: QuerySummary, change: Feedback) -> dict[str, Any]:
        assert query.prompt is not None  # noqa: S101
        hour = Bucket.HOUR.start(query.completed_at or query.created_at)
        return {
            "TableName": self._sums,
            "Key": {
                "collection": {"S": _collection(query.prompt.id)},
                "place": {"S": f"{hour.strftime(_HOUR)}#{query.prompt.version:06}#{query.prompt.label or ''}"},
            },
            "UpdateExpression": "SET expires_at = :expires_at ADD #count :count, score :score, rated :rated, means :means",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {
                ":count": {"N": str(change.count)},
                ":score": {"N": f"{change.total:f}"},
                ":rated": {"N": str(change.rated)},
                ":means": {"N": f"{change.means:f}"},
                ":expires_at": {"N": str(ceil((hour + self._retention).timestamp()))},
            },
        }


def _collection(prompt_id: str) -> str:
    return f"feedback#{prompt_id}"


def _scores(given: Given) -> list[Decimal]:
    return [Decimal(each["score"]) for each in given.values()]


def _sum(item: Any) -> FeedbackSum:
    hour, version, label = item["place"]["S"].split("#")
    feedback = Feedback(
        count=int(item["count"]["N"]),
        total=Decimal(item["score"]["N"]),
        rated=int(item["rated"]["N"]),
        means=Decimal(item["means"]["N"]),
    )
    start = datetime.strptime(f"{hour}+0000", f"{_HOUR}%z")
    return FeedbackSum(version=int(version), label=label or None, start=start, feedback=feedback)
