"""The API's OpenAPI document, made from the mounted endpoints, their rows, and the words that are written down for it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from llm_gateway.access import Area, Dialect, Endpoint, Resource
from llm_gateway.endpoints import AREAS
from llm_gateway.entrypoints.fastapi_app import fastapi_of
from llm_gateway.entrypoints.http import Mounted
from llm_gateway.wire import examples, field_descriptions
from llm_gateway.wire.error_codes import ERROR_CODES
from llm_gateway.wire.event_schemas import DeltaEvent, QueryEvent, ReasoningEvent, ToolCallEvent
from llm_gateway.wire.media_types import PROBLEM

# What the schemas are called for people: the code's names say which way a value goes, and share them with the domain's.
NAMES: Final = {
    "AcceptedShown": "QueryAccepted",
    "ActorShown": "AuditActor",
    "Alive": "HealthCheck",
    "AnswerShown": "QueryResponse",
    "AttemptShown": "QueryAttempt",
    "AuditEntryShown": "AuditEntry",
    "AuditPage": "AuditList",
    "Bucket": "UsageBucket",
    "BudgetShown": "BudgetState",
    "CacheShown": "CacheResult",
    "CaseShown": "TestResult",
    "Circuit": "CircuitPolicy",
    "Contains": "ContainsAssertion",
    "Credentials": "CredentialsInput",
    "ContextBody": "ContextInput",
    "ContextItemBody": "ContextItemInput",
    "ContextItemShown": "ContextItemResult",
    "ContextShown": "ContextResult",
    "CredentialsShown": "Credentials",
    "CutShortShown": "PartialQueryResponse",
    "Equals": "EqualsAssertion",
    "ErasureBody": "ErasureCreate",
    "ErasureShown": "Erasure",
    "FeedbackBody": "Feedback",
    "FeedbackSumShown": "FeedbackSum",
    "FindingShown": "AssertionResult",
    "GateBody": "LabelGate",
    "Grouping": "UsageGrouping",
    "HasAtPath": "JsonPathAssertion",
    "Health": "ProviderState",
    "HistoryBody": "HistoryInput",
    "Instruction": "SystemMessage",
    "Judged": "JudgeAssertion",
    "KeyBody": "KeyCreate",
    "KeyBudget": "KeyBudgetInput",
    "KeyBudgetPatch": "KeyBudgetUpdate",
    "KeyBudgetShown": "KeyBudget",
    "KeyPage": "KeyList",
    "KeyPatch": "KeyUpdate",
    "KeyShown": "ApiKey",
    "LabelBody": "LabelUpdate",
    "LabelPlaced": "PromptLabel",
    "LabelShown": "Label",
    "LastErrorShown": "ProviderError",
    "LatencyShown": "QueryMetrics",
    "Limits": "ProviderLimits",
    "MatchesRegex": "RegexAssertion",
    "MatchesSchema": "JsonSchemaAssertion",
    "MaxCost": "MaxCostAssertion",
    "MaxLatency": "MaxLatencyAssertion",
    "MaxTokens": "MaxTokensAssertion",
    "MessageDiffShown": "MessageDiff",
    "Metrics": "ProviderMetrics",
    "Model": "ModelInput",
    "ModelShown": "ModelConfig",
    "MoveShown": "LabelMove",
    "OutputShown": "QueryOutput",
    "OwnKeyShown": "OwnKey",
    "Parameters": "QueryParameters",
    "PercentilesShown": "LatencyPercentiles",
    "PerformancePage": "PromptPerformanceList",
    "PerformanceShown": "PromptPerformance",
    "PromptBody": "PromptCreate",
    "PromptListed": "PromptMetadata",
    "PromptPage": "PromptList",
    "PromptShown": "PromptConfig",
    "PlannedCandidateShown": "PlannedCandidate",
    "PromptUsedShown": "PromptUsed",
    "ProviderBody": "ProviderCreate",
    "ProviderPage": "ProviderList",
    "ProviderShown": "ProviderConfig",
    "QueryBody": "QueryRequest",
    "Prompt": "PromptChoice",
    "QueryListed": "ListedQuery",
    "QueryPage": "QueryList",
    "QueryPlanShown": "QueryPlan",
    "QueryStatus": "QueryState",
    "Reasoning": "ReasoningInput",
    "ReasoningItem": "ReasoningItemInput",
    "ReasoningItemShown": "ReasoningItem",
    "ReasoningShown": "Reasoning",
    "Remaining": "RemainingLimits",
    "Retry": "RetryPolicy",
    "RoleUsedShown": "RoleUsed",
    "RenderBody": "RenderRequest",
    "RenderedShown": "RenderedPrompt",
    "RolledBackShown": "LabelRollback",
    "RunBody": "TestRunCreate",
    "RunListed": "ListedTestRun",
    "RunPage": "TestRunList",
    "RunShown": "TestRun",
    "SettingShown": "SettingDiff",
    "Similar": "SimilarAssertion",
    "StatusShown": "QueryStatus",
    "StreamBody": "StreamRequest",
    "SystemPartShown": "SystemPart",
    "Template-Input": "PromptTemplateInput",
    "Template-Output": "PromptTemplate",
    "TemplateImage": "PromptImagePart",
    "TemplateImageUrl": "PromptImageUrl",
    "TemplateMessage": "PromptMessage",
    "TemplateSystem": "PromptSystem",
    "TemplateText": "PromptTextPart",
    "TemplateVariable-Input": "PromptVariableInput",
    "TemplateVariable-Output": "PromptVariable",
    "TimeoutsBody": "ProviderTimeouts",
    "TokenPartsShown": "TokenParts",
    "ToolCallShown": "OutputToolCall",
    "UsagePage": "UsageList",
    "UsageRowShown": "UsageRow",
    "UsageShown": "QueryUsage",
    "VersionDiffShown": "PromptDiff",
    "VersionPage": "PromptVersionList",
    "VersionRow": "PromptVersionSummary",
    "VersionShown": "PromptVersion",
}
# What answers 202 while there is no answer, by endpoint.
_LATER: Final = {"run_query": "QueryAccepted", "get_query_result": "QueryStatus", "run_prompt_tests": "TestRun"}
# What answers 201 where it made something.
_MADE: Final = frozenset({"move_label"})
_EVENTS: Final = {
    "query": "QueryEvent",
    "reasoning": "ReasoningEvent",
    "delta": "DeltaEvent",
    "tool_call": "ToolCallEvent",
    "done": "QueryResponse",
    "error": "Problem",
}
_TAGS: Final = {
    Area.PUBLIC: ("Service", "What anybody may read."),
    Area.PROVIDERS: ("Providers", "Who is asked, how they are doing, and within which limits."),
    Area.QUERIES: ("Queries", "Asking: at once, as a stream, or for later."),
    Area.PROMPTS: ("Prompts", "Texts to ask with, their versions and their tests."),
    Area.KEYS: ("Keys", "Who may call, and how much."),
    Area.USAGE: ("Usage", "What was used, what it cost, and who changed what."),
    Area.DROP_IN: ("Drop-in", "Other vendors' APIs, for their own clients."),
}
_DESCRIPTION: Final = (
    "Send a key of the gateway as `Authorization: Bearer <key>` or as `X-Api-Key`. Bodies are JSON; unknown fields are errors. "
    "Errors are problems (RFC 9457), whose `type` leads to a page that says what to do. Times are RFC 3339 in UTC, "
    "money is a decimal text in US dollars. Below `/v1` are OpenAI's API and Anthropic's, for their own clients: their "
    "vendors describe them."
)
_OK: Final = {200: "Done", 201: "Made", 202: "It is being done", 204: "Gone"}
_EVENT_STREAM: Final = (
    "Server-sent events, each with an `id` and JSON as its `data`. First `query`, then `reasoning`, `delta` and `tool_call`, "
    "then `done` with the whole answer, or `error` with a problem. `x-events` has the schema of each. Comments keep the line "
    "alive."
)


def openapi_json(mounted: Iterable[Mounted]) -> str:
    """The whole API's OpenAPI document as JSON text, the same for the same code."""
    document = get_openapi(
        title="LLM gateway",
        version="1",
        summary="One API in front of OpenAI, Anthropic and a model of your own.",
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=[{"name": name, "description": words} for area, (name, words) in _TAGS.items() if _is_described(area)],
        routes=fastapi_of(*mounted, described=True).routes,
        # Relative to the document's own address: behind a stage or a base path the API is beside it.
        servers=[{"url": "."}],
    )
    schemas = document["components"]["schemas"] | _event_schemas()
    document["components"] = {
        "schemas": schemas,
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "A key of the gateway."},
            "api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "A key of the gateway."},
        },
    }
    document = _renamed(document)
    for area, rows in AREAS.items():
        for row in rows:
            if row.dialect is Dialect.NATIVE:
                _describe(document["paths"][row.path][row.method.lower()], row, tag=_TAGS[area][0])
    _describe_schemas(document)
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _is_described(area: Area) -> bool:
    return any(row.dialect is Dialect.NATIVE for row in AREAS.get(area, ()))


def _event_schemas() -> dict[str, Any]:
    models = [(model, "serialization") for model in (QueryEvent, ReasoningEvent, DeltaEvent, ToolCallEvent)]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


# Operations


def _describe(operation: dict[str, Any], row: Endpoint, *, tag: str) -> None:
    operation["operationId"] = row.name
    operation["tags"] = [tag]
    operation["security"] = [] if row.permission is None else [{"bearer": []}, {"api_key": []}]
    if row.permission is not None:
        operation["x-permission"] = row.permission.value
    for parameter in operation.get("parameters", []):
        _describe_parameter(parameter, row)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        content["examples"] = {
            summary: {"summary": summary, "value": value}
            for summary, value in examples.EXAMPLES.get(row.name, {}).items()
        }
    _describe_answers(operation, row)


def _describe_parameter(parameter: dict[str, Any], row: Endpoint) -> None:
    schema, name = parameter["schema"], parameter["name"]
    parameter["description"] = _with_default(field_descriptions.PARAMETERS[name.lower()], schema)
    schema.pop("default", None)
    schema.pop("title", None)
    filled = {**examples.PARAMETERS, **examples.PARAMETERS_OF.get(row.name, {})}
    if parameter["in"] == "path" and name in filled:
        parameter["example"] = filled[name]


def _describe_answers(operation: dict[str, Any], row: Endpoint) -> None:
    answers = operation["responses"]
    answer = answers[str(row.status)]
    answer["description"] = "Noted" if (row.method, row.status) == ("POST", 204) else _OK[row.status]
    for content in answer.get("content", {}).values():
        content["schema"].pop("title", None)
    if row.streams:
        (content,) = answer["content"].values()
        refs = {name: {"$ref": f"#/components/schemas/{schema}"} for name, schema in _EVENTS.items()}
        content["schema"] = {"type": "string", "description": _EVENT_STREAM, "x-events": refs}
    if row.name in _LATER:
        schema = {"$ref": f"#/components/schemas/{_LATER[row.name]}"}
        answers["202"] = {
            "description": "There is no answer yet",
            "content": {"application/json": {"schema": schema}},
        }
        _only_when_done(answer, schema)
    if row.name in _MADE:
        answers["201"] = {**answer, "description": _OK[201]}
    if "default" in answers:
        # FastAPI documents every response under the media type of the first.
        problem = {PROBLEM: answers["default"]["content"].popitem()[1]}
        answers["default"] = {"description": "Any other problem", "content": problem}
        for status in sorted(_statuses(operation, row)):
            codes = ", ".join(f"`{code}`" for code, error in ERROR_CODES.items() if error.status == status)
            answers[str(status)] = {"description": codes, "content": problem}


def _only_when_done(answer: dict[str, Any], later: dict[str, str]) -> None:
    """Takes what comes with 202 out of what comes with 200, unless that has it too: a query that failed has a status."""
    schema = answer["content"]["application/json"]["schema"]
    if later["$ref"].endswith("QueryAccepted"):
        (rest,) = (one for one in schema["anyOf"] if one != later)
        answer["content"]["application/json"]["schema"] = rest


def _statuses(operation: dict[str, Any], row: Endpoint) -> Iterator[int]:
    """The statuses of the problems that a client should be ready for."""
    headers = {
        parameter["name"].lower() for parameter in operation.get("parameters", []) if parameter["in"] == "header"
    }
    if row.permission is not None:
        yield from (400, 401, 403, 422, 503)
    if "{" in row.path:
        yield 404
    if "requestBody" in operation:
        yield from (413, 415)
    if row.name.startswith("create_") or "idempotency-key" in headers:
        yield 409
    if "if-match" in headers:
        yield 412
    if row.waits:
        yield 429
    if Resource.CREDENTIALS in row.reads and Resource.QUERIES in row.writes:
        yield from (404, 429, 502, 504)


# Schemas


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    for old in schemas:
        text = text.replace(f'"#/components/schemas/{old}"', f'"#/components/schemas/={_name(old)}"')
    renamed: dict[str, Any] = json.loads(text.replace("#/components/schemas/=", "#/components/schemas/"))
    renamed["components"]["schemas"] = {
        _name(old): {**schema, "title": _name(old)} for old, schema in renamed["components"]["schemas"].items()
    }
    return renamed


def _name(old: str) -> str:
    return NAMES.get(old, old)


def _describe_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    asked = set(_reachable(_requests(document), schemas))
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            described.pop("title", None)
            words = field_descriptions.FIELDS.get(name, {}).get(field)
            if words is not None:
                described["description"] = _with_default(words, described)
            if name in asked:
                # Generators would have a client send every field that has one.
                described.pop("default", None)


def _requests(document: dict[str, Any]) -> list[Any]:
    return [
        operation["requestBody"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]


def _reachable(value: Any, schemas: dict[str, Any]) -> Iterator[str]:
    """The names of all schemas that `value` refers to, directly or not."""
    seen, left = set[str](), [value]
    while left:
        part = left.pop()
        children = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        left += children
        name = part["$ref"].rpartition("/")[2] if isinstance(part, dict) and isinstance(part.get("$ref"), str) else None
        if name is not None and name not in seen:
            seen.add(name)
            left.append(schemas[name])
            yield name


def _with_default(words: str, schema: dict[str, Any]) -> str:
    default = schema.get("default")
    if default is None or default in ([], {}) or isinstance(default, dict):
        return words
    return f"{words} Default: {json.dumps(default)}."
