"""What the Python client signs, held against the gateway's own verifier over HTTP."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import llm_gateway_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain import signatures
from llm_gateway_client.signing import SignatureAuth, canonical_query

from tests.adapters.signing import KEY_ID
from tests.adapters.verifying_server import Verifier
from tests.clients.conftest import SIGNING_SECRET

PATH = "/prod/api/v1/llm/query"


@pytest.fixture
def auth() -> SignatureAuth:
    return SignatureAuth(KEY_ID, SIGNING_SECRET)


@pytest.fixture
def client(verifier: Verifier, auth: SignatureAuth) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=verifier.address, auth=auth, trust_env=False) as client:
        yield client


def chunks() -> Iterator[bytes]:
    yield b'{"messages": '
    yield b"[]}"


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda client: client.get(PATH), id="neither body nor query"),
        pytest.param(lambda client: client.get(PATH, params={"z": "1", "a": ["2", "1"], "é": "ö +&="}), id="a query"),
        pytest.param(lambda client: client.get(f"{PATH}?b=1+2&a&b=%2f"), id="a query as it was written"),
        pytest.param(lambda client: client.post(PATH, json={"messages": [{"content": "é"}]}), id="a body"),
        pytest.param(lambda client: client.post(PATH, content=chunks()), id="a body that streams"),
        pytest.param(lambda client: client.post(PATH, content=b""), id="an empty body"),
        pytest.param(
            lambda client: client.post(PATH, json={}, headers={"Idempotency-Key": "order-4711"}), id="Idempotency-Key"
        ),
        pytest.param(
            lambda client: client.put(PATH, json={}, headers={"If-Match": '"3"', "Idempotency-Key": ""}), id="If-Match"
        ),
        pytest.param(lambda client: client.delete(f"{PATH}/qry_1"), id="another method"),
        pytest.param(lambda client: client.get("/"), id="the root"),
    ],
)
def test_what_the_client_signs_verifies(
    client: httpx.Client, verifier: Verifier, send: Callable[[httpx.Client], httpx.Response]
) -> None:
    response = send(client)
    assert (response.status_code, response.json()) == (200, {"said": "accepted"})
    (seen,) = verifier.seen
    assert SIGNING_SECRET not in repr(seen)


def test_an_asynchronous_client_signs_too(verifier: Verifier, auth: SignatureAuth) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for chunk in chunks():
            yield chunk

    async def ask() -> list[int]:
        async with httpx.AsyncClient(base_url=verifier.address, auth=auth, trust_env=False) as client:
            plain, streamed = await client.post(PATH, json={}), await client.post(PATH, content=parts())
            return [plain.status_code, streamed.status_code]

    assert asyncio.run(ask()) == [200, 200]
    assert [seen.body for seen in verifier.seen] == [b"{}", b"".join(chunks())]


def test_a_request_that_is_sent_again_is_signed_again(client: httpx.Client, verifier: Verifier) -> None:
    request = client.build_request("POST", PATH, json={"a": 1})
    assert [client.send(request).status_code for _ in range(3)] == [200, 200, 200]
    assert len({dict(seen.headers)["signature"] for seen in verifier.seen}) == 3


def test_what_was_recorded_is_refused(client: httpx.Client, verifier: Verifier) -> None:
    client.post(PATH, json={})
    (seen,) = verifier.seen
    with httpx.Client(trust_env=False) as thief:
        again = thief.post(f"{verifier.address}{PATH}", content=seen.body, headers=dict(seen.headers))
        changed = thief.post(f"{verifier.address}{PATH}", content=b"[]", headers=dict(seen.headers))
    assert (again.status_code, again.json()["said"]) == (401, "signature_replayed")
    assert (changed.status_code, changed.json()["said"]) == (401, "signature_invalid")


@pytest.mark.parametrize(
    ("off_s", "said"),
    [(-290, "accepted"), (290, "accepted"), (-310, "signature_expired"), (310, "signature_expired")],
)
def test_the_clients_clock_is_what_is_signed(verifier: Verifier, off_s: int, said: str) -> None:
    auth = SignatureAuth(KEY_ID, SIGNING_SECRET, clock=lambda: time.time() + off_s)
    assert httpx.get(verifier.address, auth=auth, trust_env=False).json() == {"said": said}


@pytest.mark.parametrize(
    ("key_id", "secret"), [(KEY_ID, SIGNING_SECRET[:-1]), (KEY_ID[:-1] + "B", SIGNING_SECRET), ("key", SIGNING_SECRET)]
)
def test_another_key_or_secret_is_refused(verifier: Verifier, key_id: str, secret: str) -> None:
    response = httpx.get(verifier.address, auth=SignatureAuth(key_id, secret), trust_env=False)
    assert (response.status_code, response.json()) == (401, {"said": "signature_invalid"})


@pytest.mark.parametrize("path", ["/api/v1/llm/prompts/a%2Fb", "/api/v1/llm/prompts/a b", "/api/v1/llm/prompts/é"])
def test_a_path_that_has_to_be_encoded_cannot_be_signed(client: httpx.Client, verifier: Verifier, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        client.get(path)
    assert verifier.seen == []


def test_two_lines_of_a_covered_header_cannot_be_signed(client: httpx.Client, verifier: Verifier) -> None:
    with pytest.raises(ValueError, match="idempotency-key"):
        client.get(PATH, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert verifier.seen == []


def test_the_client_does_not_show_its_secret(auth: SignatureAuth) -> None:
    assert SIGNING_SECRET not in repr(auth)
    with pytest.raises(ValueError, match="path") as refusal:
        next(auth.sync_auth_flow(httpx.Request("GET", "http://127.0.0.1/%20")))
    assert SIGNING_SECRET not in repr(refusal.value)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40))
def test_client_and_gateway_read_a_query_alike(query: str) -> None:
    assert canonical_query(query.encode()) == signatures.canonical_query(query)


def test_the_client_stands_without_the_gateway() -> None:
    script = "import sys, llm_gateway_client.signing; print(*sys.modules)"
    environment = {"PYTHONPATH": str(Path(llm_gateway_client.__file__).parents[1])}
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert not {"llm_gateway", "fastapi", "boto3", "pydantic"} & set(loaded.stdout.split())
