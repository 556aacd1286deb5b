"""Failed authentication is limited by address, and the right key is let in all the while."""

import json
from collections.abc import Iterator

import pytest
from llm_gateway.domain.failed_attempts import FAILURES
from llm_gateway.domain.key_secrets import secret_of
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.aws import BehindWebAdapter, handler_of
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.adapters.gateway import FakeGateway
from tests.adapters.watched import Watched
from tests.entrypoints.conftest import PROVIDERS, Api
from tests.entrypoints.serving import Serving
from tests.entrypoints.test_aws import _CONTEXT, event

WRONG = secret_of("01ARZ3NDEKTSV4RRFFQ69G5FAV", "w" * 43)
ADDRESS = "203.0.113.9"


def statuses(function: object, api: Api, key: str, *, address: str = ADDRESS, times: int = 1) -> Iterator[int]:
    """What a Lambda answers that API Gateway calls for a client at `address`."""
    for _ in range(times):
        headers = {"X-Api-Key": key, "X-Forwarded-For": "198.51.100.1"}
        asked = event(api, "GET", PROVIDERS, root="/dev", headers=headers)
        asked["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        asked["requestContext"]["identity"] = {"sourceIp": address}
        yield function(asked, _CONTEXT)["statusCode"]  # type: ignore[operator]


def test_an_address_that_fails_too_often_waits_and_its_right_key_does_not(api: Api, app: Starlette) -> None:
    function, right = handler_of(app), api.secret(Role.CALLER)
    assert list(statuses(function, api, WRONG, times=FAILURES.burst)) == [401] * FAILURES.burst
    assert list(statuses(function, api, WRONG, times=3)) == [429] * 3
    assert list(statuses(function, api, right, times=3)) == [200] * 3
    assert list(statuses(function, api, WRONG, address="203.0.113.10")) == [401]
    assert list(statuses(function, api, WRONG)) == [429]


def test_the_wait_is_told_and_true(api: Api, app: Starlette) -> None:
    function = handler_of(app)
    asked = event(api, "GET", PROVIDERS, root="/dev")
    asked["multiValueHeaders"] = {"X-Api-Key": [WRONG]}
    asked["requestContext"]["identity"] = {"sourceIp": ADDRESS}
    for _ in range(FAILURES.burst + 1):
        answer = function(asked, _CONTEXT)
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["code"]) == (429, "rate_limited")
    assert "www-authenticate" not in answer["headers"]
    assert 1 <= int(answer["headers"]["retry-after"]) <= 60


def test_a_wrong_key_that_comes_again_and_again_is_read_once(api: Api, app: Starlette) -> None:
    function, watched = handler_of(app), Watched(api.gateway.outside.key_store)
    api.gateway.outside.key_store = watched  # type: ignore[assignment]
    list(statuses(function, api, WRONG, times=50))
    assert watched.count("find") == 1
    list(statuses(function, api, WRONG[:-1], times=50))
    assert watched.count("find") == 1
    # And once its address waits, it is not even counted any more.
    assert len(api.gateway.outside.failed_attempts.items.calls) <= 2 * FAILURES.burst + 2


def test_no_credentials_at_all_are_no_attempt(api: Api, app: Starlette) -> None:
    function = handler_of(app)
    assert set(statuses(function, api, "", times=FAILURES.burst + 5)) == {401}


@pytest.mark.parametrize("identity", [{"sourceIp": ADDRESS}, {}, None, {"sourceIp": 5}])
def test_behind_the_web_adapter_the_address_is_api_gateways(api: Api, app: Starlette, identity: object) -> None:
    adapted = TestClient(BehindWebAdapter(app), base_url="http://127.0.0.1:8080", client=("127.0.0.1", 5))
    context = {"path": PROVIDERS, "resourcePath": PROVIDERS, "identity": identity}
    headers = {"X-Api-Key": WRONG, "x-amzn-request-context": json.dumps(context)}
    told = [adapted.get(PROVIDERS, headers=headers).status_code for _ in range(FAILURES.burst + 1)]
    # One adapter is the other end of every connection: whose address is not known is nobody's.
    assert told[-1] == (429 if identity == {"sourceIp": ADDRESS} else 401)


def test_on_a_local_server_the_address_is_the_other_end_whatever_a_header_says() -> None:
    with Serving(FakeGateway()) as serving:
        told = [
            serving.call("GET", PROVIDERS, Authorization=f"Bearer {WRONG}", **{"X-Forwarded-For": f"10.0.0.{number}"})[
                0
            ]
            for number in range(FAILURES.burst + 1)
        ]
        assert [response.status for response in told] == [401] * FAILURES.burst + [429]
        assert serving.call("GET", PROVIDERS)[0].status == 200
