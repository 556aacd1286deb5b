"""Whose requests a server on loopback answers."""

import pytest
from llm_gateway.entrypoints.server import local_app
from llm_gateway.entrypoints.visitors import fault_in, is_loopback
from starlette.testclient import TestClient

from functions.__main__ import every_endpoint
from tests.entrypoints.contract import check

OWN = {"host": "127.0.0.1:8080"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST.", "::1", "[::1]", "127.9.9.9", "s3.localhost", "api.127.0.0.1"]
)
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1", "vm"])
def test_other_names(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "headers",
    [
        OWN,
        {"host": "localhost"},
        {"host": "[::1]:8080"},
        OWN | {"origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-origin"},
        OWN | {"sec-fetch-site": "none"},
    ],
)
def test_programs_and_pages_of_its_own_are_let_in(headers: dict[str, str]) -> None:
    assert fault_in(headers) is None


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "Host"),
        ({"host": "rebind.evil.example:8080"}, "Host"),
        ({"host": "127.0.0.1:8080, evil.example"}, "Host"),
        ({"host": "127.0.0.1:80:80"}, "Host"),
        (OWN | {"origin": "https://evil.example"}, "Origin"),
        (OWN | {"origin": "null"}, "Origin"),
        (OWN | {"origin": ""}, "Origin"),
        (OWN | {"origin": "http://127.0.0.1:3000"}, "Origin"),
        (OWN | {"origin": "http://127.0.0.1:8080, https://evil.example"}, "Origin"),
        (OWN | {"sec-fetch-site": "cross-site"}, "Sec-Fetch-Site"),
        (OWN | {"sec-fetch-site": "same-site"}, "Sec-Fetch-Site"),
        (OWN | {"sec-fetch-site": "none, cross-site"}, "Sec-Fetch-Site"),
    ],
)
def test_what_another_site_causes_is_not(headers: dict[str, str], named: str) -> None:
    fault = fault_in(headers)
    assert fault is not None
    assert fault.startswith(named)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}]
)
def test_a_server_on_loopback_refuses_with_a_problem(headers: dict[str, str]) -> None:
    client = TestClient(local_app(every_endpoint(), host="127.0.0.1"), base_url="http://127.0.0.1")
    assert client.get("/health").status_code == 200
    refused = client.get("/health", headers=headers)
    check(refused)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_a_server_for_the_network_has_names_that_it_does_not_know() -> None:
    client = TestClient(local_app(every_endpoint(), host="0.0.0.0"), base_url="http://gateway.example")
    assert client.get("/health").status_code == 200
