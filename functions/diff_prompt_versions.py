"""GET /api/v1/llm/prompts/{prompt_id}/versions/{version}/diff/{other}: compare two versions of a prompt."""

from llm_gateway.entrypoints.aws import Gateway, endpoint, lambda_handler
from llm_gateway.entrypoints.prompt_search import VersionNumber
from llm_gateway.wire.prompt_diff import VersionDiffShown


@endpoint
def diff_prompt_versions(
    prompt_id: str, version: VersionNumber, other: VersionNumber, gateway: Gateway
) -> VersionDiffShown:
    """What leads from `version` to `other`: texts as unified diffs, settings by their paths."""
    return VersionDiffShown.of(gateway.prompts.diff(prompt_id, version, other))


handler = lambda_handler(diff_prompt_versions)
