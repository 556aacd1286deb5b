"""PynamoDB's models, bound to their tables at run time: a class says what an item holds, the settings say where it is kept."""

from typing import Any, TypeVar, cast

from botocore.exceptions import ClientError
from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.models import MetaModel, Model

from llm_gateway.stores.changes import PreparedChange
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.described_items import met_by

I = TypeVar("I", bound="Item")  # noqa: E741 - as short as T, and it stands for an item.


class Item(Model):
    """What every table's items have. `write_id` is as in `described_items`."""

    write_id = UnicodeAttribute(null=True)

    @classmethod
    def table(cls) -> TableConnection:
        return cls._get_connection()

    @classmethod
    def carry_out(cls, change: PreparedChange) -> None:
        """One call. Raises what the change's condition stands for."""
        [(verb, request)] = change.operation.items()
        try:
            cls.table().connection.dispatch(f"{verb}Item", dict(request))
        except ClientError as fault:
            raise change.refused(met_by(fault)) from None
        change.done()


def bind(model: type[I], *, table: str, aws: Aws) -> type[I]:
    """`model`, kept in `table`: a subclass, because PynamoDB holds a table's name and connection on the class."""
    bound = cast("type[I]", MetaModel(model.__name__, (model,), {"Meta": type("Meta", (), {"table_name": table})}))
    connection = _SharedConnection(aws)
    connection.add_meta_table(bound.table().get_meta_table())
    bound.table().connection = connection
    return bound


class _SharedConnection(Connection):
    """PynamoDB makes a session and a client for every model, 50 ms each at a cold start; this one asks as the process does."""

    def __init__(self, aws: Aws) -> None:
        super().__init__()
        self._aws = aws

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        return self._aws.tables.call(operation_name, operation_kwargs)
