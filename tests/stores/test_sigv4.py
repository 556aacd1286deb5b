"""The signature is botocore's, to the letter, whatever is signed."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from llm_gateway.stores.sigv4 import Signer, host_of

NOW = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
CONTENT_TYPE = "application/x-amz-json-1.0"
URLS = (
    "https://dynamodb.eu-west-1.amazonaws.com",
    "https://dynamodb.cn-north-1.amazonaws.com.cn/",
    "https://vpce-1.example.com:8443",
    "http://127.0.0.1:4566",
    "http://localhost:80",
    "http://[::1]:4566/",
)


def by_botocore(
    credentials: Credentials, *, url: str, region: str, target: str, body: bytes, at: datetime
) -> dict[str, str]:
    request = AWSRequest("POST", url, headers={"X-Amz-Target": target, "Content-Type": CONTENT_TYPE}, data=body)
    signer = SigV4Auth(credentials, "dynamodb", region)
    # What `add_auth` does, at another time than now.
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    signer._inject_signature_to_request(request, signature)
    return {name.lower(): value for name, value in request.headers.items()}


def test_a_thousand_requests_are_signed_as_botocore_signs_them() -> None:
    some = random.Random(17)  # noqa: S311
    for url in URLS:
        at = [NOW]
        region = some.choice(["eu-west-1", "us-gov-west-1"])
        signer = Signer(
            service="dynamodb", region=region, url=url, content_type=CONTENT_TYPE, now_s=lambda at=at: at[0].timestamp()
        )
        secrets = [some.randbytes(20).hex() for _ in range(2)]
        for _ in range(200):
            at[0] += timedelta(hours=some.choice([0, 0, 7]), seconds=some.randrange(60))
            token = some.choice([None, some.randbytes(300).hex()])
            credentials = Credentials(some.randbytes(8).hex(), some.choice(secrets), token)
            body = some.randbytes(some.choice([0, 2, 1000, 100_000]))
            target = f"DynamoDB_20120810.{some.choice(['GetItem', 'UpdateItem'])}"
            signed = signer.headers(credentials, target=target, body=body)
            wanted = by_botocore(credentials, url=url, region=region, target=target, body=body, at=at[0])
            host = signed.pop("host")
            assert host == host_of(url)
            assert signed == wanted


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.example.com", "a.example.com"),
        ("https://a.example.com:443/x", "a.example.com"),
        ("http://a.example.com:443", "a.example.com:443"),
        ("http://[::1]:80", "[::1]"),
        ("http://[::1]:4566", "[::1]:4566"),
    ],
)
def test_a_host_is_told_with_its_port_where_that_is_not_the_schemes_own(url: str, host: str) -> None:
    assert host_of(url) == host


def test_a_secret_is_in_no_description_of_the_signer() -> None:
    signer = Signer(service="dynamodb", region="eu-west-1", url=URLS[0], content_type=CONTENT_TYPE)
    signer.headers(Credentials("id", "a secret", None), target="x", body=b"")
    assert "a secret" not in repr(vars(signer))
