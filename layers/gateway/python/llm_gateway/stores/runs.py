"""Runs of suites in DynamoDB.

collection          place                  what
runs#answer         run_01J…               a run without its results
newest#answer       000000000003           the newest run of a version that has ended and had the whole suite, once more
results#run_01J…    000042                 what came of one case
feedback#answer     2026-11-29T19#000003   the feedback on a version's queries that ended in an hour
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import ceil
from typing import Any, Final

from llm_gateway.domain.prompts.runs import CaseResult, RunStatus, SuiteRun
from llm_gateway.ports.system import Clock, Page
from llm_gateway.stores.codec import from_json, pack, to_json, unpack
from llm_gateway.stores.connection import Aws, ConditionFailed, reaching
from llm_gateway.stores.cursors import from_cursor, to_cursor
from llm_gateway.stores.raw_items import is_key

_HOLDING: Final = "test runs"
_IS_FREE: Final = "#status = :running AND (attribute_not_exists(holder) OR holder = :holder OR held_until <= :now)"


class DynamoRunStore:
    """One call to DynamoDB each, but for lists; two where a run ends."""

    def __init__(self, *, aws: Aws, table: str, clock: Clock) -> None:
        self._aws = aws
        self._table = table
        self._clock = clock

    def add(self, run: SuiteRun) -> None:
        with reaching(_HOLDING):
            self._put(_runs(run.prompt_id), run.id, run, packed=_packed(run), status=run.status.value)

    def find(self, prompt_id: str, run_id: str) -> SuiteRun | None:
        return self._get(_runs(prompt_id), run_id) if is_key(_runs(prompt_id)) and is_key(run_id) else None

    def page(self, prompt_id: str, *, limit: int, cursor: str | None) -> Page[SuiteRun]:
        below = from_cursor(cursor, "run_id")["run_id"] if cursor is not None else None
        found: list[SuiteRun] = []
        for item in self._query(_runs(prompt_id), below=below, ScanIndexForward=False, Limit=limit + 1):
            found += [run for run in (self._run(item),) if run is not None]
            if len(found) > limit:
                return Page(items=tuple(found[:limit]), next_cursor=to_cursor({"run_id": found[limit - 1].id}))
        return Page(items=tuple(found))

    def newest(self, prompt_id: str, version: int) -> SuiteRun | None:
        return self._get(_newest(prompt_id), _place(version))

    def note(self, run: SuiteRun, result: CaseResult) -> None:
        document = pack(to_json(CaseResult, result))
        try:
            with reaching(_HOLDING):
                self._put(_results(run.id), f"{result.case.number:06}", run, packed=document, expecting=_IS_NEW)
        except ConditionFailed:
            # It was asked twice at once: the first answer is the one that was told.
            return

    def results(self, run: SuiteRun) -> Sequence[CaseResult]:
        return tuple(from_json(CaseResult, unpack(item["packed"]["B"])) for item in self._query(_results(run.id)))

    def forget(self, run_id: str, *, query_id: str) -> None:
        if not is_key(_results(run_id)):
            return
        for item in self._query(_results(run_id)):
            result = from_json(CaseResult, unpack(item["packed"]["B"]))
            if result.query_id == query_id:
                self._pack_anew(item, result.without_words())

    def _pack_anew(self, item: Any, result: CaseResult) -> None:
        try:
            with reaching(_HOLDING):
                self._aws.dynamodb.update_item(
                    TableName=self._table,
                    Key={"collection": item["collection"], "place": item["place"]},
                    UpdateExpression="SET packed = :packed",
                    ConditionExpression="attribute_exists(place)",
                    ExpressionAttributeValues={":packed": {"B": pack(to_json(CaseResult, result))}},
                )
        except ConditionFailed:
            # It has expired in between.
            return

    def end(self, run: SuiteRun) -> bool:
        if run.is_whole:
            # First, so that a process that dies in between leaves a run that still has to end.
            self._note_newest(run)
        try:
            with reaching(_HOLDING):
                self._update(
                    run,
                    "SET packed = :packed, #status = :status REMOVE holder, held_until",
                    "#status = :running",
                    {":packed": {"B": _packed(run)}, ":status": {"S": run.status.value}, ":running": _RUNNING},
                )
        except ConditionFailed:
            return False
        return True

    def hold(self, run: SuiteRun, *, holder: str, now: datetime, until: datetime) -> bool:
        values = {
            ":holder": {"S": holder}, ":now": _milliseconds(now), ":until": _milliseconds(until), ":running": _RUNNING,
        }  # fmt: skip
        try:
            with reaching(_HOLDING):
                self._update(run, "SET holder = :holder, held_until = :until", _IS_FREE, values)
        except ConditionFailed:
            return False
        return True

    def release(self, run: SuiteRun, *, holder: str) -> None:
        try:
            with reaching(_HOLDING):
                values = {":holder": {"S": holder}, ":running": _RUNNING}
                self._update(run, "REMOVE holder, held_until", "#status = :running AND holder = :holder", values)
        except ConditionFailed:
            return

    def _note_newest(self, run: SuiteRun) -> None:
        values = {":run_id": {"S": run.id}}
        try:
            with reaching(_HOLDING):
                self._put(
                    _newest(run.prompt_id), _place(run.version), run, packed=_packed(run), run_id=run.id,
                    expecting={
                        "ConditionExpression": "attribute_not_exists(place) OR run_id <= :run_id",
                        "ExpressionAttributeValues": values,
                    },
                )  # fmt: skip
        except ConditionFailed:
            return

    def _put(
        self,
        collection: str,
        place: str,
        run: SuiteRun,
        *,
        packed: bytes,
        expecting: "dict[str, Any] | None" = None,
        **texts: str,
    ) -> None:
        item: dict[str, Any] = {
            "collection": {"S": collection},
            "place": {"S": place},
            "packed": {"B": packed},
            "expires_at": {"N": str(ceil(run.expires_at.timestamp()))},
            **{name: {"S": text} for name, text in texts.items()},
        }
        self._aws.dynamodb.put_item(TableName=self._table, Item=item, **(expecting or {}))

    def _update(self, run: SuiteRun, update: str, condition: str, values: Any) -> None:
        self._aws.dynamodb.update_item(
            TableName=self._table,
            Key={"collection": {"S": _runs(run.prompt_id)}, "place": {"S": run.id}},
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=values,
        )

    def _get(self, collection: str, place: str) -> SuiteRun | None:
        with reaching(_HOLDING):
            answer = self._aws.dynamodb.get_item(
                TableName=self._table,
                Key={"collection": {"S": collection}, "place": {"S": place}},
                ConsistentRead=True,
            )
        return self._run(answer["Item"]) if "Item" in answer else None

    def _run(self, item: Any) -> SuiteRun | None:
        run = from_json(SuiteRun, unpack(item["packed"]["B"]))
        # DynamoDB deletes what has expired within days, not at once.
        return run if run.expires_at > self._clock.now() else None

    def _query(self, collection: str, *, below: str | None = None, **how: Any) -> Iterator[Any]:
        condition, values = "#collection = :collection", {":collection": {"S": collection}}
        if below is not None:
            condition += " AND place < :below"
            values[":below"] = {"S": below}
        while True:
            with reaching(_HOLDING):
                page = self._aws.dynamodb.query(
                    TableName=self._table,
                    ConsistentRead=True,
                    KeyConditionExpression=condition,
                    ExpressionAttributeNames={"#collection": "collection"},
                    ExpressionAttributeValues=values,
                    **how,
                )
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            how["ExclusiveStartKey"] = page["LastEvaluatedKey"]


_IS_NEW: Final = {"ConditionExpression": "attribute_not_exists(place)"}
_RUNNING: Final = {"S": RunStatus.RUNNING.value}


def _runs(prompt_id: str) -> str:
    return f"runs#{prompt_id}"


def _newest(prompt_id: str) -> str:
    return f"newest#{prompt_id}"


def _results(run_id: str) -> str:
    return f"results#{run_id}"


def _place(version: int) -> str:
    return f"{version:012}"


def _packed(run: SuiteRun) -> bytes:
    return pack(to_json(SuiteRun, run))


def _milliseconds(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp() * 1000))}
