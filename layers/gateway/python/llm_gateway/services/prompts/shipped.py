"""The roles that ship with the gateway, as data files beside the code: each is read when it is first named."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from llm_gateway.domain.chat import OutputFormat, Parameters
from llm_gateway.domain.prompts.prompts import Defaults, OpenPrompt, PromptKind, PromptMetadata, PromptVersion, Suite
from llm_gateway.domain.prompts.templates import PromptTemplate, Variable, VariableType
from llm_gateway.domain.prompts.versions import content_hash
from llm_gateway.domain.strict_json import digest

NAMES: Final = (
    "analyst", "assistant", "base", "coder", "extractor", "reviewer", "summarizer", "support", "translator",
)  # fmt: skip
AUTHOR: Final = "gateway"
_SINCE: Final = datetime(2026, 11, 30, tzinfo=UTC)
_FILES: Final = Path(__file__).parent / "roles"


class ShippedRoles(Mapping[str, OpenPrompt]):
    """Each has one version, number 0."""

    def __getitem__(self, role_id: str) -> OpenPrompt:
        if role_id not in NAMES:
            raise KeyError(role_id)
        return _role(role_id)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)

    def __contains__(self, role_id: object) -> bool:
        return role_id in NAMES


def suite_of(role_id: str) -> Suite:
    """The tests of a role that ships. Raises `KeyError` for one that does not."""
    if role_id not in NAMES:
        raise KeyError(role_id)
    return tuple(_file(role_id)["tests"])


@cache
def _role(role_id: str) -> OpenPrompt:
    said = _file(role_id)
    template = PromptTemplate(
        system_text=said["text"].strip("\n"),
        variables={name: _variable(each) for name, each in said.get("variables", {}).items()},
    )
    defaults = Defaults(parameters=Parameters(**said["defaults"]))
    metadata = PromptMetadata(
        id=role_id,
        kind=PromptKind.ROLE,
        name=said["name"],
        description=said["description"],
        category=said["category"],
        version=0,
        revision=0,
        created_at=_SINCE,
        updated_at=_SINCE,
        built_in=True,
        suite_hash=digest(said["tests"]),
    )
    version = PromptVersion(
        prompt_id=role_id,
        number=0,
        template=template,
        defaults=defaults,
        output=OutputFormat(),
        author=AUTHOR,
        created_at=_SINCE,
        commit_message=None,
        content_hash=content_hash(template, defaults, OutputFormat()),
    )
    return OpenPrompt(metadata=metadata, versions={0: version})


def _variable(said: dict[str, Any]) -> Variable:
    required = said.get("required", "default" not in said)
    return Variable(**{**said, "type": VariableType(said["type"]), "required": required})


@cache
def _file(role_id: str) -> dict[str, Any]:
    return tomllib.loads((_FILES / f"{role_id}.toml").read_text(encoding="utf-8"))
