"""Composition: the order of a system message's parts, each once, and the variables of its roles."""

from datetime import UTC, datetime
from typing import Any

import pytest
from llm_gateway.domain.chat import Message, MessageRole, OutputFormat, TextPart
from llm_gateway.domain.prompts.choices import PromptChoice, SystemChoice
from llm_gateway.domain.prompts.prompts import Defaults, PromptKind, PromptMetadata, PromptVersion
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType
from llm_gateway.domain.queries import RoleUsed
from llm_gateway.errors import PromptNotFound, TemplateVariablesInvalid
from llm_gateway.services.prompts.composition import Composition, compose
from llm_gateway.services.prompts.contradictions import contradictions
from llm_gateway.services.prompts.resolution import Resolver
from llm_gateway.services.prompts.shipped import NAMES, ShippedRoles, suite_of
from llm_gateway.services.prompts.templates import check_template, fill_template

from tests.adapters.prompt_store import InMemoryPrompts

NOW = datetime(2026, 11, 30, tzinfo=UTC)
TEXT = Variable(type=VariableType.STRING)
BASE_TEXT = ShippedRoles()["base"].versions[0].template.system_text


def saved(
    prompts: InMemoryPrompts, prompt_id: str, *texts: str, kind: PromptKind = PromptKind.ROLE, **template: Any
) -> None:
    """With a version for each text."""
    versions = [
        PromptVersion(
            prompt_id=prompt_id,
            number=number,
            template=PromptTemplate(system_text=text, **template),
            defaults=Defaults(),
            output=OutputFormat(),
            author="key_1",
            created_at=NOW,
            commit_message=None,
            content_hash=text,
        )
        for number, text in enumerate(texts, start=1)
    ]
    metadata = PromptMetadata(
        id=prompt_id, kind=kind, name=prompt_id, version=len(texts), revision=1, created_at=NOW, updated_at=NOW
    )
    prompts.put(metadata, *versions)


@pytest.fixture
def prompts() -> InMemoryPrompts:
    found = InMemoryPrompts()
    saved(found, "one", "first one", "second one")
    saved(found, "two", "Two, in {{ tongue }}.", variables={"tongue": TEXT})
    question = Message(role=MessageRole.USER, content=(TextPart(text="Is {{ thing }} good?"),))
    saved(
        found,
        "greets",
        "About {{ thing }}.",
        kind=PromptKind.PROMPT,
        roles=("one",),
        messages=(question,),
        variables={"thing": TEXT},
    )
    return found


def test_roles_and_prompt_share_what_rendering_may_take(prompts: InMemoryPrompts) -> None:
    pairs = "{% for x in list %}{% for y in list %}{% endfor %}{% endfor %}"
    listing = Variable(type=VariableType.ARRAY)
    for role_id in ("three", "four"):
        saved(prompts, role_id, f"Ahoy. {pairs}", variables={"list": listing})
    values = {"list": list(range(350))}
    composed(prompts, system=SystemChoice(roles=("three",), variables=values))
    with pytest.raises(TemplateVariablesInvalid, match="more than 200000 steps"):
        composed(prompts, system=SystemChoice(roles=("three", "four"), variables=values))


def composed(
    prompts: InMemoryPrompts, prompt: PromptChoice | None = None, system: SystemChoice = SystemChoice()
) -> Composition:
    resolver = Resolver(reader=prompts, shipped=ShippedRoles, draw=lambda: 0.5)
    resolved = resolver.resolve(prompt, system.roles, base=system.base)
    return compose(resolved, prompt.variables if prompt else {}, system)


GREETS = PromptChoice(id="greets", variables={"thing": "tea"})


def test_the_parts_come_in_their_order(prompts: InMemoryPrompts) -> None:
    made = composed(prompts, GREETS, SystemChoice(roles=("two",), variables={"tongue": "verse"}, text="And now?"))
    assert [part.source for part in made.parts] == ["base", "role:one@2", "role:two@1", "prompt", "query"]
    assert made.system == "\n\n".join([str(BASE_TEXT), "second one", "Two, in verse.", "About tea.", "And now?"])
    assert made.roles == (
        RoleUsed(id="base", version=0),
        RoleUsed(id="one", version=2),
        RoleUsed(id="two", version=1),
    )
    assert [message.text for message in made.messages] == ["Is tea good?"]
    assert made.warnings == ()


def test_a_role_that_prompt_and_query_name_comes_once(prompts: InMemoryPrompts) -> None:
    made = composed(prompts, GREETS, SystemChoice(roles=("one", "base")))
    assert [part.source for part in made.parts] == ["base", "role:one@2", "prompt"]
    made = composed(prompts, GREETS, SystemChoice(roles=("one@1",)))
    assert [part.source for part in made.parts] == ["base", "role:one@2", "prompt"]
    assert made.warnings == ("The role 'one' was named twice: version 2 was used, version 1 was left out.",)


@pytest.mark.parametrize(
    ("system", "sources"),
    [
        (SystemChoice(roles=("one",)), ["base", "role:one@2"]),
        (SystemChoice(roles=("one",), base=False), ["role:one@2"]),
        (SystemChoice(base=True, text="x"), ["base", "query"]),
        (SystemChoice(base=True), ["base"]),
        (SystemChoice(text="x"), ["query"]),
        (SystemChoice(text=" \n"), []),
        (SystemChoice(), []),
    ],
)
def test_the_base_role_comes_with_others_or_when_it_is_asked_for(
    prompts: InMemoryPrompts, system: SystemChoice, sources: list[str]
) -> None:
    made = composed(prompts, None, system)
    assert [part.source for part in made.parts] == sources
    assert (made.system is None) == (not sources)


def test_a_role_of_ones_own_takes_the_place_of_a_shipped_one(prompts: InMemoryPrompts) -> None:
    saved(prompts, "base", "Our rules.")
    saved(prompts, "coder", "Our code.")
    made = composed(prompts, None, SystemChoice(roles=("coder", "analyst")))
    assert [part.source for part in made.parts] == ["base", "role:coder@1", "role:analyst@0"]
    assert made.parts[0].text == "Our rules."


@pytest.mark.parametrize(
    ("system", "errors"),
    [
        (
            SystemChoice(roles=("two",), variables={"tongue": "a", "x": 1}),
            {"system.variables.x": "no role has this variable; there are: tongue"},
        ),
        (
            SystemChoice(roles=("one",), base=False, variables={"x": 1}),
            {"system.variables.x": "no role has this variable; they have none"},
        ),
        (SystemChoice(variables={"x": 1}), {"system.variables.x": "no role has this variable; no role is named"}),
        (SystemChoice(roles=("two",)), {"system.variables.tongue": "is required: a text (role 'two')"}),
        (
            SystemChoice(roles=("two",), variables={"tongue": 1}),
            {"system.variables.tongue": "must be a text (role 'two')"},
        ),
    ],
)
def test_what_is_wrong_with_the_variables_of_roles_is_named(
    prompts: InMemoryPrompts, system: SystemChoice, errors: dict[str, str]
) -> None:
    with pytest.raises(TemplateVariablesInvalid) as invalid:
        composed(prompts, None, system)
    assert {error.field: error.message for error in invalid.value.errors} == errors


def test_the_variables_of_a_prompt_are_its_own(prompts: InMemoryPrompts) -> None:
    with pytest.raises(TemplateVariablesInvalid) as invalid:
        composed(prompts, PromptChoice(id="greets", variables={}))
    assert [error.field for error in invalid.value.errors] == ["prompt.variables.thing"]


def test_a_role_that_does_not_exist_is_told(prompts: InMemoryPrompts) -> None:
    with pytest.raises(PromptNotFound, match="'three'"):
        composed(prompts, None, SystemChoice(roles=("three",)))


def test_every_shipped_role_is_a_role_with_tests_of_its_own() -> None:
    shipped = ShippedRoles()
    assert list(shipped) == sorted(NAMES)
    assert len(shipped) == 9
    for role_id, role in shipped.items():
        version = role.versions[0]
        check_template(version.template)
        text = fill_template(version.template, {}).system_text
        assert text is not None
        assert 500 < len(text) < 1_500
        assert role.metadata.built_in
        assert (role.metadata.id, role.metadata.kind, version.number) == (role_id, PromptKind.ROLE, 0)
        assert (version.template.messages, version.template.roles) == ((), ())
        suite = suite_of(role_id)
        assert len(suite) >= 2
        for test in suite:
            fill_template(version.template, test["variables"])
            assert test["assert"]
        assert [*contradictions([("text", text)], OutputFormat())] == []


def test_there_are_no_other_shipped_roles() -> None:
    assert "poet" not in ShippedRoles()
    with pytest.raises(KeyError):
        ShippedRoles()["poet"]
    with pytest.raises(KeyError):
        suite_of("../base")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("Answer in plain text.", "json", "Answer in plain text"),
        ("Please respond with a short\nmarkdown list.", "json", None),
        ("Respond with a markdown list.", "json_schema", "Respond with a markdown"),
        ("Do not use JSON.", "json", "Do not use JSON"),
        ("Reply in two sentences.", "json", "Reply in two sentences"),
        ("Think step by step.", "json", "Think step by step"),
        ("Do not answer in plain text.", "json", None),
        ("Answer with JSON alone.", "json", None),
        ("Answer in JSON.", "text", "Answer in JSON"),
        ("Return only valid JSON.", "text", "Return only valid JSON"),
        ("Never answer in JSON.", "text", None),
        ("Explain what JSON is.", "text", None),
    ],
)
def test_words_that_contradict_the_form_are_found(text: str, kind: Any, words: str | None) -> None:
    found = [*contradictions([("system.text", text)], OutputFormat(type=kind))]
    assert [finding.startswith(f"system.text says {words!r}, but output.type is {kind}") for finding in found] == (
        [] if words is None else [True]
    )
