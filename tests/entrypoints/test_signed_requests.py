"""Signed requests at every door: what was signed is what the client sent, with whatever API Gateway put before it."""

import json
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.domain.signatures import SignedRequest
from llm_gateway.entrypoints.aws import BehindWebAdapter, handler_of
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.services.keys.administration import Issued
from llm_gateway_client.signing import SignatureAuth
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.adapters.authors import BY
from tests.adapters.gateway import FakeGateway
from tests.adapters.signing import params, signed
from tests.entrypoints.access import GUARDED, cells_of, path_of
from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION, Api
from tests.entrypoints.contract import told_in
from tests.entrypoints.serving import Serving
from tests.entrypoints.test_aws import _CONTEXT, ROOTS, event

SELF = "/api/v1/llm/keys/self"


@pytest.fixture
def issued(api: Api) -> Issued:
    return new(api.gateway)


def new(gateway: FakeGateway, **said: Any) -> Issued:
    said = {"name": "Signs", "role": Role.ADMIN, "require_signature": True, **said}
    return gateway.key_changes.create(KeySpec(**said), by=BY)


def made(
    issued: Issued, method: str, path: str, *, nonce: str = "one", created: int | None = None, **sent: Any
) -> SignedRequest:
    """A request of the key's, as the contract has it."""
    parameters = params(key_id=issued.key.id, nonce=nonce, created=created or int(time.time()))
    body = sent.pop("body", b"")
    return signed(
        method=method, path=path, body=body, parameters=parameters, secret=issued.signing_secret.encode(), **sent
    )


def send(api: Api, request: SignedRequest, **more: str) -> Any:
    address = request.path + (f"?{request.query}" if request.query else "")
    headers = [*request.headers, *more.items(), ("Content-Type", "application/json")]
    return api.call(request.method, address, role=None, headers=headers, content=request.body or None)


def test_a_signed_request_is_its_keys(api: Api, issued: Issued) -> None:
    response = send(api, made(issued, "GET", SELF))
    assert (response.status_code, response.json()["id"]) == (200, issued.key.id)


def test_a_body_a_query_and_a_condition_are_signed_too(api: Api, issued: Issued) -> None:
    body = json.dumps(PROVIDER).encode()
    once = {"idempotency-key": "once"}
    assert send(api, made(issued, "POST", PROVIDERS, body=body, headers=once, nonce="1")).status_code == 201
    query = "limit=5&cursor="
    paged = made(issued, "GET", PROVIDERS, query=query, signed_query="cursor=&limit=5", nonce="2")
    assert send(api, paged).status_code == 400
    matched = made(issued, "DELETE", f"{PROVIDERS}/local", headers={"if-match": '"1"'}, nonce="3")
    assert send(api, matched).status_code == 204


@pytest.mark.parametrize("row", GUARDED, ids=lambda row: row.name)
def test_a_bare_secret_opens_no_route_where_a_signature_is_required(api: Api, row: Any) -> None:
    secret = new(api.gateway).secret
    problem = api.refused(
        row.method,
        path_of(row),
        cells_of(row).body,
        role=None,
        headers={"X-Api-Key": secret},
        status=401,
        code="unauthenticated",
    )
    assert "must be signed" in told_in(problem)


@pytest.mark.parametrize("row", GUARDED, ids=lambda row: row.name)
def test_a_signature_opens_every_route(api: Api, issued: Issued, row: Any) -> None:
    body = cells_of(row).body
    request = made(issued, row.method, path_of(row), body=b"" if body is None else json.dumps(body).encode())
    assert send(api, request).status_code not in (401, 403)


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
def test_a_secret_beside_a_signature_is_refused(api: Api, issued: Issued, header: str) -> None:
    secret = api.secret(Role.ADMIN)
    line = f"Bearer {secret}" if header == "Authorization" else secret
    response = send(api, made(issued, "GET", SELF), **{header: line})
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert "send one of them" in response.json()["detail"]
    assert send(api, made(issued, "GET", SELF)).status_code == 200


def test_a_replay_is_refused(api: Api, issued: Issued) -> None:
    request = made(issued, "GET", SELF)
    assert send(api, request).status_code == 200
    response = send(api, request)
    assert (response.status_code, response.json()["code"]) == (401, "signature_replayed")


@pytest.mark.parametrize("off_s", [-302, 302])
def test_a_signature_of_another_time_is_refused(api: Api, issued: Issued, off_s: int) -> None:
    response = send(api, made(issued, "GET", SELF, created=int(time.time()) + off_s))
    assert (response.status_code, response.json()["code"]) == (401, "signature_expired")


def tampered(request: SignedRequest) -> list[SignedRequest]:
    def header(name: str, value: str | None) -> SignedRequest:
        kept = [(found, line) for found, line in request.headers if found != name]
        return replace(request, headers=kept if value is None else [*kept, (name, value)])

    return [
        replace(request, method="PUT"),
        replace(request, path=f"{PROVIDERS}/other"),
        replace(request, query="a=b"),
        replace(request, body=request.body.replace(b"Local", b"LocaL")),
        header("content-digest", None),
        header("content-digest", "sha-256=:" + "A" * 43 + "=:"),
        header("signature", None),
        header("signature-input", None),
        header("signature", "sig1=:" + "A" * 43 + "=:"),
        header("idempotency-key", "another"),
        header("if-match", '"1"'),
    ]


@pytest.mark.parametrize("which", range(11))
def test_what_was_changed_on_its_way_is_refused(api: Api, issued: Issued, which: int) -> None:
    body = json.dumps(PROVIDER).encode()
    request = made(issued, "POST", PROVIDERS, body=body, headers={"idempotency-key": "once"})
    response = send(api, tampered(request)[which])
    assert (response.status_code, response.json()["code"]) in [(401, "signature_invalid"), (405, "method_not_allowed")]
    assert api.gateway.outside.provider_store.all() == ()
    assert send(api, request).status_code == 201, "what was refused has burnt no nonce"


def test_while_nonces_cannot_be_kept_nothing_signed_is_let_in(api: Api, issued: Issued) -> None:
    api.gateway.outside.nonces.fault = DependencyUnavailable("away")
    response = send(api, made(issued, "GET", SELF))
    assert (response.status_code, response.json()["code"]) == (503, "dependency_unavailable")
    assert api.call("GET", SELF).status_code == 200


def test_what_is_not_signed_needs_no_signatures(api: Api) -> None:
    """Nor their module: a plain request waits for no import of it."""
    api.call("GET", SELF)
    assert "signatures" not in vars(api.gateway)


# Through API Gateway


@pytest.mark.parametrize("root", ROOTS)
def test_behind_a_stage_or_a_base_path_the_clients_own_path_is_signed(
    api: Api, issued: Issued, app: Starlette, root: str
) -> None:
    function = handler_of(app)
    body = json.dumps(QUESTION).encode()
    request = made(issued, "POST", root + QUERY, body=body, headers={"idempotency-key": "once"})
    headers = {**dict(request.headers), "Content-Type": "application/json"}
    asked = event(api, "POST", QUERY, root=root, headers=headers)
    asked["body"] = body.decode()
    asked["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    api.register()
    answer = function(asked, _CONTEXT)
    assert answer["statusCode"] == 200, answer["body"]
    without_stage = made(issued, "POST", QUERY, body=body, headers={"idempotency-key": "once"}, nonce="two")
    asked["multiValueHeaders"] |= {name: [value] for name, value in without_stage.headers}
    answer = function(asked, _CONTEXT)
    assert answer["statusCode"] == (200 if root == "" else 401), answer["body"]


def test_api_gateways_parameters_are_those_that_were_signed(api: Api, issued: Issued, app: Starlette) -> None:
    request = made(issued, "GET", f"/dev{PROVIDERS}", query="limit=5", signed_query="limit=5")
    asked = event(api, "GET", PROVIDERS, root="/dev", headers=dict(request.headers))
    asked["multiValueHeaders"] = {name: [value] for name, value in request.headers}
    asked |= {"queryStringParameters": {"limit": "5"}, "multiValueQueryStringParameters": {"limit": ["5"]}}
    assert handler_of(app)(asked, _CONTEXT)["statusCode"] == 200


@pytest.mark.parametrize("root", ["/dev", "", "/llm"])
def test_the_web_adapters_requests_are_signed_with_their_stage(
    api: Api, issued: Issued, app: Starlette, root: str
) -> None:
    adapted = TestClient(BehindWebAdapter(app), base_url="http://127.0.0.1:8080")
    request = made(issued, "GET", root + SELF)
    context = {"path": root + SELF, "resourcePath": SELF, "identity": {"sourceIp": "203.0.113.9"}}
    headers = [*request.headers, ("x-amzn-request-context", json.dumps(context))]
    assert adapted.get(ROOTS[root] + SELF, headers=headers).status_code == 200


# Over real connections


def test_the_python_client_signs_what_the_local_server_reads(api: Api) -> None:
    gateway = FakeGateway()
    issued = new(gateway)
    with Serving(gateway) as serving:
        auth = SignatureAuth(issued.key.id, issued.signing_secret)
        with httpx.Client(base_url=f"http://127.0.0.1:{serving.port}", auth=auth, trust_env=False) as client:
            assert client.get(SELF).json()["id"] == issued.key.id
            assert client.get(PROVIDERS, params={"limit": 5}).status_code == 200
            assert client.post(PROVIDERS, json=PROVIDER, headers={"Idempotency-Key": "once"}).status_code == 201
            assert client.patch(f"/api/v1/llm/keys/{issued.key.id}", json={"name": "x"}).status_code == 200
