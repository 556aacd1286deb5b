"""Versions: what tells one from another, and how two of them differ."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.domain.chat import CacheControl, ImagePart, Message, MessageRole, OutputFormat, Parameters, TextPart
from llm_gateway.domain.prompts.prompts import Defaults, PromptVersion
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType
from llm_gateway.domain.prompts.versions import content_hash, difference, size_of

TEXT = Variable(type=VariableType.STRING)


def says(*texts: str, role: MessageRole = MessageRole.USER, **template: Any) -> PromptVersion:
    messages = tuple(Message(role=role, content=(TextPart(text=text),)) for text in texts)
    return PromptVersion(
        prompt_id="answer",
        number=1,
        template=PromptTemplate(messages=messages, **template),
        defaults=Defaults(),
        output=OutputFormat(),
        author="key_1",
        created_at=datetime(2026, 11, 30, tzinfo=UTC),
        commit_message=None,
        content_hash="",
    )


def hash_of(version: PromptVersion) -> str:
    return content_hash(version.template, version.defaults, version.output)


VERSION = says("Hello", system_text="Be brief.", roles=("analyst",), variables={"a": TEXT})
OTHERS = [
    replace(VERSION, template=replace(VERSION.template, system_text="Be brief")),
    replace(VERSION, template=replace(VERSION.template, roles=("analyst@1",))),
    replace(VERSION, template=replace(VERSION.template, variables={"a": replace(TEXT, default=True)})),
    replace(VERSION, template=replace(VERSION.template, variables={"a": replace(TEXT, default=1)})),
    replace(VERSION, template=replace(VERSION.template, variables={"b": TEXT})),
    replace(VERSION, template=says("Hello", "Hello").template),
    replace(VERSION, defaults=Defaults(model="small")),
    replace(VERSION, defaults=Defaults(parameters=Parameters(temperature=0))),
    replace(VERSION, output=OutputFormat(type="json")),
    replace(VERSION, output=OutputFormat(type="json_schema", schema={"minimum": 1})),
    replace(VERSION, output=OutputFormat(type="json_schema", schema={"minimum": True})),
]


def test_other_content_has_another_hash() -> None:
    hashes = [hash_of(version) for version in (VERSION, *OTHERS)]
    assert len(set(hashes)) == len(hashes)
    assert all(len(each) == 64 for each in hashes)


def test_what_is_no_content_does_not_count() -> None:
    assert hash_of(replace(VERSION, number=9, author="key_2", commit_message="x")) == hash_of(VERSION)


def test_how_it_is_written_does_not_count() -> None:
    schemas: list[dict[str, Any]] = [{"a": 1.0, "b": 2}, {"b": 2, "a": 1}]
    one, same = (replace(VERSION, output=OutputFormat(type="json_schema", schema=schema)) for schema in schemas)
    assert hash_of(one) == hash_of(same)


def test_a_size_counts_bytes() -> None:
    def size(text: str) -> int:
        version = says(text)
        return size_of(version.template, version.defaults, version.output)

    assert size("ä" * 100) - size("a" * 100) == 100


def test_every_other_content_shows_in_the_diff() -> None:
    for other in OTHERS:
        diff = difference(VERSION, other)
        assert diff.messages or diff.system or diff.settings, other
        back = difference(other, VERSION)
        assert [(each.path, each.after, each.before) for each in back.settings] == [
            (each.path, each.before, each.after) for each in diff.settings
        ]
    same = difference(VERSION, VERSION)
    assert (same.messages, same.system, same.settings) == ((), None, ())


def test_messages_are_compared_by_their_place() -> None:
    diff = difference(says("a", "b", "c"), says("a", "x"))
    assert [each.index for each in diff.messages] == [1, 2]
    assert diff.messages[0].unified.splitlines()[-2:] == ["-b", "+x"]
    assert diff.messages[1].unified.splitlines()[-2:] == ["-[user]", "-c"]


def test_who_speaks_and_what_is_shown_count() -> None:
    assert difference(says("a"), says("a", role=MessageRole.ASSISTANT)).messages
    image = Message(role=MessageRole.USER, content=(ImagePart(url="{{ photo }}"),))
    shown = replace(VERSION, template=PromptTemplate(messages=(image,)))
    assert "+[image {{ photo }}]" in difference(says(), shown).messages[0].unified
    named = replace(VERSION, template=PromptTemplate(messages=(replace(image, name="Ada"),)))
    assert "+[user Ada]" in difference(shown, named).messages[0].unified


def test_what_a_part_asks_of_caches_shows() -> None:
    def cached(cache_control: CacheControl | None) -> PromptVersion:
        part = TextPart(text="a", cache_control=cache_control)
        return replace(VERSION, template=PromptTemplate(messages=(Message(role=MessageRole.USER, content=(part,)),)))

    assert difference(cached(None), cached(CacheControl())).messages


@pytest.mark.parametrize("lines", [10, 5_000])
def test_a_diff_leads_from_one_text_to_the_other(lines: int) -> None:
    old = [f"line {number % 7}" for number in range(lines)]
    new = ["first", *old[: lines // 2], "middle", *old[lines // 2 + 1 :]]
    system = difference(says(system_text="\n".join(old)), says(system_text="\n".join(new))).system
    assert system is not None
    assert applied(old, system) == new


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_any_diff_leads_from_one_text_to_the_other(old: list[str], new: list[str]) -> None:
    system = difference(says(system_text="\n".join(old)), says(system_text="\n".join(new))).system
    assert (system is None) == (old == new)
    if system is not None:
        assert applied(old, system) == new


def applied(old: list[str], unified: str) -> list[str]:
    """`old` with a unified diff applied."""
    made: list[str] = []
    place = 0
    for line in unified.split("\n")[2:]:
        if line.startswith("@@"):
            begins, _, count = line.split()[1].removeprefix("-").partition(",")
            start = int(begins) - (count != "0")
            made += old[place:start]
            place = start
        elif line.startswith("+"):
            made.append(line[1:])
        else:
            assert old[place] == line[1:]
            made += [line[1:]] if line.startswith(" ") else []
            place += 1
    return made + old[place:]
