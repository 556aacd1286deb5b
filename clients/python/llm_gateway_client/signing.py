"""Signs requests instead of sending the key's secret: HTTP Message Signatures (RFC 9421) with HMAC-SHA256.

    with httpx.Client(base_url=url, auth=SignatureAuth(key_id, signing_secret)) as client:
        client.get("/api/v1/llm/providers")

The secret never leaves the process, a signature is good for five minutes, and for the one request that it was made for.
"""

import hashlib
import hmac
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Generator
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import httpx

_COVERED_IF_SENT: Final = ("idempotency-key", "if-match")
_NONCE_BYTES: Final = 18


class SignatureAuth(httpx.Auth):
    """Signs each request that is sent, a repeated one too, with the time and a nonce of its own.

    `key_id` is the key's id (`key_…`), `signing_secret` the text that was shown when the key was made or rotated. A body that
    streams is read into memory first, since its digest is signed. Raises `ValueError` for a request that cannot be signed: one
    with a percent sign in its path, or with two lines of a header that the signature covers.
    """

    requires_request_body = True

    def __init__(
        self,
        key_id: str,
        signing_secret: str,
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_urlsafe(_NONCE_BYTES),
    ) -> None:
        self._key_id = key_id
        self._secret = signing_secret.encode()
        self._clock = clock
        self._nonce = nonce

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self._sign(request)
        yield request

    def _sign(self, request: httpx.Request) -> None:
        covered = {"@method": request.method, "@path": _path(request.url), "@query": canonical_query(request.url.query)}
        if request.content:
            request.headers["Content-Digest"] = f"sha-256={_bytes(hashlib.sha256(request.content).digest())}"
            covered["content-digest"] = request.headers["Content-Digest"]
        covered |= {name: _only(request, name) for name in _COVERED_IF_SENT if name in request.headers}
        parameters = self._parameters(covered)
        base = "".join(f'"{name}": {value}\n' for name, value in covered.items()) + f'"@signature-params": {parameters}'
        request.headers["Signature-Input"] = f"sig1={parameters}"
        request.headers["Signature"] = f"sig1={_bytes(hmac.digest(self._secret, base.encode(), hashlib.sha256))}"

    def _parameters(self, covered: dict[str, str]) -> str:
        components = " ".join(f'"{name}"' for name in covered)
        created, nonce = int(self._clock()), self._nonce()
        return f'({components});created={created};nonce="{nonce}";keyid="{self._key_id}";alg="hmac-sha256"'


def canonical_query(query: bytes) -> str:
    """`@query` of a URL's query: names sorted, the values of one name in their order, RFC 3986 encoding. A `+` is a space."""
    pairs = [pair.partition(b"=") for pair in query.split(b"&") if pair]
    encoded = [(_encoded(name), _encoded(value)) for name, _, value in pairs]
    return "?" + "&".join(f"{name}={value}" for name, value in sorted(encoded, key=lambda pair: pair[0]))


def _encoded(text: bytes) -> str:
    return quote(unquote_to_bytes(text.replace(b"+", b" ")), safe="")


def _path(url: httpx.URL) -> str:
    path = url.raw_path.partition(b"?")[0].decode()
    if "%" in path:
        raise ValueError(
            f"The path {path!r} cannot be signed: it may hold no character that has to be percent-encoded."
        )
    return path


def _only(request: httpx.Request, name: str) -> str:
    lines = request.headers.get_list(name)
    if len(lines) > 1:
        raise ValueError(f"The header {name} is there {len(lines)} times: a request is signed with one line of it.")
    return lines[0].strip(" \t")


def _bytes(value: bytes) -> str:
    """A byte sequence as RFC 8941 writes it."""
    return f":{b64encode(value).decode()}:"
