"""Redaction: credentials go, whatever stands around them; words stay; and no text takes long."""

import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.redaction import REDACTED, redacted

# Made up, and joined here so that no scanner of sources takes them for real ones.
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0c1+x/y=\n-----END RSA PRIVATE KEY-----"
CREDENTIALS = {
    "ours": "llmgw_01ARZ3NDEKTSV4RRFFQ69G5FAV_" + "bC3-_xYzAbCdEfGhIjKlMnOpQrStUvWxYz012345678",
    "openai": "sk-" + "proj-abcDEF123456_7890-ghijklmnop",
    "anthropic": "sk-ant-" + "api03-abcDEF123456_7890-ghijklmnopAA",
    "stripe": "sk_" + "live_abcdefghijklmnop1234",
    "github": "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "github, fine-grained": "github_" + "pat_11ABCDEFG0abcdefghijkl_mnopqrst",
    "gitlab": "glpat-" + "abcdefghij0123456789",
    "slack": "xoxb-" + "123456789012-abcdefghijkl",
    "google": "AIza" + "SyA-abcdefghijklmnopqrstuvwxyz01234",
    "hugging face": "hf_" + "abcdefghijklmnopqrstuvwxyz",
    "npm": "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "pypi": "pypi-" + "AgEIcHlwaS5vcmcCJDAwMDAwMDAw",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws, for a while": "ASIA" + "IOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "private key": PEM,
}
# Text as it is typed, in JSON, in JSON inside JSON, in an address, and in an address inside an address.
ESCAPES = [
    *(r"\n", r"\r\n", r"\t", r"\b", r"\f", r"\\n", r"\\\\t", r"\u000a", r"\\u0020", r"\x20", r"\/", r"\""),
    *("%20", "%0A", "%0d%0a", "%3D", "%2520", "%250A", "+", "&#10;", "&quot;"),
]
AROUND = ["{}", "It is {}.", "KIND={}\nnext", "({})", "a, {}, b", "`{}`", "\N{OWL}{}", '"it": "{}"']

NAMED = [
    "Authorization: Bearer 7f3c9a0b1d2e4f56",
    "authorization: bearer AbCdEf.123-456~789+/=",
    "Authorization: Basic dXNlcjpodW50ZXIyMg==",
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aws_session_token = FwoGZXIvYXdzEBYaDHqa0AP",
    '"api_key": "0123456789abcdef"',
    '{\\"api_key\\": \\"0123456789abcdef\\"}',
    "x-api-key: 0123456789abcdef",
    "password: hunter22222",
    "'password' => 'hunter22222'",
    "client_secret=abcdef0123",
    "postgres://admin:hunter22222@db.internal:5432/x",
    r"a\nAuthorization: Bearer 7f3c9a0b1d2e4f56",
    r"a\nBearer\t7f3c9a0b1d2e4f56",
    "%0ABearer%207f3c9a0b1d2e4f56",
    "x?Authorization=Bearer+7f3c9a0b1d2e4f56",
    r"a\npassword=hunter22222",
    "%26password%3Dhunter22222",
    "%2522password%2522%253A%2522hunter22222%2522",
    r"\u0022password\u0022: \u0022hunter22222\u0022",
    "{&quot;password&quot;:&quot;hunter22222&quot;}",
    r"secret_access_key\": \"wJalrXU\/K7MDENG\/abcdef0123",
    r"postgres:\/\/admin:hunter22222@db.internal",
    "postgres%3A%2F%2Fadmin%3Ahunter22222%40db.internal",
]
SECRETS = ("7f3c9a0b", "AbCdEf", "dXNlcj", "wJalrX", "FwoGZX", "0123456789", "hunter22222", "abcdef0123")

PLAIN = [
    "",
    "What is the capital of France?",
    "The bearer of this letter is basic to the plot.",
    "My password is not good: I forgot it.",
    "a risk-free desk-mounted task-abcdefghijklmnopqrstuvwx",
    "sk-8 boots and sk-ates",
    "Write to anna@example.com or see https://example.com/a:b/c@d.",
    "api keys, secrets and tokens: what are they?",
    "def secret_key(): return None",
    "data: 5, base64, and so on",
    "Größe \N{OWL} 中文 \ud800",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.holds("LLM02", "STRIDE-I")
def test_a_credential_goes_and_what_stands_around_it_stays(kind: str, around: str) -> None:
    assert redacted(around.format(CREDENTIALS[kind])) == around.format(REDACTED)


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_nor_does_one_stay_that_is_named(kind: str) -> None:
    shown = redacted(f"{{'api_key': '{CREDENTIALS[kind]}', 'x': 1}}")
    assert shown == f"{{'api_key': '{REDACTED}', 'x': 1}}"
    assert redacted(shown) == shown


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("kind", CREDENTIALS)
def test_an_escape_hides_none(kind: str, escape: str) -> None:
    credential = CREDENTIALS[kind]
    assert redacted(f"a{escape}{credential}") == f"a{escape}{REDACTED}"
    assert redacted(f"a{escape}{credential} b") == f"a{escape}{REDACTED} b"


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_none_is_left_in_json_nor_in_json_inside_json_nor_in_an_address(kind: str) -> None:
    text = f"a\n{CREDENTIALS[kind]}\nb"
    for encoded in (
        json.dumps(text),
        json.dumps(json.dumps({"k": text})),
        quote(text),
        quote(quote(text)),
        quote_plus(text),
    ):
        shown = redacted(encoded)
        assert REDACTED in shown
        assert CREDENTIALS[kind].rpartition("-----BEGIN")[2][12:28] not in shown


def test_of_a_private_key_without_end_nothing_stays() -> None:
    begun = PEM.partition("-----END")[0]
    assert redacted(f"Here: {begun}") == f"Here: {REDACTED}"


@pytest.mark.parametrize("text", NAMED)
def test_what_is_named_as_a_credential_goes(text: str) -> None:
    shown = redacted(text)
    assert REDACTED in shown
    assert not any(secret in shown for secret in SECRETS)


@pytest.mark.parametrize("text", PLAIN)
def test_words_stay(text: str) -> None:
    assert redacted(text) == text


def test_several_go_each_for_itself() -> None:
    text = redacted(f"{CREDENTIALS['openai']} and {CREDENTIALS['aws']}, then {CREDENTIALS['ours']}")
    assert text == f"{REDACTED} and {REDACTED}, then {REDACTED}"


def test_an_address_that_carries_its_data_is_only_told_of() -> None:
    address = "data:image/png;base64," + "iVBORw0KGgo" * 100
    assert redacted(f"Look: {address}!") == f"Look: [data of {len(address)} characters]!"


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "sk-",
            "eyJ",
            "eyJaaaaaaaa.",
            "llmgw_",
            "llmgw_a_",
            "AKIA",
            "xoxb-",
            "ghp_",
            "password",
            "password=",
            "secret ",
        ),
        *("Bearer ", "bearer", "://", "://a:", "a:", "@", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----END "),
        *("data:", "data:a;", "data:;base64,", "data:a;a=b", "-", "_", " ", '"', "\\", "A", "key", "api_key: ", "api"),
        *(
            "\\n",
            "\\u0020",
            "%20",
            "%2520",
            "password%3D",
            "password\\u0022",
            "bearer%20",
            "%3A%2F%2F",
            "%3A",
            "%40",
            "\\/",
            "+",
        ),
        *("-----BEGIN%20", "-----BEGIN+", "-----BEGIN+PRIVATE+KEY-----"),
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    short_s, long_s = (min(taken_s(piece, length) for _ in range(2)) for length in (12_500, 100_000))
    assert long_s < 2
    # Eight times the text is eight times the work, where its square would be sixty-four times.
    assert long_s < 24 * short_s


def taken_s(piece: str, length: int) -> float:
    """The processor's time for a text of that length, in one line and in many."""
    text = (piece * (length // len(piece) + 1))[:length]
    started_s = time.process_time()
    redacted(text)
    redacted("\n".join(text[start : start + 997] for start in range(0, len(text), 997)))
    return time.process_time() - started_s


@given(st.text(), st.sampled_from(sorted(CREDENTIALS)), st.text())
def test_it_goes_wherever_a_word_may_begin(before: str, kind: str, after: str) -> None:
    shown = redacted(f"{before} {CREDENTIALS[kind]} {after}")
    assert CREDENTIALS[kind] not in shown
