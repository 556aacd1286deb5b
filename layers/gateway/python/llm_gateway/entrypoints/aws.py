"""The Lambda door: API Gateway's events in, through the same app, and answers out."""

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from llm_gateway.entrypoints.http import Mounted, app_of
from llm_gateway.wire.problems import MEDIA_TYPE

# What is not text Mangum encodes as base64, and a REST API without binary media types passes that on as it is.
_TEXT = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE]


def lambda_handler(mounted: Mounted) -> Mangum:
    """The handler of the Lambda behind `mounted`. Without lifespan, which would run on every invocation."""
    return Mangum(app_of(mounted), lifespan="off", text_mime_types=_TEXT)
