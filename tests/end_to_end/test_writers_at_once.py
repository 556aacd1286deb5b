"""What every limit, seat and lease builds on: whatever plays AWS checks a condition and writes in one step, as DynamoDB does."""

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from llm_gateway.stores.connection import CONDITION_FAILED, error_code

from tests.end_to_end.calling import at_once
from tests.end_to_end.stack import Stack

WRITERS, ITEMS = 8, 50


@pytest.mark.parametrize("in_transaction", [False, True])
def test_of_many_who_take_a_free_item_one_does(stack: Stack, in_transaction: bool) -> None:
    dynamodb: Any = stack.aws.dynamodb

    def takes(key: str, writer: int) -> bool:
        update = {
            "TableName": stack.settings.cache_table,
            "Key": {"cache_key": {"S": key}},
            "UpdateExpression": "SET holder = :holder",
            "ConditionExpression": "attribute_not_exists(cache_key)",
            "ExpressionAttributeValues": {":holder": {"N": str(writer)}},
        }
        try:
            if in_transaction:
                dynamodb.transact_write_items(TransactItems=[{"Update": update}])
            else:
                dynamodb.update_item(**update)
        except ClientError as refusal:
            if error_code(refusal) not in (CONDITION_FAILED, "TransactionCanceledException"):
                raise
            return False
        return True

    for key in [f"contested#{uuid4().hex}" for _ in range(ITEMS)]:
        assert sum(at_once(lambda writer, key=key: takes(key, writer), times=WRITERS)) == 1
