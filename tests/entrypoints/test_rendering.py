"""Rendering over HTTP: what a query would send of a prompt or a role, and where each part comes from."""

from typing import Any

import pytest

from tests.entrypoints.conftest import PROMPTS, Api

ONE = f"{PROMPTS}/greeting"
RENDER = f"{ONE}/render"


def role(text: str, **variables: Any) -> dict[str, Any]:
    return {"kind": "role", "name": "Role", "template": {"system": {"text": text}, "variables": variables}}


@pytest.fixture
def greeting(api: Api) -> dict[str, Any]:
    """A prompt with two versions, one of which names roles and is in production."""
    text = {"type": "string"}
    api.call("POST", PROMPTS, {"id": "base", **role("Be kind.")})
    api.call("POST", PROMPTS, {"id": "pirate", **role("Talk of {{ sea }}.", sea=text | {"default": "the sea"})})
    template = {
        "system": {"roles": ["pirate"], "text": "You work for {{ company }}."},
        "messages": [
            {"role": "user", "content": "Greet {{ customer }}."},
            {"role": "assistant", "content": "Ahoy!"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And {{ customer }}'s dog."},
                    {"type": "image_url", "image_url": {"url": "{{ photo }}"}},
                ],
            },
        ],
        "variables": {"company": text | {"default": "Example"}, "customer": text, "photo": {"type": "image"}},
    }
    api.write(template=template)
    api.call("PUT", f"{ONE}/labels/production", {"version": 1})
    messages = [{"role": "user", "content": "Hello"}]
    api.call("PUT", ONE, {"name": "Greeting", "template": {"messages": messages}})
    return {"customer": "Ada", "photo": "https://example.org/dog.png"}


def test_a_prompt_is_filled(api: Api, greeting: dict[str, Any]) -> None:
    shown = api.call("POST", RENDER, {"variables": greeting}).json()
    assert shown["version"] == 1
    first, second, third = shown["messages"]
    assert first == {"role": "user", "content": "Greet Ada.", "name": None}
    assert second["content"] == "Ahoy!"
    assert third["content"] == [
        {"type": "text", "text": "And Ada's dog.", "cache_control": None},
        {
            "type": "image_url",
            "image_url": {"url": "https://example.org/dog.png", "detail": None},
            "cache_control": None,
        },
    ]
    assert shown["parts"] == [
        {"source": "base", "text": "Be kind."},
        {"source": "role:pirate@1", "text": "Talk of the sea."},
        {"source": "prompt", "text": "You work for Example."},
    ]
    assert shown["system"] == "Be kind.\n\nTalk of the sea.\n\nYou work for Example."
    assert shown["tokens"] > 10
    assert shown["warnings"] == []


def test_words_that_contradict_the_form_of_the_answer_are_told(api: Api) -> None:
    template = {"system": {"text": "Be brief."}, "messages": [{"role": "user", "content": "Answer in plain text."}]}
    api.write(template=template, output={"type": "json"})
    shown = api.call("POST", RENDER, {"system": {"text": "Reply in two sentences."}}).json()
    assert shown["warnings"] == [
        "query says 'Reply in two sentences', but output.type is json: the answer must be JSON alone.",
        "messages[0] says 'Answer in plain text', but output.type is json: the answer must be JSON alone.",
    ]


@pytest.mark.parametrize(
    ("which", "version"), [({"version": 2}, 2), ({"label": "latest"}, 2), ({"label": "production"}, 1)]
)
def test_a_version_or_a_label_is_named(api: Api, greeting: dict[str, Any], which: dict[str, Any], version: int) -> None:
    variables = greeting if version == 1 else {}
    assert api.call("POST", RENDER, {"variables": variables, **which}).json()["version"] == version


def test_a_query_adds_roles_and_words_of_its_own(api: Api, greeting: dict[str, Any]) -> None:
    system = {"roles": ["pirate@1"], "variables": {"sea": "the lake"}, "text": "Now.", "base": False}
    shown = api.call("POST", RENDER, {"variables": greeting, "system": system}).json()
    assert [part["source"] for part in shown["parts"]] == ["role:pirate@1", "prompt", "query"]
    assert shown["parts"][0]["text"] == "Talk of the lake."


@pytest.mark.usefixtures("greeting")
def test_a_role_is_filled_as_a_query_that_names_it_would(api: Api) -> None:
    for body in ({"variables": {"sea": "the bay"}}, {"system": {"variables": {"sea": "the bay"}}, "version": 1}):
        shown = api.call("POST", f"{PROMPTS}/pirate/render", body).json()
        assert (shown["version"], shown["messages"]) == (1, [])
        assert shown["parts"][1:] == [{"source": "role:pirate@1", "text": "Talk of the bay."}]
    twice = {"variables": {"sea": "a"}, "system": {"variables": {"sea": "b"}}}
    api.refused("POST", f"{PROMPTS}/pirate/render", twice, status=422, code="validation_failed")
    alone = api.call("POST", f"{PROMPTS}/base/render", {}).json()
    assert [part["source"] for part in alone["parts"]] == ["base"]


def test_a_shipped_role_is_filled(api: Api) -> None:
    shown = api.call("POST", f"{PROMPTS}/analyst/render", {}).json()
    assert shown["version"] == 0
    assert [part["source"] for part in shown["parts"]] == ["base", "role:analyst@0"]
    assert api.call("POST", f"{PROMPTS}/analyst/render", {"version": 0}).json() == shown


@pytest.mark.usefixtures("greeting")
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (RENDER, {}, 422, "template_variables_invalid"),
        (RENDER, {"version": 2, "variables": {"customer": "Ada"}}, 422, "template_variables_invalid"),
        (RENDER, {"version": 2, "system": {"variables": {"x": 1}}}, 422, "template_variables_invalid"),
        (RENDER, {"version": 9}, 404, "prompt_version_not_found"),
        (RENDER, {"label": "nowhere"}, 404, "label_not_found"),
        (RENDER, {"version": 2, "system": {"roles": ["nobody"]}}, 404, "prompt_not_found"),
        (f"{PROMPTS}/nobody/render", {}, 404, "prompt_not_found"),
        (f"{PROMPTS}/analyst/render", {"version": 1}, 404, "prompt_version_not_found"),
        (RENDER, {"version": 1, "label": "production"}, 422, "validation_failed"),
        (RENDER, {"system": {"roles": ["a"] * 100_000}}, 422, "validation_failed"),
        (RENDER, {"variables": {str(number): 1 for number in range(1000)}}, 422, "validation_failed"),
    ],
)
def test_what_cannot_be_filled_is_told(api: Api, path: str, body: Any, status: int, code: str) -> None:
    api.refused("POST", path, body, status=status, code=code)


def test_the_field_of_a_wrong_value_is_named(api: Api, greeting: dict[str, Any]) -> None:
    problem = api.refused(
        "POST", RENDER, {"variables": greeting | {"customer": 7}}, status=422, code="template_variables_invalid"
    )
    assert problem["errors"][0]["field"] == "variables.customer"


def test_a_long_value_is_shown_whole(api: Api) -> None:
    api.write()
    shown = api.call("POST", RENDER, {"variables": {"customer": "a" * 140_000}}).json()
    assert len(shown["messages"][0]["content"]) > 140_000
