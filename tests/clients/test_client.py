"""The Python client against the running gateway, over real connections."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from llm_gateway.domain.keys import Role
from llm_gateway_client import AsyncGatewayClient, GatewayClient, Retries, SignatureAuth, errors
from llm_gateway_client.answers import DeltaEvent, QueryEvent, QueryResponse

from tests.adapters.breaking_proxy import breaking_proxy
from tests.adapters.thinking import Thinking
from tests.entrypoints.conftest import PROMPT, PROVIDER, TEST
from tests.entrypoints.serving import Serving
from workshop.client import OPENAPI

AT_ONCE = Retries(draw=lambda: -0.99)


@pytest.fixture
def client(serving: Serving) -> Iterator[GatewayClient]:
    with GatewayClient(url_of(serving), serving.key, retries=AT_ONCE) as client:
        yield client


@pytest.fixture
def ready(client: GatewayClient) -> GatewayClient:
    """A client of a gateway with a provider."""
    client.providers.create(**PROVIDER)  # type: ignore[typeddict-item]
    return client


def url_of(serving: Serving) -> str:
    return f"http://127.0.0.1:{serving.port}"


def test_a_question_is_answered(ready: GatewayClient) -> None:
    answer = ready.ask("What is 2+2?", provider="local", parameters={"temperature": 0})
    assert (answer.status, answer.output.text, answer.provider) == ("succeeded", "Hello!", "local")
    assert answer.attempts[0].outcome == "ok"
    assert ready.queries.result(answer.id) == answer
    assert ready.queries.status(answer.id).status == "succeeded"
    assert [each.id for each in ready.queries.list()] == [answer.id]


def test_a_question_follows_the_messages(ready: GatewayClient, serving: Serving) -> None:
    ready.ask("And 3+3?", messages=[{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}])
    (asked,) = serving.gateway.outside.models.asked  # type: ignore[attr-defined]
    assert [message.role for message in asked.request.messages] == ["user", "assistant", "user"]


def test_an_idempotency_key_replays(ready: GatewayClient) -> None:
    first, second = (ready.ask("Hi", idempotency_key="order-4711") for _ in range(2))
    assert first.id == second.id
    with pytest.raises(errors.IdempotencyConflict):
        ready.ask("Something else", idempotency_key="order-4711")


def test_a_plan_asks_nobody(ready: GatewayClient, serving: Serving) -> None:
    plan = ready.plan("What is 2+2?")
    assert [candidate.outcome for candidate in plan.candidates] == ["ready"]
    assert serving.gateway.outside.models.asked == []  # type: ignore[attr-defined]


def test_a_stream_tells_each_piece_and_the_whole(ready: GatewayClient) -> None:
    with ready.stream("Hi") as stream:
        assert stream.query_id is not None
        query, delta, done = list(stream)
    assert isinstance(query, QueryEvent)
    assert isinstance(delta, DeltaEvent)
    assert isinstance(done, QueryResponse)
    assert (query.id, delta.text, stream.answer) == (stream.query_id, "Hello!", done)
    with ready.queries.resume(done.id) as again:
        assert "".join(again.text()) == "Hello!"


@pytest.mark.parametrize("at", [b"event: query", b"event: delta", b"event: done", b'"text"'])
def test_a_stream_that_breaks_goes_on(serving: Serving, ready: GatewayClient, at: bytes) -> None:
    with (
        breaking_proxy(serving.port, at) as proxy,
        GatewayClient(proxy.url, serving.key, retries=AT_ONCE) as client,
        client.stream("Hi") as stream,
    ):
        events = list(stream)
    assert proxy.broken == 1
    assert [type(event).__name__ for event in events] == ["QueryEvent", "DeltaEvent", "QueryResponse"]
    assert stream.answer is not None
    assert len(serving.gateway.outside.models.asked) == 1  # type: ignore[attr-defined]


def test_a_stream_that_breaks_again_and_again_is_given_up(serving: Serving, ready: GatewayClient) -> None:
    with (
        breaking_proxy(serving.port, *[b"event: query"] * 9) as proxy,
        GatewayClient(proxy.url, serving.key, retries=AT_ONCE) as client,
        client.stream("Hi") as stream,
        pytest.raises(errors.StreamBroken) as broken,
    ):
        list(stream)
    assert broken.value.query_id == stream.query_id is not None
    assert 1 < proxy.broken < 9


def test_an_asynchronous_stream_that_breaks_goes_on(serving: Serving, ready: GatewayClient) -> None:
    async def read(url: str) -> tuple[list[str], str | None]:
        async with AsyncGatewayClient(url, serving.key, retries=AT_ONCE) as client, client.stream("Hi") as stream:
            return [type(event).__name__ async for event in stream], stream.query_id

    with breaking_proxy(serving.port, b'"text"') as proxy:
        names, query_id = asyncio.run(read(proxy.url))
    assert (proxy.broken, names) == (1, ["QueryEvent", "DeltaEvent", "QueryResponse"])

    async def again() -> str:
        async with (
            AsyncGatewayClient(url_of(serving), serving.key) as client,
            client.queries.resume(query_id or "") as stream,
        ):
            return "".join([text async for text in stream.text()])

    assert asyncio.run(again()) == "Hello!"


def test_the_asynchronous_client_waits_no_longer_than_is_wanted(serving: Serving, ready: GatewayClient) -> None:
    async def wait() -> None:
        async with AsyncGatewayClient(url_of(serving), serving.key) as client:
            accepted = await client.submit("Hi")
            with pytest.raises(errors.QueryUnfinished, match="within"):
                await client.wait(accepted.id, timeout_s=0.1)
            answer = await client.ask("Hi")
            assert (await client.queries.result(answer.id)).output.text == "Hello!"
            await client.queries.give_feedback(answer.id, 1)

    asyncio.run(wait())


def test_leaving_a_stream_cancels_its_query(serving: Serving, ready: GatewayClient) -> None:
    Thinking(serving, before=2)
    with ready.stream("Hi") as stream:
        assert next(stream.text()) == "Hello!"
    assert stream.query_id is not None
    with pytest.raises(errors.QueryCancelled):
        ready.queries.wait(stream.query_id)


def test_giving_up_before_the_answer_begins_cancels_its_query(serving: Serving, ready: GatewayClient) -> None:
    thinking = Thinking(serving, before=1)

    async def give_up() -> None:
        async with AsyncGatewayClient(url_of(serving), serving.key) as client:
            asking = asyncio.ensure_future(client.stream("Hi").__aenter__())
            assert await asyncio.to_thread(thinking.begun.wait, 30)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(give_up())
    (query,) = ready.queries.list()
    assert ready.queries.status(query.id, wait_s=20).status == "cancelled"


def test_a_failure_in_a_stream_is_the_querys_own(serving: Serving, ready: GatewayClient) -> None:
    with pytest.raises(errors.ProviderNotFound) as refused, ready.stream("Hi", provider="nobody"):
        pass
    assert refused.value.status == 404


def test_a_query_is_handed_in_and_waited_for(serving: Serving, ready: GatewayClient) -> None:
    accepted = ready.submit("Hi")
    assert accepted.status == "queued"
    with pytest.raises(errors.QueryUnfinished) as unfinished:
        ready.queries.result(accepted.id)
    assert unfinished.value.query_id == accepted.id
    serving.gateway.work_off()
    assert ready.wait(accepted.id).output.text == "Hello!"
    ready.queries.give_feedback(accepted.id, 1, name="tone", comment="Kind.")
    ready.queries.erase(accepted.id)
    with pytest.raises(errors.QueryNotFound):
        ready.queries.status(accepted.id)


def test_waiting_ends(ready: GatewayClient) -> None:
    accepted = ready.submit("Hi")
    with pytest.raises(errors.QueryUnfinished, match="within"):
        ready.wait(accepted.id, timeout_s=0.1)
    assert ready.queries.cancel(accepted.id).status == "cancelled"


def test_providers_are_managed(client: GatewayClient) -> None:
    made = client.providers.create(**PROVIDER)  # type: ignore[typeddict-item]
    assert made.credentials.configured
    body = made.model_dump(mode="json") | {"priority": 3}
    assert client.providers.update("local", body, if_match=made.revision).priority == 3
    with pytest.raises(errors.RevisionConflict):
        client.providers.update("local", body, if_match=made.revision)
    assert (client.providers.rotate("local", "sk-another-vendors-own-secret-2b4c").credentials.hint or "").endswith(
        "2b4c"
    )
    assert client.providers.status("local").state == "healthy"
    assert [each.id for each in client.providers.list(page_size=1)] == ["local"]
    client.providers.delete("local")
    with pytest.raises(errors.ProviderNotFound) as gone:
        client.providers.get("local")
    assert gone.value.actual_code == "provider_not_found"


def test_prompts_are_managed(ready: GatewayClient) -> None:
    made = ready.prompts.create(**PROMPT, tests=[TEST])  # type: ignore[typeddict-item]
    body: dict[str, Any] = made.model_dump(mode="json")
    body["template"]["messages"][0]["content"] = "Say hello to {{ customer }}."
    assert ready.prompts.update("greeting", body).version == 2
    assert [each.version for each in ready.prompts.versions("greeting")] == [2, 1]
    assert ready.prompts.version("greeting", 1).version == 1
    assert "Say hello" in (ready.prompts.diff("greeting", 1, 2).messages[0].unified or "")
    rendered = ready.prompts.render("greeting", variables={"customer": "Ada"}, version=1)
    assert rendered.messages[0].content == "Greet Ada."
    run = ready.prompts.run_tests("greeting", repeat=2)
    assert (run.passed, run.failed) == (2, 0)
    assert [each.run_id for each in ready.prompts.test_runs("greeting")] == [run.run_id]
    assert ready.prompts.test_run("greeting", run.run_id).results == run.results
    moved = ready.prompts.move_label("greeting", "production", version=2, gate={"tests": True})
    assert moved.version == 2
    assert [each.version for each in ready.prompts.performance("greeting", bucket="day")] == []
    assert [each.id for each in ready.prompts.list(kind="prompt", name="gree")] == ["greeting"]
    ready.prompts.delete_label("greeting", "production")
    ready.prompts.delete("greeting")
    with pytest.raises(errors.PromptNotFound):
        ready.prompts.get("greeting")


def test_keys_are_managed(serving: Serving, client: GatewayClient) -> None:
    made = client.keys.create(name="Support", role="caller", tags=["support"])
    assert made.secret is not None
    with GatewayClient(url_of(serving), made.secret) as callers:
        assert callers.keys.own().name == "Support"
        with pytest.raises(errors.Forbidden) as refused:
            list(callers.keys.list())
        assert refused.value.request_id is not None
    assert client.keys.update(made.id, {"limits": {"requests_per_minute": 5}}).limits.requests_per_minute == 5
    assert client.keys.rotate(made.id, overlap_s=60).secret not in (None, made.secret)
    assert {each.name for each in client.keys.list(page_size=1)} == {"Support", "admin"}
    client.keys.revoke(made.id)
    assert client.keys.get(made.id).status == "revoked"


def test_usage_and_audit_are_read(ready: GatewayClient) -> None:
    ready.ask("Hi")
    since = datetime.now(UTC).replace(year=2000)
    rows = list(ready.usage(group_by="provider"))
    assert [(row.provider, row.requests) for row in rows] == [("local", 1)]
    assert "provider.created" in [entry.action for entry in ready.audit(action="provider.created")]
    assert ready.health().status == "ok"
    with pytest.raises(errors.ValidationFailed) as refused:
        list(ready.usage(since=since, bucket="hour"))
    assert refused.value.errors


def test_requests_are_signed(serving: Serving, ready: GatewayClient) -> None:
    made = ready.keys.create(name="Signing", role="caller", require_signature=True)
    assert made.signing_secret is not None
    with GatewayClient(url_of(serving), auth=SignatureAuth(made.id, made.signing_secret)) as client:
        assert client.ask("Hi").output.text == "Hello!"
    with GatewayClient(url_of(serving), made.secret) as client, pytest.raises(errors.Unauthenticated):
        client.ask("Hi")


def test_the_asynchronous_client_does_the_same(serving: Serving, ready: GatewayClient) -> None:
    async def all_of_it() -> list[Any]:
        async with AsyncGatewayClient(url_of(serving), serving.key, retries=AT_ONCE) as client:
            answer = await client.ask("Hi")
            async with client.stream("Hi") as stream:
                words = [text async for text in stream.text()]
            accepted = await client.submit("Hi")
            await asyncio.to_thread(serving.gateway.work_off)
            later = await client.wait(accepted.id)
            listed = [each.id async for each in client.queries.list(page_size=1)]
            names = [each.id async for each in client.providers.list()]
            return [answer.output.text, words, later.output.text, len(listed), names]

    assert asyncio.run(all_of_it()) == ["Hello!", ["Hello!"], "Hello!", 3, ["local"]]


def test_the_asynchronous_client_manages_the_same(serving: Serving, ready: GatewayClient) -> None:
    async def manage() -> None:
        async with AsyncGatewayClient(url_of(serving), serving.key, retries=AT_ONCE) as client:
            provider = await client.providers.create(**PROVIDER | {"id": "other"})  # type: ignore[typeddict-item]
            assert (await client.providers.rotate("other", "sk-another-vendors-own-secret-2b4c")).credentials.configured
            assert (await client.providers.status(provider.id)).state == "healthy"
            await client.providers.delete(provider.id)
            prompt = await client.prompts.create(**PROMPT, tests=[TEST])  # type: ignore[typeddict-item]
            assert (await client.prompts.update("greeting", prompt.model_dump(mode="json"))).version == 1
            assert [each.version async for each in client.prompts.versions("greeting")] == [1]
            assert (await client.prompts.version("greeting", 1)).version == 1
            assert (await client.prompts.diff("greeting", 1, 1)).settings == []
            assert (await client.prompts.render("greeting", variables={"customer": "Ada"})).version == 1
            run = await client.prompts.run_tests("greeting")
            assert [each.run_id async for each in client.prompts.test_runs("greeting")] == [run.run_id]
            assert (await client.prompts.test_run("greeting", run.run_id)).passed == 1
            assert (await client.prompts.move_label("greeting", "production", version=1)).version == 1
            assert [each async for each in client.prompts.performance("greeting")] == []
            assert "greeting" in [each.id async for each in client.prompts.list()]
            await client.prompts.delete_label("greeting", "production")
            await client.prompts.delete("greeting")
            key = await client.keys.create(name="Support", role="caller")
            assert (await client.keys.update(key.id, {"name": "Team"})).name == "Team"
            assert (await client.keys.rotate(key.id)).secret != key.secret
            assert (await client.keys.own()).role == "admin"
            await client.keys.revoke(key.id)
            assert (await client.keys.get(key.id)).status == "revoked"
            assert len([each async for each in client.keys.list()]) == 2
            assert (await client.plan("Hi")).candidates[0].outcome == "ready"
            accepted = await client.submit("Hi")
            with pytest.raises(errors.QueryUnfinished):
                await client.queries.result(accepted.id)
            assert (await client.queries.status(accepted.id)).status == "queued"
            assert (await client.queries.cancel(accepted.id)).status == "cancelled"
            answer = await client.ask("Hi")
            await client.queries.give_feedback(answer.id, 1, name="tone", comment="Kind.")
            await client.queries.erase(answer.id)
            erasure = await client.queries.erase_all(subject="customer 42")
            assert (await client.queries.erasure(erasure.id)).id == erasure.id
            with pytest.raises(ValueError, match="Whose"):
                await client.queries.erase_all()
            assert [row.requests async for row in client.usage()] != []
            assert [entry.action async for entry in client.audit(action="key.revoked")] == ["key.revoked"]
            async with client.stream("Hi") as stream:
                assert [event async for event in stream][-1] == stream.answer

    asyncio.run(manage())


def test_an_asynchronous_stream_goes_on_where_it_broke(serving: Serving, ready: GatewayClient) -> None:
    async def read(url: str) -> str:
        async with AsyncGatewayClient(url, serving.key, retries=AT_ONCE) as client, client.stream("Hi") as stream:
            return "".join([text async for text in stream.text()])

    with breaking_proxy(serving.port, b"event: done") as proxy:
        assert asyncio.run(read(proxy.url)) == "Hello!"
        assert proxy.broken == 1


def test_an_http_client_of_ones_own_stays_open(serving: Serving) -> None:
    with httpx.Client() as http:
        with GatewayClient(url_of(serving), serving.key, http=http) as client:
            assert client.url == url_of(serving)
        assert http.is_closed is False


def test_roles_are_the_keys(serving: Serving) -> None:
    _, secret = serving.gateway.new_key(Role.AUDITOR)
    with GatewayClient(url_of(serving), secret) as client, pytest.raises(errors.Forbidden) as refused:
        client.ask("Hi")
    assert "forbidden" in str(refused.value)


def test_a_client_has_a_method_for_each_endpoint() -> None:
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    methods = {operation["operationId"] for each in document["paths"].values() for operation in each.values()}
    pages_for_people = {"get_docs", "get_error", "get_openapi"}
    assert methods - pages_for_people == set(METHODS), "a new endpoint needs a method of the client"
    for where in METHODS.values():
        part, _, name = where.rpartition(".")
        with GatewayClient("http://127.0.0.1:9", "key") as client:
            assert callable(getattr(getattr(client, part) if part else client, name))


METHODS = {
    "run_query": "ask",
    "stream_query": "stream",
    "plan_query": "plan",
    "resume_query_stream": "queries.resume",
    "list_queries": "queries.list",
    "get_query_status": "queries.status",
    "get_query_result": "queries.result",
    "cancel_query": "queries.cancel",
    "erase_query": "queries.erase",
    "create_erasure": "queries.erase_all",
    "get_erasure": "queries.erasure",
    "give_feedback": "queries.give_feedback",
    "create_provider": "providers.create",
    "list_providers": "providers.list",
    "get_provider": "providers.get",
    "update_provider": "providers.update",
    "delete_provider": "providers.delete",
    "get_provider_status": "providers.status",
    "create_key": "keys.create",
    "list_keys": "keys.list",
    "get_own_key": "keys.own",
    "get_key": "keys.get",
    "update_key": "keys.update",
    "revoke_key": "keys.revoke",
    "rotate_key": "keys.rotate",
    "create_prompt": "prompts.create",
    "list_prompts": "prompts.list",
    "get_prompt": "prompts.get",
    "update_prompt": "prompts.update",
    "delete_prompt": "prompts.delete",
    "list_prompt_versions": "prompts.versions",
    "get_prompt_version": "prompts.version",
    "diff_prompt_versions": "prompts.diff",
    "render_prompt": "prompts.render",
    "move_label": "prompts.move_label",
    "delete_label": "prompts.delete_label",
    "run_prompt_tests": "prompts.run_tests",
    "list_prompt_tests": "prompts.test_runs",
    "get_prompt_test": "prompts.test_run",
    "get_prompt_performance": "prompts.performance",
    "get_usage": "usage",
    "list_audit": "audit",
    "get_health": "health",
}
