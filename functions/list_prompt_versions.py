"""GET /api/v1/llm/prompts/{prompt_id}/versions: list a prompt's versions."""

from llm_gateway.entrypoints.aws import Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.wire.prompts import VersionPage


@endpoint
def list_prompt_versions(prompt_id: str, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None) -> VersionPage:
    """A prompt's versions, newest first, without what they say."""
    return VersionPage.of(gateway.prompts.versions(prompt_id, limit=limit, cursor=cursor))


handler = lambda_handler(list_prompt_versions)
