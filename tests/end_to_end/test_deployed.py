"""The whole app deployed by `cdk deploy`: called through API Gateway, answered by Lambdas whose roles are enforced."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from llm_gateway.access import Dialect, Endpoint
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import BASE_PATH, ENDPOINTS, ROWS, endpoint

from tests.adapters.signing import params, signed
from tests.adapters.upstream import Answer, Refusal, ScriptedUpstream
from tests.adapters.upstream_wires import Said
from tests.end_to_end.calling import Client, at_once, eventually, question, text_of
from tests.end_to_end.deployment import NAME, Deployment, granted, running_deployment
from tests.end_to_end.house import House, running_house
from tests.end_to_end.programs import Program, every_program
from tests.end_to_end.smoke import smoke
from tests.end_to_end.stack import Scripted, register
from tests.end_to_end.table import FIRST_STATUSES, path_of
from tests.entrypoints.contract import code_in

# A first call starts a process, and the machine has few processors.
COLD_STARTS_AT_ONCE = 3
CALLERS = 8
QUERIES = 100
CREDENTIAL = "sk-of-the-upstream-1f3a"
GONE = {
    "provider_not_found",
    "query_not_found",
    "key_not_found",
    "prompt_not_found",
    "prompt_version_not_found",
    "label_not_found",
    "test_run_not_found",
    "erasure_not_found",
}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, localstack: str | None) -> Iterator[Deployment]:
    with running_deployment(tmp_path_factory.mktemp("deployed"), localstack=localstack) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def http(deployment: Deployment) -> Iterator[httpx2.Client]:
    with deployment.http() as http:
        yield http


@pytest.fixture(scope="module")
def admin(deployment: Deployment, http: httpx2.Client) -> Client:
    return deployment.client(http, Role.ADMIN)


@pytest.fixture(scope="module")
def caller(deployment: Deployment, http: httpx2.Client) -> Client:
    return deployment.client(http, Role.CALLER)


@pytest.fixture(scope="module")
def first_answers(admin: Client) -> dict[str, httpx2.Response]:
    """What each function answers when it is called for the first time, with nothing there yet and nothing sent."""
    with ThreadPoolExecutor(COLD_STARTS_AT_ONCE) as pool:
        answers = pool.map(lambda row: called(admin, row), ENDPOINTS)
        return {row.name: answer for row, answer in zip(ENDPOINTS, answers, strict=True)}


@pytest.fixture(scope="module")
def provider(admin: Client, first_answers: dict[str, httpx2.Response]) -> Iterator[Scripted]:
    with ScriptedUpstream() as upstream:
        yield register(admin, upstream, credentials={"api_key": CREDENTIAL})


@pytest.fixture(scope="module")
def house(
    deployment: Deployment,
    admin: Client,
    caller: Client,
    first_answers: dict[str, httpx2.Response],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("programs")
    with running_house(admin, caller, folder, certificates=deployment.aws.certificates) as house:
        yield house


def called(client: Client, row: Endpoint) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json"}
    return client.http.request(row.method, path_of(row), headers=headers)


def problem(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    found = response.json()
    assert found["status"] == response.status_code
    assert found["request_id"]
    return response.status_code, found["code"]


@pytest.mark.usefixtures("on_localstack")
def test_what_make_deploy_local_says_to_try_works(deployment: Deployment) -> None:
    path, address, status, new_key, add = deployment.commands
    assert add.startswith("llm-gateway providers add openai ")
    told, made = (
        json.loads(subprocess.check_output(["bash", "-ec", f"{path}\n{address}\n{line} --json"], timeout=120))
        for line in (status, new_key)
    )
    assert told
    assert (made["role"], made["secret"][:6]) == ("caller", "llmgw_")


def test_every_function_of_the_table_answers_its_route(first_answers: dict[str, httpx2.Response]) -> None:
    statuses = {name: response.status_code for name, response in first_answers.items()}
    assert statuses == FIRST_STATUSES, {name: response.text for name, response in first_answers.items()}
    for name, response in first_answers.items():
        if response.status_code >= 400 and endpoint(name).dialect is Dialect.NATIVE:
            assert problem(response)[1] in {"malformed_request", *GONE}


def test_what_is_public_is_served_whole(first_answers: dict[str, httpx2.Response]) -> None:
    assert first_answers["get_health"].json() == {"status": "ok"}
    assert f"{BASE_PATH}/query" in first_answers["get_openapi"].json()["paths"]
    assert first_answers["get_docs"].headers["content-type"].startswith("text/html")


def test_a_provider_from_its_creation_to_its_end(deployment: Deployment, admin: Client, caller: Client) -> None:
    with ScriptedUpstream() as upstream:
        body: dict[str, Any] = {
            "id": "briefly",
            "name": "Briefly",
            "kind": "openai_compatible",
            "base_url": upstream.openai_base_url,
        }
        body |= {"default_model": "small", "models": [{"name": "small"}], "credentials": {"api_key": CREDENTIAL}}
        path = "/providers/briefly"
        created, again = (
            admin.send("POST", "/providers", body, headers={"Idempotency-Key": "briefly"}) for _ in range(2)
        )
        assert (created.status_code, again.status_code) == (201, 201), again.text
        assert again.headers["idempotent-replayed"] == "true"
        assert created.headers["location"] == f"/dev{BASE_PATH}{path}"
        with deployment.http(as_at_aws=True) as http:
            assert http.get(created.headers["location"], headers=admin.credentials).json()["id"] == "briefly"
        assert created.json()["credentials"]["hint"].endswith("1f3a")
        assert "briefly" in [shown["id"] for shown in caller.send("GET", "/providers").json()["items"]]

        changed = admin.send("PUT", path, {**admin.send("GET", path).json(), "credentials": {"api_key": "sk-new"}})
        assert (changed.status_code, changed.json()["revision"]) == (200, 2), changed.text
        status = admin.send("GET", f"{path}/status?probe=true")
        assert (status.status_code, status.json()["state"]) == (200, "healthy"), status.text
        assert upstream.requests[-1].headers["authorization"] == "Bearer sk-new"

        assert [admin.send("DELETE", path).status_code for _ in range(2)] == [204, 404]


def test_a_question_is_answered_with_the_providers_credential(caller: Client, provider: Scripted) -> None:
    response = caller.send("POST", "/query", question(provider=provider.id))
    answer = response.json()
    assert (response.status_code, answer["output"]["text"]) == (200, "Hello there."), answer
    assert answer["cost_usd"] == "0.00041"
    assert int(response.headers["x-gateway-overhead-ms"]) == answer["latency_ms"]["overhead"]
    assert response.headers["x-request-id"]
    assert provider.upstream.requests[-1].headers["authorization"] == f"Bearer {CREDENTIAL}"
    assert caller.result(answer["id"]) == answer
    assert caller.status(answer["id"])["status"] == "succeeded"


def test_a_large_answer_goes_through_the_bucket(caller: Client, provider: Scripted) -> None:
    text = "It is large. " * 50_000
    provider.upstream.script(Answer(said=Said(pieces=(text,))))
    answer = caller.ask(question(provider=provider.id))
    assert answer["output"]["text"] == caller.result(answer["id"])["output"]["text"] == text


def test_an_answer_is_kept_and_an_idempotency_key_holds(caller: Client, provider: Scripted) -> None:
    body = question("What is kept?", provider=provider.id, parameters={"temperature": 0})
    before = provider.calls
    first = caller.ask(body, **{"Idempotency-Key": "kept"})
    replayed = caller.send("POST", "/query", body, headers={"Idempotency-Key": "kept"})
    hit = caller.ask(body)
    assert (replayed.json(), replayed.headers["idempotent-replayed"]) == (first, "true")
    assert (hit["cache"]["hit"], hit["output"]) == (True, first["output"])
    assert provider.calls == before + 1


def test_the_worker_answers_later(caller: Client, provider: Scripted) -> None:
    for priority in ("normal", "high"):
        query_id = caller.accept(question(f"Later, {priority}?", provider=provider.id, priority=priority))
        assert caller.ended(query_id)["status"] == "succeeded"
        assert caller.result(query_id)["output"]["text"] == "Hello there."


def test_the_addresses_in_answers_lead_there(deployment: Deployment, caller: Client, provider: Scripted) -> None:
    """From the address that the API has at AWS, where its stage is the first step of every path."""
    with deployment.http(as_at_aws=True) as http:
        asking = http.post(
            f"/dev{BASE_PATH}/query", json=question(provider=provider.id, mode="async"), headers=caller.credentials
        )
        accepted = asking.json()
        assert asking.headers["location"] == accepted["status_url"]
        assert caller.ended(accepted["id"])["status"] == "succeeded"
        for url in (accepted["status_url"], accepted["result_url"]):
            found = http.get(url, headers=caller.credentials)
            assert (found.status_code, found.json()["id"]) == (200, accepted["id"]), found.text

        document = http.get("/dev/openapi.json")
        (server,) = document.json()["servers"]
        api = urljoin(str(document.url), server["url"]).rstrip("/")
        shown = http.get(f"{api}{BASE_PATH}/providers/{provider.id}", headers=caller.credentials)
        assert (shown.status_code, shown.json()["id"]) == (200, provider.id), shown.text


def test_dead_letters_are_told_of(deployment: Deployment, caller: Client, provider: Scripted) -> None:
    """The message is put there by hand: to be delivered too often would take it hours."""
    functions, sqs = deployment.sdk("lambda"), deployment.sdk("sqs")
    mappings = functions.list_event_source_mappings(FunctionName=f"{NAME}-process_query")["EventSourceMappings"]
    assert len(mappings) == 2
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    query_id = caller.accept(question("Undeliverable?", provider=provider.id))
    sqs.send_message(QueueUrl=deployment.deployed.variables["DEAD_LETTERS_URL"], MessageBody=query_id)
    assert caller.ended(query_id)["error"]["code"] == "no_provider_available"
    for mapping in mappings:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def test_a_running_query_is_cancelled_and_erased(caller: Client, provider: Scripted) -> None:
    asked = provider.calls
    provider.upstream.script(Answer(delay_s=20))
    query_id = caller.accept(question("Shall it stop?", provider=provider.id))
    assert eventually(lambda: provider.calls > asked)
    assert caller.send("POST", f"/query/{query_id}/cancel").status_code == 200
    assert caller.ended(query_id)["status"] == "cancelled"
    assert caller.send("DELETE", f"/query/{query_id}").status_code == 204
    assert problem(caller.send("GET", f"/query/{query_id}/status")) == (404, "query_not_found")


def test_a_stream_is_answered_at_its_end_and_read_again(caller: Client, provider: Scripted) -> None:
    events = caller.stream(question(provider=provider.id))
    assert [event.name for event in (events[0], events[-1])] == ["query", "done"]
    assert text_of(events) == events[-1].data["output"]["text"] == "Hello there."
    rest = caller.resumed(events[0].data["id"], events[1].id)
    assert text_of(events[:2]) + text_of(rest) == "Hello there."


def test_the_smoke_test_passes(deployment: Deployment, caller: Client, provider: Scripted) -> None:
    certificates = deployment.aws.certificates
    status, printed = smoke(
        deployment.deployed.base_url, caller, certificates=str(certificates) if certificates else None
    )
    assert status == 0, printed
    assert printed.endswith("smoke: 7 passed, 0 failed, 0 skipped\n")


def test_a_providers_refusal_is_told(caller: Client, provider: Scripted) -> None:
    provider.upstream.script(Refusal(status=500), Refusal(status=429, headers={"retry-after": "7"}))
    refused = [caller.send("POST", "/query", question(provider=provider.id, fallback=[])) for _ in range(2)]
    assert [problem(response) for response in refused] == [(502, "provider_error"), (429, "provider_rate_limited")]
    assert int(refused[1].headers["retry-after"]) >= 7


@every_program
def test_a_program_of_others_works(house: House, program: Program) -> None:
    program(house)


GOOD = json.dumps(question())
MISTAKES: dict[str, tuple[str, str, str | None, int, str]] = {
    "no such route": ("GET", "/questions", None, 404, "route_not_found"),
    "other method": ("PUT", "/query", GOOD, 405, "method_not_allowed"),
    "other method of an id": ("PATCH", "/providers/nobody", GOOD, 405, "method_not_allowed"),
    "unknown field": ("POST", "/query", '{"messages": [], "temprature": 1}', 422, "validation_failed"),
    "bad JSON": ("POST", "/query", '{"messages": [', 400, "malformed_request"),
    "5 MB": ("POST", "/query", json.dumps(question("x" * 5_000_000)), 413, "payload_too_large"),
    "unknown provider": ("POST", "/query", GOOD[:-1] + ', "provider": "nobody"}', 404, "provider_not_found"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.usefixtures("first_answers")
def test_a_mistake_is_named(name: str, caller: Client) -> None:
    method, path, content, status, code = MISTAKES[name]
    assert problem(caller.send(method, path, content=content)) == (status, code)


@pytest.mark.usefixtures("first_answers")
def test_outside_the_base_path_there_is_nothing(http: httpx2.Client) -> None:
    assert [problem(http.get(path)) for path in ("/", "/nothing", "/health/nothing")] == [(404, "route_not_found")] * 3
    wrong = http.request("DELETE", "/health")
    assert (problem(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), "GET, HEAD")


@pytest.mark.usefixtures("first_answers")
def test_a_key_from_its_creation_to_its_end(admin: Client, http: httpx2.Client) -> None:
    made = admin.send("POST", "/keys", {"name": "A team", "role": "caller"}, headers={"Idempotency-Key": "a team"})
    key, path = made.json(), f"/keys/{made.json()['id']}"
    again = admin.send("POST", "/keys", {"name": "A team", "role": "caller"}, headers={"Idempotency-Key": "a team"})
    assert (made.status_code, again.json()["id"], again.json()["secret"]) == (201, key["id"], None)
    old = Client(http, key["secret"])
    assert old.send("GET", "/keys/self").json()["id"] == key["id"]
    rotated = admin.send("POST", f"{path}/rotate").json()
    new = Client(http, rotated["secret"])
    assert [client.send("GET", "/keys/self").status_code for client in (old, new)] == [401, 200]
    changed = admin.send("PATCH", path, {"tags": ["team"]}, headers={"If-Match": '"2"'}).json()
    assert (changed["revision"], changed["tags"]) == (3, ["team"])
    assert changed["last_used_at"] is not None
    assert admin.send("DELETE", path).status_code == 204
    assert new.send("GET", "/keys/self").status_code == 401
    assert admin.send("GET", path).json()["status"] == "revoked"


@pytest.mark.usefixtures("first_answers")
def test_a_signature_covers_the_path_with_its_stage(deployment: Deployment, admin: Client) -> None:
    key = admin.send("POST", "/keys", {"name": "Signs", "role": "caller", "require_signature": True}).json()

    def sent(path: str, *, signed_as: str, nonce: str) -> httpx2.Response:
        parameters = params(key_id=key["id"], nonce=nonce, created=int(time.time()))
        secret = key["signing_secret"].encode()
        request = signed(method="GET", path=signed_as, query="limit=5", body=b"", parameters=parameters, secret=secret)
        return http.get(f"{path}?limit=5", headers=request.headers)

    with deployment.http(as_at_aws=True) as http:
        path = f"/dev{BASE_PATH}/providers"
        assert sent(path, signed_as=path, nonce="whole").status_code == 200
        assert problem(sent(path, signed_as=path, nonce="whole")) == (401, "signature_replayed")
        assert problem(sent(path, signed_as=f"{BASE_PATH}/providers", nonce="bare")) == (401, "signature_invalid")


@pytest.mark.parametrize("key", [None, "llmgw_nonsense", "llmgw_01KAWZ00000000000000000000_of-nobody"])
@pytest.mark.usefixtures("first_answers")
def test_without_a_key_there_is_no_way_in(key: str | None, http: httpx2.Client) -> None:
    stranger = Client(http, key)
    # An address that fails too often is told to wait.
    refusals = {(401, "unauthenticated"), (429, "rate_limited")}
    for row in ENDPOINTS:
        if row.permission is not None:
            response = called(stranger, row)
            assert (response.status_code, code_in(response.json())) in refusals, row.name


@pytest.mark.usefixtures("first_answers")
def test_a_role_may_do_what_it_may(caller: Client) -> None:
    assert problem(caller.send("POST", "/providers", {"name": "Mine"})) == (403, "forbidden")
    assert problem(caller.send("DELETE", "/providers/nobody")) == (403, "forbidden")


def test_a_function_can_do_what_its_row_says_and_nothing_else(deployment: Deployment) -> None:
    if not deployment.enforces_iam:
        pytest.skip("LocalStack enforces roles in its paid editions alone")
    prefix = deployment.deployed.variables["CREDENTIALS_PREFIX"]
    deployment.sdk("secretsmanager").create_secret(Name=f"{prefix}probe", SecretString="{}")
    policies = deployment.policies_of(ROWS)
    # One function of all that have the same policies.
    triers = {policies[row.name]: row for row in ROWS}
    print(f"{len(triers)} of {len(ROWS)} functions try for all")
    with ThreadPoolExecutor(COLD_STARTS_AT_ONCE) as pool:
        tried = dict(zip(triers, pool.map(deployment.allowed, triers.values()), strict=True))
    assert {name: tried[told] for name, told in policies.items()} == {row.name: granted(row) for row in ROWS}


def test_many_queries_at_once_are_all_answered(caller: Client, provider: Scripted) -> None:
    provider.upstream.otherwise = Answer(delay_s=0.2)

    def ask(number: int) -> httpx2.Response:
        return caller.send("POST", "/query", question(f"Number {number}?", provider=provider.id))

    # It may just have asked for a pause.
    assert eventually(lambda: ask(0).status_code == 200, every_s=0.5)
    # As many processes as callers are started, a few at a time: a user of Lambda does not wait for eight on two processors.
    for callers in range(COLD_STARTS_AT_ONCE, CALLERS + 1, COLD_STARTS_AT_ONCE):
        at_once(ask, times=callers)
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(ask, range(QUERIES)))
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert len({answer.json()["id"] for answer in answers}) == QUERIES


def _pages(client: Any, operation: str, member: str) -> list[dict[str, Any]]:
    return [found for page in client.get_paginator(operation).paginate() for found in page[member]]


def test_no_function_has_logged_a_failure(deployment: Deployment, first_answers: dict[str, httpx2.Response]) -> None:
    logs = deployment.sdk("logs")
    groups = {row.name: deployment.log_group_of(row) for row in ROWS}
    assert eventually(lambda: logs.describe_log_streams(logGroupName=groups["get_health"])["logStreams"])
    known = {group["logGroupName"] for group in _pages(logs, "describe_log_groups", "logGroups")}
    for group in known.intersection(groups.values()):
        lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        assert [line for line in lines if '"level":"ERROR"' in line or "Traceback" in line] == []
