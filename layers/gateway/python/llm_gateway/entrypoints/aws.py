"""The Lambda door: API Gateway's events in, through the same app, and answers out."""

from mangum import Mangum

from llm_gateway.entrypoints.http import Mounted, app_of


def lambda_handler(mounted: Mounted) -> Mangum:
    """The handler of the Lambda behind `mounted`. Without lifespan, which would run on every invocation."""
    return Mangum(app_of(mounted), lifespan="off")
