"""Values to store, with something in every field."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from llm_gateway.domain.chat import (
    AudioPart,
    CacheControl,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    OutputFormat,
    Parameters,
    Reasoning,
    ReasoningItem,
    TextPart,
    Tool,
    ToolCall,
    Usage,
)
from llm_gateway.domain.keys import Allowed, ApiKey, Budget, KeyLimits, KeySecret, Period, Role
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.prompts.prompts import (
    Defaults,
    Gate,
    Label,
    LabelMove,
    PromptKind,
    PromptMetadata,
    PromptVersion,
    RolledBack,
)
from llm_gateway.domain.prompts.runs import CaseResult, Finding, RunCase, SuiteRun
from llm_gateway.domain.prompts.suites import (
    AssertionType,
    Contains,
    Equals,
    HasAtPath,
    Judged,
    MatchesRegex,
    MatchesSchema,
    MaxCost,
    MaxLatency,
    MaxTokens,
    PromptTest,
    Similar,
)
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType
from llm_gateway.domain.providers import (
    Api,
    Capability,
    CircuitPolicy,
    CredentialsNote,
    Location,
    ModelConfig,
    ProviderConfig,
    ProviderKind,
    ProviderLimits,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.domain.queries import (
    Attempt,
    AttemptOutcome,
    CacheNote,
    Latency,
    Output,
    Query,
    QueryAnswer,
    QueryProblem,
    QueryRequest,
    QueryStatus,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def provider(provider_id: str = "openai", **changes: Any) -> ProviderConfig:
    config = ProviderConfig(
        id=provider_id,
        name="OpenAI — für alle",
        kind=ProviderKind.OPENAI,
        base_url="https://api.openai.com/v1",
        default_model="gpt-4.1-mini",
        models=(
            ModelConfig(name="gpt-4.1-mini"),
            ModelConfig(
                name="own",
                aliases=("mine", "local"),
                context_window=8192,
                max_output_tokens=1024,
                capabilities=frozenset({Capability.TOOLS, Capability.JSON}),
                input_usd_per_mtok=Decimal("0.10"),
                output_usd_per_mtok=Decimal("0.000000000000000000000000001"),
            ),
        ),
        enabled=True,
        priority=10,
        weight=2,
        limits=ProviderLimits(requests_per_minute=500, tokens_per_minute=200_000),
        timeouts=Timeouts(connect_s=0.5),
        retry=RetryPolicy(max_attempts=2),
        circuit=CircuitPolicy(cooldown_s=12.5),
        location=Location.VENDOR,
        api=Api.CHAT_COMPLETIONS,
        credentials=CredentialsNote(hint="…1f3a", updated_at=NOW),
        revision=1,
        created_at=NOW,
        updated_at=NOW + timedelta(microseconds=1),
    )
    return replace(config, **changes)


def api_key(key_id: str = "key_01J00000000000000000000000", **changes: Any) -> ApiKey:
    key = ApiKey(
        id=key_id,
        name="ci — für alle",
        role=Role.CALLER,
        limits=KeyLimits(requests_per_minute=60, burst=5),
        budget_usd=Budget(amount=Decimal("25.00"), period=Period.MONTH),
        allow=Allowed(providers=("openai",), models=("gpt-4.1-*",)),
        pii=(PiiRule.MASK,),
        retention_days=7,
        log_bodies=0.25,
        tags=("support",),
        secrets=(
            KeySecret(hash="a1" * 32, hint="…x7Qk", generation=2),
            KeySecret(hash="b2" * 32, hint="…0000", generation=1, until=NOW + timedelta(hours=1)),
        ),
        created_at=NOW,
        updated_at=NOW + timedelta(microseconds=1),
    )
    return replace(key, **changes)


THOUGHT = ReasoningItem(
    vendor="openai", item={"type": "reasoning", "id": "rs_1", "encrypted_content": "x", "n": [1, None]}
)


def question(**changes: Any) -> QueryRequest:
    parts = (
        TextPart(text="What is this? \N{OWL}", cache_control=CacheControl(ttl="1h")),
        ImagePart(url="data:image/png;base64,iVBORw0KGgo=", detail="low"),
        FilePart(data="JVBERi0=", filename="owls.pdf"),
        AudioPart(data="SUQz", format="mp3"),
    )
    call = ToolCall(id="call_1", name="look", arguments='{"at": "it"}')
    request = QueryRequest(
        messages=(
            Message(role=MessageRole.USER, content=parts),
            Message(role=MessageRole.ASSISTANT, tool_calls=(call,), reasoning=(THOUGHT,)),
            Message(role=MessageRole.TOOL, content=(TextPart(text="an owl"),), tool_call_id="call_1"),
        ),
        system="Be brief.",
        fallback=("anthropic", "local"),
        parameters=Parameters(temperature=0.2, stop=("\n\n",), reasoning_effort="low", logprobs=2),
        vendor={"openai": {"service_tier": "flex", "metadata": {"nested": [1]}}},
        tools=(Tool(name="look", parameters={"type": "object", "properties": {"at": {"type": "string"}}}),),
        tool_choice=NamedTool(name="look"),
        output=OutputFormat(type="json_schema", schema={"type": "object"}),
        metadata={"customer": "42", "nested": {"list": [1, 2.5, None, True, 10**25]}},
    )
    return replace(request, **changes)


def answer(text: str = '{"is": "an owl"}') -> QueryAnswer:
    return QueryAnswer(
        output=Output(
            text=text,
            json={"is": ["an", "owl", None]},
            tool_calls=(),
            reasoning=Reasoning(text="An owl, then.", items=(THOUGHT,)),
            annotations=({"type": "url_citation", "url": "https://example.org"},),
            logprobs=({"token": "owl", "logprob": -0.5},),
        ),
        finish_reason=FinishReason.STOP,
        provider="openai",
        model="gpt-4.1-mini-2025-04-14",
        usage=Usage(input_tokens=812, output_tokens=95, cached_input_tokens=512),
        cost_usd=Decimal("0.000393"),
        attempts=(
            Attempt(
                provider="local",
                model="smol",
                outcome=AttemptOutcome.ERROR,
                error_code="provider_timeout",
                detail="The provider did not answer in time (timeouts.total_s of provider local: 60 s).",
            ),
            Attempt(
                provider="openai",
                model="gpt-4.1-mini",
                outcome=AttemptOutcome.OK,
                latency_ms=640,
                cost_usd=Decimal("0.000393"),
            ),
        ),
        latency=Latency(total_ms=655, provider_ms=640, waiting_ms=0),
        cache=CacheNote(hit=True, age_s=12, saved_usd=Decimal("0.10")),
        warnings=("parameters.seed was left out",),
    )


def problem() -> QueryProblem:
    attempt = Attempt(
        provider="openai",
        model="m",
        outcome=AttemptOutcome.ERROR,
        error_code="provider_error",
        detail="The provider failed to answer. It answered 500: Out of owls.",
        upstream_status=500,
    )
    return QueryProblem(
        status=502,
        code="provider_error",
        title="The provider failed",
        detail="500",
        provider="openai",
        provider_message="Out of owls.",
        attempts=(attempt,),
    )


def query(query_id: str = "qry_01J00000000000000000000000", **changes: Any) -> Query:
    asked = changes.get("request") or question()
    stored = Query(
        id=query_id,
        owner="key_01J00000000000000000000000",
        mode=asked.mode,
        status=QueryStatus.RUNNING,
        created_at=NOW,
        expires_at=datetime(2026, 12, 22, 12, tzinfo=UTC),
        request=asked,
        attempts=1,
        started_at=NOW,
    )
    return replace(stored, **changes)


def succeeded(stored: Query, text: str = '{"is": "an owl"}') -> Query:
    return replace(stored, status=QueryStatus.SUCCEEDED, completed_at=NOW + timedelta(seconds=2), answer=answer(text))


def prompt_version(prompt_id: str = "answer", number: int = 1, **changes: Any) -> PromptVersion:
    variables = {
        "company": Variable(type=VariableType.STRING, min_length=1, max_length=100, pattern="^[A-Z]"),
        "tone": Variable(type=VariableType.STRING, required=False, default="friendly", enum=("formal", "friendly")),
        "lines": Variable(type=VariableType.ARRAY, items=Variable(type=VariableType.NUMBER, minimum=0, maximum=9.5)),
        "photo": Variable(type=VariableType.IMAGE),
    }
    version = PromptVersion(
        prompt_id=prompt_id,
        number=number,
        template=PromptTemplate(
            messages=(
                Message(
                    role=MessageRole.USER,
                    content=(TextPart(text="{{ lines }} in a {{ tone }} tone ✓"), ImagePart(url="{{ photo }}")),
                ),
            ),
            system_text="You work for {{ company }}.",
            roles=("assistant", "support@2"),
            variables=variables,
        ),
        defaults=Defaults(model="gpt-4.1", parameters=Parameters(temperature=0.2, stop=("END",))),
        output=OutputFormat(type="json_schema", schema={"type": "object", "properties": {"a": {"minimum": 0.5}}}),
        author="key_1",
        created_at=NOW,
        commit_message="Say more",
        content_hash=f"{number:064x}",
    )
    return replace(version, **changes)


def prompt(prompt_id: str = "answer", **changes: Any) -> PromptMetadata:
    label = Label(
        name="production",
        versions={1: 90, 2: 10},
        revision=3,
        history=(LabelMove(versions={1: 90, 2: 10}, at=NOW, by="key_1", reason="a trial"),),
        gate=Gate(tests=True, max_error_rate=0.05, min_requests=20),
        rolled_back=RolledBack(version=2, reason="too slow", at=NOW),
    )
    metadata = PromptMetadata(
        id=prompt_id,
        kind=PromptKind.PROMPT,
        name="Support answer",
        version=2,
        revision=4,
        created_at=NOW,
        updated_at=NOW,
        description="Answers",
        category="support",
        tags=("tier-1", "mail"),
        pii=frozenset({PiiRule.MASK, PiiRule.LOG}),
        cache_ttl_s=60,
        log_bodies=0.5,
        labels={"production": label},
        changes=7,
        roles={2: ("assistant", "support@2")},
        suite_hash="e" * 64,
    )
    return replace(metadata, **changes)


def suite_run(run_id: str = "run_01J00000000000000000000000", **changes: Any) -> SuiteRun:
    message = Message(role=MessageRole.USER, content=(TextPart(text="Grüß Gott"),))
    run = SuiteRun(
        id=run_id,
        prompt_id="answer",
        version=3,
        tests=(
            PromptTest(
                name="greets — höflich",
                variables={"tone": "formal", "times": [1, 2.5, None, True]},
                messages=(message,),
                assertions=(
                    Equals(value={"a": [1, None, "x"]}, negated=True),
                    Equals(value="yes"),
                    Contains(value="ja"),
                    MatchesRegex(value="^a+$"),
                    MatchesSchema(value={"type": "object"}),
                    HasAtPath(path="$.a", value=None, compared=True),
                    MaxTokens(value=10),
                    MaxLatency(value=900),
                    MaxCost(value=Decimal("0.000000000001")),
                    Similar(value="Hello"),
                    Judged(rubric="Be kind.", provider="local/smol", threshold=0.25),
                ),
            ),
        ),
        suite_hash="hash",
        owner="key_a",
        mode="async",
        candidates=("openai/gpt", "local"),
        repeats=2,
        is_whole=True,
        created_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )
    return replace(run, **changes)


def case_result(number: int, *, passed: bool = True, **changes: Any) -> CaseResult:
    result = CaseResult(
        case=RunCase(number=number, test="greets — höflich", candidate="local", repeat=1),
        passed=passed,
        findings=(Finding(type=AssertionType.CONTAINS, passed=passed, detail="it does not contain 'ja'"),),
        query_id="qry_1",
        latency_ms=640,
        cost_usd=Decimal("0.000000000000000000000000000000000001"),
    )
    return replace(result, **changes)
