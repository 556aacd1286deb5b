"""The table of endpoints: what is public, who may call the rest, and what each may touch.

FastAPI takes route and permission from a row, CDK takes method, path, size and least-privilege grants from the same row.
A row is named like its file in `functions/` and like its Lambda.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BASE_PATH: Final = "/api/v1/llm"


class Permission(StrEnum):
    """What a role may be allowed to do; `domain.keys` says which role may."""

    MANAGE_PROVIDERS = "manage_providers"
    READ_PROVIDERS = "read_providers"
    READ_PROVIDER_STATUS = "read_provider_status"
    RUN_QUERIES = "run_queries"
    READ_QUERY_STATUS = "read_query_status"
    READ_QUERY_CONTENT = "read_query_content"


class Resource(StrEnum):
    """Something that is stored or sent, and that a function must be granted before it can touch it."""

    KEYS = "keys"
    PROVIDERS = "providers"
    QUERIES = "queries"
    LIMITS = "limits"
    CACHE = "cache"
    BODIES = "bodies"
    CREDENTIALS = "credentials"
    QUEUE = "queue"


R = Resource
NOTHING: Final[frozenset[Resource]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One route and the Lambda behind it. `permission=None` makes it public; authentication grants are added to all others."""

    name: str
    method: str
    path: str
    permission: Permission | None
    reads: frozenset[Resource] = NOTHING
    writes: frozenset[Resource] = NOTHING
    memory_mb: int = 512
    timeout_s: int = 29
    status: int = 200
    streams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One Lambda that a queue feeds; `queue` names it, `max_concurrency` bounds how many it runs at once."""

    name: str
    queue: str
    reads: frozenset[Resource] = NOTHING
    writes: frozenset[Resource] = NOTHING
    memory_mb: int = 512
    timeout_s: int = 900
    batch_size: int = 1
    max_concurrency: int | None = None


_ASKS = frozenset({R.PROVIDERS, R.CREDENTIALS, R.QUERIES, R.LIMITS, R.CACHE, R.BODIES})
_ANSWERS = frozenset({R.QUERIES, R.LIMITS, R.CACHE, R.BODIES})

ENDPOINTS: Final = (
    # Public: nothing behind these is anybody's.
    Endpoint(name="get_health", method="GET", path="/health", permission=None, memory_mb=256),
    Endpoint(name="get_openapi", method="GET", path="/openapi.json", permission=None, memory_mb=256),
    Endpoint(name="get_docs", method="GET", path="/docs", permission=None, memory_mb=256),
    # Providers
    Endpoint(
        name="create_provider",
        method="POST",
        path=f"{BASE_PATH}/providers",
        permission=Permission.MANAGE_PROVIDERS,
        status=201,
        reads=frozenset({R.CACHE, R.BODIES}),
        writes=frozenset({R.PROVIDERS, R.CREDENTIALS, R.CACHE, R.BODIES}),
    ),
    Endpoint(
        name="list_providers",
        method="GET",
        path=f"{BASE_PATH}/providers",
        permission=Permission.READ_PROVIDERS,
        reads=frozenset({R.PROVIDERS}),
    ),
    Endpoint(
        name="get_provider",
        method="GET",
        path=f"{BASE_PATH}/providers/{{provider_id}}",
        permission=Permission.READ_PROVIDERS,
        reads=frozenset({R.PROVIDERS}),
    ),
    Endpoint(
        name="update_provider",
        method="PUT",
        path=f"{BASE_PATH}/providers/{{provider_id}}",
        permission=Permission.MANAGE_PROVIDERS,
        reads=frozenset({R.PROVIDERS}),
        writes=frozenset({R.PROVIDERS, R.CREDENTIALS}),
    ),
    Endpoint(
        name="delete_provider",
        method="DELETE",
        path=f"{BASE_PATH}/providers/{{provider_id}}",
        permission=Permission.MANAGE_PROVIDERS,
        status=204,
        reads=frozenset({R.PROVIDERS}),
        writes=frozenset({R.PROVIDERS, R.CREDENTIALS}),
    ),
    Endpoint(
        name="get_provider_status",
        method="GET",
        path=f"{BASE_PATH}/providers/{{provider_id}}/status",
        permission=Permission.READ_PROVIDER_STATUS,
        reads=frozenset({R.PROVIDERS, R.CREDENTIALS, R.LIMITS}),
        writes=frozenset({R.LIMITS}),
        memory_mb=1024,
    ),
    # Queries
    Endpoint(
        name="run_query",
        method="POST",
        path=f"{BASE_PATH}/query",
        permission=Permission.RUN_QUERIES,
        reads=_ASKS,
        writes=_ANSWERS | {R.QUEUE},
        memory_mb=1024,
    ),
    Endpoint(
        name="stream_query",
        method="POST",
        path=f"{BASE_PATH}/query/stream",
        permission=Permission.RUN_QUERIES,
        reads=_ASKS,
        writes=_ANSWERS,
        memory_mb=1024,
        timeout_s=900,
        streams=True,
    ),
    Endpoint(
        name="resume_query_stream",
        method="GET",
        path=f"{BASE_PATH}/query/{{query_id}}/stream",
        permission=Permission.READ_QUERY_CONTENT,
        reads=frozenset({R.QUERIES, R.BODIES}),
        timeout_s=900,
        streams=True,
    ),
    Endpoint(
        name="cancel_query",
        method="POST",
        path=f"{BASE_PATH}/query/{{query_id}}/cancel",
        permission=Permission.RUN_QUERIES,
        reads=frozenset({R.QUERIES}),
        writes=frozenset({R.QUERIES}),
    ),
    Endpoint(
        name="erase_query",
        method="DELETE",
        path=f"{BASE_PATH}/query/{{query_id}}",
        permission=Permission.READ_QUERY_CONTENT,
        status=204,
        reads=frozenset({R.QUERIES, R.CACHE, R.BODIES}),
        writes=frozenset({R.QUERIES, R.CACHE, R.BODIES}),
    ),
    Endpoint(
        name="get_query_status",
        method="GET",
        path=f"{BASE_PATH}/query/{{query_id}}/status",
        permission=Permission.READ_QUERY_STATUS,
        reads=frozenset({R.QUERIES}),
    ),
    Endpoint(
        name="get_query_result",
        method="GET",
        path=f"{BASE_PATH}/query/{{query_id}}/result",
        permission=Permission.READ_QUERY_CONTENT,
        reads=frozenset({R.QUERIES, R.BODIES}),
    ),
)

WORKERS: Final = (
    Worker(
        name="process_query",
        queue="queries",
        reads=_ASKS,
        writes=_ANSWERS | {R.QUEUE},
        memory_mb=1024,
        max_concurrency=20,
    ),
    Worker(
        name="bury_query",
        queue="dead_letters",
        reads=frozenset({R.QUERIES}),
        writes=frozenset({R.QUERIES, R.QUEUE}),
        timeout_s=60,
    ),
)

_BY_NAME: Final = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def endpoint(name: str) -> Endpoint:
    """The row named `name`. Raises KeyError for a name that the table does not have."""
    return _BY_NAME[name]
