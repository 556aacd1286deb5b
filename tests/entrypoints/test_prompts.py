"""Prompts over HTTP: versions, revisions, lists, what differs, and what is refused."""

from typing import Any

import pytest
from llm_gateway.domain.audit.entries import Deed
from llm_gateway.domain.keys import Role

from tests.adapters.authors import BY
from tests.entrypoints.conftest import PROMPT, PROMPTS, Api
from tests.entrypoints.contract import TIMESTAMP

ONE = f"{PROMPTS}/greeting"
WHOLE: dict[str, Any] = {
    "id": "answer",
    "kind": "prompt",
    "name": "Support answer",
    "description": "Answers a customer",
    "category": "support",
    "tags": ["tier-1", "mail"],
    "template": {
        "system": {"roles": [], "text": "You work for {{ company }}."},
        "messages": [
            {"role": "user", "content": "Hello", "name": None},
            {"role": "assistant", "content": "Good day.", "name": None},
            {
                "role": "user",
                "name": "customer",
                "content": [
                    {"type": "text", "text": "{{ question }} in a {{ tone }} tone", "cache_control": None},
                    {
                        "type": "image_url",
                        "image_url": {"url": "{{ photo }}", "detail": "low"},
                        "cache_control": {"type": "ephemeral", "ttl": "5m"},
                    },
                ],
            },
        ],
        "variables": {
            "company": {"type": "string"},
            "question": {"type": "string", "max_length": 4000, "pattern": "."},
            "tone": {"type": "string", "enum": ["formal", "friendly"], "default": "friendly"},
            "photo": {"type": "image"},
        },
    },
    "defaults": {"model": "gpt-4.1", "parameters": {"temperature": 0.2, "max_output_tokens": 400, "stop": ["END"]}},
    "output": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"minimum": 0.5}}}},
    "tests": [{"name": "greets", "variables": {"company": "A"}, "assert": [{"type": "contains", "value": "hello"}]}],
    "pii": ["mask"],
    "cache_ttl_s": 60,
    "log_bodies": 0.5,
    "commit_message": "first version",
}
TEST: dict[str, Any] = {"name": "greets", "assert": [{"type": "contains", "value": "hello", "not": True}]}
ROLE: dict[str, Any] = {
    "id": "pirate",
    "kind": "role",
    "name": "Pirate",
    "template": {"system": {"text": "You talk like a pirate."}},
}


def saying(text: str, **changes: Any) -> dict[str, Any]:
    template = {"messages": [{"role": "user", "content": text}]}
    return {"name": "Greeting", "template": template} | changes


def naming(*roles: str) -> dict[str, Any]:
    return {"system": {"roles": list(roles), "text": "Be brief."}}


SHIPPED = {"analyst", "assistant", "base", "coder", "extractor", "reviewer", "summarizer", "support", "translator"}


def deeds_in(api: Api) -> list[Deed]:
    """What the audit log tells, but for the keys that the test asks with."""
    return [entry.deed for entry in api.gateway.outside.audit_log.entries if entry.deed.action != BY.action]


def said(value: Any) -> Any:
    """What was said of it, without what is null."""
    if isinstance(value, dict):
        return {name: said(inner) for name, inner in value.items() if inner is not None}
    return [said(inner) for inner in value] if isinstance(value, list) else value


def test_a_prompt_is_shown_as_it_was_written(api: Api) -> None:
    response = api.call("POST", PROMPTS, WHOLE)
    shown = response.json()
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"{PROMPTS}/answer"
    assert response.headers["ETag"] == '"1"'
    variables = shown["template"].pop("variables")
    assert {name: said(variable) for name, variable in variables.items()} == {
        name: {"required": name != "tone"} | variable for name, variable in WHOLE["template"]["variables"].items()
    }
    template = {name: member for name, member in WHOLE["template"].items() if name != "variables"}
    assert shown["template"] == template
    parameters = shown["defaults"].pop("parameters")
    assert said(parameters) == WHOLE["defaults"]["parameters"]
    assert shown["defaults"] == {"model": "gpt-4.1"}
    for field in WHOLE.keys() - {"template", "defaults"}:
        assert shown[field] == WHOLE[field], field
    assert (shown["version"], shown["revision"], shown["labels"], shown["built_in"]) == (1, 1, {}, False)
    assert shown["author"].startswith("key_")
    assert TIMESTAMP.fullmatch(shown["created_at"])
    assert len(shown["content_hash"]) == 64


def test_what_was_read_can_be_sent_back(api: Api) -> None:
    written = api.call("POST", PROMPTS, WHOLE).json()
    api.call("PUT", f"{PROMPTS}/answer/labels/production", {"version": 1})
    read = api.call("GET", f"{PROMPTS}/answer").json()
    assert read | {"labels": {}} == written
    again = api.call("PUT", f"{PROMPTS}/answer", read)
    assert again.status_code == 200, again.text
    assert again.json() | {"updated_at": None} == read | {"revision": 2, "updated_at": None}


def test_an_id_is_made_from_the_name_and_taken_once(api: Api) -> None:
    body = saying("Hello", name="Say hello!")
    assert api.call("POST", PROMPTS, body).json()["id"] == "say-hello"
    api.refused("POST", PROMPTS, body, status=409, code="already_exists")
    problem = api.refused("POST", PROMPTS, saying("Hello", name="…"), status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "id"


def test_other_content_is_the_next_version_and_equal_content_none(api: Api) -> None:
    api.write()
    second = api.call("PUT", ONE, saying("Hello", commit_message="Shorter"))
    assert (second.json()["version"], second.json()["revision"], second.headers["ETag"]) == (2, 2, '"2"')
    renamed = api.call("PUT", ONE, saying("Hello", description="Greets", tests=[TEST])).json()
    assert (renamed["version"], renamed["revision"], renamed["description"]) == (2, 3, "Greets")
    assert renamed["commit_message"] == "Shorter"
    for number, changes in enumerate(
        ({"defaults": {"parameters": {"temperature": 0}}}, {"output": {"type": "json"}}), start=3
    ):
        assert api.call("PUT", ONE, saying("Hello", **changes)).json()["version"] == number
    back = api.call("PUT", ONE, saying("Hello")).json()
    assert back["version"] == 5
    hashes = [row["content_hash"] for row in api.call("GET", f"{ONE}/versions").json()["items"]]
    assert hashes[0] == hashes[3] != hashes[2]


def test_how_content_is_written_makes_no_version(api: Api) -> None:
    api.write(**saying("Hello", id="greeting", defaults={"parameters": {"temperature": 1.0}}))
    parts = {"messages": [{"content": [{"type": "text", "text": "Hello"}], "role": "user"}], "system": None}
    same = {"name": "Greeting", "template": parts, "defaults": {"parameters": {"temperature": 1}, "model": None}}
    assert api.call("PUT", ONE, same).json()["version"] == 1


@pytest.mark.parametrize(
    ("body", "headers", "field"),
    [
        ({"revision": 1}, {}, None),
        ({}, {"If-Match": '"1"'}, None),
        ({"revision": 2}, {"If-Match": '"1"'}, None),
        ({"revision": 3}, {}, None),
    ],
)
def test_a_stale_change_changes_nothing(api: Api, body: Any, headers: Any, field: None) -> None:
    api.write()
    second = api.call("PUT", ONE, saying("Hello")).json()
    api.refused("PUT", ONE, saying("Bye", **body), headers=headers, status=412, code="revision_conflict")
    api.refused("DELETE", ONE, headers={"If-Match": '"1"'}, status=412, code="revision_conflict")
    assert api.call("GET", ONE).json() == second


def test_what_is_fixed_stays(api: Api) -> None:
    api.write()
    for changes in ({"id": "other"}, {"kind": "role"}):
        problem = api.refused("PUT", ONE, saying("Hello", **changes), status=422, code="validation_failed")
        assert problem["errors"][0]["field"] == next(iter(changes))


def test_a_deleted_prompt_is_gone_and_its_versions_can_be_read(api: Api) -> None:
    api.write()
    api.call("PUT", ONE, saying("Hello"))
    assert api.call("DELETE", ONE, headers={"If-Match": '"2"'}).status_code == 204
    api.refused("DELETE", ONE, status=404, code="prompt_not_found")
    api.refused("GET", ONE, status=404, code="prompt_not_found")
    api.refused("PUT", ONE, saying("Hello"), status=404, code="prompt_not_found")
    assert api.call("GET", f"{PROMPTS}?kind=prompt").json()["items"] == []
    version = api.call("GET", f"{ONE}/versions/1").json()
    assert (version["version"], version["labels"]) == (1, [])
    api.refused("GET", f"{ONE}/versions/3", status=404, code="prompt_version_not_found")


def test_a_prompt_made_again_counts_on(api: Api) -> None:
    api.write()
    api.call("PUT", ONE, saying("Hello"))
    api.call("DELETE", ONE)
    again = api.write()
    assert (again["version"], again["revision"]) == (3, 1)
    assert [row["version"] for row in api.call("GET", f"{ONE}/versions").json()["items"]] == [3, 2, 1]
    api.refused("POST", PROMPTS, PROMPT, status=409, code="already_exists")
    api.call("DELETE", ONE)
    problem = api.refused("POST", PROMPTS, ROLE | {"id": "greeting"}, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "id"


def test_a_version_is_shown_whole_and_in_a_list(api: Api) -> None:
    first = api.write(tests=[TEST])
    api.call("PUT", ONE, saying("Hello", commit_message="Shorter"))
    api.call("PUT", f"{ONE}/labels/production", {"versions": {"1": 1, "2": 3}})
    page = api.call("GET", f"{ONE}/versions?limit=1").json()
    (newest,) = page["items"]
    assert newest["labels"] == ["production", "latest"]
    assert (newest["version"], newest["commit_message"]) == (2, "Shorter")
    (oldest,) = api.call("GET", f"{ONE}/versions?limit=1&cursor={page['next_cursor']}").json()["items"]
    assert oldest["labels"] == ["production"]
    whole = api.call("GET", f"{ONE}/versions/1").json()
    assert {name: whole[name] for name in oldest} == oldest
    assert (whole["template"], whole["output"]) == (first["template"], first["output"])
    assert whole["tests"] == []
    api.refused("GET", f"{ONE}/versions/9", status=404, code="prompt_version_not_found")
    api.refused("GET", f"{PROMPTS}/nobody/versions/1", status=404, code="prompt_not_found")
    api.refused("GET", f"{PROMPTS}/nobody/versions", status=404, code="prompt_not_found")
    api.refused("GET", f"{ONE}/versions/first", status=422, code="validation_failed")


def test_what_differs_between_two_versions(api: Api) -> None:
    api.write()
    template = {
        "system": {"text": "Be brief."},
        "messages": [{"role": "user", "content": "Greet {{ customer }} warmly."}, {"role": "user", "content": "Now."}],
        "variables": {"customer": {"type": "string", "max_length": 9}},
    }
    api.call("PUT", ONE, {"name": "G", "template": template, "defaults": {"model": "small"}})
    diff = api.call("GET", f"{ONE}/versions/1/diff/2").json()
    assert [message["index"] for message in diff["messages"]] == [0, 1]
    assert diff["messages"][0]["unified"].splitlines() == [
        "--- version 1",
        "+++ version 2",
        "@@ -1,2 +1,2 @@",
        " [user]",
        "-Greet {{ customer }}.",
        "+Greet {{ customer }} warmly.",
    ]
    assert "+Be brief." in diff["system"]
    assert diff["settings"] == [
        {"path": "defaults.model", "from": None, "to": "small"},
        {"path": "template.variables.customer.max_length", "from": None, "to": 9},
    ]
    back = api.call("GET", f"{ONE}/versions/2/diff/1").json()
    assert back["settings"][0] == {"path": "defaults.model", "from": "small", "to": None}
    assert api.call("GET", f"{ONE}/versions/2/diff/2").json() == {"messages": [], "system": None, "settings": []}
    api.refused("GET", f"{ONE}/versions/1/diff/9", status=404, code="prompt_version_not_found")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["alpha", "analyst", "assistant", "base", "beta"]),
        ("?kind=role&name=p", ["pirate"]),
        ("?kind=prompt", ["alpha", "beta"]),
        ("?category=money", ["beta"]),
        ("?tag=mail", ["alpha", "beta"]),
        ("?tag=mail&category=money", ["beta"]),
        ("?name=be", ["beta"]),
        ("?name=eta", []),
    ],
)
def test_prompts_are_found_by_what_is_said_of_them(api: Api, query: str, found: list[str]) -> None:
    api.write(id="beta", name="Beta", category="money", tags=["mail"])
    api.write(id="alpha", name="Alpha", tags=["mail", "new"])
    api.call("POST", PROMPTS, ROLE)
    page = api.call("GET", f"{PROMPTS}{query}").json()
    assert [each["id"] for each in page["items"]][:5] == found
    assert all("template" not in each for each in page["items"])


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_shipped_roles_have_their_place_in_the_list(api: Api, limit: int) -> None:
    api.write(id="zeta")
    api.write(id="beta", name="Beta")
    api.call("POST", PROMPTS, ROLE)
    api.call("POST", PROMPTS, ROLE | {"id": "coder", "name": "Coder", "category": "mine"})
    ids, built_in, cursor = [], set(), ""
    while True:
        page = api.call("GET", f"{PROMPTS}?limit={limit}{cursor}").json()
        assert len(page["items"]) <= limit
        ids += [each["id"] for each in page["items"]]
        built_in |= {each["id"] for each in page["items"] if each["built_in"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert ids == sorted([*SHIPPED, "beta", "pirate", "zeta"])
    assert built_in == SHIPPED - {"coder"}
    found = api.call("GET", f"{PROMPTS}?name=coder&kind=role").json()["items"]
    assert [(each["id"], each["built_in"]) for each in found] == [("coder", False)]
    assert [each["id"] for each in api.call("GET", f"{PROMPTS}?category=mine").json()["items"]] == ["coder"]


@pytest.mark.parametrize("query", ["?kind=tool", "?category=", "?name=", "?tags=mail", "?limit=0"])
def test_a_search_that_is_none_is_refused(api: Api, query: str) -> None:
    api.refused("GET", f"{PROMPTS}{query}", status=422, code="validation_failed")


def test_a_role_that_prompts_name_stays(api: Api) -> None:
    api.call("POST", PROMPTS, ROLE)
    api.write(template=naming("pirate"))
    problem = api.refused("DELETE", f"{PROMPTS}/pirate", status=409, code="prompt_in_use")
    assert "greeting" in problem["detail"]
    api.call("PUT", f"{ONE}/labels/production", {"version": 1})
    api.call("PUT", ONE, saying("Hello"))
    api.refused("DELETE", f"{PROMPTS}/pirate", status=409, code="prompt_in_use")
    api.call("PUT", f"{ONE}/labels/production", {"version": 2})
    assert api.call("DELETE", f"{PROMPTS}/pirate").status_code == 204
    problem = api.refused("PUT", f"{ONE}/labels/production", {"version": 1}, status=422, code="validation_failed")
    assert "pirate" in problem["detail"]


@pytest.mark.parametrize(
    ("roles", "field", "word"),
    [
        (["nobody"], "template.system.roles[0]", "no role 'nobody'"),
        (["pirate", "greeting"], "template.system.roles[1]", "no role 'greeting'"),
        (["pirate@7"], "template.system.roles[0]", "no version 7"),
        (["pirate@production"], "template.system.roles[0]", "no label 'production'"),
        (["pirate", "pirate"], "template.system.roles[1]", "twice"),
    ],
)
def test_a_role_that_is_not_there_is_not_named(api: Api, roles: list[str], field: str, word: str) -> None:
    api.call("POST", PROMPTS, ROLE)
    api.write()
    body = {"name": "Other", "template": naming(*roles)}
    problem = api.refused("POST", PROMPTS, body, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == field
    assert word in problem["errors"][0]["message"]
    for name in ("pirate", "pirate@1", "pirate@latest"):
        assert api.call("PUT", ONE, {"name": "Greeting", "template": naming(name)}).status_code == 200


DEEP: dict[str, Any] = {"type": "array"}
for _ in range(20):
    DEEP = {"type": "array", "items": DEEP}
REFUSED = [
    ({"template": {}}, "validation_failed", "template"),
    (
        {"template": {"messages": [{"role": "user", "content": "{{ nobody }}"}]}},
        "template_invalid",
        "template.messages[0].content",
    ),
    (
        {"template": {"messages": [{"role": "user", "content": "Hi"}], "variables": {"x": {"type": "string"}}}},
        "template_invalid",
        "template.variables.x",
    ),
    (
        {"template": {"messages": [{"role": "user", "content": "{% for %}"}]}},
        "template_invalid",
        "template.messages[0].content",
    ),
    ({"template": {"messages": [{"role": "tool", "content": "Hi"}]}}, "validation_failed", "template.messages[0].role"),
    ({"template": {"messages": [{"role": "user", "content": 7}]}}, "validation_failed", "template.messages[0].content"),
    (
        {"template": {"messages": [{"role": "user", "content": []}]}},
        "validation_failed",
        "template.messages[0].content",
    ),
    (
        {"template": {"messages": [{"role": "user", "content": [{"type": "audio"}]}]}},
        "validation_failed",
        "template.messages[0].content[0].type",
    ),
    (
        {
            "template": {
                "messages": [
                    {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://x.org/a"}}]}
                ]
            }
        },
        "validation_failed",
        "template.messages[0].content",
    ),
    ({"template": {"messages": [{"role": "user", "content": "Hi"}] * 201}}, "validation_failed", "template.messages"),
    ({"template": {"messages": [{}] * 100_000}}, "validation_failed", "template.messages[0].role"),
    (
        {"template": {"variables": {f"v{number}": 7 for number in range(5000)}}},
        "validation_failed",
        "template.variables",
    ),
    ({"template": {"system": "Be brief."}}, "validation_failed", "template.system"),
    ({"template": {"system": {"roles": ["A B"]}}}, "validation_failed", "template.system.roles[0]"),
    ({"template": {"system": {"roles": ["a"] * 21}}}, "validation_failed", "template.system.roles"),
    ({"tags": ["x"] * 2}, "validation_failed", "tags"),
    ({"tags": [str(number) for number in range(100)]}, "validation_failed", "tags"),
    ({"tags": ["a\nb"]}, "validation_failed", "tags[0]"),
    ({"category": ""}, "validation_failed", "category"),
    ({"category": "c" * 65}, "validation_failed", "category"),
    ({"description": "d" * 2001}, "validation_failed", "description"),
    ({"commit_message": "m" * 501}, "validation_failed", "commit_message"),
    ({"log_bodies": 1.5}, "validation_failed", "log_bodies"),
    ({"cache_ttl_s": 0}, "validation_failed", "cache_ttl_s"),
    ({"pii": ["hide"]}, "validation_failed", "pii[0]"),
    ({"kind": "tool"}, "validation_failed", "kind"),
    ({"messages": []}, "validation_failed", "messages"),
    ({"output": {"type": "json_schema"}}, "validation_failed", "output.schema"),
    ({"output": {"type": "json_schema", "schema": {"type": "nothing"}}}, "validation_failed", "output.schema"),
    ({"defaults": {"parameters": {"temperature": 9}}}, "validation_failed", "defaults.parameters.temperature"),
    (
        {"template": {"messages": [{"role": "user", "content": "é" * 65_600}]}},
        "validation_failed",
        "template",
    ),
    (
        {"template": saying("{{ x }}")["template"] | {"variables": {"x": {"type": "text"}}}},
        "validation_failed",
        "template.variables.x.type",
    ),
    (
        {
            "template": saying("{{ x }}")["template"]
            | {"variables": {"x": {"type": "string", "default": "a", "required": True}}}
        },
        "validation_failed",
        "template.variables.x.required",
    ),
    ({"template": saying("{{ x }}")["template"] | {"variables": {"x": DEEP}}}, "template_invalid", None),
]


@pytest.mark.parametrize(("changes", "code", "field"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_prompt_is_refused_and_changes_nothing(
    api: Api, changes: dict[str, Any], code: str, field: str | None
) -> None:
    problem = api.refused("POST", PROMPTS, PROMPT | changes, status=422, code=code)
    if field is not None:
        assert problem["errors"][0]["field"] == field, problem["errors"]
    assert len(problem["errors"]) <= 100
    assert api.call("GET", f"{PROMPTS}?kind=prompt").json()["items"] == []
    assert deeds_in(api) == []


@pytest.mark.parametrize(
    ("template", "field"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}], "system": {"text": "Hi"}}, "template.messages"),
        ({"system": {"roles": ["pirate"], "text": "Hi"}}, "template.system.roles"),
        ({"system": {"text": ""}}, "template.system.text"),
        ({}, "template.system.text"),
    ],
)
def test_a_role_has_a_system_text_alone(api: Api, template: dict[str, Any], field: str) -> None:
    problem = api.refused("POST", PROMPTS, ROLE | {"template": template}, status=422, code="validation_failed")
    assert field in [error["field"] for error in problem["errors"]]


def test_a_creation_is_replayed_as_it_was(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.call("POST", PROMPTS, WHOLE, headers=headers)
    again = api.call("POST", PROMPTS, WHOLE, headers=headers)
    assert again.json() == first.json()
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    api.refused("POST", PROMPTS, WHOLE | {"name": "B"}, headers=headers, status=409, code="idempotency_conflict")


def test_every_change_is_in_the_audit_log(api: Api) -> None:
    api.write(commit_message="first")
    api.call("PUT", ONE, saying("Hello"))
    api.call("PUT", f"{ONE}/labels/production", {"version": 1})
    api.call("DELETE", f"{ONE}/labels/production")
    api.call("DELETE", ONE)
    deeds = deeds_in(api)
    assert [(deed.action, deed.target) for deed in deeds] == [
        ("prompt.created", "greeting"),
        ("prompt.updated", "greeting"),
        ("label.moved", "greeting/labels/production"),
        ("label.deleted", "greeting/labels/production"),
        ("prompt.deleted", "greeting"),
    ]
    created, updated, moved, unlabelled, deleted = deeds
    assert created.before is None
    assert created.after is not None
    assert created.after["commit_message"] == "first"
    assert updated.before == created.after
    assert moved.before is None
    assert moved.after is not None
    assert moved.after["versions"] == {"1": 100}
    assert (unlabelled.before, unlabelled.after) == (moved.after, None)
    assert deleted.after is None


def test_a_caller_reads_and_changes_nothing(api: Api) -> None:
    api.write()
    assert api.call("GET", ONE, role=Role.CALLER).json()["template"]["messages"]
    api.refused("PUT", ONE, saying("Hello"), role=Role.CALLER, status=403, code="forbidden")


def test_a_shipped_role_is_read_and_not_changed(api: Api) -> None:
    role = api.call("GET", f"{PROMPTS}/analyst").json()
    assert (role["built_in"], role["version"], role["kind"], role["labels"]) == (True, 0, "role", {})
    assert role["tests"]
    version = api.call("GET", f"{PROMPTS}/analyst/versions/0").json()
    assert (version["template"], version["tests"], version["labels"]) == (role["template"], role["tests"], ["latest"])
    assert [row["version"] for row in api.call("GET", f"{PROMPTS}/analyst/versions").json()["items"]] == [0]
    api.refused("GET", f"{PROMPTS}/analyst/versions/1", status=404, code="prompt_version_not_found")
    api.refused("DELETE", f"{PROMPTS}/analyst", status=409, code="prompt_in_use")
    api.refused("PUT", f"{PROMPTS}/analyst", ROLE | {"id": "analyst"}, status=422, code="validation_failed")
    labelled = f"{PROMPTS}/analyst/labels/production"
    api.refused("PUT", labelled, {"version": 0}, status=422, code="validation_failed")
    api.refused("PUT", labelled, {"version": 1}, status=422, code="validation_failed")


def test_a_role_takes_the_place_of_a_shipped_one_and_gives_it_back(api: Api) -> None:
    shipped = api.call("GET", f"{PROMPTS}/analyst").json()
    own = api.call("POST", PROMPTS, ROLE | {"id": "analyst"}).json()
    assert (own["version"], own["built_in"]) == (1, False)
    assert api.call("GET", f"{PROMPTS}/analyst").json() == own
    assert api.call("DELETE", f"{PROMPTS}/analyst").status_code == 204
    assert api.call("GET", f"{PROMPTS}/analyst").json() == shipped
    assert api.call("GET", f"{PROMPTS}/analyst/versions/0").json()["template"] == shipped["template"]


def test_instructions_against_the_output_are_a_finding(api: Api) -> None:
    template = {"system": {"text": "Answer in Markdown."}, "messages": [{"role": "user", "content": "Hi"}]}
    found = api.write(template=template, output={"type": "json"})["warnings"]
    assert len(found) == 1
    assert "template.system.text" in found[0]
    assert api.call("GET", ONE).json()["warnings"] == []
