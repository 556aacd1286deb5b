"""PynamoDB's models, bound to their tables at run time: a class says what an item holds, the settings say where it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

from botocore.exceptions import ClientError
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import MetaModel, Model

from llm_gateway.stores.changes import PreparedChange
from llm_gateway.stores.connection import CONDITION_FAILED, Aws, error_code

if TYPE_CHECKING:
    from pynamodb.connection._botocore_private import BotocoreBaseClientPrivate

I = TypeVar("I", bound="Item")  # noqa: E741 - as short as T, and it stands for an item.

MAX_KEY_BYTES: Final = 1024

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class MillisecondsAttribute(Attribute[datetime]):
    """A time as a number, so that conditions can compare it; what is finer than a millisecond is cut off."""

    attr_type = "N"

    def serialize(self, value: datetime) -> str:
        return str((value - _EPOCH) // _MILLISECOND)

    def deserialize(self, value: str) -> datetime:
        return _EPOCH + int(value) * _MILLISECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[I]):
    """Whether a conditional write was done, and the item: after a change, else as the write met it. None where there is none."""

    done: bool
    item: I | None


class Item(Model):
    """What every table's items have.

    `write_id` names the write that left the item as it is. A write that went through although its answer was lost is sent
    again by botocore and then fails its own condition, unless that also lets its own `write_id` pass.
    """

    write_id = UnicodeAttribute(null=True)

    @classmethod
    def table(cls) -> TableConnection:
        return cls._get_connection()

    @classmethod
    def change(cls, key: str, *actions: Action, condition: Condition | None) -> "Outcome[Self]":
        return cls._write("UpdateItem", key, actions=actions, condition=condition, return_values="ALL_NEW")

    @classmethod
    def swap(cls, key: str, *actions: Action) -> "Outcome[Self]":
        """Changes the item, whatever it is; the outcome has it as it was."""
        return cls._write("UpdateItem", key, actions=actions, condition=None, return_values="ALL_OLD")

    @classmethod
    def erase(cls, key: str, *, condition: Condition | None = None) -> "Outcome[Self]":
        return cls._write("DeleteItem", key, condition=condition, return_values="ALL_OLD")

    @classmethod
    def _write(
        cls,
        operation: str,
        key: str,
        *,
        condition: Condition | None,
        return_values: str,
        actions: Sequence[Action] | None = None,
    ) -> "Outcome[Self]":
        """One call. PynamoDB's own methods drop the item of a failed condition, and that is half the answer."""
        request = cls.table().get_operation_kwargs(
            key,
            actions=actions,
            condition=condition,
            return_values=return_values,
            return_values_on_condition_failure="ALL_OLD",
        )
        try:
            answer = cls.table().connection.dispatch(operation, request)
        except ClientError as fault:
            return Outcome(done=False, item=cls._from(_met(fault)))
        return Outcome(done=True, item=cls._from(answer.get("Attributes")))

    @classmethod
    def carry_out(cls, change: PreparedChange) -> None:
        """One call. Raises what the change's condition stands for."""
        [(verb, request)] = change.operation.items()
        try:
            cls.table().connection.dispatch(f"{verb}Item", dict(request))
        except ClientError as fault:
            raise change.refused(_met(fault)) from None
        change.done()

    @classmethod
    def _from(cls, raw: Mapping[str, Any] | None) -> "Self | None":
        return cls.from_raw_data(dict(raw)) if raw else None


def _met(fault: ClientError) -> Mapping[str, Any] | None:
    """The item that a condition failed on, None where there was none. Any other fault is raised."""
    if error_code(fault) != CONDITION_FAILED:
        raise fault
    cause: Any = fault.__cause__
    item: Mapping[str, Any] | None = cause.response.get("Item")
    return item


def bind(model: type[I], *, table: str, aws: Aws) -> type[I]:
    """`model`, kept in `table`: a subclass, because PynamoDB holds a table's name and connection on the class."""
    bound = cast("type[I]", MetaModel(model.__name__, (model,), {"Meta": type("Meta", (), {"table_name": table})}))
    connection = _SharedConnection(aws)
    connection.add_meta_table(bound.table().get_meta_table())
    bound.table().connection = connection
    return bound


def is_key(text: object) -> bool:
    """Whether an item can have this key at all: DynamoDB refuses the question for one that is empty or too long."""
    return isinstance(text, str) and text.isprintable() and 0 < len(text.encode()) <= MAX_KEY_BYTES


class _SharedConnection(Connection):
    """PynamoDB makes a session and a client for every model, 50 ms each at a cold start; this one takes the process's."""

    def __init__(self, aws: Aws) -> None:
        super().__init__()
        self._aws = aws

    @property
    def client(self) -> "BotocoreBaseClientPrivate":
        return cast("BotocoreBaseClientPrivate", cast(Any, self._aws.dynamodb))
