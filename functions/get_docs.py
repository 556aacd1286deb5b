"""GET /docs: the API's description as a page to read and try."""

from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.wire.api_docs import docs_page
from starlette.responses import HTMLResponse


@endpoint
def get_docs() -> HTMLResponse:
    """Swagger UI over `/openapi.json`."""
    return HTMLResponse(docs_page())


handler = lambda_handler(get_docs)
