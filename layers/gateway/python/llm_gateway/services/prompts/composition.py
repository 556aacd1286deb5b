"""Composition: the system message of a query, put together from roles, the prompt's text and the query's own, each once.

The order is `base`, the prompt's roles, the query's roles, the prompt's text, the query's text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from llm_gateway.domain.chat import Message
from llm_gateway.domain.prompts.choices import SystemChoice
from llm_gateway.domain.prompts.prompts import PromptVersion
from llm_gateway.domain.queries import RoleUsed
from llm_gateway.errors import FieldError, TemplateVariablesInvalid, listed
from llm_gateway.services.prompts.metering import Meter
from llm_gateway.services.prompts.resolution import BASE, Resolved
from llm_gateway.services.prompts.templates import fill_template

BETWEEN: Final = "\n\n"
_ROLES_FIELD: Final = "system.variables"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPart:
    """A piece of a system message. `source` is `base`, `role:analyst@2`, `prompt` or `query`."""

    source: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What comes of a prompt and of roles. `system` is the parts' texts, None where there is none."""

    messages: tuple[Message, ...]
    parts: tuple[SystemPart, ...]
    roles: tuple[RoleUsed, ...]
    warnings: tuple[str, ...] = ()

    @property
    def system(self) -> str | None:
        return BETWEEN.join(part.text for part in self.parts) or None


def compose(
    resolved: Resolved, variables: Mapping[str, Any], system: SystemChoice, *, field: str = "prompt.variables"
) -> Composition:
    """Raises `TemplateVariablesInvalid`, which names what is wrong below `field`, or below `system.variables` for roles."""
    versions, warnings = _each_once(resolved.roles)
    _check_declared(versions, system.variables)
    meter = Meter()
    parts = [part for version in versions for part in _of_role(version, system.variables, meter)]
    messages: tuple[Message, ...] = ()
    if resolved.version is not None:
        filled = fill_template(resolved.version.template, variables, field=field, meter=meter)
        messages = filled.messages
        parts += _of_text("prompt", filled.system_text)
    parts += _of_text("query", system.text)
    roles = tuple(RoleUsed(id=version.prompt_id, version=version.number) for version in versions)
    return Composition(messages=messages, parts=tuple(parts), roles=roles, warnings=tuple(warnings))


def _each_once(roles: Mapping[str, PromptVersion]) -> tuple[list[PromptVersion], list[str]]:
    """The roles in their order, and a warning where one was named in two versions: the first one stays."""
    chosen: dict[str, PromptVersion] = {}
    warnings = []
    for version in roles.values():
        first = chosen.setdefault(version.prompt_id, version)
        if first.number != version.number:
            warnings.append(
                f"The role {version.prompt_id!r} was named twice: version {first.number} was used,"
                f" version {version.number} was left out."
            )
    return [*chosen.values()], warnings


def _check_declared(versions: list[PromptVersion], given: Mapping[str, Any]) -> None:
    known = {name for version in versions for name in version.template.variables}
    there_are = f"there are: {listed(known)}" if known else "they have none" if versions else "no role is named"
    unknown = [name[:100] for name in given if name not in known]
    if unknown:
        errors = [FieldError(f"{_ROLES_FIELD}.{name}", f"no role has this variable; {there_are}") for name in unknown]
        raise TemplateVariablesInvalid(f"{errors[0].field}: {errors[0].message}", errors=errors[:50])


def _of_role(version: PromptVersion, given: Mapping[str, Any], meter: Meter) -> Iterator[SystemPart]:
    declared = version.template.variables
    own = {name: value for name, value in given.items() if name in declared}
    try:
        text = fill_template(version.template, own, field=_ROLES_FIELD, meter=meter).system_text
    except TemplateVariablesInvalid as fault:
        whose = f" (role {version.prompt_id!r})"
        errors = [replace(error, message=error.message + whose) for error in fault.errors]
        raise TemplateVariablesInvalid(fault.detail + whose, errors=errors) from None
    is_base = version.prompt_id == BASE
    yield from _of_text(BASE if is_base else f"role:{version.prompt_id}@{version.number}", text)


def _of_text(source: str, text: str | None) -> Iterator[SystemPart]:
    """Nothing where there is no text: neither a part, nor a gap where it would have been."""
    if text and text.strip():
        yield SystemPart(source=source, text=text.strip("\n"))
