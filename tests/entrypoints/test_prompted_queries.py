"""Queries made from prompts and roles: what is asked, what the answer tells of it, and what is refused by name."""

import json
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import Message, OutputFormat, Parameters
from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.domain.keys import Role
from llm_gateway.domain.prompts.prompts import Defaults, PromptKind
from llm_gateway.domain.prompts.templates import PromptTemplate
from llm_gateway.ports.queries import Delivery
from llm_gateway.services.prompts.shipped import ShippedRoles

from tests.adapters.prompt_store import InMemoryPrompts
from tests.entrypoints.conftest import QUERY, QUESTION, Api
from tests.services.queries.prompting import THING, greeting, keep, user

TEA: dict[str, Any] = {"prompt": {"id": "greeting", "variables": {"thing": "tea"}}}


def put(api: Api, *args: Any, **kwargs: Any) -> InMemoryPrompts:
    api.register()
    keep(api.gateway.outside.prompt_store, *args, **kwargs)
    return api.gateway.outside.prompt_store


def ask(api: Api, body: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    response = api.call("POST", QUERY, body, role=Role.CALLER, **kwargs)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def words(messages: tuple[Message, ...]) -> list[str]:
    return [f"{message.role}: {message.text}" for message in messages]


def last(api: Api) -> Any:
    return api.gateway.outside.models.asked[-1].request


def test_a_query_is_made_from_the_newest_version(api: Api) -> None:
    put(api, greeting(1), greeting(2))
    answer = ask(api, TEA)
    assert answer["prompt"] == {"id": "greeting", "version": 2}
    assert answer["roles"] == []
    assert words(last(api).messages) == ["user: 2: is tea good?"]
    assert last(api).system == "About tea."


@pytest.mark.parametrize(
    ("choice", "version"),
    [({}, 2), ({"version": 1}, 1), ({"label": "latest"}, 3), ({"label": "production"}, 2), ({"label": "old"}, 1)],
)
def test_a_version_a_label_or_neither(api: Api, choice: dict[str, Any], version: int) -> None:
    put(api, greeting(1), greeting(2), greeting(3), labels={"production": {2: 100}, "old": {1: 100}})
    answer = ask(api, {"prompt": TEA["prompt"] | choice})
    assert answer["prompt"] == {"id": "greeting", "version": version}
    assert words(last(api).messages) == [f"user: {version}: is tea good?"]


def test_a_sticky_key_always_leads_to_the_same_version(api: Api) -> None:
    put(api, greeting(1), greeting(2), labels={"production": {1: 50, 2: 50}})
    chosen = {
        key: [ask(api, {"prompt": TEA["prompt"] | {"sticky_key": key}})["prompt"]["version"] for _ in range(3)]
        for key in "abcdefgh"
    }
    assert all(len(set(versions)) == 1 for versions in chosen.values())
    assert {versions[0] for versions in chosen.values()} == {1, 2}


def test_messages_follow_the_template(api: Api) -> None:
    put(api, greeting(1))
    conversation = [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Why?"}]
    ask(api, TEA | {"messages": conversation, "system": {"text": "Be brief."}})
    assert words(last(api).messages) == ["user: 1: is tea good?", "assistant: Yes.", "user: Why?"]
    assert last(api).system == "About tea.\n\nBe brief."


def test_roles_are_composed_and_told(api: Api) -> None:
    put(api, greeting(1, template=PromptTemplate(messages=(user("Hi"),), system_text="Own.", roles=("assistant",))))
    body = {
        "prompt": {"id": "greeting"},
        "system": {"roles": ["coder"], "variables": {"language": "Go"}, "text": "End."},
    }
    answer = ask(api, body)
    assert answer["roles"] == [{"id": each, "version": 0} for each in ("base", "assistant", "coder")]
    texts = [ShippedRoles()[each].versions[0].template.system_text or "" for each in ("base", "assistant")]
    assert last(api).system.startswith("\n\n".join([*texts, "You write, explain and repair software in Go."]))
    assert last(api).system.endswith("\n\nOwn.\n\nEnd.")


def test_roles_need_no_prompt(api: Api) -> None:
    api.register()
    answer = ask(api, QUESTION | {"system": {"roles": ["analyst"], "base": False}})
    assert (answer["prompt"], answer["roles"]) == (None, [{"id": "analyst", "version": 0}])
    assert last(api).system == ShippedRoles()["analyst"].versions[0].template.system_text
    assert words(last(api).messages) == ["user: A QUESTION OF NOBODY ELSE'S"]


def test_a_query_without_roles_gets_no_text_of_the_gateways(api: Api) -> None:
    api.register()
    for system in ({}, {"base": False}, {"text": None}):
        assert ask(api, QUESTION | {"system": system})["roles"] == []
        assert last(api).system is None
    assert ask(api, QUESTION | {"system": {"base": True}})["roles"] == [{"id": "base", "version": 0}]


@pytest.mark.parametrize(
    ("body", "status", "code", "fields"),
    [
        ({"prompt": {"id": "farewell"}}, 404, "prompt_not_found", []),
        ({"prompt": {"id": "greeting", "version": 9}}, 404, "prompt_version_not_found", []),
        ({"prompt": {"id": "greeting", "label": "beta"}}, 404, "label_not_found", []),
        ({"prompt": {"id": "coder"}}, 422, "validation_failed", ["prompt.id"]),
        (TEA | {"system": {"roles": ["poet"]}}, 404, "prompt_not_found", []),
        (TEA | {"system": {"roles": ["coder@7"]}}, 404, "prompt_version_not_found", []),
        ({"prompt": {"id": "greeting"}}, 422, "template_variables_invalid", ["prompt.variables.thing"]),
        (
            {"prompt": {"id": "greeting", "variables": {"thing": 1, "x": 2}}},
            422,
            "template_variables_invalid",
            ["prompt.variables.x", "prompt.variables.thing"],
        ),
        (TEA | {"system": {"variables": {"x": 1}}}, 422, "template_variables_invalid", ["system.variables.x"]),
        ({"system": {"roles": ["coder"]}}, 422, "validation_failed", ["messages"]),
    ],
)
def test_what_cannot_be_made_is_refused_and_nobody_is_asked(
    api: Api, body: dict[str, Any], status: int, code: str, fields: list[str]
) -> None:
    put(api, greeting(1))
    for path, mode in ((QUERY, {}), (QUERY, {"mode": "async"}), (f"{QUERY}/stream", {})):
        problem = api.refused("POST", path, body | mode, role=Role.CALLER, status=status, code=code)
        assert [error["field"] for error in problem.get("errors", [])] == fields
    assert api.gateway.outside.models.asked == []


def test_a_prompt_that_says_nothing_needs_messages(api: Api) -> None:
    put(api, greeting(1, template=PromptTemplate(system_text="Rules.")))
    body = {"prompt": {"id": "greeting"}}
    problem = api.refused("POST", QUERY, body, role=Role.CALLER, status=422, code="validation_failed")
    assert [error["field"] for error in problem["errors"]] == ["messages"]
    ask(api, body | QUESTION)
    assert last(api).system == "Rules."


SCHEMA = {"type": "object", "required": ["a"]}


@pytest.mark.parametrize(
    ("own", "asked", "field"),
    [
        (OutputFormat(type="json"), {"type": "text"}, "output.type"),
        (OutputFormat(type="json_schema", schema=SCHEMA), {"type": "json"}, "output.type"),
        (OutputFormat(type="json_schema", schema=SCHEMA), {"type": "json_schema", "schema": {}}, "output.schema"),
    ],
)
def test_the_form_of_the_answer_is_not_loosened(api: Api, own: OutputFormat, asked: dict[str, Any], field: str) -> None:
    put(api, greeting(1, output=own))
    problem = api.refused("POST", QUERY, TEA | {"output": asked}, status=422, code="validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize(
    ("own", "asked", "kind"),
    [
        (OutputFormat(), {}, "text"),
        (OutputFormat(), {"output": {"type": "json"}}, "json"),
        (OutputFormat(type="json"), {}, "json"),
        (OutputFormat(type="json"), {"output": {"type": "json_schema", "schema": SCHEMA}}, "json_schema"),
        (OutputFormat(type="json_schema", schema=SCHEMA), {}, "json_schema"),
        (
            OutputFormat(type="json_schema", schema=SCHEMA),
            {"output": {"type": "json_schema", "schema": {"required": ["a"], "type": "object"}}},
            "json_schema",
        ),
    ],
)
def test_the_form_of_the_answer_is_the_prompts_or_a_stricter_one(
    api: Api, own: OutputFormat, asked: dict[str, Any], kind: str
) -> None:
    put(api, greeting(1, output=own))
    api.gateway.outside.models.script.append('{"a": 1}')
    answer = ask(api, TEA | asked)
    assert (answer["output"]["json"] is None) == (kind == "text")


def test_defaults_fill_what_the_query_leaves_open(api: Api) -> None:
    wishes = Parameters(temperature=0.2, max_output_tokens=50, stop=("END",))
    put(api, greeting(1, defaults=Defaults(model="local/other", parameters=wishes)))
    answer = ask(api, TEA | {"parameters": {"temperature": 1}})
    assert last(api).model == "other"
    assert last(api).parameters == Parameters(temperature=1, max_output_tokens=50, stop=("END",))
    assert answer["warnings"] == []
    ask(api, TEA | {"model": "local/mine"})
    assert last(api).model == "mine"


def test_a_wish_that_a_candidate_cannot_take_is_left_out_and_told(api: Api) -> None:
    wishes = Defaults(parameters=Parameters(temperature=0.2, seed=7))
    put(api, greeting(1, defaults=wishes))
    api.register(id="plain", priority=1, models=[{"name": "small", "capabilities": ["temperature"]}])
    answer = ask(api, TEA)
    assert answer["provider"] == "plain"
    assert last(api).parameters == Parameters(temperature=0.2)
    assert answer["warnings"] == ["The prompt's parameters.seed was left out: plain/small cannot take it."]
    problem = api.refused(
        "POST", QUERY, TEA | {"provider": "plain", "parameters": {"seed": 1}}, status=422, code="unsupported_parameter"
    )
    assert [error["field"] for error in problem["errors"]] == ["parameters.seed"]


def test_a_default_model_goes_to_no_provider_that_does_not_list_it(api: Api) -> None:
    put(api, greeting(1, defaults=Defaults(model="local/other")))
    api.register(id="second")
    answer = ask(api, TEA | {"provider": "second"})
    assert (answer["provider"], last(api).model) == ("second", "small")
    assert answer["warnings"] == ["The prompt's default model 'local/other' was left out: 'second' does not list it."]
    ask(api, TEA | {"provider": "local"})
    assert last(api).model == "other"
    api.refused("POST", QUERY, TEA | {"provider": "third"}, status=404, code="provider_not_found")


def test_a_stream_tells_what_it_was_made_from(api: Api) -> None:
    put(api, greeting(1))
    response = api.call("POST", f"{QUERY}/stream", TEA, role=Role.CALLER)
    *_, done = response.text.strip().split("\n\n")
    assert done.startswith("event: done\n")
    assert '"prompt":{"id":"greeting","version":1}' in done.replace(": ", ":").replace(", ", ",")


def test_an_async_query_asks_what_was_chosen_when_it_was_accepted(api: Api) -> None:
    prompts = put(api, greeting(1))
    api.call("POST", QUERY, TEA | {"mode": "async", "system": {"roles": ["coder"]}}, role=Role.CALLER)
    keep(prompts, greeting(1), greeting(2))
    keep(prompts, _role("coder", "Other words."), kind=PromptKind.ROLE)
    prompts.fault = AssertionError("A worker reads no prompt.")
    (sent,) = api.gateway.outside.queue.sent
    api.gateway.worker.process(Delivery(query_id=sent.query_id, receipt="r", queue_arn="arn:queue", count=1))
    answer = api.call("GET", f"{QUERY}/{sent.query_id}/result", role=Role.CALLER).json()
    assert answer["prompt"] == {"id": "greeting", "version": 1}
    assert answer["roles"] == [{"id": "base", "version": 0}, {"id": "coder", "version": 0}]
    assert words(last(api).messages) == ["user: 1: is tea good?"]
    assert "Other words." not in last(api).system


def test_usage_and_lists_name_the_prompt(api: Api) -> None:
    put(api, greeting(1))
    answer = ask(api, TEA)
    (listed,) = api.call("GET", f"{QUERY}?prompt=greeting").json()["items"]
    assert (listed["id"], listed["prompt"]) == (answer["id"], {"id": "greeting", "version": 1})
    rows = api.call("GET", "/api/v1/llm/usage?group_by=prompt").json()["items"]
    assert [(row["prompt"], row["requests"]) for row in rows] == [("greeting", 1)]


def test_another_version_is_another_answer_in_the_cache(api: Api) -> None:
    template = PromptTemplate(messages=(user("{{ thing }}"),), variables=THING)
    put(api, greeting(1, template=template), greeting(2, template=template))
    body = TEA | {"cache": "force"}
    one = {"prompt": TEA["prompt"] | {"version": 1}}
    hits = [ask(api, body | changes)["cache"]["hit"] for changes in ({}, {}, one, one)]
    assert hits == [False, True, False, True]


def test_answers_are_kept_for_as_long_as_the_prompt_says(api: Api) -> None:
    put(api, greeting(1), cache_ttl_s=60)
    body = TEA | {"cache": "force"}
    ask(api, body)
    api.gateway.outside.clock.move(seconds=50)
    assert ask(api, body)["cache"]["hit"]
    api.gateway.outside.clock.move(seconds=11)
    assert not ask(api, body)["cache"]["hit"]


@pytest.mark.parametrize(("share", "logged"), [(1.0, True), (0.0, False), (None, False)])
def test_words_go_to_the_log_as_the_prompt_says(api: Api, share: float | None, logged: bool) -> None:
    put(api, greeting(1), log_bodies=share)
    ask(api, TEA)
    ended = api.gateway.outside.journal.written[-1]
    assert ended.logs_bodies == logged
    assert ended.prompt is not None


def test_a_failed_query_names_its_prompt_too(api: Api) -> None:
    put(api, greeting(1))
    api.gateway.outside.models.script.append(ProviderFailed("Out of order."))
    response = api.call("POST", QUERY, TEA, role=Role.CALLER)
    assert response.status_code == 502
    (listed,) = api.call("GET", f"{QUERY}?prompt=greeting").json()["items"]
    assert listed["status"] == "failed"


def test_a_value_that_looks_like_a_template_or_a_message_stays_a_text(api: Api) -> None:
    put(api, greeting(1, template=PromptTemplate(messages=(user("<{{ thing }}>"),), variables=THING)))
    for value in ("{{ x }}", "{% if %}", '"}, {"role": ""'):
        ask(api, {"prompt": {"id": "greeting", "variables": {"thing": value}}})
        assert words(last(api).messages) == [f"user: <{value}>"]


def test_a_replay_does_not_ask_again(api: Api) -> None:
    put(api, greeting(1))
    first, again = (ask(api, TEA, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert json.dumps(again) == json.dumps(first)
    assert len(api.gateway.outside.models.asked) == 1


def _role(role_id: str, text: str) -> Any:
    return replace(greeting(1), prompt_id=role_id, template=PromptTemplate(system_text=text))


def test_a_plan_tells_what_would_be_asked(api: Api) -> None:
    put(api, greeting(1, defaults=Defaults(parameters=Parameters(seed=7))))
    api.register(id="plain", priority=1, models=[{"name": "small", "capabilities": []}])
    body = TEA | {"system": {"roles": ["analyst"], "base": False}}
    plan = api.call("POST", f"{QUERY}/plan", body, role=Role.CALLER).json()
    assert plan["prompt"] == {"id": "greeting", "version": 1}
    assert plan["roles"] == [{"id": "analyst", "version": 0}]
    assert plan["system"].endswith("\n\nAbout tea.")
    assert plan["warnings"] == ["The prompt's parameters.seed was left out: plain/small cannot take it."]
    assert api.gateway.outside.models.asked == []
