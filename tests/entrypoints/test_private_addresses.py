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


OWN = "http://model.llm-gateway-prod.internal:8080/v1"


class TestOwnModel:
    """A deployment with a model of its own in a network, and no other private address."""

    @pytest.fixture
    def gateway(self) -> FakeGateway:
        return FakeGateway(settings=Settings.from_environment({"LOCAL_MODEL_URL": OWN}))

    def test_its_address_is_taken(self, api: Api) -> None:
        assert api.register(base_url=OWN, kind="llama_cpp")["base_url"] == OWN

    @pytest.mark.parametrize(
        "url", ["http://other.llm-gateway-prod.internal:8080/v1", "http://10.0.0.1:8080/v1", OWN.replace("8080", "80")]
    )
    def test_no_other_is(self, api: Api, url: str) -> None:
        problem = api.refused("POST", PROVIDERS, PROVIDER | {"base_url": url}, status=422, code="validation_failed")
        assert problem["errors"][0]["field"] == "base_url"
