"""GET /openapi.json: the whole API as an OpenAPI document."""

from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.wire.api_docs import openapi_document
from starlette.responses import Response


@endpoint
def get_openapi() -> Response:
    """The API's description, generated from the code that serves it."""
    return Response(openapi_document(), media_type="application/json")


handler = lambda_handler(get_openapi)
