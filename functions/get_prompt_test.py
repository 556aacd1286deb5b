"""GET /api/v1/llm/prompts/{prompt_id}/tests/{run_id}: one run of a prompt's tests."""

from llm_gateway.entrypoints.aws import Gateway, endpoint, lambda_handler
from llm_gateway.wire.runs import RunShown


@endpoint
def get_prompt_test(prompt_id: str, run_id: str, gateway: Gateway) -> RunShown:
    """A run of a prompt's tests, with the results that it has so far."""
    return RunShown.of(gateway.runs.get(prompt_id, run_id))


handler = lambda_handler(get_prompt_test)
