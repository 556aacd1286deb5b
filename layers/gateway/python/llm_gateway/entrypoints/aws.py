"""The Lambda door: API Gateway's events in, through the same app, and answers out."""

from fastapi import FastAPI
from mangum import Mangum

from llm_gateway.entrypoints.http import Mounted, app_of


def lambda_handler(mounted: Mounted) -> Mangum:
    """The handler of the Lambda behind `mounted`."""
    return app_and_handler(mounted)[1]


def app_and_handler(mounted: Mounted) -> tuple[FastAPI, Mangum]:
    """For an endpoint that streams: the app for the Lambda Web Adapter, the handler for where answers are buffered."""
    app = app_of(mounted)
    # Without lifespan, which would run on every invocation.
    return app, Mangum(app, lifespan="off")
