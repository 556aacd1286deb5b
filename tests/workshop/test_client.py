"""What the client's distribution takes from elsewhere is as it should be."""

from pathlib import Path

import pytest

from workshop.client import generated, twin
from workshop.client_models import answer_types, request_types

WRITTEN = dict(generated())


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_written_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == WRITTEN[path], "`make openapi` writes it anew"


def test_a_twin_waits_for_nothing() -> None:
    assert twin("async with AsyncThing() as a:\n    await a.aclose()\n    await asyncio.sleep(1)") == (
        "with Thing() as a:\n    a.close()\n    time.sleep(1)"
    )
    assert not any(
        "async" in text or "await" in text
        for path, text in WRITTEN.items()
        if path.parent.name == "synchronous"
        for text in [text.replace("asynchronous module", "").replace('mode="async"', "")]
    )


def document(**schemas: object) -> dict[str, object]:
    asked = {"requestBody": {"$ref": "#/components/schemas/Asked"}, "responses": {"$ref": "#/components/schemas/Asked"}}
    return {"paths": {"/": {"get": asked}}, "components": {"schemas": schemas}}


def test_types_are_those_of_the_schemas() -> None:
    properties = {
        "assert": {
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "description": 'Says "x"',
        },
        "json": {
            "oneOf": [{"const": "a"}, {"type": "object", "additionalProperties": {"type": "integer"}}],
            "discriminator": {},
        },
        "kind": {"$ref": "#/components/schemas/Kind"},
        "loose": {},
    }
    told = document(
        Asked={"properties": properties, "required": ["kind"]}, Kind={"enum": ["a", "b"]}, Other={"properties": {}}
    )
    requests, answers = request_types(told), answer_types(told)
    assert "\"assert\": 'NotRequired[list[str | None]]'" in requests
    assert "Kind = Literal['a', 'b']\n" in requests
    assert "Kind = Literal['a', 'b'] | str\n" in answers
    assert 'assert_: list[str | None] | None = Field(default=None, alias="assert")' in answers
    assert "json_: Literal['a'] | dict[str, int] | dict[str, Any] | None = Field(" in answers
    assert "kind: Kind\n" in answers
    assert "loose: Any = None\n" in answers
    assert '"""Says "x" """' in answers
    assert "Other" not in requests + answers


def test_a_schema_of_a_kind_that_is_new_is_said() -> None:
    with pytest.raises(ValueError, match="No type"):
        request_types(document(Asked={"properties": {"a": {"type": "tuple"}}}))
