"""POST /api/v1/llm/prompts/{prompt_id}/tests: run a prompt's tests."""

from llm_gateway.entrypoints.aws import Caller, Gateway, Reply, endpoint, lambda_handler
from llm_gateway.entrypoints.runs import Running
from llm_gateway.wire.runs import RunBody, RunShown


@endpoint
def run_prompt_tests(
    prompt_id: str, body: RunBody, caller: Caller, gateway: Gateway, running: Running
) -> Reply[RunShown]:
    """Asks a version's tests of each candidate, with the caller's key, limits and budget, and holds the answers against what they
    must be: at once, or with `mode: "async"` later, for which the answer is 202."""
    return running.once(lambda: RunShown.of(gateway.runs.start(prompt_id, body.to_domain(), caller=caller)))


handler = lambda_handler(run_prompt_tests)
