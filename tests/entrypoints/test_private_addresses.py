"""A deployment that allows private addresses, as the local one does."""

import pytest
from llm_gateway.settings import Settings

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import PROVIDER, PROVIDERS, Api


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway(settings=Settings.from_environment({"ALLOW_PRIVATE_ADDRESSES": "true"}))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8081/v1", "http://localhost/v1", "https://10.0.0.1", "http://[::1]:80/v1"]
)
def test_private_addresses_are_taken(api: Api, url: str) -> None:
    assert api.register(base_url=url)["base_url"] == url


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://[fe80::1%25eth0]/", "http://[fd00:ec2::254]/", "http://0xa9fea9fe/"]
)
def test_metadata_addresses_never_are(api: Api, url: str) -> None:
    problem = api.refused("POST", PROVIDERS, PROVIDER | {"base_url": url}, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "base_url"
