"""What a gateway answers.

Written by `make openapi` from the gateway's own description of its API; do not edit.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from llm_gateway_client.reading import Answer

Api = Literal["auto", "responses", "chat_completions"] | str


class ApiKey(Answer):
    """A key. `last_used_at` may lag by five minutes; `hint` is the end of its secret."""

    allow: KeyAllowed
    """What it may ask for."""
    budget_usd: KeyBudget | None
    """What all its queries together may cost. Null: no budget."""
    created_at: str
    """When it was made, RFC 3339 in UTC."""
    expires_at: str | None
    """When it ends, RFC 3339 in UTC. Null: never."""
    hint: str
    """The end of its secret, to tell it from others."""
    id: str
    """Its id, which sorts by the time it was made."""
    last_used_at: str | None
    """When it was last used, up to five minutes late. Null: never."""
    limits: KeyLimits
    """What all its queries together may take."""
    log_bodies: float
    """The share of its queries, 0 to 1, whose words go to the log, redacted."""
    name: str
    """The name for people; two keys may have the same."""
    pii: list[PiiRule]
    """What is done where personal data is found."""
    require_signature: bool
    """Whether its requests must be signed, so that its bare secret opens nothing."""
    retention_days: int | None
    """For how many days its queries are kept. Null: as long as the deployment keeps any."""
    revision: int
    """Counts the changes; it is the `ETag` too."""
    role: Role
    """What it may do. A `caller` asks queries, and manages nothing."""
    status: KeyStatus
    """Whether its secret opens the door now."""
    tags: list[str]
    """Usage is summed up for each of them."""
    updated_at: str
    """When it was last changed, RFC 3339 in UTC."""


class AssertionResult(Answer):
    """What became of an assertion."""

    detail: str | None
    """What was found. Of a run with more than 100 cases, only of those that did not pass, and short."""
    passed: bool
    """Whether it passed."""
    type: str
    """The assertion's type."""


AttemptOutcome = Literal["ok", "error", "skipped", "cancelled"] | str


class AuditActor(Answer):
    """Who did it. Without a key, nobody who could be recognised; the address is the network's."""

    address: str | None
    """The network address that the request came from; `command-line` for somebody at a shell."""
    key_id: str | None
    """The key's id. Null: no key was recognised."""
    role: str | None
    """The role that the key had then."""


class AuditEntry(Answer):
    """One entry. `hash` is the SHA-256 of all the rest, as JSON with sorted names, without white space, in UTF-8."""

    action: str
    """What was done, such as `provider.updated`, or the kind of what was denied."""
    actor: AuditActor
    """Who did it, or was denied it."""
    after: dict[str, Any] | None
    """The thing as it is since, told like `before`. Of denials, the minute that they are counted in."""
    at: str
    """When it was entered, RFC 3339 in UTC. Never earlier than the entry before."""
    before: dict[str, Any] | None
    """The thing as it was, secrets as fingerprints. Over 32 KB: its SHA-256 and the names that changed."""
    count: int
    """How many denials of one kind within a minute this is. 1 for what was done."""
    hash: str
    """The SHA-256, in hexadecimal digits, of all the other members: as JSON, names sorted, no white space, in UTF-8."""
    id: str
    """Counts the entries from 1, without a gap."""
    outcome: Literal["done", "denied"] | str
    """Whether it was done or denied."""
    previous_hash: str
    """The `hash` of the entry before; 64 zeros in the first."""
    request_id: str | None
    """The `X-Request-Id` of the request; of several denials, the last one's."""
    target: str | None
    """The id of the thing; of a denial by a known key, the endpoint."""


class AuditList(Answer):
    """Some of the log's entries, newest first. Of a search by actor or action, a page may be short and have a next one."""

    items: list[AuditEntry]
    """Some of the entries, newest first."""
    next_cursor: str | None
    """Asks for the next page. Null: there is none. A page may be short and still have a next one."""


class BudgetState(Answer):
    """Where a budget stands in the period that ends at `resets_at`; reserved is what queries that still run may cost."""

    remaining_usd: str
    """What may still be spent."""
    reserved_usd: str
    """What queries that still run may cost."""
    resets_at: str
    """When the period ends."""
    spent_usd: str
    """What was spent in this period, a decimal text in US dollars."""


class CacheControl(Answer):
    """Asks a provider that caches prompts on request to cache everything up to this part."""

    ttl: Literal["5m", "1h"] | str | None = None
    """How long the provider keeps it. Default: "5m"."""
    type: Literal["ephemeral"]
    """Always `ephemeral`."""


class CacheResult(Answer):
    """Whether the answer came from the gateway's cache."""

    age_s: int | None = None
    """How old it is."""
    hit: bool
    """Whether the answer came from the cache."""
    saved_usd: str | None = None
    """What asking again would have cost."""


Capability = (
    Literal[
        "images",
        "tools",
        "json",
        "json_schema",
        "streaming",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "files",
        "audio",
        "reasoning",
        "logprobs",
    ]
    | str
)


class CircuitPolicy(Answer):
    """After so many failures in a row the provider is left alone for the cooldown."""

    cooldown_s: float | None = None
    """Seconds until one call may try again. Default: 30."""
    failure_threshold: int | None = None
    """After so many failures in a row nobody asks it. Default: 5."""


CircuitState = Literal["closed", "open", "half_open"] | str


class ContextItemResult(Answer):
    """What became of an item."""

    duplicate_of: str | None
    """The id of the item that says the same, where it is a `duplicate`."""
    id: str
    """The item's id."""
    outcome: Literal["included", "truncated", "dropped"] | str
    """Whether it was sent."""
    reason: str | None
    """Why it was not sent whole: `no_room`, `duplicate` or `empty`; null where it was."""
    score: float | None
    """How well it matches the question, of all items the best one 1; null where nothing was ranked."""
    tokens: int
    """The tokens of what was sent of it, without marks."""


class ContextResult(Answer):
    """What was sent of a query's context to the model that answered."""

    dropped: list[str]
    """The ids of items that were not sent."""
    exact: bool
    """Whether the tokens are counted by the model's own tokenizer; otherwise they are estimated, rather too high."""
    included: list[str]
    """The ids of items that were sent whole."""
    items: list[ContextItemResult]
    """Every item, in the order of the query."""
    tokens: int
    """What the items took, marks included."""
    truncated: list[str]
    """The ids of items of which a part was sent."""


class Credentials(Answer):
    """All that is ever told of credentials."""

    configured: bool
    """Whether a key is stored."""
    hint: str | None = None
    """The key's end, to tell it from others. Null to callers."""
    updated_at: str | None = None
    """When it was last sent."""


class DeltaEvent(Answer):
    """`delta`: a piece of the answer."""

    text: str
    """The next piece of the answer."""


class Erasure(Answer):
    """How far an erasure has come."""

    completed_at: str | None
    """When it was done, or failed. Null: it is not yet."""
    created_at: str
    """When it was asked for: what came in before goes."""
    erased: int
    """How many queries are gone so far."""
    failed: int | None = None
    """How many would not go. They are tried again a quarter of an hour after it was asked for. Default: 0."""
    id: str
    """The erasure's id."""
    status: ErasureStatus
    """`running`, `finished`, or `failed`: it ended, and something is left. Ask for another one then."""


ErasureStatus = Literal["running", "finished", "failed"] | str


class FeedbackSum(Answer):
    """Scores from 0 to 1; `mean` is null where there are none."""

    count: int
    """How many scores there are."""
    mean: float | None
    """Their mean, from 0 to 1. Null: there is none."""


class FieldProblem(Answer):
    """What is wrong with one field."""

    field: str
    """A path into the body, or the name of a header or a parameter."""
    message: str
    """What it must be."""


FinishReason = Literal["stop", "length", "tool_calls", "content_filter"] | str


class HealthCheck(Answer):
    """The gateway answers."""

    status: Literal["ok"]
    """Always `ok`."""


class KeyAllowed(Answer):
    """What the key may ask for; null is everything, an empty list nothing. A model may end in `*`."""

    models: list[str] | None = None
    """The models' names, of which the last character may be `*` for any ending; at most 200. Null: every model; empty:
    none.
    """
    providers: list[str] | None = None
    """The providers' ids; at most 200. Null: every provider; empty: none."""


class KeyBudget(Answer):
    """A key's budget."""

    allow_unpriced: bool
    """Whether models without a known price may be asked."""
    amount: str
    """US dollars, a decimal text such as `25.00`."""
    period: Period
    """How long it is for, in UTC: each day from midnight, or each month from its first day."""


class KeyIssued(Answer):
    """A key with its secrets, which are shown this once: a replay under the same Idempotency-Key has null in their
    place, and says so in `warnings`.
    """

    allow: KeyAllowed
    """What it may ask for."""
    budget_usd: KeyBudget | None
    """What all its queries together may cost. Null: no budget."""
    created_at: str
    """When it was made, RFC 3339 in UTC."""
    expires_at: str | None
    """When it ends, RFC 3339 in UTC. Null: never."""
    hint: str
    """The end of its secret, to tell it from others."""
    id: str
    """Its id, which sorts by the time it was made."""
    last_used_at: str | None
    """When it was last used, up to five minutes late. Null: never."""
    limits: KeyLimits
    """What all its queries together may take."""
    log_bodies: float
    """The share of its queries, 0 to 1, whose words go to the log, redacted."""
    name: str
    """The name for people; two keys may have the same."""
    pii: list[PiiRule]
    """What is done where personal data is found."""
    require_signature: bool
    """Whether its requests must be signed, so that its bare secret opens nothing."""
    retention_days: int | None
    """For how many days its queries are kept. Null: as long as the deployment keeps any."""
    revision: int
    """Counts the changes; it is the `ETag` too."""
    role: Role
    """What it may do. A `caller` asks queries, and manages nothing."""
    secret: str | None
    """Sent as `Authorization: Bearer <secret>` or as `X-Api-Key`. Shown this once; null in a replay."""
    signing_secret: str | None
    """Requests are signed with it, and it is never sent. Shown this once; null in a replay."""
    status: KeyStatus
    """Whether its secret opens the door now."""
    tags: list[str]
    """Usage is summed up for each of them."""
    updated_at: str
    """When it was last changed, RFC 3339 in UTC."""
    warnings: list[str]
    """What a client should know: in a replay, how to come by new secrets."""


class KeyLimits(Answer):
    """Never more than so many in any 60 seconds, at most `burst` requests at once (a fifth of them where it is null).
    Null is no limit.
    """

    burst: int | None = None
    """How many queries may come at once. Null: a fifth of `requests_per_minute`, at least 1."""
    requests_per_minute: int | None = None
    """How many queries in any 60 seconds at most. Null: no limit."""
    tokens_per_minute: int | None = None
    """How many tokens in any 60 seconds at most, questions and answers together. Null: no limit."""


class KeyList(Answer):
    """Some of the keys, the oldest first. Where keys were revoked long ago, a page may be short and have a next one."""

    items: list[ApiKey]
    """The keys of this page."""
    next_cursor: str | None
    """What to send as `cursor` for the next page; null on the last one."""


KeyStatus = Literal["active", "revoked", "expired"] | str


class Label(Answer):
    """A label. `version` is null while it has several; `history` has its last 20 moves, newest first."""

    gate: LabelGate | None
    """What it asks of versions; null: nothing."""
    history: list[LabelMove]
    """Its last 20 moves, newest first."""
    revision: int
    """Counts the label's changes; it is its `ETag` too."""
    rolled_back: LabelRollback | None
    """The version that lost its weight by itself, until the label is moved again; null: none did."""
    version: int | None
    """The version that it leads to; null while it leads to several."""
    versions: dict[str, int]
    """The versions that it leads to, each with its weight."""


class LabelGate(Answer):
    """What the label asks of versions: `tests` of those that it is moved to, the rest of the lighter ones under
    weights.
    """

    max_cost_ratio: float | None = None
    """The cost of a query, by that of the heaviest version's, above which it does. Null: no bound."""
    max_error_rate: float | None = None
    """The share of failed queries, 0 to 1, above which a lighter version loses its weight. Null: no bound."""
    max_p95_ms: int | None = None
    """The 95th percentile of latency, in milliseconds, above which it does. Null: no bound."""
    max_validation_failure_rate: float | None = None
    """The share of answers, 0 to 1, without the asked form, above which it does. Null: no bound."""
    min_feedback: float | None = None
    """The mean feedback, 0 to 1, below which it does. Null: no bound."""
    min_requests: int | None = None
    """How many queries a version has to have had before it is judged. Null: 50."""
    tests: bool | None = None
    """Whether versions that the label is moved to need a passed newest run of the suite, made since neither changed.
    Null: false.
    """


class LabelMove(Answer):
    """One move of a label."""

    at: str
    """When it moved, RFC 3339 in UTC."""
    by: str
    """The id of the key that moved it."""
    reason: str | None
    """What the move was for; null where nothing was said."""
    versions: dict[str, int]
    """The versions that it led to from then on, each with its weight."""


class LabelRollback(Answer):
    """The version that lost its weight by itself, and the bound that it broke."""

    at: str
    """When that was, RFC 3339 in UTC."""
    reason: str
    """The bound that it broke."""
    version: int
    """The version that lost its weight."""


class LatencyPercentiles(Answer):
    """Percentiles of the milliseconds that queries took, those from the cache left out; null where there were none."""

    p50: int | None
    """Half of them took no longer."""
    p95: int | None
    """Of a hundred, 95 took no longer."""
    p99: int | None
    """Of a hundred, 99 took no longer."""


class LatencyQuantiles(Answer):
    """Milliseconds; null where nothing was answered."""

    p50: int | None = None
    """Half of the calls took at most so many milliseconds."""
    p95: int | None = None
    """95 % of the calls took at most so many milliseconds."""
    p99: int | None = None
    """99 % of the calls took at most so many milliseconds."""


class ListedQuery(Answer):
    """A query of a list. `provider` is who answered, or else who was asked last; all three are null before anybody was."""

    attempts: int
    """How often it was taken up to be answered; each time several calls may be made."""
    completed_at: str | None
    """When it ended."""
    cost_usd: str | None
    """What it cost, in US dollars. Null: nobody knows, or it has not ended."""
    created_at: str
    """When it came in."""
    error: Problem | None
    """Why it failed; null where it did not."""
    id: str
    """The query's id."""
    key: str
    """Whose query it is, by the key's id."""
    model: str | None
    """The model that answered, or else was asked last."""
    prompt: PromptUsed | None
    """The version of a prompt that it was made from; null for none."""
    provider: str | None
    """Who answered, or else was asked last. Null: nobody was, or it has not ended."""
    started_at: str | None
    """When somebody began to work on it for the first time; null where nobody has."""
    status: QueryState
    """Where it stands."""


class ListedTestRun(Answer):
    """A run without its results. `passed`, `failed`, `pass_rate` and `cost_usd` are there once it has ended."""

    candidates: list[str]
    """As they were asked for."""
    completed_at: str | None
    """When it ended. Null: it has not."""
    cost_usd: str | None
    """What its answers and judges cost, in US dollars. Null: something of it is not known, or it has not ended."""
    created_at: str
    """When it began."""
    failed: int | None
    """How many did not."""
    mode: str
    """As it was asked for."""
    pass_rate: float | None
    """The share of cases that passed."""
    passed: int | None
    """How many cases passed. Null: it has not ended."""
    problem: str | None
    """Why it failed. Null: it did not."""
    prompt_id: str
    """The prompt's id."""
    repeat: int
    """How often each test is asked."""
    run_id: str
    """The run's id."""
    status: str
    """`running`, `finished`, or `failed`: then it could not be done, and `problem` says why."""
    version: int
    """The version that was asked."""
    whole: bool
    """Whether all of the prompt's tests are in it."""


Location = Literal["account", "vendor"] | str


class MessageDiff(Answer):
    """A message that differs, as a unified diff."""

    index: int
    """Its place in the template's messages, from 0."""
    unified: str
    """The unified diff."""


class ModelConfig(Answer):
    """A model as it is configured."""

    aliases: list[str]
    """Other names that a query may ask for it by; at most 20. Empty by default."""
    cache_write_usd_per_mtok: str | None
    """US dollars for a million tokens put into the vendor's cache. Null: as the price table says."""
    cached_input_usd_per_mtok: str | None
    """US dollars for a million tokens from the vendor's cache. Null: as the price table says."""
    capabilities: list[Capability] | None
    """What the model can take. Null: as the gateway's own table says; a list takes the place of that."""
    context_window: int | None
    """How many tokens a question and its answer may have together. Null: as the gateway's own table says."""
    input_usd_per_mtok: str | None
    """US dollars for a million input tokens. Null: as the price table says."""
    max_output_tokens: int | None
    """How many tokens an answer may have at most. Null: as the gateway's own table says."""
    name: str
    """The model's name, as the vendor's API takes it."""
    output_usd_per_mtok: str | None
    """US dollars for a million output tokens. Null: as the price table says."""


class OutputToolCall(Answer):
    """A tool call that the model asks for; `arguments` is a JSON text."""

    arguments: str
    """Its arguments, a JSON text."""
    id: str
    """What the tool's answer must refer to."""
    name: str
    """The function's name."""


class OwnKey(Answer):
    """The caller's own key; `budget` is null for a key without one."""

    allow: KeyAllowed
    """What it may ask for."""
    budget: BudgetState | None
    """Where its budget stands in this period; null where it has none."""
    budget_usd: KeyBudget | None
    """What all its queries together may cost. Null: no budget."""
    created_at: str
    """When it was made, RFC 3339 in UTC."""
    expires_at: str | None
    """When it ends, RFC 3339 in UTC. Null: never."""
    hint: str
    """The end of its secret, to tell it from others."""
    id: str
    """Its id, which sorts by the time it was made."""
    last_used_at: str | None
    """When it was last used, up to five minutes late. Null: never."""
    limits: KeyLimits
    """What all its queries together may take."""
    log_bodies: float
    """The share of its queries, 0 to 1, whose words go to the log, redacted."""
    name: str
    """The name for people; two keys may have the same."""
    pii: list[PiiRule]
    """What is done where personal data is found."""
    require_signature: bool
    """Whether its requests must be signed, so that its bare secret opens nothing."""
    retention_days: int | None
    """For how many days its queries are kept. Null: as long as the deployment keeps any."""
    revision: int
    """Counts the changes; it is the `ETag` too."""
    role: Role
    """What it may do. A `caller` asks queries, and manages nothing."""
    status: KeyStatus
    """Whether its secret opens the door now."""
    tags: list[str]
    """Usage is summed up for each of them."""
    updated_at: str
    """When it was last changed, RFC 3339 in UTC."""


class PartialQueryResponse(Answer):
    """What there was of an answer when its query failed."""

    attempts: list[QueryAttempt]
    """Every call to a provider, and those that were skipped, in their order."""
    cache: CacheResult
    """Whether it came from the gateway's cache."""
    completed_at: str | None
    """When it ended."""
    context: ContextResult | None = None
    """What was sent of the query's context; null where it has none."""
    cost_usd: str | None
    """What all attempts cost together, a decimal text in US dollars; null where the price is not known."""
    created_at: str
    """When it came in."""
    error: Problem
    """Why the answer ends where it does."""
    finish_reason: FinishReason | None
    """Why it stopped there."""
    id: str
    """The query's id, for its status, its result and its stream."""
    latency_ms: QueryMetrics
    """Where the time went."""
    metadata: dict[str, Any]
    """The query's own."""
    model: str
    """The model that answered, as the provider calls it."""
    output: QueryOutput
    """What the model said."""
    prompt: PromptUsed | None
    """The version of the prompt that the query was made from; null where it was made from none."""
    provider: str
    """Who answered."""
    roles: list[RoleUsed]
    """The versions of the roles in its system message, in their order."""
    status: QueryState
    """How it ended."""
    usage: QueryUsage
    """The tokens it took."""
    warnings: list[str]
    """What a client should know: what was left out, or who answered instead."""


Period = Literal["day", "month"] | str


PiiRule = Literal["log", "mask", "local_only", "block"] | str


class PlannedCandidate(Answer):
    """One who would be asked, or would be skipped."""

    detail: str | None
    """Why it would be skipped; null where it would not."""
    estimated_usd: str | None
    """What a budget would reserve for the call, a decimal text in US dollars; null where no price is known."""
    max_usd: str | None
    """What it could cost with the longest answer; null where no price is known."""
    model: str
    """The model that would be asked."""
    outcome: Literal["ready", "skipped"] | str
    """Whether it would be asked if its turn came."""
    provider: str
    """The provider's id."""
    tokens: TokenParts | None
    """The input tokens by part, as the gateway counts them; null where it would be skipped."""


class Problem(Answer):
    """An error. `code` is the stable name to program against; `type` leads to this API's own page about it.
    `provider_message` is what the provider's own error says.
    """

    attempts: list[dict[str, Any]] | None = None
    """What was tried, as in an answer."""
    code: str
    """The stable name to program against."""
    detail: str
    """What happened here, and how to mend it."""
    errors: list[FieldProblem] | None = None
    """Each field that is wrong."""
    provider: str | None = None
    """The provider that failed."""
    provider_message: str | None = None
    """What the provider's own error says; of several candidates the last one's."""
    query_id: str | None = None
    """The query that failed."""
    request_id: str | None = None
    """The request's id, also in `X-Request-Id` and in the log."""
    status: int
    """The HTTP status."""
    title: str
    """What kind of error it is, in words."""
    type: str
    """The address of this API's page about the error."""


class PromptConfig(Answer):
    """A prompt with what its newest version says. `warnings` are what its editor should look at."""

    author: str
    """The id of the key that wrote the newest version."""
    built_in: bool
    """Whether it ships with the gateway."""
    cache_ttl_s: int | None
    """For how many seconds answers to its queries are cached. Null: as long as the deployment keeps any."""
    category: str | None
    """One word to find it by; at most 64 characters. Null: none."""
    commit_message: str | None
    """What the author said of the newest version."""
    content_hash: str
    """SHA-256 of template, defaults and output: equal for equal content."""
    created_at: str
    """When it was made, RFC 3339 in UTC."""
    defaults: PromptDefaults
    """What its queries ask for where they do not say so themselves. They are wishes: left out where a candidate cannot
    take them.
    """
    description: str | None
    """What it is for; at most 2,000 characters. Null: nothing is said."""
    id: str
    """The name that queries use."""
    kind: PromptKind
    """A `prompt` is asked with; a `role` is a system message that others are composed of. Fixed at creation."""
    labels: dict[str, Label]
    """Its labels, by name. `latest` is none of them: it is always the newest version."""
    log_bodies: float | None
    """The share of its queries, 0 to 1, whose words go to the log, redacted. Null: as their key says."""
    name: str
    """The name for people."""
    output: PromptOutput
    """The form of the answers."""
    pii: list[PiiRule]
    """What is done where personal data is found in its queries, beside what their key asks for."""
    revision: int
    """Counts the changes; it is the `ETag` too. Moves of labels are not counted."""
    tags: list[str]
    """Words to find it by."""
    template: PromptTemplate
    """What it says, with places to fill."""
    tests: list[dict[str, Any]]
    """Its test cases, each with what its answer has to be."""
    updated_at: str
    """When it was last changed, RFC 3339 in UTC."""
    version: int
    """The number of its newest version; 0 for a role that ships with the gateway."""
    warnings: list[str]
    """What its editor should look at, after a change."""


class PromptDefaults(Answer):
    """What a query made from the prompt asks for where it does not say so itself; left out where a candidate cannot
    take it.
    """

    model: str | None = None
    """The model to ask, as a query's `model`. Null: none."""
    parameters: QueryParameters | None = None
    """How to generate. Null: nothing is said."""


class PromptDiff(Answer):
    """What leads from one version to another. `system` is null where the system text is the same."""

    messages: list[MessageDiff]
    """The messages that differ."""
    settings: list[SettingDiff]
    """The settings that differ: variables, roles, defaults and output."""
    system: str | None
    """The system text as a unified diff; null where it is the same."""


class PromptImagePart(Answer):
    """An image."""

    cache_control: CacheControl | None = None
    """Asks a provider that caches prompts on request to cache everything up to here. Null: it does not."""
    image_url: PromptImageUrl
    """Where the image is."""
    type: Literal["image_url"]
    """Which part it is."""


class PromptImageUrl(Answer):
    """Where the image is: an address, its bytes as a data URL, or one variable alone, such as `{{ photo }}`."""

    detail: Literal["auto", "low", "high"] | str | None = None
    """How closely it is looked at. Null: as the vendor does."""
    url: str
    """An https address, the bytes as a data URL, or one variable of type `image` alone: `{{ photo }}`."""


PromptKind = Literal["prompt", "role"] | str


class PromptLabel(Answer):
    """A label, as its own resource: its `ETag` is its revision."""

    gate: LabelGate | None
    """What it asks of versions; null: nothing."""
    history: list[LabelMove]
    """Its last 20 moves, newest first."""
    revision: int
    """Counts the label's changes; it is its `ETag` too."""
    rolled_back: LabelRollback | None
    """The version that lost its weight by itself, until the label is moved again; null: none did."""
    version: int | None
    """The version that it leads to; null while it leads to several."""
    versions: dict[str, int]
    """The versions that it leads to, each with its weight."""


class PromptList(Answer):
    """Some of the prompts, by id."""

    items: list[PromptMetadata]
    """The prompts of this page."""
    next_cursor: str | None
    """What to send as `cursor` for the next page; null on the last one."""


class PromptMessage(Answer):
    """A message with places to fill. Turns of user and assistant in exchange show a model how to answer."""

    content: str | list[PromptTextPart | PromptImagePart | dict[str, Any]]
    """What is said: a text, or a list of 1 to 100 parts."""
    name: str | None = None
    """Who of several says it. Null: nobody in particular."""
    role: Literal["system", "developer", "user", "assistant"] | str
    """Who says it."""


class PromptMetadata(Answer):
    """What is said of a prompt beside its texts. `version` is its newest one; `built_in`: it ships with the gateway."""

    built_in: bool
    """Whether it ships with the gateway."""
    cache_ttl_s: int | None
    """For how many seconds answers to its queries are cached. Null: as long as the deployment keeps any."""
    category: str | None
    """One word to find it by; at most 64 characters. Null: none."""
    created_at: str
    """When it was made, RFC 3339 in UTC."""
    description: str | None
    """What it is for; at most 2,000 characters. Null: nothing is said."""
    id: str
    """The name that queries use."""
    kind: PromptKind
    """A `prompt` is asked with; a `role` is a system message that others are composed of. Fixed at creation."""
    labels: dict[str, Label]
    """Its labels, by name. `latest` is none of them: it is always the newest version."""
    log_bodies: float | None
    """The share of its queries, 0 to 1, whose words go to the log, redacted. Null: as their key says."""
    name: str
    """The name for people."""
    pii: list[PiiRule]
    """What is done where personal data is found in its queries, beside what their key asks for."""
    revision: int
    """Counts the changes; it is the `ETag` too. Moves of labels are not counted."""
    tags: list[str]
    """Words to find it by."""
    updated_at: str
    """When it was last changed, RFC 3339 in UTC."""
    version: int
    """The number of its newest version; 0 for a role that ships with the gateway."""


class PromptOutput(Answer):
    """The form of the answers."""

    schema_: dict[str, Any] | None = Field(alias="schema")
    """The JSON schema that answers are held against; null where `type` is another."""
    type: Literal["text", "json", "json_schema"] | str
    """A text, any JSON value, or JSON after a schema."""


class PromptPerformance(Answer):
    """What the queries of a version came to. `bucket` is there where a bucket was asked for."""

    bucket: str | None = None
    """The start of the hour or the day in UTC in which its queries ended."""
    cache_hits: int
    """How many of them were answered from the gateway's cache, at no cost."""
    cost_usd: str | None
    """What they cost, in US dollars, as far as it is known. Null: nothing is known of any."""
    error_rate: float | None
    """The share of them that failed. Null: there were none."""
    errors: int
    """How many of them failed."""
    feedback: FeedbackSum
    """What was thought of their answers."""
    input_tokens: int
    """Tokens that were read."""
    last_pass_rate: float | None
    """The share of cases that passed in the newest whole run of the version's tests. Null: there is none."""
    latency_ms: LatencyPercentiles
    """How long the queries took, within 1 %."""
    output_tokens: int
    """Tokens that were generated."""
    requests: int
    """How many queries ended that were made from it, however they did."""
    unpriced_requests: int
    """How many queries' costs are not known, and so not in `cost_usd`."""
    validation_failures: int
    """How many failed because their answer had not the form that was asked for."""
    version: int
    """The version of the prompt."""


class PromptPerformanceList(Answer):
    """Some rows of a prompt's performance, by bucket and then by version."""

    items: list[PromptPerformance]
    """Some of the rows, by bucket and then by version."""
    next_cursor: str | None
    """Asks for the next page, of the same span of time. Null: there is none."""


class PromptSystem(Answer):
    """The system part: roles, each `id`, `id@version` or `id@label`, and then a text."""

    roles: list[str] | None = None
    """Roles that come first, each `id`, `id@version` or `id@label`; at most 20. Empty by default."""
    text: str | None = None
    """The prompt's own instructions, a template. Null: none."""


class PromptTemplate(Answer):
    """What a prompt says, with places to fill such as `{{ name }}`. A role has `system.text` and `variables` alone."""

    messages: list[PromptMessage] | None = None
    """The conversation, at most 200 messages. Empty by default."""
    system: PromptSystem | None = None
    """What comes before the conversation. Null: nothing."""
    variables: dict[str, PromptVariable] | None = None
    """What fills the places, by name; at most 100. Each that is used is declared, and the other way round. Empty by
    default.
    """


class PromptTextPart(Answer):
    """A piece of text, which is a template."""

    cache_control: CacheControl | None = None
    """Asks a provider that caches prompts on request to cache everything up to here. Null: it does not."""
    text: str
    """A template."""
    type: Literal["text"]
    """Which part it is."""


class PromptUsed(Answer):
    """The version of a prompt that a query was made from."""

    id: str
    """The prompt's id."""
    version: int
    """The number of its version."""


class PromptVariable(Answer):
    """What may be filled in. Null leaves a bound out."""

    default: Any = None
    """What fills its places where it is not given. Null: none."""
    enum: list[Any] | None = None
    """The only values that it takes; at most 200. Null: any."""
    items: PromptVariable | None = None
    """What the elements of an array are. Null: anything."""
    max_length: int | None = None
    """The most characters of a text, or elements of an array. Null: no bound."""
    maximum: float | None = None
    """The greatest number that it takes. Null: no bound."""
    min_length: int | None = None
    """The fewest characters of a text, or elements of an array. Null: no bound."""
    minimum: float | None = None
    """The least number that it takes. Null: no bound."""
    pattern: str | None = None
    """A regular expression (RE2) that is found in the text. Null: none."""
    required: bool | None = None
    """Whether it has to be given. Null: true where there is no default."""
    type: VariableType
    """What it takes; an `image` fills the address of one image."""


class PromptVersion(Answer):
    """A version with all that it says, and the prompt's tests."""

    author: str
    """The id of the key that wrote it."""
    commit_message: str | None
    """What its author said of it."""
    content_hash: str
    """SHA-256 of template, defaults and output: equal for equal content."""
    created_at: str
    """When it was written, RFC 3339 in UTC."""
    defaults: PromptDefaults
    """What its queries ask for where they do not say so themselves. They are wishes: left out where a candidate cannot
    take them.
    """
    labels: list[str]
    """The labels that name it now, `latest` among them."""
    output: PromptOutput
    """The form of the answers."""
    template: PromptTemplate
    """What it says, with places to fill."""
    tests: list[dict[str, Any]]
    """The prompt's test cases, as they are now."""
    version: int
    """Its number."""


class PromptVersionList(Answer):
    """Some of a prompt's versions, newest first."""

    items: list[PromptVersionSummary]
    """The versions of this page."""
    next_cursor: str | None
    """What to send as `cursor` for the next page; null on the last one."""


class PromptVersionSummary(Answer):
    """A version, and the labels that name it now."""

    author: str
    """The id of the key that wrote it."""
    commit_message: str | None
    """What its author said of it."""
    content_hash: str
    """SHA-256 of template, defaults and output: equal for equal content."""
    created_at: str
    """When it was written, RFC 3339 in UTC."""
    labels: list[str]
    """The labels that name it now, `latest` among them."""
    version: int
    """Its number."""


class ProviderConfig(Answer):
    """A provider. `limits` and the credentials' hint are null to those who only ask queries."""

    api: Api
    """Which of OpenAI's APIs it speaks; `auto` chooses by the model."""
    base_url: str | None
    """Its address, as the vendor's SDK takes it: with /v1 for OpenAI's API, without for Anthropic's. Null: the vendor's
    own. It is https, or http where the deployment allows private addresses.
    """
    circuit: CircuitPolicy
    """When it is left alone after failures."""
    created_at: str
    """When it was made, RFC 3339 in UTC."""
    credentials: Credentials
    """What may be told of its API key."""
    default_model: str
    """The model that answers where a query names the provider and no model."""
    enabled: bool
    """Whether it is asked at all."""
    id: str
    """The name to ask for it by."""
    kind: ProviderKind
    """Which API it speaks. `openai_compatible` is any server with OpenAI's chat API, and needs a `base_url`. `bedrock`
    is Amazon Bedrock in the deployment's own account, without credentials, where the deployment allows it.
    """
    limits: ProviderLimits | None
    """What the gateway sends it at most. Null to callers, who do not see limits."""
    location: Location | None
    """Whether words stay in the deployment's own account (`account`) or go to a vendor. Null: `account` for `llama_cpp`
    and `bedrock`, else `vendor`.
    """
    models: list[ModelConfig]
    """The models it offers, beside `default_model`; at most 200."""
    name: str
    """The name for people."""
    priority: int
    """Lower is tried first."""
    region: str | None
    """Where Amazon Bedrock is asked, such as `eu-central-1`. Null: in the deployment's own region. For `bedrock` alone.
    """
    retry: RetryPolicy
    """How often one query calls it."""
    revision: int
    """Counts the changes; it is the `ETag` too."""
    timeouts: ProviderTimeouts
    """How long it is waited for."""
    updated_at: str
    """When it was last changed, RFC 3339 in UTC."""
    weight: int
    """Its share of the queries among providers of equal priority."""


class ProviderError(Answer):
    """The last failure: what went wrong, and the HTTP status that the provider answered with, where it did."""

    at: str
    """When it happened."""
    code: str
    """The error's code."""
    detail: str | None
    """What went wrong, with what the provider's own error says."""
    upstream_status: int | None
    """The HTTP status that the provider answered with, where it did."""


ProviderKind = Literal["openai", "anthropic", "llama_cpp", "bedrock", "openai_compatible"] | str


class ProviderLimits(Answer):
    """Never more than N in any 60 seconds, at most `burst` at once (default a fifth of N); null is no limit."""

    burst: int | None = None
    """How many requests may come at once. Null: a fifth of `requests_per_minute`, at least 1."""
    max_concurrent: int | None = None
    """How many requests may be under way at the same time. Null: no limit."""
    requests_per_minute: int | None = None
    """How many requests it gets in any 60 seconds at most. Null: no limit."""
    tokens_per_minute: int | None = None
    """How many tokens it gets in any 60 seconds at most, questions and answers together. Null: no limit."""


class ProviderList(Answer):
    """Some of the providers."""

    items: list[ProviderConfig]
    """The providers of this page."""
    next_cursor: str | None
    """What to send as `cursor` for the next page; null on the last one."""


class ProviderMetrics(Answer):
    """What passed in the last `window_s` seconds. `cost_usd` sums the known costs, null where none is known;
    `unpriced_requests` are those whose cost is not.
    """

    cost_usd: str | None
    """The sum of the known costs, a decimal text in US dollars; null where none is known."""
    error_rate: float
    """`errors` / `requests`, from 0 to 1."""
    errors: int
    """Calls that failed."""
    input_tokens: int
    """Tokens sent."""
    latency_ms: LatencyQuantiles
    """How long the calls took."""
    output_tokens: int
    """Tokens received."""
    requests: int
    """Calls made."""
    unpriced_requests: int
    """Calls whose cost nobody knows."""
    window_s: int
    """Over how many seconds this counts."""


ProviderState = Literal["healthy", "degraded", "unavailable", "disabled"] | str


class ProviderStatus(Answer):
    """How a provider is doing. `retry_at` is when calls are next let through, null where they are now."""

    circuit: CircuitState
    """`open`: it is left alone after failures; `half_open`: one call may try."""
    last_error: ProviderError | None
    """Its last failure; null where there was none."""
    last_success_at: str | None
    """When it last answered."""
    limits: RemainingLimits
    """What is left of its limits."""
    metrics: ProviderMetrics
    """What passed lately."""
    provider_id: str
    """Whose status it is."""
    retry_at: str | None
    """When calls are next let through; null where they are now."""
    state: ProviderState
    """What it all comes to."""


class ProviderTimeouts(Answer):
    """How long to wait for the connection, for a stream's first content and between its events, and in all.  null is
    bounded by the query's own `timeout_s` alone.
    """

    connect_s: float | None = None
    """Seconds to wait for the connection. Default: 5."""
    first_token_s: float | None = None
    """Seconds to wait for a stream's first content, not for a buffered call's. Null: the query's own time."""
    total_s: float | None = None
    """Seconds that one call may take. Null: as long as the query's `timeout_s`, which bounds it in any case."""


class QueryAccepted(Answer):
    """A query that was taken on; where to ask for its end."""

    id: str
    """The query's id."""
    result_url: str
    """Where its answer will be."""
    status: QueryState
    """Always `queued` at first."""
    status_url: str
    """Where its status is."""


class QueryAttempt(Answer):
    """One call to a provider, or one that was skipped. `detail` says what went wrong, with the provider's own message
    where it gave one; `upstream_status` is the HTTP status that it answered with.
    """

    cost_usd: str | None
    """What it cost; null where the price is not known."""
    detail: str | None
    """What went wrong, with what the provider's own error says; null where nothing did."""
    error_code: str | None
    """Why it failed or was skipped; null where it did not."""
    latency_ms: int
    """How long it took."""
    model: str
    """The model that was asked."""
    outcome: AttemptOutcome
    """What came of it."""
    provider: str
    """The provider's id."""
    upstream_status: int | None
    """The HTTP status that the provider answered with, where it failed so."""


class QueryEvent(Answer):
    """`query`: once, right before the first content."""

    id: str
    """The query's id."""
    model: str
    """The model that answers."""
    provider: str
    """Who answers."""


class QueryList(Answer):
    """Some queries, newest first. Where a status or a prompt is looked for, a page may be short and have a next one."""

    items: list[ListedQuery]
    """Some of the queries, newest first."""
    next_cursor: str | None
    """Asks for the next page. Null: there is none. A page may be short and still have a next one."""


class QueryMetrics(Answer):
    """Milliseconds: `total = provider + waiting + overhead`."""

    overhead: int
    """The gateway's own."""
    provider: int
    """In calls to providers."""
    total: int
    """From the request's arrival to the answer."""
    waiting: int
    """Between retries."""


class QueryOutput(Answer):
    """What the model said; `json` is its parsed form where JSON was asked for."""

    annotations: list[dict[str, Any]] | None = None
    """Citations and the like in the provider's own words; null where there are none."""
    json_: Any = Field(default=None, alias="json")
    """The parsed text where JSON was asked for, else null."""
    logprobs: list[dict[str, Any]] | None = None
    """The tokens and their probabilities in the provider's own words, where they were asked for; else null."""
    reasoning: Reasoning | None = None
    """What the model thought before it answered; null where the vendor gave nothing of it."""
    text: str | None
    """The text; null where only tools were called."""
    tool_calls: list[OutputToolCall] | None = None
    """The tools that the model wants called."""


class QueryParameters(Answer):
    """How to generate; null leaves the choice to the provider."""

    logprobs: int | None = None
    """How many alternatives of each token are told, with their probabilities. Null: none."""
    max_output_tokens: int | None = None
    """How many tokens the answer may have at most. Null: what the model can."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | str | None = None
    """How long the model may think before it answers. Null: the provider's own default. An answer has a summary of the
    thought, where the vendor makes one, if this is set.
    """
    seed: int | None = None
    """The same seed and question give the same answer, as far as the provider can."""
    stop: list[str] | None = None
    """Texts at which the answer ends; at most 4. Null or empty: none."""
    temperature: float | None = None
    """How freely the model chooses its words. Null: the provider's own default."""
    top_p: float | None = None
    """From which share of the likeliest words it chooses. Null: the provider's own default."""


class QueryPlan(Answer):
    """Which provider a query would be sent to, and with what. Nobody was asked."""

    candidates: list[PlannedCandidate]
    """Who would be asked, in this order, and who would be skipped."""
    context: ContextResult | None
    """What of the context the first one would be sent; null where the query has none."""
    prompt: PromptUsed | None
    """The version of the prompt that it would be made from; null where it is made from none."""
    roles: list[RoleUsed]
    """The versions of the roles in its system message, in their order."""
    system: str | None
    """The system prompt that the first one would be sent; null where there is none."""
    warnings: list[str]
    """What a client should know: what would be left out."""


class QueryResponse(Answer):
    """The answer to a query."""

    attempts: list[QueryAttempt]
    """Every call to a provider, and those that were skipped, in their order."""
    cache: CacheResult
    """Whether it came from the gateway's cache."""
    completed_at: str | None
    """When it ended."""
    context: ContextResult | None = None
    """What was sent of the query's context; null where it has none."""
    cost_usd: str | None
    """What all attempts cost together, a decimal text in US dollars; null where the price is not known."""
    created_at: str
    """When it came in."""
    finish_reason: FinishReason | None
    """Why it stopped there."""
    id: str
    """The query's id, for its status, its result and its stream."""
    latency_ms: QueryMetrics
    """Where the time went."""
    metadata: dict[str, Any]
    """The query's own."""
    model: str
    """The model that answered, as the provider calls it."""
    output: QueryOutput
    """What the model said."""
    prompt: PromptUsed | None
    """The version of the prompt that the query was made from; null where it was made from none."""
    provider: str
    """Who answered."""
    roles: list[RoleUsed]
    """The versions of the roles in its system message, in their order."""
    status: QueryState
    """How it ended."""
    usage: QueryUsage
    """The tokens it took."""
    warnings: list[str]
    """What a client should know: what was left out, or who answered instead."""


QueryState = Literal["queued", "running", "succeeded", "failed", "cancelled"] | str


class QueryStatus(Answer):
    """Where a query stands."""

    attempts: int
    """How often it was taken up to be answered; each time several calls may be made."""
    completed_at: str | None
    """When it ended."""
    created_at: str
    """When it came in."""
    error: Problem | None
    """Why it failed; null where it did not."""
    id: str
    """The query's id."""
    started_at: str | None
    """When somebody began to work on it for the first time; null where nobody has."""
    status: QueryState
    """Where it stands."""


class QueryUsage(Answer):
    """Tokens. Input includes cached and cache-write ones, output includes reasoning."""

    cache_write_tokens: int
    """Of the input, those that it put into its cache."""
    cached_input_tokens: int
    """Of the input, those that the provider had in its cache."""
    estimated: bool
    """Whether the provider told nothing, so that the gateway counted."""
    input_tokens: int
    """Tokens of the question, cached and cache-write ones included."""
    output_tokens: int
    """Tokens of the answer, reasoning included."""
    reasoning_tokens: int
    """Of the output, those that it thought with."""


class Reasoning(Answer):
    """What the model thought before it answered."""

    items: list[ReasoningItem]
    """The thought itself: to be sent back as it is, on the assistant's turn."""
    text: str | None
    """A summary, where an effort was set and the vendor made one."""


class ReasoningEvent(Answer):
    """`reasoning`: a piece of the summary of what the model thinks, where the query set an effort."""

    text: str
    """The next piece of the summary."""


class ReasoningItem(Answer):
    """A piece of the thought, for its vendor alone to read."""

    after: int
    """Its place in the turn: 0 before the text, 1 after it, n + 1 after the n-th tool call."""
    item: dict[str, Any]
    """As the vendor gave it."""
    vendor: str
    """Whose models can read it."""


class RemainingLimits(Answer):
    """What may be taken at once now; null where there is no limit."""

    requests_remaining: int | None
    """Requests that may be sent at once now; null: no limit."""
    tokens_remaining: int | None
    """Tokens that may be sent at once now; null: no limit."""


class RenderedPrompt(Answer):
    """What a query would send. `system` is the parts' texts, one after the other; null where there is none."""

    messages: list[PromptMessage]
    """The messages, filled."""
    parts: list[SystemPart]
    """What the system message is put together of, in its order."""
    system: str | None
    """The whole system message; null where there is none."""
    tokens: int
    """About how many tokens it takes, by OpenAI's newer tokenizer: at least as many as that one counts."""
    version: int
    """The version that was filled."""
    warnings: list[str]
    """What an editor should look at."""


class RetryPolicy(Answer):
    """`max_attempts` counts the first try."""

    max_attempts: int | None = None
    """Calls that one query makes to it, the first one counted; at most 6 in all go to all providers. Default: 3."""


Role = Literal["admin", "operator", "prompt_editor", "caller", "auditor"] | str


class RoleUsed(Answer):
    """The version of a role that the query's system message has; version 0 is the one that ships with the gateway."""

    id: str
    """The role's id."""
    version: int
    """The number of its version; 0 is the one that ships with the gateway."""


class SettingDiff(Answer):
    """A setting that differs. Null: not set."""

    from_: Any = Field(alias="from")
    """What it was; null: not set."""
    path: str
    """Where it is, such as `defaults.parameters.temperature`."""
    to: Any
    """What it is; null: not set."""


class SystemPart(Answer):
    """A part of the system message, and where it comes from."""

    source: str
    """Where it comes from: `base`, `role:analyst@2`, `prompt` or `query`."""
    text: str
    """What it says."""


class TestResult(Answer):
    """What became of a test, asked of one candidate for the `repeat`th time."""

    assertions: list[AssertionResult]
    """What became of each."""
    candidate: str | None
    """Who was asked. Null: the one that the prompt led to."""
    cost_usd: str | None
    """What the answer and its judges cost. Null: something of it is not known."""
    latency_ms: int | None
    """How long the query took."""
    name: str
    """The test's name."""
    passed: bool
    """Whether each of its assertions passed."""
    query_id: str | None
    """The query that it was asked with. Null: it was refused."""
    repeat: int
    """Which of the repeats it is, from 1."""


class TestRun(Answer):
    """A run with its results: those of its cases that have ended."""

    candidates: list[str]
    """As they were asked for."""
    completed_at: str | None
    """When it ended. Null: it has not."""
    cost_usd: str | None
    """What its answers and judges cost, in US dollars. Null: something of it is not known, or it has not ended."""
    created_at: str
    """When it began."""
    failed: int | None
    """How many did not."""
    mode: str
    """As it was asked for."""
    pass_rate: float | None
    """The share of cases that passed."""
    passed: int | None
    """How many cases passed. Null: it has not ended."""
    problem: str | None
    """Why it failed. Null: it did not."""
    prompt_id: str
    """The prompt's id."""
    repeat: int
    """How often each test is asked."""
    results: list[TestResult]
    """What became of its cases so far."""
    run_id: str
    """The run's id."""
    status: str
    """`running`, `finished`, or `failed`: then it could not be done, and `problem` says why."""
    version: int
    """The version that was asked."""
    whole: bool
    """Whether all of the prompt's tests are in it."""


class TestRunList(Answer):
    """Some runs, newest first."""

    items: list[ListedTestRun]
    """Some of the runs, newest first."""
    next_cursor: str | None
    """Asks for the next page. Null: there is none."""


class TokenParts(Answer):
    """Input tokens by what they are for."""

    context: int
    """The items and their marks."""
    history: int
    """The turns before the last user message."""
    question: int
    """The last user message and what follows it."""
    system: int
    """The system prompt without the context."""
    tools: int
    """Tools and the schema of the output."""
    total: int
    """All of them."""


class ToolCallEvent(Answer):
    """`tool_call`: a piece of a call; pieces of one index belong together."""

    arguments: str
    """The next piece of its arguments."""
    id: str | None
    """The call's id, in its first piece."""
    index: int
    """Which call this is a piece of, from 0."""
    name: str | None
    """The function's name, in its first piece."""


class UsageList(Answer):
    """Some rows of usage, by bucket and then by what they are grouped by."""

    items: list[UsageRow]
    """Some of the rows, by bucket and then by what they are grouped by."""
    next_cursor: str | None
    """Asks for the next page, of the same span of time. Null: there is none."""


class UsageRow(Answer):
    """Sums of queries. `bucket` is there where a bucket was asked for, and so is the member that `group_by` names; null
    in it stands for queries that have no such thing.
    """

    bucket: str | None = None
    """The start of the hour, the day or the month in UTC in which they ended."""
    cache_hits: int
    """How many of them were answered from the gateway's cache, at no cost."""
    cached_input_tokens: int
    """Input tokens that came from the vendor's cache."""
    cost_usd: str | None
    """What they cost, in US dollars, as far as it is known. Null: nothing is known of any."""
    errors: int
    """How many of them failed."""
    input_tokens: int
    """Tokens that were read, as the queries tell: those of a cached answer are the first answer's."""
    key: str | None = None
    """Whose queries these are, by the key's id."""
    model: str | None = None
    """The model that answered them, as the provider calls it, or else was asked last. Null: none was asked."""
    output_tokens: int
    """Tokens that were generated, told in the same way."""
    prompt: str | None = None
    """The id of the prompt that they were made from. Null: from none."""
    provider: str | None = None
    """Who answered them, or else was asked last. Null: nobody was asked."""
    reasoning_tokens: int
    """Output tokens that the model thought with."""
    requests: int
    """How many queries ended, however they did. Those that were replayed under an Idempotency-Key count once."""
    tag: str | None = None
    """A tag that their keys had when they came in. Null: the keys had none. A query counts under each tag."""
    unpriced_requests: int
    """How many queries' costs are not known, and so not in `cost_usd`."""


VariableType = Literal["string", "integer", "number", "boolean", "array", "object", "image"] | str
