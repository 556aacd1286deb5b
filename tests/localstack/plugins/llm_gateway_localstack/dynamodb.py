"""LocalStack's DynamoDB on moto: its own one is a Java program that it downloads."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from localstack.aws.api.dynamodb import DynamodbApi
from localstack.aws.skeleton import DispatchTable
from localstack.services.moto import MotoFallbackDispatcher
from localstack.services.plugins import Service, ServiceLifecycleHook, aws_provider


class _Unimplemented(DynamodbApi, ServiceLifecycleHook):
    """Every operation is left to moto."""


@aws_provider(api="dynamodb", name="moto")
def dynamodb_of_moto() -> Service:
    """The service as `PROVIDER_OVERRIDE_DYNAMODB=moto` chooses it."""
    return Service.for_provider(_Unimplemented(), dispatch_table_factory=_one_at_a_time)


def _one_at_a_time(provider: object) -> DispatchTable:
    """Moto checks a condition and writes in two steps, and LocalStack asks it in many threads. DynamoDB does it in one step."""
    one = Lock()

    def alone(operation: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*request: Any) -> Any:
            with one:
                return operation(*request)

        return ask

    return {name: alone(operation) for name, operation in MotoFallbackDispatcher(provider).items()}
