"""Which pages may call the API from a browser, as API Gateway tells it: by exact origin, and none by itself."""

import json
import re

import pytest
from llm_gateway.access import Endpoint
from llm_gateway.endpoints import AREAS

from tests.infra.deployments import FEW, deployed, few
from tests.infra.test_api import API, routes

ONE, TWO = "https://app.example.com", "https://b.example.com:8443"
IN_ANSWER = "method.response.header.Access-Control-"


def preflights(**settings: str):
    return {
        path: properties for (method, path), properties in routes(few(**settings).api).items() if method == "OPTIONS"
    }


@pytest.mark.holds("API8")
def test_nothing_of_it_is_there_where_none_is_named():
    assert preflights() == {}
    assert "Access-Control" not in json.dumps(deployed().api.body)
    for template in deployed().templates.values():
        assert "CORS_ORIGINS" not in json.dumps(template.body)


@pytest.mark.parametrize("named", [(ONE,), (ONE, TWO)])
def test_every_path_says_which_origins_may_call_it_and_calls_nobody_for_that(named):
    found = preflights(corsOrigins=",".join(named))
    assert found.keys() == {row.path for rows in FEW.values() for row in rows}
    for properties in found.values():
        integration = properties["Integration"]
        assert (integration["Type"], "Uri" in integration) == ("MOCK", False)
        [answer] = integration["IntegrationResponses"]
        headers = answer["ResponseParameters"]
        assert headers[f"{IN_ANSWER}Allow-Origin"] == f"'{ONE}'"
        assert "Authorization" in headers[f"{IN_ANSWER}Allow-Headers"]
        assert f"{IN_ANSWER}Allow-Credentials" not in headers
        assert "*" not in json.dumps(headers)
        # The first is told where the template tells no other; each is compared whole, and is no pattern.
        template = answer.get("ResponseTemplates", {}).get("application/json", "")
        assert re.findall(r'\$origin == "(h[^"]*)"', template) == [*named[1:]]
        assert "matches" not in template


def test_functions_know_them_and_nothing_else_does():
    templates = few(corsOrigins=f"{ONE},{TWO}").templates
    for rows in FEW.values():
        for row in rows:
            [properties] = [each.functions()[row.name] for each in templates.values() if row.name in each.functions()]
            told = properties.get("Environment", {}).get("Variables", {}).get("CORS_ORIGINS")
            assert told == (f"{ONE},{TWO}" if isinstance(row, Endpoint) else None)
    assert "CORS_ORIGINS" not in json.dumps(templates["worker"].body)


def test_a_page_reads_what_api_gateway_says_itself_where_there_is_one_origin():
    name = "gatewayresponse.header.Access-Control-Allow-Origin"
    for named, expected in ((ONE, f"'{ONE}'"), (f"{ONE},{TWO}", None)):
        for response in few(corsOrigins=named).api.properties(f"{API}GatewayResponse"):
            # Never what the request says: that would let all of them.
            assert response["ResponseParameters"].get(name) == expected


def test_there_is_room_for_all_of_them():
    assert len(deployed(corsOrigins=ONE).api.body["Resources"]) < 400
    assert sum(len(rows) for rows in AREAS.values()) > 50
