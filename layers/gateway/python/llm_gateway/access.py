"""What a row of the endpoint table is made of: who may call, what is touched, where it is deployed, in which dialect."""

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What a role may be allowed to do; `domain.keys` says which role may."""

    MANAGE_PROVIDERS = "manage_providers"
    READ_PROVIDERS = "read_providers"
    READ_PROVIDER_STATUS = "read_provider_status"
    RUN_QUERIES = "run_queries"
    READ_QUERY_STATUS = "read_query_status"
    READ_QUERY_CONTENT = "read_query_content"
    MANAGE_KEYS = "manage_keys"
    READ_KEYS = "read_keys"
    READ_OWN_KEY = "read_own_key"
    READ_AUDIT = "read_audit"
    READ_USAGE = "read_usage"
    READ_ALL_USAGE = "read_all_usage"
    MANAGE_PROMPTS = "manage_prompts"
    READ_PROMPTS = "read_prompts"
    RENDER_PROMPTS = "render_prompts"
    TEST_PROMPTS = "test_prompts"
    READ_PERFORMANCE = "read_performance"


class Resource(StrEnum):
    """Something that is stored or sent, and that a function must be granted before it can touch it."""

    KEYS = "keys"
    PROVIDERS = "providers"
    QUERIES = "queries"
    QUERY_STATE = "query_state"
    QUERY_INDEX = "query_index"
    LIMITS = "limits"
    CACHE = "cache"
    BODIES = "bodies"
    CREDENTIALS = "credentials"
    QUEUE = "queue"
    AUDIT = "audit"
    AUDIT_ARCHIVE = "audit_archive"
    EVENTS = "events"
    USAGE = "usage"
    PROMPTS = "prompts"
    EVALS = "evals"
    SEALS = "seals"
    SHREDDED = "shredded"


QUERY_BODIES: Final = "queries/"
CACHED_BODIES: Final = "cache/"
ENDING_BODIES: Final = (QUERY_BODIES, CACHED_BODIES)
"""What the names of large bodies begin with. Those in `ENDING_BODIES` are deleted when queries are; any other stays."""
SHORTER_BODIES: Final = {days: f"queries-{days}d/" for days in (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 180)}
"""Those of queries whose key has them kept for less, by the days after which they are deleted."""

SEALING: Final = "sealing"
"""What the secrets of sealed words are wrapped for: a function itself may use the key of KMS for this, and for nothing else."""

AUDIT_DAYS: Final = "entries/"
"""What the names of the audit log's exported days begin with."""

PAGE_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
PAGE_SENDS: Final = (
    *("Anthropic-Beta", "Anthropic-Dangerous-Direct-Browser-Access", "Anthropic-Version", "Authorization"),
    *("Content-Digest", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-Id", "OpenAI-Organization"),
    *("OpenAI-Project", "Signature", "Signature-Input", "Traceparent", "User-Agent", "X-Api-Key"),
    # The vendors' clients say with each request what they are, and which of their helpers sends it.
    *(f"X-Stainless-{what}" for what in ("Arch", "Custom-Poll-Interval", "Helper", "Helper-Method", "Lang", "Os")),
    *(f"X-Stainless-{what}" for what in ("Package-Version", "Poll-Helper", "Retry-Count", "Runtime")),
    *(f"X-Stainless-{what}" for what in ("Runtime-Version", "Timeout")),
)
"""The headers that a page of another origin may send, where its origin may call the API from a browser."""
PAGE_READS: Final = (
    *("ETag", "Idempotent-Replayed", "Location", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    *("Request-Id", "Retry-After", "X-Gateway-Cost-Usd", "X-Gateway-Overhead-Ms", "X-Gateway-Provider"),
    *("X-Gateway-Query-Id", "X-Request-Id", "X-Should-Retry"),
)
"""The headers of an answer that such a page may read."""
PAGE_MAX_AGE_S: Final = 7200
"""For so long a browser does not ask again; no browser remembers it for longer."""

_METRICS_NAMESPACE: Final = "LlmGateway"
SERVER_ERRORS: Final = "ServerErrors"
"""The metric of what nobody foresaw, by `function` and `version`; a release that answers so is taken back."""


OVERHEAD_GOAL_MS: Final = 100
"""What the gateway may take of a query beside its provider: 95 of 100 queries are to take less."""

EVENT_SOURCE: Final = "llm-gateway"
BUDGET_DETAIL_TYPE: Final = "Budget reached"
CANARY_DETAIL_TYPE: Final = "Canary rolled back"
"""By these the gateway's events are known on the bus."""


def metrics_namespace(deployment: str = "") -> str:
    """Where the metrics of a deployment are, by the name that its functions' names begin with; those of a plain process: "".

    Each has its own: an alarm of production must not ring for what is tried beside it.
    """
    return f"{_METRICS_NAMESPACE}/{deployment}" if deployment else _METRICS_NAMESPACE


class Area(StrEnum):
    """A part of the API whose functions are deployed together, as the stack of this name."""

    PUBLIC = "public"
    PROVIDERS = "providers"
    QUERIES = "queries"
    PROMPTS = "prompts"
    KEYS = "keys"
    USAGE = "usage"
    DROP_IN = "drop-in"


class Dialect(StrEnum):
    """Whose API a route speaks, in what it takes, what it answers and how it tells errors."""

    NATIVE = "native"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


NOTHING: Final[frozenset[Resource]] = frozenset()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route and the Lambda behind it. `permission=None` makes it public; authentication grants are added to all others.

    One that `waits` may do so for a query that others work on: a deployment can keep it apart from those that ask.
    One that `counts` tokens without asking a provider has the tokenizers at hand, as those that ask have.
    `rest` says that the last step of the path stands for all that follows, slashes too.
    `audit` is the action that the audit log calls a change of administration: "provider.created". None: it changes none.
    """

    name: str
    method: str
    path: str
    permission: Permission | None
    _: KW_ONLY
    reads: frozenset[Resource] = NOTHING
    writes: frozenset[Resource] = NOTHING
    memory_mb: int = 512
    timeout_s: int = 29
    status: int = 200
    streams: bool = False
    waits: bool = False
    counts: bool = False
    rest: bool = False
    dialect: Dialect = Dialect.NATIVE
    audit: str | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the route answers: monitors ask for what is public without wanting its body."""
        return ("GET", "HEAD") if self.permission is None and self.method == "GET" else (self.method,)


@dataclass(frozen=True, slots=True)
class Worker:
    """One Lambda that a queue feeds; `queue` names it. `max_concurrency` bounds how many each queue of that name runs at once."""

    name: str
    queue: str
    _: KW_ONLY
    reads: frozenset[Resource] = NOTHING
    writes: frozenset[Resource] = NOTHING
    memory_mb: int = 512
    timeout_s: int = 900
    batch_size: int = 1
    max_concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """One Lambda that runs by the clock, at least once every so many minutes."""

    name: str
    every_min: int
    _: KW_ONLY
    reads: frozenset[Resource] = NOTHING
    writes: frozenset[Resource] = NOTHING
    memory_mb: int = 512
    timeout_s: int = 300


Row = Endpoint | Worker | Schedule
