"""Signed requests (RFC 9421 with HMAC-SHA256): what a signature claims, what it covers, and whether a secret made it.

Narrower than the RFC: one label, one algorithm, one spelling of each field. A request that two readers could read in two ways
is refused, and nothing is repaired or decoded before it is compared.
"""

import hashlib
import hmac
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import field
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from llm_gateway.domain.identifiers import KEY_PREFIX, made_at_s
from llm_gateway.domain.key_secrets import SECRET_PREFIX
from llm_gateway.errors import SignatureExpired, SignatureInvalid
from llm_gateway.values import dataclass

WINDOW_S: Final = 300
"""How far `created` may be from the gateway's time, to either side."""

MOST_NONCE_CHARACTERS: Final = 128

_INPUT_HEADER: Final = "signature-input"
_SIGNATURE_HEADER: Final = "signature"
_DIGEST: Final = "content-digest"
_COVERED_IF_SENT: Final = ("idempotency-key", "if-match")

_HEADER: Final = re.compile(r"[\x20-\x7e]{0,1024}")
# RFC 3986's characters of a path, without the percent sign: API Gateway does not say how a client encoded one.
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]{0,2047}")
_QUERY: Final = re.compile(r"[\x21-\x7e]{0,8192}")
_METHOD: Final = re.compile(r"[A-Z]{1,16}")
# In the one spelling that RFC 8941 gives for writing: single spaces between components, none elsewhere.
_INPUT: Final = re.compile(
    r'sig1=(\(("[a-z@-]+"(?: "[a-z@-]+")*)\)((?:;[a-z]+=(?:[0-9]+|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))+))'
)
_PARAMETER: Final = re.compile(r';([a-z]+)=([0-9]+|"[^"]*")')
_PARAMETERS: Final = {
    "created": re.compile(r"(0|[1-9][0-9]{0,14})"),
    "nonce": re.compile(rf'"([\x21-\x7e]{{1,{MOST_NONCE_CHARACTERS}}})"'),
    "keyid": re.compile(r'"([\x21-\x7e]{1,64})"'),
    "alg": re.compile(r'"(hmac-sha256)"'),
}
_SIGNATURE: Final = re.compile(r"sig1=:[A-Za-z0-9+/]{43}=:")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as its client sent it.

    `path` begins with the stage or base path that the client called; `query` is without its `?`, in any encoding; `headers` has
    one entry for each line, with a lower-case name; `body` is as it came over the wire.
    """

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A well-formed signature that nobody has verified yet: `base` is what was signed, `signature` the header's value."""

    key_id: str
    nonce: str
    created_s: int
    base: bytes = field(repr=False)
    signature: str = field(repr=False)

    def is_made_with(self, secrets: Sequence[bytes]) -> bool:
        """Whether one of `secrets` made it. All of them are tried, so the time taken does not tell which."""
        tried = [hmac.compare_digest(signature_header(secret, self.base), self.signature) for secret in secrets]
        return any(tried)


def signing_secret(pepper: bytes, *, key_id: str, generation: int) -> str:
    """The secret with which the holder of a key signs: 256 bits as base64url, after a prefix that scanners know.

    It is HMAC-SHA256 of `signing`, the key's id and `generation` under the deployment's pepper, and is stored nowhere. Each
    rotation of the key raises `generation`; its UTF-8 bytes as returned here are the MAC's key.
    """
    text = f"signing\0{key_id}\0{generation}"
    derived = hmac.digest(pepper, text.encode(), hashlib.sha256)
    return f"{SECRET_PREFIX}sign_{urlsafe_b64encode(derived).rstrip(b'=').decode()}"


def is_signed(headers: Sequence[tuple[str, str]]) -> bool:
    """Whether a request with these header lines (lower-case names) claims to be signed."""
    return any(name in (_INPUT_HEADER, _SIGNATURE_HEADER) for name, _ in headers)


def claim_of(request: SignedRequest) -> Claim:
    """What the signature of `request` claims.

    Raises `SignatureInvalid` unless both headers have exactly the agreed form, the covered components are exactly those that
    this request must cover, and the digest is the body's.
    """
    sent = _match(_INPUT, _header(request, _INPUT_HEADER))
    parameters = _parameters(sent[3])
    if made_at_s(parameters["keyid"], prefix=KEY_PREFIX) is None:
        raise SignatureInvalid
    return Claim(
        key_id=parameters["keyid"],
        nonce=parameters["nonce"],
        created_s=int(parameters["created"]),
        base=signature_base(_covered(request, sent[2].split(" ")), parameters=sent[1]),
        signature=_match(_SIGNATURE, _header(request, _SIGNATURE_HEADER))[0],
    )


def check_age(claim: Claim, *, now: datetime) -> None:
    """Raises `SignatureExpired` for a signature made more than `WINDOW_S` seconds, in whole ones, before or after `now`."""
    if abs(int(now.timestamp()) - claim.created_s) > WINDOW_S:
        raise SignatureExpired(
            f"The signature's `created` is more than {WINDOW_S} seconds from the gateway's time. Set the clock of the machine"
            " that signs, and sign each request when it is sent."
        )


def signature_base(covered: Sequence[tuple[str, str]], *, parameters: str) -> bytes:
    """The bytes that are signed (RFC 9421, section 2.5): `covered` are component identifiers as they are written in
    `parameters`, quotes included, with their values."""
    return "\n".join(f"{name}: {value}" for name, value in (*covered, ('"@signature-params"', parameters))).encode()


def signature_header(secret: bytes, base: bytes) -> str:
    """The `Signature` header that `secret` makes for `base`."""
    return f"sig1=:{b64encode(hmac.digest(secret, base, hashlib.sha256)).decode()}:"


def content_digest(body: bytes) -> str:
    """The `Content-Digest` header of `body` (RFC 9530)."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def canonical_query(query: str) -> str:
    """`@query` of a query string without its `?`: names in the order of their encoded bytes, the values of one name in theirs.

    Every byte but RFC 3986's unreserved ones is percent-encoded. A `+` is read as a space, as every reader of ours reads it; a
    name without `=` has an empty value.
    """
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = [(_encoded(name), _encoded(value)) for name, _, value in pairs]
    return "?" + "&".join(f"{name}={value}" for name, value in sorted(encoded, key=lambda pair: pair[0]))


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="")


def _covered(request: SignedRequest, identifiers: Sequence[str]) -> list[tuple[str, str]]:
    """The components that `request` must cover, in the order of `identifiers`, which must name each of them once."""
    due = {f'"{name}"': value for name, value in _due(request)}
    if sorted(identifiers) != sorted(due):
        raise SignatureInvalid
    return [(identifier, due[identifier]) for identifier in identifiers]


def _due(request: SignedRequest) -> list[tuple[str, str]]:
    due = [
        ("@method", _match(_METHOD, request.method)[0]),
        ("@path", _match(_PATH, request.path)[0]),
        ("@query", canonical_query(_match(_QUERY, request.query)[0])),
    ]
    if request.body:
        due.append((_DIGEST, _digest(request)))
    sent = [(name, _header(request, name)) for name in _COVERED_IF_SENT]
    return due + [(name, value) for name, value in sent if value is not None]


def _digest(request: SignedRequest) -> str:
    digest = content_digest(request.body)
    if _header(request, _DIGEST) != digest:
        raise SignatureInvalid
    return digest


def _parameters(text: str) -> dict[str, str]:
    """Each of the four parameters, once and of its form."""
    sent = _PARAMETER.findall(text)
    if sorted(name for name, _ in sent) != sorted(_PARAMETERS):
        raise SignatureInvalid
    return {name: _match(_PARAMETERS[name], value)[1] for name, value in sent}


def _header(request: SignedRequest, name: str) -> str | None:
    """The value of the one line of that name, or None where there is none."""
    lines = [value for found, value in request.headers if found == name]
    if len(lines) > 1:
        raise SignatureInvalid
    return _match(_HEADER, lines[0].strip(" \t"))[0] if lines else None


def _match(pattern: re.Pattern[str], text: str | None) -> re.Match[str]:
    found = pattern.fullmatch(text) if text is not None else None
    if found is None:
        raise SignatureInvalid
    return found
