"""PynamoDB's models, bound to their tables at run time: a class says what an item holds, the settings say where it is kept."""

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.models import MetaModel, Model

from llm_gateway.stores.connection import Aws

if TYPE_CHECKING:
    from pynamodb.connection._botocore_private import BotocoreBaseClientPrivate

I = TypeVar("I", bound="Item")  # noqa: E741 - as short as T, and it stands for an item.

MAX_KEY_BYTES: Final = 1024


class Item(Model):
    """What every table's items have.

    `write_id` names the write that left the item as it is. A write that went through although its answer was lost is sent
    again by botocore and then fails its own condition, unless that also lets its own `write_id` pass.
    """

    write_id = UnicodeAttribute(null=True)

    @classmethod
    def table(cls) -> TableConnection:
        return cls._get_connection()


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
