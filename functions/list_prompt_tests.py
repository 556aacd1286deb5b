"""GET /api/v1/llm/prompts/{prompt_id}/tests: the runs of a prompt's tests."""

from llm_gateway.entrypoints.aws import Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.wire.runs import RunPage


@endpoint
def list_prompt_tests(prompt_id: str, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None) -> RunPage:
    """The runs of a prompt's tests, newest first, without their results."""
    return RunPage.of(gateway.runs.page(prompt_id, limit=limit, cursor=cursor))


handler = lambda_handler(list_prompt_tests)
