"""The Lambda door, and all that a handler file needs of the doors: how to declare itself, and what it may ask for."""

from fastapi import FastAPI
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from llm_gateway.entrypoints.http import Caller, Cursor, Gateway, IfMatch, Limit, Mounted, Reply, Wait, app_of, endpoint
from llm_gateway.wire.problems import MEDIA_TYPE

__all__ = [
    "Caller",
    "Cursor",
    "Gateway",
    "IfMatch",
    "Limit",
    "Reply",
    "Wait",
    "app_and_handler",
    "endpoint",
    "lambda_handler",
]

# What is not text Mangum encodes as base64, and a REST API without binary media types passes that on as it is.
_TEXT = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE]


def lambda_handler(mounted: Mounted) -> Mangum:
    """The handler of the Lambda behind `mounted`."""
    return app_and_handler(mounted)[1]


def app_and_handler(mounted: Mounted) -> tuple[FastAPI, Mangum]:
    """For an endpoint that streams: the app for the Lambda Web Adapter, the handler for where answers are buffered."""
    app = app_of(mounted)
    # Without lifespan, which would run on every invocation.
    return app, Mangum(app, lifespan="off", text_mime_types=_TEXT)
