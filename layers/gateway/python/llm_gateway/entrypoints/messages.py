"""Anthropic's clients at the door: which version of its API they speak."""

from typing import Annotated, Final

from fastapi import Depends, Header

from llm_gateway.errors import ValidationFailed

# What the gateway takes and answers is the same in each.
_VERSIONS: Final = ("2023-01-01", "2023-06-01", "2026-10-21")


async def _version(anthropic_version: Annotated[str | None, Header()] = None) -> str:
    """The version that the client speaks, without a word of it the newest. Raises `ValidationFailed` where there is no such."""
    if anthropic_version is None:
        return _VERSIONS[-1]
    if anthropic_version not in _VERSIONS:
        raise ValidationFailed.of("anthropic-version", f"is none: there are {', '.join(_VERSIONS)}")
    return anthropic_version


Version = Annotated[str, Depends(_version)]
