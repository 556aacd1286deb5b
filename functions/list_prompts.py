"""GET /api/v1/llm/prompts: list the prompts."""

from llm_gateway.entrypoints.aws import Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.entrypoints.prompt_search import Wanted
from llm_gateway.wire.prompts import PromptPage


@endpoint
def list_prompts(wanted: Wanted, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None) -> PromptPage:
    """Prompts and roles by id, without their texts. The roles that ship with the gateway are among them."""
    return PromptPage.of(gateway.prompts.page(wanted, limit=limit, cursor=cursor))


handler = lambda_handler(list_prompts)
