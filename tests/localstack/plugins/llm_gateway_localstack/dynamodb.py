"""LocalStack's DynamoDB on moto: its own one is a Java program that it downloads."""

from localstack.aws.api.dynamodb import DynamodbApi
from localstack.services.moto import MotoFallbackDispatcher
from localstack.services.plugins import Service, ServiceLifecycleHook, aws_provider


class _Unimplemented(DynamodbApi, ServiceLifecycleHook):
    """Every operation is left to moto."""


@aws_provider(api="dynamodb", name="moto")
def dynamodb_of_moto() -> Service:
    """The service as `PROVIDER_OVERRIDE_DYNAMODB=moto` chooses it."""
    return Service.for_provider(_Unimplemented(), dispatch_table_factory=MotoFallbackDispatcher)
