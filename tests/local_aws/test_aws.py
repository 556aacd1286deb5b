"""The environment names an emulator on this machine, or none; never an account."""

from pathlib import Path

import pytest

from local_aws.aws import LocalAws, given_aws, on_loopback
from tests.adapters.certificates import self_signed
from workshop.steps import Failure


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "LOCALSTACK_HOST", "USE_SSL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_given_is_none() -> None:
    assert given_aws() is None


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4600/"}, "http://127.0.0.1:4600"),
        ({"AWS_ENDPOINT_URL": "http://localhost:4600"}, "http://127.0.0.1:4600"),
        ({"LOCALSTACK_HOST": "localhost:4570"}, "http://127.0.0.1:4570"),
        ({"LOCALSTACK_HOST": "localhost"}, "http://127.0.0.1:4566"),
        ({"LOCALSTACK_HOST": "127.0.0.1", "USE_SSL": "1"}, "https://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "LOCALSTACK_HOST": "localhost:2"}, "http://127.0.0.1:1"),
    ],
)
def test_follows_the_conventions_of_localstack_client(
    variables: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert given_aws() == LocalAws(url=url)


def test_takes_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert given_aws() == LocalAws(url="http://127.0.0.1:4566", region="eu-west-1")


def test_an_emulator_may_vouch_for_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:4566")
    aws = given_aws()
    assert aws == LocalAws(url="https://127.0.0.1:4566", certificates=certificate)
    found = aws.environment()
    assert found["AWS_CA_BUNDLE"] == found["NODE_EXTRA_CA_CERTS"] == str(certificate)


@pytest.mark.parametrize("trusted", [None, "", "/not/there.pem"])
def test_what_node_cannot_read_it_does_not_trust(tmp_path: Path, trusted: str | None) -> None:
    base = {} if trusted is None else {"NODE_EXTRA_CA_CERTS": trusted}
    certificate = self_signed(tmp_path)
    aws = LocalAws(url="https://127.0.0.1:4566", certificates=certificate).trusting_others(base, scratch=tmp_path)
    assert aws.environment(base)["NODE_EXTRA_CA_CERTS"] == str(certificate)
    assert [path.name for path in tmp_path.iterdir()] == [certificate.name]


def test_over_plain_http_node_trusts_what_it_has_trusted(tmp_path: Path) -> None:
    base = {"NODE_EXTRA_CA_CERTS": str(self_signed(tmp_path))}
    aws = LocalAws(url="http://127.0.0.1:4566").trusting_others(base, scratch=tmp_path)
    assert aws.environment(base)["NODE_EXTRA_CA_CERTS"] == base["NODE_EXTRA_CA_CERTS"]


def test_plain_http_needs_no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/of/another/account.pem")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    aws = given_aws()
    assert aws == LocalAws(url="http://127.0.0.1:4566")
    assert "AWS_CA_BUNDLE" not in aws.environment()


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:4566", "https://10.0.0.7", "http://[2001:db8::1]:4566", "http://0.0.0.0:4566"]
)
def test_refuses_another_machine(url: str) -> None:
    with pytest.raises(Failure, match="not on this machine"):
        on_loopback(url)


@pytest.mark.parametrize("url", ["127.0.0.1:4566", "ftp://127.0.0.1", "http://", ""])
def test_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(Failure, match=r"like http://127\.0\.0\.1:4566"):
        on_loopback(url)


def test_refuses_a_port_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSTACK_HOST", "localhost:edge")
    with pytest.raises(Failure, match="LOCALSTACK_HOST"):
        given_aws()


def test_children_see_the_emulator_and_no_account() -> None:
    base = {
        "PATH": "/bin",
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "real",
        "PYTHONPATH": "/src",
        "NO_PROXY": "corp",
    }
    environment = LocalAws(url="http://127.0.0.1:4566").environment(base)
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert environment["NO_PROXY"] == "corp,127.0.0.1,localhost"
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PYTHONPATH"}.isdisjoint(environment)
    assert environment["PATH"] == "/bin"
