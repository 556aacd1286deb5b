"""The table of endpoints: what is public, who may call the rest, and what each may touch.

The door takes route and permission from a row, CDK takes method, path, size and least-privilege grants from the same row.
A row is named like its file in `functions/` and like its Lambda. Columns: name, method, path, permission, and the rest by name.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Final

from llm_gateway.access import Area, Dialect, Endpoint, Permission, Resource, Row, Schedule, Worker

BASE_PATH: Final = "/api/v1/llm"
DROP_IN_PATH: Final = "/v1"
P, R, D = Permission, Resource, Dialect

# What a row touches is a union of these.
KEYS: Final = frozenset({R.KEYS})
PROVIDERS: Final = frozenset({R.PROVIDERS})
PROMPTS: Final = frozenset({R.PROMPTS})
QUERIES: Final = frozenset({R.QUERIES})
# A query that is there already: it is read and changed, but neither made nor removed.
QUERY_STATE: Final = frozenset({R.QUERY_STATE})
LIMITS: Final = frozenset({R.LIMITS})
CACHE: Final = frozenset({R.CACHE})
BODIES: Final = frozenset({R.BODIES})
CREDENTIALS: Final = frozenset({R.CREDENTIALS})
QUEUE: Final = frozenset({R.QUEUE})
AUDIT: Final = frozenset({R.AUDIT})
AUDIT_ARCHIVE: Final = frozenset({R.AUDIT_ARCHIVE})
# Where it is told how much of a budget is spent.
EVENTS: Final = frozenset({R.EVENTS})
USAGE: Final = frozenset({R.USAGE})
# Runs of tests, feedback, and erasures.
EVALS: Final = frozenset({R.EVALS})
# The small fields of all queries: a request that lists or counts queries reads no content.
QUERY_INDEX: Final = frozenset({R.QUERY_INDEX})
# Whatever takes an Idempotency-Key looks for the answer of the first time, and keeps its own.
REPLAYS: Final = CACHE | BODIES
# What words are sealed with: whatever reads or writes words of queries.
SEALS: Final = frozenset({R.SEALS})
# What erases them, and with them all that they have sealed.
SHREDDED: Final = frozenset({R.SHREDDED})
ANSWERS: Final = QUERIES | LIMITS | CACHE | BODIES | SEALS
ASKS: Final = PROVIDERS | CREDENTIALS | ANSWERS


def _below(base: str, *rows: Endpoint) -> tuple[Endpoint, ...]:
    return tuple(replace(row, path=base + row.path) for row in rows)


# An area is a stack, and a row stays in its own: one that moved could not be deployed, because functions have fixed names and the
# new stack would make its function before the old one gave the name up. Not formatted, so that a row is a line or two.
# fmt: off
AREAS: Final[Mapping[Area, tuple[Endpoint, ...]]] = {
    # Nothing behind these is anybody's.
    Area.PUBLIC: (
        Endpoint("get_health", "GET", "/health", None, memory_mb=256),
        Endpoint("get_openapi", "GET", "/openapi.json", None, memory_mb=256),
        Endpoint("get_docs", "GET", "/docs", None, memory_mb=256),
        Endpoint("get_error", "GET", "/errors/{code}", None, memory_mb=256),
    ),
    Area.PROVIDERS: _below(
        BASE_PATH,
        Endpoint("create_provider", "POST", "/providers", P.MANAGE_PROVIDERS, status=201, audit="provider.created",
                 reads=REPLAYS, writes=REPLAYS | PROVIDERS | CREDENTIALS | AUDIT),
        Endpoint("list_providers", "GET", "/providers", P.READ_PROVIDERS, reads=PROVIDERS),
        Endpoint("get_provider", "GET", "/providers/{provider_id}", P.READ_PROVIDERS, reads=PROVIDERS),
        Endpoint("update_provider", "PUT", "/providers/{provider_id}", P.MANAGE_PROVIDERS, audit="provider.updated",
                 reads=PROVIDERS, writes=PROVIDERS | CREDENTIALS | AUDIT),
        Endpoint("delete_provider", "DELETE", "/providers/{provider_id}", P.MANAGE_PROVIDERS, status=204,
                 audit="provider.deleted", reads=PROVIDERS, writes=PROVIDERS | CREDENTIALS | AUDIT),
        Endpoint("get_provider_status", "GET", "/providers/{provider_id}/status", P.READ_PROVIDER_STATUS, memory_mb=1024,
                 reads=PROVIDERS | CREDENTIALS | LIMITS, writes=LIMITS),
    ),
    # When a key was last used is known to the limits: nothing that merely authenticates may write keys.
    Area.KEYS: _below(
        BASE_PATH,
        Endpoint("create_key", "POST", "/keys", P.MANAGE_KEYS, status=201, audit="key.created",
                 reads=REPLAYS | KEYS, writes=REPLAYS | KEYS | AUDIT),
        Endpoint("list_keys", "GET", "/keys", P.READ_KEYS, reads=KEYS | LIMITS),
        # Before the route that would take `self` for a key's id.
        Endpoint("get_own_key", "GET", "/keys/self", P.READ_OWN_KEY, reads=KEYS | LIMITS),
        Endpoint("get_key", "GET", "/keys/{key_id}", P.READ_KEYS, reads=KEYS | LIMITS),
        Endpoint("update_key", "PATCH", "/keys/{key_id}", P.MANAGE_KEYS, audit="key.updated",
                 reads=KEYS | LIMITS, writes=KEYS | AUDIT),
        Endpoint("revoke_key", "DELETE", "/keys/{key_id}", P.MANAGE_KEYS, status=204, audit="key.revoked",
                 reads=KEYS, writes=KEYS | AUDIT),
        Endpoint("rotate_key", "POST", "/keys/{key_id}/rotate", P.MANAGE_KEYS, audit="key.rotated",
                 reads=REPLAYS | KEYS | LIMITS, writes=REPLAYS | KEYS | AUDIT),
        Endpoint("create_erasure", "POST", "/erasures", P.MANAGE_KEYS, status=202, audit="erasure.created",
                 reads=REPLAYS | KEYS | EVALS, writes=REPLAYS | EVALS | QUEUE | AUDIT | SEALS),
        Endpoint("get_erasure", "GET", "/erasures/{erasure_id}", P.MANAGE_KEYS, reads=EVALS),
    ),
    Area.QUERIES: _below(
        BASE_PATH,
        Endpoint("list_queries", "GET", "/query", P.READ_QUERY_STATUS, reads=QUERY_INDEX),
        Endpoint("run_query", "POST", "/query", P.RUN_QUERIES, memory_mb=1024, reads=ASKS | PROMPTS,
                 writes=ANSWERS | QUEUE | EVENTS),
        Endpoint("stream_query", "POST", "/query/stream", P.RUN_QUERIES, memory_mb=1024, timeout_s=900, streams=True,
                 reads=ASKS | PROMPTS, writes=ANSWERS | EVENTS),
        Endpoint("plan_query", "POST", "/query/plan", P.RUN_QUERIES, memory_mb=1024, counts=True, reads=PROVIDERS | PROMPTS),
        Endpoint("resume_query_stream", "GET", "/query/{query_id}/stream", P.READ_QUERY_CONTENT, timeout_s=900, streams=True,
                 waits=True, reads=QUERIES | BODIES | SEALS),
        Endpoint("cancel_query", "POST", "/query/{query_id}/cancel", P.RUN_QUERIES, reads=QUERY_STATE | LIMITS,
                 writes=QUERY_STATE | LIMITS),
        Endpoint("erase_query", "DELETE", "/query/{query_id}", P.READ_QUERY_CONTENT, status=204,
                 reads=QUERY_STATE | CACHE | BODIES | LIMITS, writes=QUERY_STATE | CACHE | BODIES | LIMITS),
        Endpoint("get_query_status", "GET", "/query/{query_id}/status", P.READ_QUERY_STATUS, waits=True, reads=QUERIES),
        Endpoint("get_query_result", "GET", "/query/{query_id}/result", P.READ_QUERY_CONTENT, waits=True,
                 reads=QUERIES | BODIES | SEALS),
        Endpoint("give_feedback", "POST", "/query/{query_id}/feedback", P.RUN_QUERIES, status=204,
                 reads=QUERY_STATE, writes=QUERY_STATE | EVALS),
    ),
    Area.PROMPTS: _below(
        BASE_PATH,
        Endpoint("create_prompt", "POST", "/prompts", P.MANAGE_PROMPTS, status=201, audit="prompt.created",
                 reads=REPLAYS | PROMPTS, writes=REPLAYS | PROMPTS | AUDIT),
        Endpoint("list_prompts", "GET", "/prompts", P.READ_PROMPTS, reads=PROMPTS),
        Endpoint("get_prompt", "GET", "/prompts/{prompt_id}", P.READ_PROMPTS, reads=PROMPTS),
        Endpoint("update_prompt", "PUT", "/prompts/{prompt_id}", P.MANAGE_PROMPTS, audit="prompt.updated",
                 reads=PROMPTS, writes=PROMPTS | AUDIT),
        Endpoint("delete_prompt", "DELETE", "/prompts/{prompt_id}", P.MANAGE_PROMPTS, status=204, audit="prompt.deleted",
                 reads=PROMPTS, writes=PROMPTS | AUDIT),
        Endpoint("list_prompt_versions", "GET", "/prompts/{prompt_id}/versions", P.READ_PROMPTS, reads=PROMPTS),
        Endpoint("get_prompt_version", "GET", "/prompts/{prompt_id}/versions/{version}", P.READ_PROMPTS, reads=PROMPTS),
        Endpoint("diff_prompt_versions", "GET", "/prompts/{prompt_id}/versions/{version}/diff/{other}", P.READ_PROMPTS,
                 reads=PROMPTS),
        Endpoint("render_prompt", "POST", "/prompts/{prompt_id}/render", P.RENDER_PROMPTS, memory_mb=1024, counts=True,
                 reads=PROMPTS),
        Endpoint("move_label", "PUT", "/prompts/{prompt_id}/labels/{label}", P.MANAGE_PROMPTS, audit="label.moved",
                 reads=PROMPTS | EVALS, writes=PROMPTS | AUDIT),
        Endpoint("delete_label", "DELETE", "/prompts/{prompt_id}/labels/{label}", P.MANAGE_PROMPTS, status=204,
                 audit="label.deleted", reads=PROMPTS, writes=PROMPTS | AUDIT),
        Endpoint("run_prompt_tests", "POST", "/prompts/{prompt_id}/tests", P.TEST_PROMPTS, memory_mb=1024,
                 reads=ASKS | PROMPTS | EVALS, writes=ANSWERS | EVALS | QUEUE | EVENTS),
        Endpoint("list_prompt_tests", "GET", "/prompts/{prompt_id}/tests", P.TEST_PROMPTS, reads=PROMPTS | EVALS),
        Endpoint("get_prompt_test", "GET", "/prompts/{prompt_id}/tests/{run_id}", P.TEST_PROMPTS, reads=PROMPTS | EVALS),
        Endpoint("get_prompt_performance", "GET", "/prompts/{prompt_id}/performance", P.READ_PERFORMANCE, memory_mb=1024,
                 reads=PROMPTS | EVALS | QUERY_INDEX | USAGE),
    ),
    Area.USAGE: _below(
        BASE_PATH,
        Endpoint("list_audit", "GET", "/audit", P.READ_AUDIT, reads=AUDIT),
        Endpoint("get_usage", "GET", "/usage", P.READ_USAGE, memory_mb=1024, reads=QUERY_INDEX | USAGE),
    ),
    # Other vendors' APIs, for their own clients. Answers that are not streamed may take as long as those that are.
    Area.DROP_IN: _below(
        DROP_IN_PATH,
        Endpoint("create_chat_completion", "POST", "/chat/completions", P.RUN_QUERIES, dialect=D.OPENAI, memory_mb=1024,
                 timeout_s=900, streams=True, reads=ASKS | PROMPTS, writes=ANSWERS | EVENTS),
        Endpoint("create_response", "POST", "/responses", P.RUN_QUERIES, dialect=D.OPENAI, memory_mb=1024, timeout_s=900,
                 streams=True, reads=ASKS | PROMPTS, writes=ANSWERS | EVENTS),
        Endpoint("create_embeddings", "POST", "/embeddings", P.RUN_QUERIES, dialect=D.OPENAI, memory_mb=1024,
                 timeout_s=900, streams=True, reads=ASKS, writes=ANSWERS | EVENTS),
        Endpoint("list_models", "GET", "/models", P.RUN_QUERIES, dialect=D.OPENAI, reads=PROVIDERS | PROMPTS),
        Endpoint("get_model", "GET", "/models/{model}", P.RUN_QUERIES, dialect=D.OPENAI, rest=True,
                 reads=PROVIDERS | PROMPTS),
        Endpoint("create_message", "POST", "/messages", P.RUN_QUERIES, dialect=D.ANTHROPIC, memory_mb=1024, timeout_s=900,
                 streams=True, reads=ASKS | PROMPTS, writes=ANSWERS | EVENTS),
        Endpoint("count_message_tokens", "POST", "/messages/count_tokens", P.RUN_QUERIES, dialect=D.ANTHROPIC, memory_mb=1024,
                 counts=True, reads=PROVIDERS | CREDENTIALS | PROMPTS | LIMITS, writes=LIMITS),
    ),
}

WORKERS: Final = (
    Worker("process_query", "queries", memory_mb=1024, max_concurrency=10,
           reads=ASKS | KEYS | PROMPTS | EVALS | QUERY_INDEX, writes=ANSWERS | QUEUE | EVENTS | EVALS | SHREDDED),
    Worker("bury_query", "dead_letters", timeout_s=60, reads=QUERY_STATE | LIMITS | EVALS,
           writes=QUERY_STATE | QUEUE | LIMITS | EVALS),
)

SCHEDULES: Final = (
    Schedule("append_denials", 1, reads=LIMITS, writes=LIMITS | AUDIT),
    Schedule("judge_canaries", 1, memory_mb=1024, reads=PROMPTS | EVALS | QUERY_INDEX | USAGE,
             writes=PROMPTS | AUDIT | EVENTS),
    Schedule("roll_up_usage", 5, memory_mb=1024, reads=QUERY_INDEX | USAGE, writes=USAGE),
    Schedule("keep_audit", 60, reads=AUDIT | AUDIT_ARCHIVE, writes=AUDIT_ARCHIVE),
)
# fmt: on

ENDPOINTS: Final = tuple(chain.from_iterable(AREAS.values()))
ROWS: Final[tuple[Row, ...]] = (*ENDPOINTS, *WORKERS, *SCHEDULES)
_BY_NAME: Final = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def endpoint(name: str) -> Endpoint:
    """The row named `name`. Raises KeyError for a name that the table does not have."""
    return _BY_NAME[name]
