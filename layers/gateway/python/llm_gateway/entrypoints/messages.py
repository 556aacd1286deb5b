"""Anthropic's clients at the door: which version of its API they speak, and what of its headers cannot be honoured."""

from typing import Annotated, Final

from llm_gateway.entrypoints.declared import Depends, FromHeader, FromQuery
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.anthropic.refusals import HEADER

# What the gateway takes and answers is the same in each.
_VERSIONS: Final = ("2023-01-01", "2023-06-01", "2026-10-21")


def _version(
    anthropic_version: Annotated[str | None, FromHeader()] = None,
    anthropic_workspace_id: Annotated[str | None, FromHeader()] = None,
    anthropic_user_profile_id: Annotated[str | None, FromHeader()] = None,
    beta: Annotated[bool | None, FromQuery()] = None,  # noqa: ARG001 - clients add it to the address, and it asks for nothing here
) -> str:
    """The version that the client speaks, without a word of it the newest. Raises `ValidationFailed` where there is no such, and
    for what the SDK's parameters of these names send."""
    for name, given in (("workspace_id", anthropic_workspace_id), ("user_profile_id", anthropic_user_profile_id)):
        if given is not None:
            raise ValidationFailed.of(name, f"is not taken here: {HEADER}")
    if anthropic_version is None:
        return _VERSIONS[-1]
    if anthropic_version not in _VERSIONS:
        raise ValidationFailed.of("anthropic-version", f"is none: there are {', '.join(_VERSIONS)}")
    return anthropic_version


Version = Annotated[str, Depends(_version)]
