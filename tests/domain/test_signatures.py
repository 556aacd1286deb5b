"""Signatures of requests: what one must cover, how it must be written, and that nothing else passes."""

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.redaction import redacted
from llm_gateway.domain.signatures import (
    SignedRequest,
    canonical_query,
    check_age,
    claim_of,
    is_signed,
    signing_secret,
)
from llm_gateway.errors import SignatureExpired, SignatureInvalid, Unauthenticated

from tests.adapters.clock import FakeClock
from tests.adapters.signing import BODY, KEY_ID, NOW_S, PATH, SECRET, digest, params, signed

Change = Callable[[SignedRequest], SignedRequest]

REQUEST = signed(query="a=1&b=2&b=1", headers={"idempotency-key": "order-4711"})
DUE = ('"@method"', '"@path"', '"@query"', '"content-digest"')


def verifies(request: SignedRequest, *secrets: bytes) -> bool:
    try:
        return claim_of(request).is_made_with(secrets or (SECRET,))
    except SignatureInvalid:
        return False


def line(request: SignedRequest, name: str) -> str:
    (value,) = [value for found, value in request.headers if found == name]
    return value


def with_line(name: str, change: Callable[[str], str]) -> Change:
    """The request with that header's value changed."""
    return lambda request: replace(
        request, headers=[(found, change(value) if found == name else value) for found, value in request.headers]
    )


def without(name: str) -> Change:
    return lambda request: replace(request, headers=[line for line in request.headers if line[0] != name])


def and_line(name: str, value: str) -> Change:
    return lambda request: replace(request, headers=[*request.headers, (name, value)])


def twice(name: str) -> Change:
    return lambda request: and_line(name, line(request, name))(request)


def claiming(old: str, new: str) -> Change:
    """The request with something replaced in what its signature claims."""

    def change(value: str) -> str:
        assert old in value
        return value.replace(old, new)

    return with_line("signature-input", change)


def mac(change: Callable[[bytes], bytes], encode: Callable[[bytes], bytes] = b64encode) -> Change:
    def changed(value: str) -> str:
        return f"sig1=:{encode(change(b64decode(value[6:-1]))).decode()}:"

    return with_line("signature", changed)


def loose_end(value: str) -> str:
    """Another spelling of the same bytes: base64's last character has bits that stand for nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = value.rindex("=") - 1
    return value[:at] + alphabet[alphabet.index(value[at]) ^ 1] + value[at + 1 :]


# What a request's own signature says of it


def test_a_signature_names_its_key_and_its_nonce() -> None:
    claim = claim_of(REQUEST)
    assert (claim.key_id, claim.nonce, claim.created_s) == (KEY_ID, "a-nonce", NOW_S)
    assert claim.base.decode() == (
        '"@method": POST\n'
        f'"@path": {PATH}\n'
        '"@query": ?a=1&b=2&b=1\n'
        f'"content-digest": {digest(BODY)}\n'
        '"idempotency-key": order-4711\n'
        '"@signature-params": ("@method" "@path" "@query" "content-digest" "idempotency-key")'
        f';created={NOW_S};nonce="a-nonce";keyid="{KEY_ID}";alg="hmac-sha256"'
    )
    assert line(REQUEST, "signature")[6:-1] not in repr(claim)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(REQUEST, id="all that a POST covers"),
        pytest.param(signed(method="GET", body=b""), id="neither body nor query"),
        pytest.param(signed(method="DELETE", body=b"", headers={"if-match": '"3"'}), id="If-Match"),
        pytest.param(signed(headers={"idempotency-key": ""}), id="an empty header is covered too"),
        pytest.param(signed(components=DUE[::-1]), id="components in another order"),
        pytest.param(
            signed(parameters=f';alg="hmac-sha256";keyid="{KEY_ID}";nonce="n";created={NOW_S}'),
            id="parameters in another order",
        ),
        pytest.param(signed(parameters=params(nonce="n" * 128)), id="the longest nonce"),
        pytest.param(signed(parameters=params(nonce=";created=1,(:)")), id="a nonce that looks like grammar"),
        pytest.param(signed(path="/api/v1/llm/a:b@c~d;e=f,g'(h)*!$&+-._"), id="all characters of a path"),
        pytest.param(signed(query="b=2&a=1", signed_query="a=1&b=2"), id="an unsorted query"),
        pytest.param(signed(query="a=1+2%2b&%62", signed_query="a=1%202%2B&b="), id="another encoding"),
        pytest.param(and_line("content-type", "text/plain")(REQUEST), id="headers that nothing covers"),
        pytest.param(with_line("idempotency-key", lambda value: f" {value}\t")(REQUEST), id="spaces around a value"),
    ],
)
def test_a_signature_as_agreed_verifies(request_: SignedRequest) -> None:
    assert verifies(request_)
    assert not verifies(request_, b"another secret")
    assert not claim_of(request_).is_made_with(())


# What somebody changed on the way

TAMPERED = {
    "another method": lambda request: replace(request, method="PUT"),
    "a method in small letters": lambda request: replace(request, method="post"),
    "another path": lambda request: replace(request, path="/prod/api/v1/llm/query/stream"),
    "without the stage": lambda request: replace(request, path=PATH.removeprefix("/prod")),
    "a slash at the end": lambda request: replace(request, path=PATH + "/"),
    "two slashes": lambda request: replace(request, path=PATH.replace("/api", "//api")),
    "the same path, encoded": lambda request: replace(request, path=PATH.replace("query", "%71uery")),
    "no path": lambda request: replace(request, path=""),
    "a parameter more": lambda request: replace(request, query=request.query + "&c=3"),
    "a parameter without a value more": lambda request: replace(request, query=request.query + "&c"),
    "a parameter less": lambda request: replace(request, query="b=2&b=1"),
    "another value": lambda request: replace(request, query="a=2&b=2&b=1"),
    "the values of one name in another order": lambda request: replace(request, query="a=1&b=1&b=2"),
    "no query": lambda request: replace(request, query=""),
    "a body with a space more": lambda request: replace(request, body=BODY + b" "),
    "no body": lambda request: replace(request, body=b""),
    "another body with its digest": lambda request: with_line("content-digest", lambda _: digest(b"{}"))(
        replace(request, body=b"{}")
    ),
    "no digest": without("content-digest"),
    "two lines of the digest": twice("content-digest"),
    "a digest of another kind beside it": with_line("content-digest", lambda value: f"{value}, md5=:AAAA:"),
    "another spelling of the digest": with_line("content-digest", loose_end),
    "another Idempotency-Key": with_line("idempotency-key", lambda _: "order-4712"),
    "a longer Idempotency-Key": with_line("idempotency-key", lambda value: value + "a" * 1024),
    "no Idempotency-Key": without("idempotency-key"),
    "two lines of Idempotency-Key": twice("idempotency-key"),
    "If-Match, which nothing covers": and_line("if-match", '"3"'),
    "a line feed in a header": with_line("idempotency-key", lambda value: f'{value}\n"if-match": "3"'),
    "another time": claiming(f"created={NOW_S}", f"created={NOW_S + 1}"),
    "two times": claiming(";nonce", f";created={NOW_S};nonce"),
    "no time": claiming(f";created={NOW_S}", ""),
    "another nonce": claiming("a-nonce", "b-nonce"),
    "two nonces": claiming(";keyid", ';nonce="b-nonce";keyid'),
    "no nonce": claiming(';nonce="a-nonce"', ""),
    "an empty nonce": claiming("a-nonce", ""),
    "a nonce that is too long": claiming("a-nonce", "n" * 129),
    "an escaped nonce": claiming("a-nonce", 'a-n\\"once'),
    "another key": claiming(KEY_ID, KEY_ID[:-1] + "B"),
    "a key that is none": claiming(KEY_ID, "key_1"),
    "no key": claiming(f';keyid="{KEY_ID}"', ""),
    "another algorithm": claiming("hmac-sha256", "rsa-v1_5-sha256"),
    "no algorithm": claiming(';alg="hmac-sha256"', ""),
    "a parameter of the RFC that is not agreed": claiming(";alg", f";expires={NOW_S + 60};alg"),
    "a component less": claiming(' "@query"', ""),
    "no component": claiming(" ".join((*DUE, '"idempotency-key"')), ""),
    "a component twice": claiming('"@query"', '"@query" "@query"'),
    "a component more": claiming('"@query"', '"@query" "@authority"'),
    "components in another order": claiming('"@method" "@path"', '"@path" "@method"'),
    "a component with a parameter": claiming('"content-digest"', '"content-digest";sf'),
    "a component in capitals": claiming('"content-digest"', '"Content-Digest"'),
    "two spaces": claiming(" ", "  "),
    "spaces before a parameter": claiming(";", "; "),
    "another label": claiming("sig1", "sig2"),
    "a second signature": claiming("hmac-sha256", 'hmac-sha256", sig2=()'),
    "a claim that is too long": claiming("a-nonce", "n" * 2048),
    "two lines of the claim": twice("signature-input"),
    "no claim": without("signature-input"),
    "another label of the signature": with_line("signature", lambda value: value.replace("sig1", "sig2")),
    "a second member of the signature": with_line("signature", lambda value: f"{value}, sig2=:AAAA:"),
    "a bit of the signature": mac(lambda value: bytes([value[0] ^ 1]) + value[1:]),
    "a signature that is too short": mac(lambda value: value[:-1]),
    "a signature of nothing": mac(lambda _: b""),
    "another spelling of the signature": with_line("signature", loose_end),
    "a signature without padding": with_line("signature", lambda value: value[:-2] + ":"),
    "a signature in another base64": mac(lambda _: bytes([0xFB, 0xFF]) * 16, urlsafe_b64encode),
    "two lines of the signature": twice("signature"),
    "no signature": without("signature"),
}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in TAMPERED.items()])
def test_a_request_that_was_changed_is_refused(change: Change) -> None:
    changed = change(REQUEST)
    assert changed != REQUEST
    assert not verifies(changed)


@given(at=st.integers(min_value=0), by=st.integers(1, 255), part=st.sampled_from(["method", "path", "query", "body"]))
def test_no_character_can_be_changed(at: int, by: int, part: str) -> None:
    value = getattr(REQUEST, part)
    text = value.decode("latin-1") if part == "body" else value
    at %= len(text)
    changed = text[:at] + chr((ord(text[at]) + by) % 256) + text[at + 1 :]
    request = replace(REQUEST, **{part: changed.encode("latin-1") if part == "body" else changed})
    if part == "query" and canonical_query(REQUEST.query) == _canonical(changed):
        return  # Another way to write the same.
    assert not verifies(request)


def _canonical(query: str) -> str | None:
    return canonical_query(query) if query.isascii() else None


@given(
    at=st.integers(min_value=0),
    by=st.integers(1, 127),
    name=st.sampled_from(["signature", "signature-input", "content-digest", "idempotency-key"]),
)
def test_no_character_of_a_header_can_be_changed(at: int, by: int, name: str) -> None:
    def change(value: str) -> str:
        place = at % len(value)
        return value[:place] + chr((ord(value[place]) + by) % 128) + value[place + 1 :]

    changed = with_line(name, change)(REQUEST)
    assert not verifies(changed) or line(changed, name).strip(" \t") == line(REQUEST, name)


@given(st.text(max_size=200), st.text(max_size=80))
def test_whatever_the_headers_say_it_is_an_answer(claim: str, signature: str) -> None:
    headers = [("signature-input", f"sig1=({claim}"), ("signature", signature)]
    with pytest.raises(SignatureInvalid):
        claim_of(replace(REQUEST, headers=headers))


# What is signed with the right secret, but not as agreed


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signed(path="/prod/api/v1/llm/prompts/a%2Fb"), id="an encoded path"),
        pytest.param(signed(path="/prod/api/v1/llm/prompts/a b"), id="a path that API Gateway has decoded"),
        pytest.param(signed(path="prod/api"), id="a path without its slash"),
        pytest.param(signed(path="/" + "a" * 2048), id="a path that is too long"),
        pytest.param(signed(query="b=1&a=2"), id="a query that is not sorted"),
        pytest.param(signed(query="a=%2f", signed_query="a=%2f"), id="a query in small letters"),
        pytest.param(signed(query="a=ö", signed_query="a=%C3%B6"), id="a query that is not ASCII"),
        pytest.param(signed(query="a=" + "1" * 8192), id="a query that is too long"),
        pytest.param(signed(components=DUE[:3]), id="a body that is not covered"),
        pytest.param(signed(components=(*DUE[:2], DUE[3])), id="no query"),
        pytest.param(signed(components=(*DUE, DUE[0])), id="a component twice"),
        pytest.param(signed(components=(*DUE, '"@authority"')), id="a component more"),
        pytest.param(signed(components=(*DUE, '"content-type"')), id="a header more"),
        pytest.param(signed(components=(*DUE, '"idempotency-key"')), id="a header that was not sent"),
        pytest.param(signed(components=(*DUE[:3], '"content-digest";req')), id="a component with a parameter"),
        pytest.param(signed(components=(*DUE[:3], '"Content-Digest"')), id="a component in capitals"),
        pytest.param(
            signed(body=b"", headers={"content-digest": digest(b"")}, components=DUE), id="a digest without a body"
        ),
        pytest.param(signed(headers={"content-digest": "sha-512=:AAAA:"}), id="another digest"),
        pytest.param(signed(headers={"idempotency-key": "é"}), id="a header that is not ASCII"),
        pytest.param(signed(parameters=params(alg="hmac-sha512")), id="another algorithm"),
        pytest.param(signed(parameters=params() + ';tag="app"'), id="a parameter more"),
        pytest.param(signed(parameters=params() + f";created={NOW_S}"), id="a parameter twice"),
        pytest.param(signed(parameters=params().replace(';nonce="a-nonce"', "")), id="no nonce"),
        pytest.param(signed(parameters=params(nonce="")), id="an empty nonce"),
        pytest.param(signed(parameters=params(nonce="n" * 129)), id="a nonce that is too long"),
        pytest.param(signed(parameters=params(nonce="a nonce")), id="a nonce with a space"),
        pytest.param(signed(parameters=params(key_id="llmgw_01KAQ0XN00B3W8Z5V6T7R8S9QA")), id="a key's secret"),
        pytest.param(signed(parameters=params(key_id=KEY_ID.lower())), id="a key in small letters"),
        pytest.param(signed(parameters=params().replace("created=", "created=0")), id="a leading zero"),
        pytest.param(signed(parameters=params().replace("created=", "created=-")), id="a time before time"),
        pytest.param(signed(parameters=params().replace(f"={NOW_S}", f"={NOW_S}.0")), id="a time that is no integer"),
        pytest.param(signed(parameters=params().replace(f"={NOW_S}", f'="{NOW_S}"')), id="a time that is a text"),
        pytest.param(signed(parameters=params(created=10**15)), id="an integer that is too long"),
        pytest.param(signed(label="sig2"), id="another label"),
        pytest.param(signed(method="get", body=b""), id="a method in small letters"),
    ],
)
def test_a_signature_that_is_not_as_agreed_is_refused(request_: SignedRequest) -> None:
    assert not verifies(request_)


def test_refusals_are_alike() -> None:
    details = set()
    for change in TAMPERED.values():
        try:
            claim_of(change(REQUEST))
        except SignatureInvalid as refusal:
            details.add((refusal.status, refusal.code, refusal.detail, tuple(refusal.headers.items())))
    assert len(details) == 1
    assert next(iter(details))[:2] == (401, "signature_invalid")


def test_every_refusal_says_how_to_come_in() -> None:
    for refusal in (SignatureInvalid(), SignatureExpired("Old."), Unauthenticated("None.")):
        assert refusal.status == 401
        assert refusal.headers["WWW-Authenticate"]


# Time


@pytest.mark.parametrize(
    ("off_s", "fresh"), [(-301, False), (-300, True), (-299, True), (0, True), (299, True), (300, True), (301, False)]
)
def test_a_signature_is_good_for_five_minutes_to_either_side(off_s: int, fresh: bool) -> None:
    claim = claim_of(signed(parameters=params(created=NOW_S + off_s)))
    for within_the_second in (0, 0.999):
        now = FakeClock().now() + timedelta(seconds=within_the_second)
        if fresh:
            check_age(claim, now=now)
        else:
            with pytest.raises(SignatureExpired):
                check_age(claim, now=now)


def test_no_time_is_too_absurd_to_be_refused() -> None:
    for created in (0, 10**15 - 1):
        with pytest.raises(SignatureExpired):
            check_age(claim_of(signed(parameters=params(created=created))), now=FakeClock().now())


# The query

PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", "a b", "é", "%", "+", ""]), st.text(max_size=5)), max_size=6)


def by_name(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {name: [value for found, value in pairs if found == name] for name, _ in pairs}


@given(PAIRS)
def test_a_canonical_query_says_what_the_query_says(pairs: list[tuple[str, str]]) -> None:
    canonical = canonical_query(urlencode(pairs))
    assert canonical.startswith("?")
    assert re.fullmatch(r"(?:[A-Za-z0-9._~=&-]|%[0-9A-F]{2})*", canonical[1:])
    read = parse_qsl(canonical[1:], keep_blank_values=True)
    assert by_name(read) == by_name(pairs)
    assert [name for name, _ in read] == sorted((name for name, _ in pairs), key=lambda name: quote(name, safe=""))
    assert canonical_query(canonical[1:]) == canonical


@given(PAIRS, st.randoms(use_true_random=False))
def test_neither_encoding_nor_the_order_of_names_matters(pairs: list[tuple[str, str]], random) -> None:
    groups = list(by_name(pairs).items())
    random.shuffle(groups)
    regrouped = [(name, value) for name, values in groups for value in values]
    spelled = "&".join(f"{quote(name, safe='')}={quote(value, safe='/:@!$*')}" for name, value in regrouped)
    assert canonical_query(spelled) == canonical_query(urlencode(pairs))


@given(PAIRS, PAIRS)
def test_queries_that_differ_are_told_apart(one: list[tuple[str, str]], another: list[tuple[str, str]]) -> None:
    same = canonical_query(urlencode(one)) == canonical_query(urlencode(another))
    assert same == (by_name(one) == by_name(another))


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", "?"),
        ("&&", "?"),
        ("a", "?a="),
        ("a=b=c", "?a=b%3Dc"),
        ("=1", "?=1"),
        ("b=1&a~=2&a%c3%a9=3", "?a%C3%A9=3&a~=2&b=1"),
        ("a=%ff", "?a=%FF"),
        ("a=%EF%BF%BD", "?a=%EF%BF%BD"),
        ("a=100%", "?a=100%25"),
        ("a=x;b=y", "?a=x%3Bb%3Dy"),
    ],
)
def test_a_query_in_its_canonical_form(query: str, canonical: str) -> None:
    assert canonical_query(query) == canonical


# The secret


def test_a_signing_secret_is_derived_and_differs_by_pepper_key_and_generation() -> None:
    first = signing_secret(b"pepper", key_id=KEY_ID, generation=1)
    assert first == signing_secret(b"pepper", key_id=KEY_ID, generation=1)
    others = {
        signing_secret(b"salt", key_id=KEY_ID, generation=1),
        signing_secret(b"pepper", key_id=KEY_ID[:-1] + "B", generation=1),
        signing_secret(b"pepper", key_id=KEY_ID, generation=2),
        signing_secret(b"pepper", key_id=KEY_ID, generation=11),
    }
    assert len(others | {first}) == 5
    assert re.fullmatch(r"llmgw_sign_[A-Za-z0-9_-]{43}", first)


def test_a_signing_secret_is_taken_out_of_text() -> None:
    secret = signing_secret(b"pepper", key_id=KEY_ID, generation=1)
    assert redacted(f"I sign with {secret}.") == "I sign with [redacted]."


@pytest.mark.parametrize(
    ("names", "claims"),
    [(["signature"], True), (["host", "signature-input"], True), (["host", "content-digest"], False), ([], False)],
)
def test_a_request_is_signed_if_it_says_so(names: list[str], claims: bool) -> None:
    assert is_signed([(name, "") for name in names]) == claims
