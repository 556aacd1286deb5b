"""PUT /api/v1/llm/prompts/{prompt_id}: change a prompt."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, IfMatch, endpoint, lambda_handler
from llm_gateway.wire.prompts import PromptShown, PromptUpdate


@endpoint
def update_prompt(prompt_id: str, body: PromptUpdate, match: IfMatch, by: By, gateway: Gateway) -> PromptShown:
    """Replaces what is said of the prompt. Another template, other defaults or another output make the next version, to which no
    label but `latest` moves. A change holds everywhere within 5 s."""
    return PromptShown.of(gateway.prompt_changes.update(prompt_id, body.to_draft(), expected=match, by=by))


handler = lambda_handler(update_prompt)
