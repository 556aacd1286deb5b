"""GET /errors/{code}: what an error code means."""

from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.wire.api_docs import error_page, policy_of
from starlette.responses import HTMLResponse


@endpoint
def get_error(code: str) -> HTMLResponse:
    """What the code means and what a client does about it: where the `type` of every problem leads to."""
    page = error_page(code)
    return HTMLResponse(page, headers=policy_of(page))


handler = lambda_handler(get_error)
