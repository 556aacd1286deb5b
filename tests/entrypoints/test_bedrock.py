"""Providers of kind `bedrock` over HTTP, where a deployment allows them and where it does not."""

from typing import Any

import pytest
from llm_gateway.settings import Settings

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import PROVIDERS, Api

BEDROCK: dict[str, Any] = {
    "id": "bedrock",
    "name": "Bedrock",
    "kind": "bedrock",
    "region": "eu-central-1",
    "default_model": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
}


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> FakeGateway:
    return FakeGateway(settings=Settings.from_environment({"BEDROCK": getattr(request, "param", "on")}))


def test_it_is_kept_with_its_region(api: Api) -> None:
    made = api.call("POST", PROVIDERS, BEDROCK).json()
    assert (made["region"], made["base_url"], made["credentials"]) == (
        "eu-central-1",
        None,
        {"configured": False, "hint": None, "updated_at": None},
    )
    assert api.call("PUT", f"{PROVIDERS}/bedrock", made | {"region": None}).json()["region"] is None


@pytest.mark.parametrize("gateway", ["off", ""], indirect=True)
def test_where_it_is_off_it_is_refused_and_says_so(api: Api) -> None:
    problem = api.refused("POST", PROVIDERS, BEDROCK, status=422, code="validation_failed")
    (error,) = problem["errors"]
    assert error["field"] == "kind"
    assert "bedrock=on" in error["message"]


@pytest.mark.parametrize("region", ["everywhere", "eu-central-1.evil.example/", "EU-CENTRAL-1", "", 7])
def test_a_region_is_the_name_of_one(api: Api, region: object) -> None:
    problem = api.refused("POST", PROVIDERS, BEDROCK | {"region": region}, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "region"
