"""The JSON schemas that callers send: which of them an answer can be held against, told before anybody is paid for one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as member
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.chat import JsonObject
from llm_gateway.domain.strict_json import DEEPEST, is_deeper
from llm_gateway.errors import ValidationFailed
from llm_gateway.services.output.conformity import brief
from llm_gateway.services.output.patterns import InvalidPattern, check_pattern

if TYPE_CHECKING:
    from jsonschema import SchemaError
    from referencing import Resource
    from referencing._core import Resolver

_MOST_BYTES: Final = 131_072
_MOST_PARTS: Final = 5_000
_MOST_PATTERNS: Final = 100
# One within another at the same place of an answer, and all of them together.
_LONGEST_CHAIN: Final = 50
_MOST_AT_ONE_PLACE: Final = 1_000
_LONGEST_TOLD: Final = 200
_ENDLESS: Final = f"refers to itself without end, or has more than {_LONGEST_CHAIN} schemas one within another"


def check_schema(schema: JsonObject, *, field: str = "output.schema") -> None:
    """Raises `ValidationFailed` of `field` for a schema by which nothing can be validated, or not within bounds."""
    try:
        _check_size(schema)
        _check_form(schema)
        _Parts().check(schema)
    except RecursionError:
        raise ValidationFailed.of(field, "is nested too deeply") from None
    except _Unusable as fault:
        raise ValidationFailed.of(field, str(fault)) from None


class _Unusable(Exception):
    """The message says why, and how to mend it."""


def _inner(part: Any) -> Any:
    return part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def _check_size(schema: JsonObject) -> None:
    if is_deeper(schema, DEEPEST):
        raise _Unusable(f"is nested too deeply: {DEEPEST} levels at most")
    try:
        size = len(json.dumps(schema, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise _Unusable("holds half of a surrogate pair, which is no text") from None
    if size > _MOST_BYTES:
        raise _Unusable(f"is too large: {_MOST_BYTES // 1024} KiB as JSON at most")
    if _parts(schema) > _MOST_PARTS:
        raise _Unusable(f"has too many parts: {_MOST_PARTS} lists and objects at most")


def _parts(value: Any) -> int:
    return isinstance(value, dict | list) + sum(map(_parts, _inner(value)))


def _check_form(schema: JsonObject) -> None:
    """What the metaschema says of it, with expressions as RE2 has them."""
    from jsonschema import Draft202012Validator, FormatChecker, SchemaError

    patterns: set[str] = set()
    formats = FormatChecker(())

    @formats.checks("regex", raises=InvalidPattern)
    def is_pattern(value: object) -> bool:
        if isinstance(value, str):
            patterns.add(value)
            if len(patterns) > _MOST_PATTERNS:
                raise _Unusable(f"has too many patterns: {_MOST_PATTERNS} at most")
            check_pattern(value)
        return True

    try:
        Draft202012Validator.check_schema(dict(schema), format_checker=formats)
    except SchemaError as error:
        raise _Unusable(_fault(error)) from None


def _fault(error: "SchemaError") -> str:
    place, pattern = _short(error.json_path), error.cause
    if isinstance(pattern, InvalidPattern):
        expression = f"{_short(repr(error.instance))} at {place} is not a regular expression that RE2 has"
        return f"{expression} ({_short(str(pattern))}): do without look-arounds, back-references and large repetitions"
    return f"is not a JSON schema: {brief(error.message, error.instance)} at {place}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


@dataclass(slots=True)
class _Parts:
    """The schemas within a schema; `same_place` leads from each to those that hold of the same value."""

    same_place: dict[int, list[Any]] = member(default_factory=dict)
    references: list[tuple[Any, str, "Resolver[Any]"]] = member(default_factory=list)
    keywords: set[str] = member(default_factory=set)
    sizes: dict[int, tuple[int, int]] = member(default_factory=dict)

    def check(self, schema: JsonObject) -> None:
        """Raises `_Unusable`."""
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        resource = DRAFT202012.create_resource(dict(schema))
        try:
            # Nothing else is in the registry, and nothing is ever fetched into it.
            registry = Registry().with_resource(resource.id() or "", resource).crawl()
            self._collect(resource, registry.resolver(resource.id() or ""))
        except ValueError as error:
            raise _Unusable(f"has an $id that is no URI ({_short(str(error))})") from None
        for part, reference, resolver in self.references:
            self.same_place[id(part)].append(self._target(reference, resolver))
        if {"patternProperties", "unevaluatedProperties"} <= self.keywords:
            raise _Unusable("holds both patternProperties and unevaluatedProperties: only one of them can be had")
        for part in [*self.same_place]:
            self._check_extent(part)

    def _collect(self, resource: "Resource[Any]", resolver: "Resolver[Any]") -> None:
        part = resource.contents
        if isinstance(part, dict):
            if self.same_place and "$schema" in part:
                raise _Unusable("has a $schema within it: only the whole may have one")
            self.keywords |= part.keys()
            self.same_place[id(part)] = list(_at_same_place(part))
            for keyword in ("$ref", "$dynamicRef"):
                if keyword in part:
                    self.references.append((part, part[keyword], resolver))
        for inner in resource.subresources():
            self._collect(inner, resolver.in_subresource(inner))

    def _target(self, reference: str, resolver: "Resolver[Any]") -> Any:
        from referencing.exceptions import Unresolvable

        try:
            target = resolver.lookup(reference).contents
        except (Unresolvable, LookupError, TypeError, ValueError, AttributeError):
            # A pointer may lead into a text or a number, which few expect.
            target = None
        if not isinstance(target, bool) and id(target) not in self.same_place:
            raise _Unusable(f"refers to {_short(repr(reference))}, which is no schema in it: put that under $defs")
        return target

    def _check_extent(self, part: int) -> None:
        chain, weight = self._extent(part, within=0)
        if chain > _LONGEST_CHAIN:
            raise _Unusable(_ENDLESS)
        if weight > _MOST_AT_ONE_PLACE:
            raise _Unusable(f"holds more than {_MOST_AT_ONE_PLACE} schemas, with all they refer to, against one value")

    def _extent(self, part: int, *, within: int) -> tuple[int, int]:
        """How many schemas lie one within another at the place of `part`, and how many there are in all."""
        if within > _LONGEST_CHAIN:
            raise _Unusable(_ENDLESS)
        if part not in self.sizes:
            inner = [self._extent(id(each), within=within + 1) for each in self.same_place.get(part, ())]
            self.sizes[part] = 1 + max((chain for chain, _ in inner), default=0), 1 + sum(weight for _, weight in inner)
        return self.sizes[part]


def _at_same_place(schema: dict[str, Any]) -> Iterator[Any]:
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from schema.get(keyword, ())
    for keyword in ("not", "if", "then", "else"):
        yield from (schema[keyword],) if keyword in schema else ()
    yield from schema.get("dependentSchemas", {}).values()
