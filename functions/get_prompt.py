"""GET /api/v1/llm/prompts/{prompt_id}: read a prompt."""

from llm_gateway.entrypoints.aws import Gateway, endpoint, lambda_handler
from llm_gateway.wire.prompts import PromptShown


@endpoint
def get_prompt(prompt_id: str, gateway: Gateway) -> PromptShown:
    """A prompt with its newest version, its labels and its tests."""
    return PromptShown.of(gateway.prompts.get(prompt_id))


handler = lambda_handler(get_prompt)
