"""Assembly: what was sent becomes what is asked. A prompt and roles are chosen, filled and composed before anything is planned.

What comes of it stands in the request by itself: a worker asks what was accepted, whatever has become of the prompt since.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from llm_gateway.domain.chat import OutputFormat, Parameters
from llm_gateway.domain.prompts.choices import Choices
from llm_gateway.domain.prompts.prompts import Defaults
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.domain.queries import Origin, PromptUsed, QueryRequest
from llm_gateway.domain.strict_json import digest
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.providers import ProviderStore
from llm_gateway.services.prompts.composition import compose
from llm_gateway.services.prompts.resolution import Resolved, Resolver
from llm_gateway.services.together import Beside

_NOTHING: Final = Defaults()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Reads a prompt that is not at hand beside the providers' book, which planning reads next."""

    resolver: Resolver
    providers: ProviderStore

    def assemble(self, request: QueryRequest, choices: Choices) -> QueryRequest:
        """`request` with the words, the form and the wishes of its prompt and its roles.

        Raises what `Resolver.resolve` and `compose` raise; `ValidationFailed` where the query asks for another form than its
        prompt, or where there is no message in either.
        """
        prompt, system = choices.prompt, choices.system
        with Beside() as beside:
            found = beside.start(lambda: self.resolver.resolve(prompt, system.roles, base=system.base))
            book = beside.start(self.providers.all)
        resolved = found.result
        composition = compose(resolved, prompt.variables if prompt else {}, system)
        messages = (*composition.messages, *request.messages)
        if not messages:
            raise ValidationFailed.of("messages", "the prompt has no messages of its own: send at least one")
        defaults = _defaults(resolved, choices)
        parameters, wishes = _wished(request.parameters, defaults.parameters)
        model, told = _model(request, defaults.model, book.result)
        return replace(
            request,
            messages=messages,
            system=composition.system,
            model=model,
            parameters=parameters,
            output=_output(resolved, choices.output),
            origin=Origin(
                prompt=_used(resolved),
                roles=composition.roles,
                wishes=wishes,
                warnings=(*composition.warnings, *told),
                cache_ttl_s=resolved.metadata.cache_ttl_s if resolved.metadata else None,
                log_bodies=resolved.metadata.log_bodies if resolved.metadata else None,
                pii=tuple(sorted(resolved.pii)),
            ),
        )


def _defaults(resolved: Resolved, choices: Choices) -> Defaults:
    """Those of the prompt. A role has none to give: it may be one of several."""
    if resolved.version is not None:
        return resolved.version.defaults
    return _NOTHING if choices.wishes_of is None else resolved.roles[choices.wishes_of].defaults


def _used(resolved: Resolved) -> PromptUsed | None:
    version = resolved.version
    return PromptUsed(id=version.prompt_id, version=version.number, label=resolved.label) if version else None


def _wished(asked: Parameters, defaults: Parameters) -> tuple[Parameters, tuple[str, ...]]:
    """The parameters, and the names of those that the query leaves to the prompt."""
    wished = {
        field.name: getattr(defaults, field.name)
        for field in fields(Parameters)
        if getattr(asked, field.name) in (None, ()) and getattr(defaults, field.name) not in (None, ())
    }
    return replace(asked, **wished), tuple(f"parameters.{name}" for name in wished)


def _model(
    request: QueryRequest, default: str | None, book: Sequence[ProviderConfig]
) -> tuple[str | None, tuple[str, ...]]:
    """The model as if the query had named it; a query that names a provider is not sent there with another's model."""
    if default is None or request.model is not None:
        return request.model, ()
    provider = next((each for each in book if each.id == request.provider), None)
    if provider is None:
        # Where the query names one that does not exist, planning says so.
        return (default if request.provider is None else None), ()
    model = default.removeprefix(f"{provider.id}/")
    if model != default or provider.lists(model):
        return model, ()
    return None, (f"The prompt's default model {default!r} was left out: {provider.id!r} does not list it.",)


def _output(resolved: Resolved, asked: OutputFormat | None) -> OutputFormat:
    """The form of the answer: the query's may be stricter than the prompt's, and no looser."""
    own = resolved.version.output if resolved.version else OutputFormat()
    if own.type == "text" or asked is None:
        return asked or own
    if own.type == "json" and asked.type != "text":
        return asked
    if asked.type != own.type:
        message = f"cannot be {asked.type}: the prompt's answers are {own.type}; leave output out"
        raise ValidationFailed.of("output.type", message)
    if digest(asked.schema) != digest(own.schema):
        raise ValidationFailed.of("output.schema", "is not the prompt's own, which holds: leave output out")
    return own
