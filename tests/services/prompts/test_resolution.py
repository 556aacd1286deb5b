"""Resolution: which versions a query gets of what it names."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from llm_gateway.domain.chat import OutputFormat
from llm_gateway.domain.prompts.choices import PromptChoice
from llm_gateway.domain.prompts.prompts import (
    Defaults,
    Label,
    OpenPrompt,
    PromptKind,
    PromptMetadata,
    PromptVersion,
)
from llm_gateway.domain.prompts.templates import PromptTemplate
from llm_gateway.errors import LabelNotFound, PromptNotFound, PromptVersionNotFound, ValidationFailed
from llm_gateway.services.prompts.resolution import Resolver

from tests.adapters.prompt_store import InMemoryPrompts

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def version(prompt_id: str, number: int, *, roles: tuple[str, ...] = ()) -> PromptVersion:
    return PromptVersion(
        prompt_id=prompt_id,
        number=number,
        template=PromptTemplate(system_text=f"{prompt_id} {number}", roles=roles),
        defaults=Defaults(),
        output=OutputFormat(),
        author="key_1",
        created_at=NOW,
        commit_message=None,
        content_hash=f"{prompt_id}{number}",
    )


def metadata(
    prompt_id: str, newest: int, *, kind: PromptKind = PromptKind.PROMPT, **labels: dict[int, int]
) -> PromptMetadata:
    named = {name: Label(name=name, versions=versions, revision=1) for name, versions in labels.items()}
    return PromptMetadata(
        id=prompt_id,
        kind=kind,
        name=prompt_id,
        version=newest,
        revision=1,
        created_at=NOW,
        updated_at=NOW,
        labels=named,
    )


def shipped(*ids: str) -> dict[str, OpenPrompt]:
    return {
        role_id: OpenPrompt(
            metadata=replace(metadata(role_id, 0, kind=PromptKind.ROLE), built_in=True),
            versions={0: version(role_id, 0)},
        )
        for role_id in ids
    }


@pytest.fixture
def prompts() -> InMemoryPrompts:
    return InMemoryPrompts()


@pytest.fixture
def resolver(prompts: InMemoryPrompts) -> Resolver:
    return Resolver(reader=prompts, shipped=lambda: shipped("base", "analyst"), draw=lambda: 0.95)


def put(prompts: InMemoryPrompts, found: PromptMetadata, *, roles: tuple[str, ...] = ()) -> None:
    prompts.put(found, *(version(found.id, number + 1, roles=roles) for number in range(found.version)))


def test_the_newest_version_is_meant_while_nothing_is_in_production(
    prompts: InMemoryPrompts, resolver: Resolver
) -> None:
    put(prompts, metadata("answer", 3))
    found = resolver.resolve(PromptChoice(id="answer"))
    assert found.version == version("answer", 3)
    assert (found.metadata, found.roles) == (prompts.get("answer"), {})


@pytest.mark.parametrize(
    ("choice", "number"),
    [
        (PromptChoice(id="answer"), 1),
        (PromptChoice(id="answer", label="latest"), 3),
        (PromptChoice(id="answer", label="next"), 2),
        (PromptChoice(id="answer", version=3), 3),
    ],
)
def test_a_version_is_named_by_its_number_or_a_label(
    prompts: InMemoryPrompts, resolver: Resolver, choice: PromptChoice, number: int
) -> None:
    put(prompts, metadata("answer", 3, production={1: 100}, next={2: 100}))
    found = resolver.resolve(choice).version
    assert found is not None
    assert found.number == number


def test_a_version_that_no_label_names_is_found_by_its_number(prompts: InMemoryPrompts, resolver: Resolver) -> None:
    put(prompts, metadata("answer", 3, production={3: 100}))
    assert resolver.resolve(PromptChoice(id="answer", version=2)).version == version("answer", 2)


def test_the_draw_decides_between_weights(prompts: InMemoryPrompts, resolver: Resolver) -> None:
    put(prompts, metadata("answer", 2, production={1: 90, 2: 10}))
    assert resolver.resolve(PromptChoice(id="answer")).version == version("answer", 2)
    lower = replace(resolver, draw=lambda: 0.5)
    assert lower.resolve(PromptChoice(id="answer")).version == version("answer", 1)


def test_a_sticky_key_falls_differently_in_another_prompt(prompts: InMemoryPrompts, resolver: Resolver) -> None:
    for prompt_id in ("one", "other"):
        put(prompts, metadata(prompt_id, 2, production={1: 50, 2: 50}))

    def of(prompt_id: str, key: str) -> int:
        found = resolver.resolve(PromptChoice(id=prompt_id, sticky_key=key)).version
        assert found is not None
        return found.number

    keys = [f"customer-{number}" for number in range(200)]
    assert [of("one", key) for key in keys] == [of("one", key) for key in keys]
    assert 50 < sum(of("one", key) != of("other", key) for key in keys) < 150


def test_roles_come_with_the_base_role_each_once(prompts: InMemoryPrompts, resolver: Resolver) -> None:
    put(prompts, metadata("answer", 1), roles=("analyst",))
    put(prompts, metadata("support", 2, kind=PromptKind.ROLE, production={1: 100}))
    found = resolver.resolve(PromptChoice(id="answer"), ["support", "support@2", "analyst"])
    assert {name: (role.prompt_id, role.number) for name, role in found.roles.items()} == {
        "base": ("base", 0),
        "analyst": ("analyst", 0),
        "support": ("support", 1),
        "support@2": ("support", 2),
    }


def test_the_base_role_stays_out_or_comes_in_as_it_is_told(prompts: InMemoryPrompts, resolver: Resolver) -> None:
    put(prompts, metadata("answer", 1))
    assert list(resolver.resolve(None, ["analyst"], base=False).roles) == ["analyst"]
    assert list(resolver.resolve(None, base=True).roles) == ["base"]
    assert list(resolver.resolve(PromptChoice(id="answer"), base=True).roles) == ["base"]
    assert resolver.resolve(PromptChoice(id="answer")).roles == {}


def test_a_stored_role_takes_the_place_of_a_shipped_one(prompts: InMemoryPrompts, resolver: Resolver) -> None:
    put(prompts, metadata("base", 1, kind=PromptKind.ROLE))
    assert resolver.resolve(None, ["analyst"]).roles["base"] == version("base", 1)


@pytest.mark.parametrize(
    ("choice", "roles", "error"),
    [
        (PromptChoice(id="nobody"), (), PromptNotFound),
        (PromptChoice(id="answer", version=9), (), PromptVersionNotFound),
        (PromptChoice(id="answer", label="nowhere"), (), LabelNotFound),
        (PromptChoice(id="analyst"), (), ValidationFailed),
        (PromptChoice(id="mine"), (), ValidationFailed),
        (None, ("nobody",), PromptNotFound),
        (None, ("answer",), PromptNotFound),
        (None, ("analyst@1",), PromptVersionNotFound),
        (None, ("analyst@nowhere",), LabelNotFound),
        (None, ("mine@7",), PromptVersionNotFound),
    ],
)
def test_what_is_not_there_is_told(
    prompts: InMemoryPrompts,
    resolver: Resolver,
    choice: PromptChoice | None,
    roles: tuple[str, ...],
    error: type[Exception],
) -> None:
    put(prompts, metadata("answer", 1))
    put(prompts, metadata("mine", 1, kind=PromptKind.ROLE))
    with pytest.raises(error):
        resolver.resolve(choice, roles)
