"""Versions: what tells one from another, how large one may be, and how two of them differ."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import unified_diff
from typing import Any, Final

from llm_gateway.domain.chat import ImagePart, Message, OutputFormat, TextPart
from llm_gateway.domain.prompts.prompts import Defaults, PromptVersion
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable
from llm_gateway.domain.strict_json import canonical, digest
from llm_gateway.values import dataclass

MOST_BYTES: Final = 131_072
"""Of a version, as JSON."""

# Comparing takes time that grows with the product: what differs in more lines is shown as taken out and put in.
_MOST_PAIRS: Final = 250_000
_UNSAID: Final = object()


def content_hash(template: PromptTemplate, defaults: Defaults, output: OutputFormat) -> str:
    """SHA-256 of the three as JSON: equal for equal content."""
    return digest(_content(template, defaults, output))


def size_of(template: PromptTemplate, defaults: Defaults, output: OutputFormat) -> int:
    """In bytes, as JSON."""
    return len(json.dumps(canonical(_content(template, defaults, output)), ensure_ascii=False).encode())


def _content(template: PromptTemplate, defaults: Defaults, output: OutputFormat) -> dict[str, Any]:
    return {"template": template, "defaults": defaults, "output": output}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDiff:
    """What changed in the message number `index`, as a unified diff."""

    index: int
    unified: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that differs: `before` and `after` are None where it is not set, or null."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDiff:
    """What leads from one version to another; `system` is None where the system text is the same."""

    messages: tuple[MessageDiff, ...]
    system: str | None
    settings: tuple[Setting, ...]


def difference(before: PromptVersion, after: PromptVersion) -> VersionDiff:
    titles = f"version {before.number}", f"version {after.number}"
    return VersionDiff(
        messages=tuple(_message_diffs(before.template.messages, after.template.messages, titles)),
        system=_unified(before.template.system_text or "", after.template.system_text or "", titles),
        settings=tuple(_settings_diffs(_settings(before), _settings(after))),
    )


def _message_diffs(
    before: Sequence[Message], after: Sequence[Message], titles: tuple[str, str]
) -> Iterator[MessageDiff]:
    for index in range(max(len(before), len(after))):
        old, new = (_text(messages[index]) if index < len(messages) else "" for messages in (before, after))
        unified = _unified(old, new, titles)
        if unified is not None:
            yield MessageDiff(index=index, unified=unified)


def _text(message: Message) -> str:
    lines = [f"[{message.role.value}]" if message.name is None else f"[{message.role.value} {message.name}]"]
    for part in message.content:
        match part:
            case TextPart():
                lines.append(part.text)
            case ImagePart():
                lines.append(
                    f"[image {part.url}]" if part.detail is None else f"[image {part.url} detail={part.detail}]"
                )
        if part.cache_control is not None:
            lines.append(f"[cached up to here for {part.cache_control.ttl}]")
    return "\n".join(lines)


def _unified(before: str, after: str, titles: tuple[str, str]) -> str | None:
    """A unified diff, None where the texts are the same."""
    if before == after:
        return None
    old, new = (text.split("\n") if text else [] for text in (before, after))
    return "\n".join(_lines(old, new, titles))


def _lines(old: list[str], new: list[str], titles: tuple[str, str]) -> Iterator[str]:
    head = next((place for place, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    if (len(old) - head) * (len(new) - head) <= _MOST_PAIRS:
        yield from unified_diff(old, new, *titles, lineterm="")
        return
    yield from (
        f"--- {titles[0]}",
        f"+++ {titles[1]}",
        f"@@ -{head + 1},{len(old) - head} +{head + 1},{len(new) - head} @@",
    )
    yield from (f"-{line}" for line in old[head:])
    yield from (f"+{line}" for line in new[head:])


def _settings(version: PromptVersion) -> dict[str, Any]:
    """What is not text, by paths as they are sent."""
    template, output = version.template, version.output
    said = {
        "template.system.roles": list(template.roles),
        "template.variables": {name: _members(variable) for name, variable in template.variables.items()},
        "defaults": version.defaults,
        "output": {"type": output.type, "schema": output.schema},
    }
    return dict(_flat("", canonical(said)))


def _members(variable: Variable) -> Mapping[str, Any]:
    """Without what is not said of it."""
    return {name: value for name, value in canonical(variable).items() if value is not None}


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else name, inner)
    else:
        yield path, value


def _settings_diffs(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Setting]:
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, _UNSAID), after.get(path, _UNSAID)
        if _differ(old, new):
            yield Setting(path=path, before=_told(old), after=_told(new))


def _differ(old: Any, new: Any) -> bool:
    # True is 1 for Python, and not for a reader.
    return type(old) is not type(new) or old != new


def _told(value: Any) -> Any:
    return None if value is _UNSAID else value
