"""The published document: what a reader and a generated client need of it."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from llm_gateway.access import Dialect
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import AREAS, ENDPOINTS
from llm_gateway.entrypoints.openapi import NAMES
from llm_gateway.settings import Settings
from llm_gateway.wire import event_schemas
from llm_gateway.wire.api_docs import openapi_document
from llm_gateway.wire.examples import EXAMPLES
from llm_gateway.wire.field_descriptions import FIELDS

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import PROMPTS, PROVIDER, PROVIDERS, QUERY, QUESTION, Api

# The others are other vendors' APIs, which they describe themselves.
DESCRIBED = [row for row in ENDPOINTS if row.dialect is Dialect.NATIVE]
MISSION = {
    "ProviderConfig",
    "ProviderStatus",
    "ProviderMetrics",
    "QueryRequest",
    "QueryResponse",
    "QueryStatus",
    "QueryMetrics",
    "PromptTemplate",
    "PromptVersion",
    "PromptMetadata",
    "PromptPerformance",
}


@cache
def document() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(openapi_document())
    return whole


def operation(name: str) -> dict[str, Any]:
    (row,) = [row for row in DESCRIBED if row.name == name]
    found: dict[str, Any] = document()["paths"][row.path][row.method.lower()]
    return found


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def parts_of(value: Any, seen: set[str]) -> Iterator[dict[str, Any]]:
    """Every schema in `value` and in what it refers to."""
    if isinstance(value, list):
        for item in value:
            yield from parts_of(item, seen)
    elif isinstance(value, dict):
        yield value
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield from parts_of(schemas()[name], seen)
        for child in value.values():
            yield from parts_of(child, seen)


def requests() -> list[Any]:
    bodies = [operation(row.name).get("requestBody") for row in DESCRIBED]
    return [body["content"]["application/json"]["schema"] for body in bodies if body]


def test_the_schemas_have_the_names_that_people_use() -> None:
    assert set(schemas()) >= MISSION
    assert not {name for name in schemas() if name.endswith(("Shown", "Body"))}
    assert not (set(NAMES) - set(NAMES.values())) & set(schemas())
    assert all(schema["title"] == name for name, schema in schemas().items())


@pytest.mark.parametrize("row", DESCRIBED, ids=lambda row: row.name)
def test_an_operation_is_called_and_grouped_as_its_row(row: Any) -> None:
    found = operation(row.name)
    (area,) = [area for area, rows in AREAS.items() if row in rows]
    assert found["operationId"] == row.name
    (tag,) = found["tags"]
    assert tag in {named["name"] for named in document()["tags"]}
    assert all(operation(other.name)["tags"] == [tag] for other in AREAS[area])
    if row.permission is not None:
        assert {"400", "401", "403", "422", "503"} <= set(found["responses"])


def test_nothing_that_is_sent_has_a_default_member() -> None:
    assert requests()
    seen = set[str]()
    for part in parts_of([*requests(), [operation(row.name).get("parameters", []) for row in DESCRIBED]], seen):
        # A schema says what there is; what its fields are called is no member of it.
        assert "default" not in part or part in [schema.get("properties") for schema in schemas().values()], part
    assert len(seen) > 10


def test_a_default_is_told_in_words() -> None:
    described = schemas()["QueryRequest"]["properties"]
    assert described["cache"]["description"].endswith('Default: "auto".')
    assert described["mode"]["description"].endswith('Default: "sync".')
    limit = next(one for one in operation("list_providers")["parameters"] if one["name"] == "limit")
    assert limit["description"].endswith("Default: 20.")


def test_only_what_a_client_must_send_is_required() -> None:
    # A prompt or messages: which of the two, a schema does not say.
    assert not schemas()["QueryRequest"].get("required")
    assert not schemas()["StreamRequest"].get("required")
    assert set(schemas()["ProviderCreate"]["required"]) == {"name", "kind", "default_model"}


def test_every_field_is_described() -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in schemas().items()
        for field, described in schema.get("properties", {}).items()
        if not described.get("description")
    ]
    assert bare == [], "words are wanted in wire/field_descriptions.py"


def test_no_words_are_left_of_what_is_gone() -> None:
    assert {name for name in FIELDS if name not in schemas()} == set()
    gone = {
        (name, field) for name, fields in FIELDS.items() for field in set(fields) - set(schemas()[name]["properties"])
    }
    # Words that several schemas share.
    assert {field for _, field in gone} <= {"name"}


@pytest.mark.parametrize("kind", ["array", "object"])
def test_every_list_and_object_that_is_sent_has_a_bound(kind: str) -> None:
    bound = {"array": "maxItems", "object": "maxProperties"}[kind]
    seen = set[str]()
    found = [part for part in parts_of(requests(), seen) if part.get("type") == kind and "properties" not in part]
    assert found
    assert [part for part in found if bound not in part] == []


def test_every_kind_of_event_is_described() -> None:
    for name in ("stream_query", "resume_query_stream"):
        (content,) = operation(name)["responses"]["200"]["content"].values()
        assert set(content["schema"]["x-events"]) == {"query", "reasoning", "delta", "tool_call", "done", "error"}
        for reference in content["schema"]["x-events"].values():
            assert reference["$ref"].rpartition("/")[2] in schemas()
    assert set(schemas()["QueryEvent"]["properties"]) == set(event_schemas.QueryEvent.model_fields)


def test_a_request_has_an_example() -> None:
    wanting = {row.name for row in DESCRIBED if "requestBody" in operation(row.name)}
    assert wanting == set(EXAMPLES)
    for name in wanting:
        told = operation(name)["requestBody"]["content"]["application/json"]["examples"]
        assert {summary: example["value"] for summary, example in told.items()} == EXAMPLES[name]


@pytest.fixture
def gateway() -> FakeGateway:
    # As `make run` sets it.
    return FakeGateway(settings=Settings.from_environment({"ALLOW_PRIVATE_ADDRESSES": "true"}))


def _write_twice(api: Api) -> None:
    """The prompt of the examples, with two versions and a label that has been moved."""
    (first,) = [example for example in EXAMPLES["create_prompt"].values() if example.get("id") == "greeting"]
    (second,) = EXAMPLES["update_prompt"].values()
    assert api.call("POST", PROMPTS, first).status_code == 201
    assert api.call("PUT", f"{PROMPTS}/greeting", second).json()["version"] == 2
    for version in (1, 2):
        api.call("PUT", f"{PROMPTS}/greeting/labels/production", {"version": version})


@pytest.mark.parametrize(("name", "summary"), [(name, summary) for name in EXAMPLES for summary in EXAMPLES[name]])
def test_an_example_works_as_it_stands(api: Api, name: str, summary: str) -> None:
    api.gateway.outside.models.script.append(json.dumps({"name": "Ada", "age": 36}))
    api.register(**PROVIDER)
    asked = api.call("POST", QUERY, QUESTION).json()["id"] if name == "give_feedback" else None
    if name == "update_provider":
        assert api.call("POST", PROVIDERS, EXAMPLES["create_provider"]["A server of one's own"]).status_code == 201
    if name in ("update_prompt", "move_label", "render_prompt", "run_prompt_tests"):
        _write_twice(api)
    (row,) = [row for row in DESCRIBED if row.name == name]
    filled = {parameter["name"]: parameter.get("example") for parameter in operation(name).get("parameters", [])}
    filled["key_id"] = api.gateway.new_key(Role.CALLER)[0].id  # A key's id comes from its answer, as a query's does.
    filled["query_id"] = asked
    path = re.sub(r"\{(\w+)\}", lambda found: str(filled[found[1]]), row.path)
    response = api.call(row.method, path, EXAMPLES[name][summary])
    assert response.status_code in (row.status, 202), response.text
    if row.streams:
        assert "event: done" in response.text
