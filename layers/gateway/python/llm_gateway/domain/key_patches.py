"""Merge patches (RFC 7396) of keys: a field that is absent stays, null clears it, an object is merged."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from llm_gateway.domain.keys import Allowed, Budget, KeyLimits, KeySpec
from llm_gateway.errors import ValidationFailed

Patch = Mapping[str, Any]
"""By the names of `KeySpec`'s fields; what belongs to an object is a mapping in turn."""

_OBJECTS: Final[Mapping[str, type]] = {"limits": KeyLimits, "budget_usd": Budget, "allow": Allowed}


def patched(spec: KeySpec, patch: Patch) -> KeySpec:
    """Raises `ValidationFailed` for what cannot be cleared, and for a budget without an amount or a period."""
    said, cleared = spec.said(), _defaults(KeySpec)
    for name, given in patch.items():
        said[name] = _cleared(cleared, name) if given is None else _merged(name, said[name], given)
    return KeySpec(**said)


def _merged(name: str, stored: Any, given: Any) -> Any:
    kind = _OBJECTS.get(name)
    if kind is None:
        return given
    cleared = _defaults(kind)
    parts = cleared if stored is None else {each: getattr(stored, each) for each in cleared}
    parts = parts | {part: cleared[part] if value is None else value for part, value in given.items()}
    for part, value in parts.items():
        if value is MISSING:
            raise ValidationFailed.of(f"{name}.{part}", "is required")
    return kind(**parts)


def _cleared(cleared: Mapping[str, Any], name: str) -> Any:
    if cleared[name] is MISSING:
        raise ValidationFailed.of(name, "cannot be cleared: send another value, or leave it out")
    return cleared[name]


def _defaults(kind: type) -> dict[str, Any]:
    return {each.name: each.default for each in fields(kind)}
