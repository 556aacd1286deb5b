"""GET /docs: the API's description as a page to read and try."""

from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.wire.api_docs import docs_page, policy_of
from starlette.responses import HTMLResponse


@endpoint
def get_docs() -> HTMLResponse:
    """A page over `/openapi.json`, which needs no other host."""
    page = docs_page()
    return HTMLResponse(page, headers=policy_of(page))


handler = lambda_handler(get_docs)
