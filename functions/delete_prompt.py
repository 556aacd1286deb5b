"""DELETE /api/v1/llm/prompts/{prompt_id}: delete a prompt."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, IfMatch, endpoint, lambda_handler


@endpoint
def delete_prompt(prompt_id: str, expected: IfMatch, by: By, gateway: Gateway) -> None:
    """Deletes a prompt. Its versions can still be read by their numbers: queries tell which they were made from."""
    gateway.prompt_changes.delete(prompt_id, expected=expected, by=by)


handler = lambda_handler(delete_prompt)
