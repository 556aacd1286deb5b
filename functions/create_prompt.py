"""POST /api/v1/llm/prompts: write a prompt."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, Reply, endpoint, lambda_handler
from llm_gateway.entrypoints.idempotency import Creating
from llm_gateway.wire.prompts import PromptBody, PromptShown


@endpoint
def create_prompt(body: PromptBody, by: By, gateway: Gateway, creating: Creating) -> Reply[PromptShown]:
    """Writes a prompt, with its first version. Under the id of a deleted one its versions go on with the next number."""
    return creating.once(PromptShown, lambda: PromptShown.of(gateway.prompt_changes.create(body.to_draft(), by=by)))


handler = lambda_handler(create_prompt)
