"""GET /api/v1/llm/prompts/{prompt_id}/versions/{version}: read a version of a prompt."""

from llm_gateway.entrypoints.aws import Gateway, endpoint, lambda_handler
from llm_gateway.entrypoints.prompt_search import VersionNumber
from llm_gateway.wire.prompts import VersionShown


@endpoint
def get_prompt_version(prompt_id: str, version: VersionNumber, gateway: Gateway) -> VersionShown:
    """A version of a prompt, which never changes. Those of deleted prompts can still be read."""
    return VersionShown.of(gateway.prompts.version(prompt_id, version))


handler = lambda_handler(get_prompt_version)
