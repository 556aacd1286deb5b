"""Assembly: whose parameters a query is asked with, and that what it reads is read side by side."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import Parameters
from llm_gateway.domain.prompts.choices import Choices, PromptChoice, SystemChoice
from llm_gateway.domain.prompts.prompts import Defaults, PromptKind
from llm_gateway.domain.prompts.templates import PromptTemplate
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.errors import DependencyUnavailable, PromptNotFound
from llm_gateway.services.prompts.resolution import Resolver
from llm_gateway.services.prompts.shipped import ShippedRoles
from llm_gateway.services.queries.assembly import Assembly

from tests.adapters.prompt_store import InMemoryPrompts
from tests.adapters.provider_store import InMemoryProviderStore
from tests.services.queries.prompting import greeting, keep, user

COLD = Parameters(temperature=0)
ASKED = QueryRequest(messages=(user("Hi"),))


def assembly(prompts: Any = None, providers: Any = None) -> Assembly:
    resolver = Resolver(reader=prompts or InMemoryPrompts(), shipped=ShippedRoles, draw=lambda: 0.5)
    return Assembly(resolver=resolver, providers=providers or InMemoryProviderStore())


@pytest.fixture
def prompts() -> InMemoryPrompts:
    found = InMemoryPrompts()
    role = replace(greeting(1), prompt_id="kind", template=PromptTemplate(system_text="Be kind."))
    keep(found, replace(role, defaults=Defaults(parameters=COLD)), kind=PromptKind.ROLE)
    keep(found, greeting(1, defaults=Defaults(parameters=Parameters(seed=1))))
    return found


def test_a_role_gives_no_parameters_but_to_its_own_tests(prompts: InMemoryPrompts) -> None:
    named = Choices(system=SystemChoice(roles=("kind@1",)))
    made = assembly(prompts).assemble(ASKED, named)
    assert made.parameters == Parameters()
    tested = assembly(prompts).assemble(ASKED, replace(named, wishes_of="kind@1"))
    assert tested.parameters == COLD
    assert tested.origin is not None
    assert tested.origin.wishes == ("parameters.temperature",)


def test_a_prompt_gives_its_own_with_roles_beside_it(prompts: InMemoryPrompts) -> None:
    prompt = PromptChoice(id="greeting", variables={"thing": "tea"})
    made = assembly(prompts).assemble(ASKED, Choices(prompt=prompt, system=SystemChoice(roles=("kind",))))
    assert made.parameters == Parameters(seed=1)


def test_the_prompt_and_the_book_are_read_side_by_side(prompts: InMemoryPrompts) -> None:
    """Each waits until the other is being read, too."""
    meeting = threading.Barrier(2, timeout=30)

    class Prompts(InMemoryPrompts):
        def open(self, *args: Any, **kwargs: Any) -> Any:
            meeting.wait()
            return prompts.open(*args, **kwargs)

    class Book(InMemoryProviderStore):
        def all(self, *, fresh: bool = False) -> Any:
            meeting.wait()
            return super().all(fresh=fresh)

    prompt = PromptChoice(id="greeting", variables={"thing": "tea"})
    made = assembly(Prompts(), Book()).assemble(ASKED, Choices(prompt=prompt))
    assert [message.text for message in made.messages] == ["1: is tea good?", "Hi"]


def test_a_store_that_cannot_be_reached_is_told(prompts: InMemoryPrompts) -> None:
    prompts.fault = DependencyUnavailable("The prompts cannot be reached.", retry_after_s=1)
    with pytest.raises(DependencyUnavailable):
        assembly(prompts).assemble(ASKED, Choices(prompt=PromptChoice(id="greeting")))


def test_a_prompt_that_is_gone_is_told_before_anything_else(prompts: InMemoryPrompts) -> None:
    with pytest.raises(PromptNotFound):
        assembly(prompts).assemble(QueryRequest(messages=()), Choices(prompt=PromptChoice(id="gone")))
