"""Whose a request is: by a key's secret, or by a signature that was made with its signing secret."""

from typing import TYPE_CHECKING

from starlette.requests import Request

from llm_gateway.entrypoints.composition import gateway_behind
from llm_gateway.errors import Unauthenticated

if TYPE_CHECKING:
    from llm_gateway.domain.keys import ApiKey
    from llm_gateway.domain.signatures import SignedRequest

_NONE = "No API key was sent. Send it as `Authorization: Bearer <key>` or as `X-Api-Key`."
_BOTH = "The request carries a key and a signature: send one of them. What is signed needs no secret."


def key_behind(request: Request, body: bytes) -> "ApiKey":
    """The key whose holder sent `request`. Raises `Unauthenticated`, and `RateLimited` for too many failures from its address."""
    gateway, secret = gateway_behind(request), _secret(request)
    signed = "Signature-Input" in request.headers or "Signature" in request.headers
    if secret and signed:
        raise Unauthenticated(_BOTH)
    if not secret and not signed:
        raise Unauthenticated(_NONE)
    try:
        if signed:
            return gateway.signatures.authenticate(_as_signed(request, body))
        return gateway.authentication.authenticate(secret)
    except Unauthenticated as refusal:
        raise gateway.failures.answer(refusal, address=address_of(request)) from None


def address_of(request: Request) -> str | None:
    """The network address that the request came from: as API Gateway says it, on a local server the other end's."""
    return request.client.host if request.client else None


def _secret(request: Request) -> str:
    """Empty where there is none."""
    scheme, _, bearer = _only(request, "Authorization").partition(" ")
    header = _only(request, "X-Api-Key")
    if scheme and scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must have the form `Bearer <api key>`.")
    bearer = bearer.strip()
    if bearer and header and bearer != header:
        raise Unauthenticated("Authorization and X-Api-Key carry different keys: send one of them.")
    return bearer or header


def _only(request: Request, name: str) -> str:
    lines = set(request.headers.getlist(name))
    if len(lines) > 1:
        raise Unauthenticated(f"{name} is there with different values: send one of them.")
    return lines.pop() if lines else ""


def _as_signed(request: Request, body: bytes) -> "SignedRequest":
    """The request as its client sent it."""
    from llm_gateway.domain.signatures import SignedRequest

    scope = request.scope
    return SignedRequest(
        method=request.method,
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
        body=body,
    )
