"""Variables: what may be declared, and what may be given for them, with the field that is wrong named."""

from collections.abc import Iterator
from typing import Any

import pytest
from llm_gateway.domain.prompts.templates import Variable, VariableType
from llm_gateway.errors import TemplateVariablesInvalid
from llm_gateway.services.prompts.variables import faults_in_declaration, filled

T = VariableType


def faults(given: dict[str, Any], **declared: Variable) -> dict[str, str]:
    with pytest.raises(TemplateVariablesInvalid) as invalid:
        filled(declared, given, field="prompt.variables")
    return {error.field: error.message for error in invalid.value.errors}


@pytest.mark.parametrize(
    ("variable", "value", "taken"),
    [
        (Variable(type=T.STRING), "", ""),
        (Variable(type=T.INTEGER), 3.0, 3),
        (Variable(type=T.INTEGER, minimum=1, maximum=3), 3, 3),
        (Variable(type=T.NUMBER), 3, 3),
        (Variable(type=T.NUMBER), 0.5, 0.5),
        (Variable(type=T.BOOLEAN), False, False),
        (Variable(type=T.ARRAY, items=Variable(type=T.STRING)), ["a"], ["a"]),
        (Variable(type=T.OBJECT), {"a": 1}, {"a": 1}),
        (Variable(type=T.STRING, enum=("a", "b")), "b", "b"),
        (Variable(type=T.INTEGER, enum=(1, 2)), 2.0, 2),
        (Variable(type=T.STRING, pattern="^[a-z]+$", min_length=1, max_length=3), "abc", "abc"),
        (Variable(type=T.STRING, default="x", required=False), None, "x"),
        (Variable(type=T.IMAGE), "https://example.com/a.png", "https://example.com/a.png"),
        (Variable(type=T.IMAGE), "data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
    ],
)
def test_a_value_that_fits_is_taken(variable: Variable, value: Any, taken: Any) -> None:
    found = filled({"v": variable}, {"v": value}, field="prompt.variables")["v"]
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (Variable(type=T.STRING), 1, "must be a text"),
        (Variable(type=T.STRING), None, "is required: a text"),
        (Variable(type=T.INTEGER), 1.5, "must be a whole number"),
        (Variable(type=T.INTEGER), True, "must be a whole number"),
        (Variable(type=T.INTEGER), "1", "must be a whole number"),
        (Variable(type=T.NUMBER), True, "must be a number"),
        (Variable(type=T.BOOLEAN), 0, "must be true or false"),
        (Variable(type=T.ARRAY), "ab", "must be a list"),
        (Variable(type=T.OBJECT), [], "must be an object"),
        (Variable(type=T.IMAGE), 1, "must be an image's address, as a text"),
        (Variable(type=T.NUMBER, minimum=1), 0.5, "must be at least 1"),
        (Variable(type=T.NUMBER, maximum=1), 1.5, "must be at most 1"),
        (Variable(type=T.STRING, min_length=2), "a", "must have at least 2 characters"),
        (Variable(type=T.STRING, max_length=2), "abc", "must have at most 2 characters"),
        (Variable(type=T.ARRAY, max_length=1), [1, 2], "must have at most 1 elements"),
        (Variable(type=T.STRING, enum=("a", "b")), "c", "must be one of a, b"),
        (Variable(type=T.INTEGER, enum=(1,)), 2, "must be one of 1"),
        (Variable(type=T.STRING, pattern="^a+$"), "b", "must match '^a+$'"),
        (
            Variable(type=T.STRING, pattern="(a{1,100}){1,9}$"),
            "a" * 1_000_000,
            "is too long for the variable's pattern",
        ),
        (Variable(type=T.IMAGE), "http://example.com/a.png", "must be an https address or data:image/…;base64,…"),
        (Variable(type=T.IMAGE), "https://example.com/" + "a" * 8_000, "is too long for an address"),
        (Variable(type=T.IMAGE), "https://u:p@example.com/", "must not carry credentials"),
        (Variable(type=T.IMAGE), "data:text/html;base64,AAAA", "must be an https address"),
    ],
)
def test_a_value_that_does_not_fit_is_named(variable: Variable, value: Any, message: str) -> None:
    told = faults({"v": value}, v=variable)
    assert told.keys() == {"prompt.variables.v"}
    assert told["prompt.variables.v"].startswith(message)


def test_an_element_is_named_by_its_place() -> None:
    names = Variable(type=T.ARRAY, items=Variable(type=T.ARRAY, items=Variable(type=T.STRING, max_length=1)))
    told = faults({"names": [["a"], ["b", "cc"], "d"]}, names=names)
    assert told == {
        "prompt.variables.names[1][1]": "must have at most 1 characters",
        "prompt.variables.names[2]": "must be a list",
    }


def test_what_is_nested_without_end_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    message = "is nested too deeply: 100 levels at most"
    assert faults({"v": deep}, v=Variable(type=T.ARRAY)) == {"prompt.variables.v": message}
    assert faults({"v": {"a": deep}}, v=Variable(type=T.OBJECT)) == {"prompt.variables.v": message}


def test_all_that_is_wrong_is_told_at_once_with_those_that_nobody_declared() -> None:
    told = faults({"b": 1, "misspelt": 1}, a=Variable(type=T.STRING), b=Variable(type=T.STRING))
    assert told == {
        "prompt.variables.misspelt": "is no variable of the template; there are: a, b",
        "prompt.variables.a": "is required: a text",
        "prompt.variables.b": "must be a text",
    }
    assert faults({"a": 1}) == {"prompt.variables.a": "is no variable of the template; it has none"}


def test_a_variable_that_is_not_given_is_left_out() -> None:
    declared = {"a": Variable(type=T.STRING, required=False), "b": Variable(type=T.INTEGER, default=2, required=False)}
    assert filled(declared, {"a": None}, field="x") == {"b": 2}


@pytest.mark.parametrize(
    ("variable", "path", "message"),
    [
        (Variable(type=T.STRING, pattern="(?=a)"), ".pattern", "is not a regular expression that RE2 has"),
        (Variable(type=T.INTEGER, pattern="a"), ".pattern", "bounds texts alone"),
        (Variable(type=T.STRING, minimum=1), ".minimum", "bounds numbers alone"),
        (Variable(type=T.STRING, maximum=1), ".maximum", "bounds numbers alone"),
        (Variable(type=T.NUMBER, min_length=1), ".min_length", "bounds texts and arrays alone"),
        (Variable(type=T.NUMBER, max_length=1), ".max_length", "bounds texts and arrays alone"),
        (Variable(type=T.NUMBER, minimum=2, maximum=1), ".minimum", "is above the maximum"),
        (Variable(type=T.STRING, min_length=2, max_length=1), ".min_length", "is above max_length"),
        (Variable(type=T.STRING, items=Variable(type=T.STRING)), ".items", "describes the elements of arrays alone"),
        (Variable(type=T.ARRAY, items=Variable(type=T.IMAGE)), ".items.type", "cannot be image"),
        (Variable(type=T.ARRAY, items=Variable(type=T.STRING, enum=(1,))), ".items.enum[0]", "must be a text"),
        (Variable(type=T.STRING, enum=()), ".enum", "is empty"),
        (Variable(type=T.STRING, default=1), ".default", "must be a text"),
        (Variable(type=T.ARRAY, items=Variable(type=T.STRING), default=["a", 1]), ".default[1]", "must be a text"),
        (Variable(type=T.STRING, pattern="(", default="a"), ".pattern", "is not a regular expression that RE2 has"),
    ],
)
def test_a_declaration_that_nothing_can_fill_is_named(variable: Variable, path: str, message: str) -> None:
    ((found, told),) = faults_in_declaration(variable)
    assert found == path
    assert told.startswith(message)


def test_arrays_within_arrays_have_an_end() -> None:
    variable = Variable(type=T.STRING)
    for _ in range(12):
        variable = Variable(type=T.ARRAY, items=variable)
    ((path, message),) = faults_in_declaration(variable)
    assert path == ".items" * 11
    assert message == "is nested too deeply: 10 levels at most"


class Counted(tuple[Any, ...]):
    """Counts how often it is gone through."""

    __slots__ = ()
    times = 0

    def __iter__(self) -> Iterator[Any]:
        type(self).times += 1
        return super().__iter__()


def test_choices_are_looked_at_once_however_many_values_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "times", 0)
    choice = Variable(type=T.STRING, enum=Counted(("a", "b")))
    rows = Variable(type=T.ARRAY, items=Variable(type=T.ARRAY, items=choice))
    filled({"v": rows}, {"v": [["b"]] * 100}, field="prompt.variables")
    assert Counted.times == 1


def test_no_more_faults_are_looked_for_than_are_told() -> None:
    looked_at = []

    class Noted(str):
        __slots__ = ()

        def __len__(self) -> int:
            looked_at.append(1)
            return super().__len__()

    short = Variable(type=T.ARRAY, items=Variable(type=T.STRING, min_length=2))
    with pytest.raises(TemplateVariablesInvalid, match="and more") as invalid:
        filled({"v": short}, {"v": [Noted("a")] * 10_000}, field="prompt.variables")
    assert len(invalid.value.errors) == 50
    assert len(looked_at) < 200


def test_texts_in_a_list_take_no_more_together_than_one_may() -> None:
    slow = Variable(type=T.ARRAY, items=Variable(type=T.STRING, pattern="(a{1,100}){1,9}$"))
    told = faults({"v": ["a" * 1000] * 4000}, v=slow)
    assert "is too long for the variable's pattern" in told.values()
