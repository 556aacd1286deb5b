"""Calls to a Lambda's function URL carry a signature that AWS can check."""

import hashlib
import hmac
import re
from collections.abc import Iterator

import httpx2
import pytest
from llm_gateway.domain.faults import ProviderAuthFailed
from llm_gateway.domain.providers import ProviderCredentials, ProviderKind
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers import signature
from llm_gateway.providers.chat_completions.adapter import ChatCompletions
from llm_gateway.providers.exchange import WiredProvider
from llm_gateway.providers.function_url import signature_for
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.providers.signature import AwsSignature

from tests.providers.conftest import config

ADDRESS = "https://abc123.lambda-url.eu-west-1.on.aws/v1"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    signature.session.cache_clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret access key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a token")
    yield
    signature.session.cache_clear()


def signed(body: bytes, *, method: str = "POST", **headers: str) -> httpx2.Request:
    auth = signature_for(ADDRESS)
    assert auth is not None
    request = httpx2.Request(method, f"{ADDRESS}/chat/completions", content=body, headers=headers)
    return next(auth.auth_flow(request))


def expected_signature(request: httpx2.Request, body: bytes) -> str:
    """Signature Version 4 by its specification, from what is on the wire."""
    date = request.headers["X-Amz-Date"]
    names = re.search(r"SignedHeaders=([^,]+)", request.headers["Authorization"])
    assert names is not None
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names[1].split(";"))
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"{request.method}\n{request.url.path}\n\n{headers}\n{names[1]}\n{digest}"
    scope = f"{date[:8]}/eu-west-1/lambda/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4a secret access key"
    for part in (date[:8], "eu-west-1", "lambda", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("body", [b"{}", '{"text": "größer"}'.encode(), b"x" * 100_000])
def test_the_signature_is_the_one_that_aws_computes(body: bytes) -> None:
    request = signed(body, **{"Content-Type": "application/json"})
    authorization = request.headers["Authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert authorization.endswith(f"Signature={expected_signature(request, body)}")
    assert request.headers["X-Amz-Security-Token"] == "a token"


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_no_header_is_signed_that_is_not_sent(method: str) -> None:
    """AWS refuses a signature over a header that it does not get."""
    request = signed(b"", method=method)
    names = re.search(r"SignedHeaders=([^,]+)", request.headers["Authorization"])
    assert names is not None
    assert names[1].split(";") == ["host", "x-amz-date", "x-amz-security-token"]
    assert request.headers["Authorization"].endswith(f"Signature={expected_signature(request, b'')}")


@pytest.mark.parametrize(
    ("base_url", "own", "shown"),
    [
        (ADDRESS, ADDRESS, True),
        (ADDRESS, ADDRESS.removesuffix("/v1"), True),
        (ADDRESS, "", False),
        ("https://stranger.lambda-url.eu-west-1.on.aws/v1", ADDRESS, False),
        (f"{ADDRESS.removesuffix('/v1')}:8443/v1", ADDRESS, False),
    ],
)
def test_a_signature_is_shown_to_the_deployments_own_model_alone(base_url: str, own: str, shown: bool) -> None:
    registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=False, own_model_url=own)
    provider = registry.open(config(ProviderKind.LLAMA_CPP, base_url), None)
    assert isinstance(provider, WiredProvider)
    assert isinstance(provider.wire, ChatCompletions)
    assert isinstance(provider.wire._posting.http._auth, AwsSignature) == shown


def test_a_provider_with_a_key_of_its_own_gets_that_and_no_signature() -> None:
    registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=False, own_model_url=ADDRESS)
    provider = registry.open(config(ProviderKind.LLAMA_CPP, ADDRESS), ProviderCredentials(api_key="sk-1"))
    assert isinstance(provider, WiredProvider)
    assert isinstance(provider.wire, ChatCompletions)
    assert not isinstance(provider.wire._posting.http._auth, AwsSignature)


@pytest.mark.parametrize(
    "address",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:8000/v1",
        "https://abc.lambda-url.eu-west-1.on.aws.example.com/v1",
        "https://on.aws/v1",
    ],
)
def test_nobody_else_is_shown_a_signature(address: str) -> None:
    assert signature_for(address) is None


def test_without_credentials_the_call_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(ProviderAuthFailed):
        signed(b"{}")
