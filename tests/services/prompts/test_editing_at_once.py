"""Several editors at the same time, on a server that really serves them so: no version is lost, none is given twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Barrier, Event
from typing import Any
from uuid import uuid4

import pytest
from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.prompts.choices import PromptChoice, SystemChoice
from llm_gateway.domain.prompts.prompts import PromptDraft, PromptKind
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType
from llm_gateway.errors import (
    AlreadyExists,
    GatewayError,
    PromptInUse,
    PromptNotFound,
    RevisionConflict,
    ValidationFailed,
)
from llm_gateway.outside import Outside
from llm_gateway.services.prompts.composition import compose
from llm_gateway.services.prompts.labels import LabelDraft
from llm_gateway.stores.connection import Aws

from tests.adapters.authors import BY
from tests.adapters.aws import connect, deploy
from tests.adapters.gateway import FakeGateway
from tests.adapters.ministack import running_ministack

EDITORS = 5
NAME = {"name": Variable(type=VariableType.STRING)}


@dataclass(frozen=True)
class OnAws(Outside):
    aws: Aws = field(default_factory=Aws)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_ministack(tmp_path_factory.mktemp("ministack")) as endpoint:
        yield connect(endpoint)


@pytest.fixture(params=["memory", "emulator"])
def processes(request: pytest.FixtureRequest) -> Callable[[], Gateway]:
    """Makes a gateway, each as another process has it, over the same tables: it remembers nothing that another one has read."""
    if request.param == "memory":
        gateway = FakeGateway()
        return lambda: gateway
    aws = request.getfixturevalue("emulator")
    settings = deploy(aws, name=f"test-{uuid4().hex[:12]}")
    # Clients remember nothing of what is stored, and take longer to make than the tests to run.
    return lambda: Gateway(settings, OnAws(settings, aws=aws))


def draft(text: str, **changes: Any) -> PromptDraft:
    message = Message(role=MessageRole.USER, content=(TextPart(text=text),))
    template = PromptTemplate(messages=(message,), variables=NAME if "{{" in text else {})
    return PromptDraft(**({"id": "answer", "name": "Answer", "template": template} | changes))


def role(role_id: str) -> PromptDraft:
    template = PromptTemplate(system_text="Be kind.")
    return PromptDraft(id=role_id, kind=PromptKind.ROLE, name="Role", template=template)


def at_once(*changes: Callable[[], object]) -> list[object]:
    """What each of them gives, or the error that it met."""
    barrier = Barrier(len(changes))

    def outcome(change: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return change()
        except GatewayError as error:
            return error

    with ThreadPoolExecutor(len(changes)) as threads:
        return list(threads.map(outcome, changes))


def texts_of(gateway: Gateway) -> dict[int, str]:
    """What each version says, by its number."""
    page = gateway.prompts.versions("answer", limit=100, cursor=None)
    return {view.version.number: view.version.template.messages[0].text for view in page.items}


def test_everybody_who_edits_at_once_gets_a_version(processes: Callable[[], Gateway]) -> None:
    first = processes()
    first.prompt_changes.create(draft("0"), by=BY)
    gateways = [processes() for _ in range(EDITORS)]
    outcomes = at_once(
        *(
            lambda gateway=gateway, text=str(number): gateway.prompt_changes.update(
                "answer", draft(text), expected=None, by=BY
            )
            for number, gateway in enumerate(gateways, start=1)
        )
    )
    assert not [outcome for outcome in outcomes if isinstance(outcome, GatewayError)]
    texts = texts_of(first)
    assert sorted(texts) == list(range(1, EDITORS + 2))
    assert sorted(texts.values()) == [str(number) for number in range(EDITORS + 1)]
    newest = first.prompts.get("answer")
    assert (newest.metadata.version, newest.metadata.revision) == (EDITORS + 1, EDITORS + 1)
    assert newest.version.template.messages[0].text == texts[EDITORS + 1]


def test_of_those_who_read_the_same_state_one_writes(processes: Callable[[], Gateway]) -> None:
    first = processes()
    first.prompt_changes.create(draft("0"), by=BY)
    gateways = [processes() for _ in range(EDITORS)]
    outcomes = at_once(
        *(
            lambda gateway=gateway, text=str(number): gateway.prompt_changes.update(
                "answer", draft(text), expected=1, by=BY
            )
            for number, gateway in enumerate(gateways, start=1)
        )
    )
    assert sum(isinstance(outcome, RevisionConflict) for outcome in outcomes) == EDITORS - 1
    texts = texts_of(first)
    assert sorted(texts) == [1, 2]
    assert texts[1] == "0"


def test_an_edit_and_moves_of_labels_do_not_hinder_each_other(processes: Callable[[], Gateway]) -> None:
    first = processes()
    first.prompt_changes.create(draft("0"), by=BY)
    editor, *movers = [processes() for _ in range(4)]
    outcomes = at_once(
        lambda: editor.prompt_changes.update("answer", draft("1"), expected=1, by=BY),
        *(
            lambda gateway=gateway, name=f"l{number}": gateway.labels.put(
                "answer", name, LabelDraft(versions={1: 100}), expected=None, by=BY
            )
            for number, gateway in enumerate(movers)
        ),
    )
    assert not [outcome for outcome in outcomes if isinstance(outcome, GatewayError)]
    metadata = first.prompts.get("answer").metadata
    assert (metadata.version, sorted(metadata.labels)) == (2, ["l0", "l1", "l2"])


def test_an_id_is_taken_once(processes: Callable[[], Gateway]) -> None:
    outcomes = at_once(
        *(
            lambda gateway=processes(), text=str(number): gateway.prompt_changes.create(draft(text), by=BY)
            for number in range(4)
        )
    )
    assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 3
    assert list(texts_of(processes())) == [1]


@pytest.mark.parametrize("number", range(2))
def test_a_role_is_either_named_or_deleted(processes: Callable[[], Gateway], number: int) -> None:
    role_id = f"pirate-{number}"
    editor, remover = processes(), processes()
    editor.prompt_changes.create(role(role_id), by=BY)
    naming = replace(draft("Hi"), template=PromptTemplate(system_text="Hi", roles=(role_id,)))
    created, deleted = at_once(
        lambda: editor.prompt_changes.create(naming, by=BY),
        lambda: remover.prompt_changes.delete(role_id, expected=None, by=BY),
    )
    reader = processes()
    if isinstance(created, GatewayError):
        assert isinstance(created, ValidationFailed)
        assert deleted is None
        with pytest.raises(PromptNotFound):
            reader.prompts.get(role_id)
    else:
        assert isinstance(deleted, PromptInUse)
        assert reader.prompts.get(role_id).metadata.id == role_id


def test_renders_beside_a_label_that_moves_are_each_wholly_one_version(processes: Callable[[], Gateway]) -> None:
    editor = processes()

    def content(number: int) -> PromptDraft:
        turns = tuple(
            Message(role=MessageRole.USER, content=(TextPart(text=f"{number}: {{{{ name }}}} {turn}"),))
            for turn in range(20)
        )
        template = PromptTemplate(messages=turns, system_text=f"{number}", variables=NAME)
        return draft("", template=template)

    editor.prompt_changes.create(content(1), by=BY)
    for number in (2, 3):
        editor.prompt_changes.update("answer", content(number), expected=None, by=BY)
    editor.labels.put("answer", "production", LabelDraft(versions={1: 100}), expected=None, by=BY)
    done = Event()

    def move() -> int:
        moves = 0
        while not done.is_set():
            target = {moves % 3 + 1: 50, (moves + 1) % 3 + 1: 50}
            editor.labels.put("answer", "production", LabelDraft(versions=target), expected=None, by=BY)
            moves += 1
        return moves

    def render(number: int) -> set[str]:
        reader = readers[number % len(readers)]
        # As a process that has read nothing for a while.
        reader.outside.prompt_reader.forget("answer")
        resolved = reader.resolver.resolve(PromptChoice(id="answer"))
        filled = compose(resolved, {"name": "Ada"}, SystemChoice())
        assert resolved.version is not None
        said = {message.text.partition(":")[0] for message in filled.messages} | {filled.system or ""}
        assert said == {str(resolved.version.number)}
        return said

    readers = [processes() for _ in range(4)]
    with ThreadPoolExecutor(5) as threads:
        moving = threads.submit(move)
        try:
            seen = set().union(*threads.map(render, range(100)))
        finally:
            done.set()
        assert moving.result() > 1
    assert len(seen) > 1
