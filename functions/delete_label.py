"""DELETE /api/v1/llm/prompts/{prompt_id}/labels/{label}: delete a label."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, IfMatch, endpoint, lambda_handler


@endpoint
def delete_label(prompt_id: str, label: str, expected: IfMatch, by: By, gateway: Gateway) -> None:
    """Deletes a label; the versions that it named stay."""
    gateway.labels.delete(prompt_id, label, expected=expected, by=by)


handler = lambda_handler(delete_label)
