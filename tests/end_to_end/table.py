"""What each function of the endpoint table answers where nothing is there yet and nothing is sent, with a key that may do all."""

from typing import Final

from llm_gateway.access import Endpoint
from llm_gateway.endpoints import ENDPOINTS
from ulid import ULID

_FOUND: Final = (
    "get_health",
    "get_openapi",
    "get_docs",
    "get_error",
    "list_providers",
    "list_prompts",
    "list_keys",
    "get_own_key",
    "list_audit",
    "list_queries",
    "get_usage",
    "list_models",
)
_WANTS_A_BODY: Final = (
    "create_provider",
    "update_provider",
    "run_query",
    "stream_query",
    "create_chat_completion",
    "create_response",
    "create_embeddings",
    "create_message",
    "count_message_tokens",
    "plan_query",
    "create_key",
    "update_key",
    "create_prompt",
    "update_prompt",
    "render_prompt",
    "move_label",
    "run_prompt_tests",
    "give_feedback",
    "create_erasure",
)
# All others look for a resource that does not exist.
FIRST_STATUSES: Final = {
    **{row.name: 404 for row in ENDPOINTS},
    **dict.fromkeys(_FOUND, 200),
    **dict.fromkeys(_WANTS_A_BODY, 400),
}


def path_of(row: Endpoint) -> str:
    """The row's path, with ids that nothing has."""
    return row.path.format(
        code="rate_limited",
        query_id=f"qry_{ULID()}",
        version=1,
        other=2,
        model="nobody/model",
        **dict.fromkeys(("provider_id", "key_id", "prompt_id", "label", "run_id", "erasure_id"), "nobody"),
    )
