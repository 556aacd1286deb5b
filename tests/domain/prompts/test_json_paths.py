"""Paths into JSON, as RFC 9535 has them, and those that are left out."""

from typing import Any

import pytest
from llm_gateway.domain.prompts.json_paths import LONGEST_PATH, InvalidPath, found_at, parsed_path

VALUE: dict[str, Any] = {
    "items": [{"name": "a", "price": 1}, {"name": "b", "price": None}, {"name": "c"}],
    "odd key": {"it's": 1, 'say "hi"': 2, "back\\slash": 3},
    "ünïcode": True,
    "": 0,
    "empty": [],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [VALUE]),
        ("$.items[0].name", ["a"]),
        ("$.items[-1].name", ["c"]),
        ("$.items[3]", []),
        ("$.items[-4]", []),
        ("$['items'][1][\"name\"]", ["b"]),
        ("$.items[*].price", [1, None]),
        ("$.items.*.name", ["a", "b", "c"]),
        ("$.items.name", []),
        ("$.nothing.at.all", []),
        ("$.empty[*]", []),
        ("$.items[0].name[0]", []),
        (r"$['odd key']['it\'s']", [1]),
        (r'$["odd key"]["say \"hi\""]', [2]),
        (r"$['odd key']['back\\slash']", [3]),
        ("$.ünïcode", [True]),
        ("$['']", [0]),
        ("$['odd key'][*]", [1, 2, 3]),
    ],
)
def test_a_path_leads_where_the_rfc_says(path: str, found: list[Any]) -> None:
    assert found_at(parsed_path(path), VALUE) == found


@pytest.mark.parametrize(
    "path",
    ["", "items", "$items", "$..name", "$.items[0:2]", "$.items[?@.price>1]", "$.items[0,1]", "$[01]", "$[-0]", "$.",
     "$.1a", "$['open", "$[name]", "$ .items", r"$['\n']", "$[12345678901]"],
)  # fmt: skip
def test_anything_else_is_refused_with_its_place(path: str) -> None:
    with pytest.raises(InvalidPath, match=r"^(must start with|has .* at character \d+)"):
        parsed_path(path)


def test_a_path_is_bounded() -> None:
    with pytest.raises(InvalidPath, match="too long"):
        parsed_path("$" + ".a" * LONGEST_PATH)


def test_the_work_grows_with_the_value_alone() -> None:
    value: Any = 1
    for _ in range(12):
        value = [value, value]
    assert len(found_at(parsed_path("$" + "[*]" * 12), value)) == 2**12
    assert found_at(parsed_path("$" + "[*]" * 100), value) == []
