"""A client that signs by the words of the contract, with nothing of the gateway's code, and as wrongly as a test wants."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence

from llm_gateway.domain.signatures import SignedRequest

from tests.adapters.clock import FakeClock

KEY_ID = "key_01KAQ0XN00B3W8Z5V6T7R8S9QA"
SECRET = b"llmgw_sign_a-secret-for-tests"
NOW_S = int(FakeClock().now().timestamp())
PATH = "/prod/api/v1/llm/query"
BODY = b'{"messages": []}'


def digest(body: bytes) -> str:
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def params(*, created: int = NOW_S, nonce: str = "a-nonce", key_id: str = KEY_ID, alg: str = "hmac-sha256") -> str:
    return f';created={created};nonce="{nonce}";keyid="{key_id}";alg="{alg}"'


def signed(
    *,
    method: str = "POST",
    path: str = PATH,
    query: str = "",
    signed_query: str | None = None,
    body: bytes = BODY,
    headers: Mapping[str, str] | None = None,
    components: Sequence[str] | None = None,
    parameters: str | None = None,
    label: str = "sig1",
    secret: bytes = SECRET,
) -> SignedRequest:
    """A request with `headers` and its signature. It covers what the contract says, or `components` (with their quotes), in the
    query's form `signed_query`; `parameters` begin with a semicolon."""
    sent = dict(headers or {})
    if body:
        sent = {"content-digest": digest(body), **sent}
    values = {
        "@method": method,
        "@path": path,
        "@query": "?" + (query if signed_query is None else signed_query),
        **sent,
    }
    covered = [f'"{name}"' for name in values] if components is None else components
    claimed = f"({' '.join(covered)}){params() if parameters is None else parameters}"
    lines = [f"{name}: {values.get(name.partition(';')[0].strip(chr(34)).lower(), 'what it is')}" for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {claimed}'])
    mac = b64encode(hmac.new(secret, base.encode(), hashlib.sha256).digest()).decode()
    signature = {"signature-input": f"{label}={claimed}", "signature": f"{label}=:{mac}:"}
    return SignedRequest(method=method, path=path, query=query, headers=[*sent.items(), *signature.items()], body=body)
