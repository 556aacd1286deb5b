"""Prepared writes: one item of a DynamoDB transaction each, with what the failure of its condition means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RawItem = Mapping[str, Any]
"""An item as DynamoDB's API shows it: each attribute with its type."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedChange:
    """`operation` is `{"Put": …}`, `{"Delete": …}`, `{"Update": …}` or `{"ConditionCheck": …}`, with its table and condition.

    `refused` makes the error for a condition that failed, from the item as it was met where there is one and the operation
    asks for it (`ReturnValuesOnConditionCheckFailure: ALL_OLD`).
    """

    operation: Mapping[str, Any]
    refused: Callable[[RawItem | None], Exception]
    after: Callable[[], None] = _nothing

    def done(self) -> None:
        self.after()
