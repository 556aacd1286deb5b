"""What differs between two versions of a prompt, over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from llm_gateway.domain.prompts.versions import VersionDiff
from llm_gateway.wire.schema import Outgoing


class MessageDiffShown(Outgoing):
    """A message that differs, as a unified diff."""

    index: int
    unified: str


class SettingShown(Outgoing):
    """A setting that differs. Null: not set."""

    path: str
    before: Annotated[Any, Field(serialization_alias="from")]
    after: Annotated[Any, Field(serialization_alias="to")]


class VersionDiffShown(Outgoing):
    """What leads from one version to another. `system` is null where the system text is the same."""

    messages: list[MessageDiffShown]
    system: str | None
    settings: list[SettingShown]

    @classmethod
    def of(cls, diff: VersionDiff) -> "VersionDiffShown":
        return cls.model_validate(diff)
